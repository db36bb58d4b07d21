"""Runs the queries that sql.sh prepared in DuckDB; prints ["case", "segment", "as_of", "user"] lines."""
import json
import os
import sys

import duckdb

work = sys.argv[1]
folder = os.path.join(work, "duckdb")
tables = open(os.path.join(folder, "tables.sql"), encoding="utf-8").read()
create, distinct = tables.split("CREATE TABLE muster_events AS", 1)
columns = ("{'event_no': 'BIGINT', 'user_id': 'VARCHAR', 'event_time': 'BIGINT', 'kind': 'VARCHAR', 'message_id': 'VARCHAR',"
           " 'name': 'VARCHAR', 'properties': 'VARCHAR', 'traits': 'VARCHAR'}")
for case in sorted(set(os.listdir(os.path.join(work, "cases"))) & set(os.listdir(folder))):
    database = duckdb.connect(config={"threads": 2})
    database.execute(create)
    database.execute(
        "INSERT INTO muster_messages SELECT event_no, user_id, event_time, kind, message_id, name,"
        " CAST(CAST(properties AS JSON) AS MAP(VARCHAR, VARCHAR)), CAST(CAST(traits AS JSON) AS MAP(VARCHAR, VARCHAR))"
        f" FROM read_csv(?, header = true, delim = ',', quote = '\"', escape = '\"', nullstr = '', allow_quoted_nulls = false,"
        f" columns = {columns}, max_line_size = 20000000, parallel = false)",
        [os.path.join(folder, case, "rows.csv")])
    database.execute("CREATE TABLE muster_events AS" + distinct)
    instants = [int(line) for line in open(os.path.join(work, "cases", case, "instants"), encoding="utf-8")]
    for name in sorted(os.listdir(os.path.join(folder, case))):
        if not name.endswith(".sql"):
            continue
        query = open(os.path.join(folder, case, name), encoding="utf-8").read()
        for instant in instants:
            try:
                rows = database.execute(query, {"as_of": instant}).fetchall()
            except duckdb.Error as error:
                print(case, name, instant, str(error).replace("\n", " ")[:300], file=sys.stderr)
                break
            for (user,) in rows:
                print(json.dumps([case, name[:-4], str(instant), user], ensure_ascii=False))
    database.close()
