"""Parses every query below a folder as Spark SQL; fails where one does not parse."""
import pathlib
import sys

import sqlglot

count = 0
failed = 0
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.sql")):
    count += 1
    try:
        sqlglot.parse(path.read_text(encoding="utf-8"), read="spark")
    except sqlglot.errors.SqlglotError as error:
        failed += 1
        print(path.name, str(error).replace("\n", " ")[:300])
print(f"spark: {count} texts parsed, {failed} not (they are not run: there is no Spark here)")
sys.exit(failed > 0)
