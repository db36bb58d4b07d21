"""Runs queries in DuckDB and prints a JSON array for each row they yield.

usage: sql_duckdb.py cases TABLES WORK   the queries that sql.sh wrote, WORK/duckdb/CASE/SEGMENT.KIND.sql, at
                                         WORK/cases/CASE/instants: case, segment, as_of, kind, and the row
       sql_duckdb.py queries TABLES      what `oracle queries duckdb` prints, from standard input: the question, and the row
"""
import json
import os
import sys
import tempfile

import duckdb

COLUMNS = ("{'event_no': 'BIGINT', 'user_id': 'VARCHAR', 'event_time': 'BIGINT', 'kind': 'VARCHAR', 'message_id': 'VARCHAR',"
           " 'name': 'VARCHAR', 'properties': 'VARCHAR', 'traits': 'VARCHAR'}")
LOAD = ("INSERT INTO muster_messages SELECT event_no, user_id, event_time, kind, message_id, name,"
        " CAST(CAST(properties AS JSON) AS MAP(VARCHAR, VARCHAR)), CAST(CAST(traits AS JSON) AS MAP(VARCHAR, VARCHAR))"
        " FROM read_csv(?, header = true, delim = ',', quote = '\"', escape = '\"', nullstr = '', allow_quoted_nulls = false,"
        f" columns = {COLUMNS}, max_line_size = 20000000, parallel = false)")


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def load(database, tables, rows):
    """Makes both tables anew from a CSV file."""
    create, distinct = tables.split("CREATE TABLE muster_events AS", 1)
    database.execute("DROP TABLE IF EXISTS muster_messages")
    database.execute("DROP TABLE IF EXISTS muster_events")
    database.execute(create)
    database.execute(LOAD, [rows])
    database.execute("CREATE TABLE muster_events AS" + distinct)


def ask(database, question, query, instant):
    """False where the query fails."""
    try:
        rows = database.execute(query, {"as_of": instant}).fetchall()
    except duckdb.Error as error:
        print(*question, str(error).replace("\n", " ")[:300], file=sys.stderr)
        return False
    for row in rows:
        print(json.dumps([*question, *row], ensure_ascii=False))
    return True


# To plan as well as it can takes DuckDB longer than to go through the few rows of a small case.

def run_cases(database, tables, work):
    folder = os.path.join(work, "duckdb")
    for case in sorted(set(os.listdir(os.path.join(work, "cases"))) & set(os.listdir(folder))):
        database.execute(f"PRAGMA {'enable' if case == 'retail' else 'disable'}_optimizer")
        load(database, tables, os.path.join(folder, case, "rows.csv"))
        instants = read(work, "cases", case, "instants").split()
        for name in sorted(os.listdir(os.path.join(folder, case))):
            if name.endswith(".sql"):
                segment, kind, _ = name.split(".")
                query = read(folder, case, name)
                all(ask(database, [case, segment, instant, kind], query, int(instant)) for instant in instants)


def run_queries(database, tables):
    database.execute("PRAGMA disable_optimizer")
    with tempfile.NamedTemporaryFile(mode="w", encoding="utf-8", newline="") as rows:
        for line in sys.stdin:
            case = json.loads(line)
            rows.seek(0)
            rows.truncate()
            rows.write(case["rows"])
            rows.flush()
            load(database, tables, rows.name)
            for question, query in case["queries"]:
                ask(database, question, query, question[2])


if sys.argv[1] == "cases":
    run_cases(duckdb.connect(config={"threads": 2}), read(sys.argv[2]), sys.argv[3])
else:
    run_queries(duckdb.connect(config={"threads": 1}), read(sys.argv[2]))
