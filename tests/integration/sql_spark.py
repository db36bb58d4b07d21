"""Parses as Spark SQL every query below a folder, and those of standard input (what `oracle queries spark` prints); fails
where one does not parse."""
import json
import pathlib
import sys

import sqlglot

texts = [(path.name, path.read_text(encoding="utf-8")) for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.sql"))]
for line in sys.stdin:
    texts += [(str(question), query) for question, query in json.loads(line)["queries"]]
failed = 0
for name, text in texts:
    try:
        sqlglot.parse(text, read="spark")
    except sqlglot.errors.SqlglotError as error:
        failed += 1
        print(name, str(error).replace("\n", " ")[:300])
print(f"spark: {len(texts)} texts parsed, {failed} not (they are not run: there is no Spark here)")
sys.exit(failed > 0)
