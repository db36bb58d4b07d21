"""Parses queries as Spark SQL, or asks a real Spark and prints a JSON array for each row.

usage: sql_spark.py parse FOLDER         every FOLDER/**/*.sql, and what `oracle queries spark` prints, from standard input;
                                         fails where one does not parse
       sql_spark.py cases TABLES WORK    the queries that sql.sh wrote, WORK/spark/CASE/SEGMENT.KIND.sql, each at one of
                                         WORK/cases/CASE/instants: case, segment, as_of, kind, and the row
       sql_spark.py queries TABLES WORK  one query of each case that `oracle queries spark` prints, from standard input:
                                         the question, and the row
       WORK/spark.questions gets the questions, WORK/spark.errors what failed, WORK/spark.report a line of numbers
"""
import json
import os
import pathlib
import re
import shutil
import sys
import time

# Spark plans a query with every CTE written out wherever it is read. One with more of them is asked in stages: what is read
# more than once is a view of rows that are there already.
READS_MAX = 120

# As schemas/event-table.md says.
ROWS = ("CREATE OR REPLACE TEMPORARY VIEW muster_rows (event_no BIGINT, user_id STRING, event_time BIGINT, kind STRING,"
        " message_id STRING, name STRING, properties STRING, traits STRING)"
        " USING csv OPTIONS (path '{}', header true, multiLine true, escape '\"')")
MESSAGES = ("SELECT event_no, user_id, event_time, kind, message_id, name,"
            " from_json(properties, 'map<string,string>', map('mode', 'FAILFAST')) AS properties,"
            " from_json(traits, 'map<string,string>', map('mode', 'FAILFAST')) AS traits FROM muster_rows")
# Nothing listens beyond the loopback. The queries are tiny: what compiles them, or plans them by statistics, takes longer
# than it saves. The zone is one that would be noticed.
SETTINGS = {"spark.ui.enabled": "false", "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1",
            "spark.ui.showConsoleProgress": "false", "spark.log.level": "ERROR",
            "spark.sql.session.timeZone": "America/St_Johns", "spark.sql.shuffle.partitions": "1",
            "spark.sql.adaptive.enabled": "false", "spark.sql.codegen.wholeStage": "false",
            "spark.sql.codegen.factoryMode": "NO_CODEGEN", "spark.sql.autoBroadcastJoinThreshold": "-1",
            "spark.sql.constraintPropagation.enabled": "false"}


def read(*path):
    return pathlib.Path(*path).read_text(encoding="utf-8")


def parse(folder):
    import sqlglot

    texts = [(path.name, read(path)) for path in sorted(pathlib.Path(folder).rglob("*.sql"))]
    for line in sys.stdin:
        texts += [(str(question), query) for question, query in json.loads(line)["queries"]]
    failed = 0
    for name, text in texts:
        try:
            sqlglot.parse(text, read="spark")
        except sqlglot.errors.SqlglotError as error:
            failed += 1
            print(name, str(error).replace("\n", " ")[:300])
    print(f"spark: {len(texts)} texts parsed, {failed} not")
    return failed == 0


class Query:
    """The CTEs of a query by name, in order, and the SELECT behind them, whose name is empty."""

    def __init__(self, text):
        parts = re.split(r"(?:^WITH |,\n\n)(\w+) AS \(", text, flags=re.M)[1:]
        body, _, final = parts[-1].rpartition("\n\nSELECT")
        self.bodies = {name: part.rstrip().removesuffix(")") for name, part in zip(parts[::2], parts[1::2][:-1] + [body])}
        self.bodies[""] = "SELECT" + final
        self.read = {name: [word for word in re.findall(r"(?:FROM|JOIN)\s+(\w+)", re.sub("^ *--.*", "", part, flags=re.M))
                            if word in self.bodies] for name, part in self.bodies.items()}

    def reads(self):
        """How many CTEs are read when each is written out wherever it is read."""
        count = dict.fromkeys(self.bodies, 0) | {"": 1}
        for name in reversed(self.bodies):
            for word in self.read[name]:
                count[word] += count[name]
        return sum(count.values()) - 1

    def stages(self):
        """What is read more than once, and at last the rows, each with the CTEs that it alone reads."""
        all_reads = [word for words in self.read.values() for word in words]
        kept = {name for name in self.bodies if name == "" or (name != "parameters" and all_reads.count(name) > 1)}
        for name in [name for name in self.bodies if name in kept]:
            needed, waiting = set(), [name]
            while waiting:
                more = set(self.read[waiting.pop()]) - kept - needed
                needed |= more
                waiting += more
            parts = [f"{part} AS (\n{body}\n)" for part, body in self.bodies.items() if part in needed]
            yield name, (f"WITH {', '.join(parts)}\n" if parts else "") + self.bodies[name]


class Asking:
    """One session for all."""

    def __init__(self, tables, work):
        os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
        os.environ["PYSPARK_SUBMIT_ARGS"] = (
            "--driver-memory 1g --driver-java-options '-XX:+UseSerialGC -XX:TieredStopAtLevel=1' pyspark-shell")
        from pyspark.sql import SparkSession

        self.work = work
        self.folder = os.path.join(work, "warehouse")
        builder = SparkSession.builder.master("local[1]").config("spark.sql.warehouse.dir", self.folder)
        for name, value in SETTINGS.items():
            builder = builder.config(name, value)
        self.spark = builder.getOrCreate()
        self.create, self.distinct = read(tables).rstrip(";\n").split("CREATE TABLE muster_events AS", 1)
        self.create = self.create.rpartition(";")[0]
        self.questions = self.open("questions")
        self.errors = self.open("errors")
        self.count = self.staged = 0
        self.began = time.time()

    def open(self, what):
        return open(os.path.join(self.work, "spark." + what), "w", encoding="utf-8", buffering=1)

    def view(self, name, query, **values):
        """A view of rows that are there already."""
        frame = self.spark.sql(query, args=values)._jdf
        self.spark._jsparkSession.createDataFrame(frame.collectAsList(), frame.schema()).createOrReplaceTempView(name)

    def load(self, rows, tables):
        """Both tables anew from a CSV file: as tables, or as what is there for a moment."""
        self.spark.sql(ROWS.format(rows))
        for name in ("muster_messages", "muster_events"):
            self.spark.catalog.dropTempView(name)
            self.spark.sql("DROP TABLE IF EXISTS " + name)
            shutil.rmtree(os.path.join(self.folder, name), ignore_errors=True)
        if tables:
            self.spark.sql(self.create)
            self.spark.sql("INSERT INTO muster_messages " + MESSAGES)
            self.spark.sql("CREATE TABLE muster_events AS" + self.distinct)
        else:
            self.view("muster_messages", MESSAGES)
            self.view("muster_events", self.distinct)

    def ask(self, question, query):
        self.count += 1
        print(json.dumps(question, separators=(",", ":"))[:-1] + ",", file=self.questions)
        try:
            parts = Query(query)
            if parts.reads() > READS_MAX:
                self.staged += 1
                for name, query in parts.stages():
                    if name:
                        self.view(name, query, as_of=int(question[2]))
            for row in self.spark.sql(query, args={"as_of": int(question[2])}).collect():
                print(json.dumps([*question, *row], ensure_ascii=False), flush=True)
        except Exception as error:  # of the parser, the engine, or the bridge between the languages
            print(*question, str(error).replace("\n", " ")[:300], file=self.errors)

    def end(self):
        print(f"spark {self.spark.version}: {self.count} queries asked in {time.time() - self.began:.0f} s,"
              f" {self.staged} of them in stages", file=self.open("report"))
        self.spark.stop()


def run_cases(asking, work):
    folder = os.path.join(work, "spark")
    number = 0
    for case in sorted(os.listdir(folder)):
        instants = read(work, "cases", case, "instants").split()
        queries = {name: read(folder, case, name) for name in sorted(os.listdir(os.path.join(folder, case)))
                   if name.endswith(".sql")}
        if instants and queries:
            asking.load(os.path.join(folder, case, "rows.csv"), case in ("copies", "retail"))
        for name, query in queries.items():
            segment, kind, _ = name.split(".")
            number += 1
            if instants:
                asking.ask([case, segment, instants[number % len(instants)], kind], query)


def run_queries(asking, work):
    """Of three cases in four a query that yields rows, where there is one."""
    with open(os.path.join(work, "spark.expected"), encoding="utf-8") as file:
        fruitful = {tuple(json.loads(line)[:4]) for line in file}
    for number, line in enumerate(sys.stdin):
        case = json.loads(line)
        if not case["queries"]:
            continue
        rows = os.path.join(work, "spark.rows.csv")
        with open(rows, "w", encoding="utf-8", newline="") as file:
            file.write(case["rows"])
        asking.load(rows, False)
        queries = [query for query in case["queries"] if number % 4 and tuple(query[0]) in fruitful] or case["queries"]
        asking.ask(*queries[number % len(queries)])


def main():
    if sys.argv[1] == "parse":
        return parse(sys.argv[2])
    asking = Asking(*sys.argv[2:4])
    if sys.argv[1] == "cases":
        run_cases(asking, sys.argv[3])
    else:
        run_queries(asking, sys.argv[3])
    asking.end()
    return True


sys.exit(not main())
