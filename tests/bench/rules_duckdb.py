"""Runs a query in DuckDB: rules_duckdb.py QUERY EVENTS AS_OF THREADS OUTPUT. Prints processor and elapsed seconds and
DuckDB's version."""
import sys
import time

import duckdb

query, events, as_of, threads, output = sys.argv[1:]
text = open(query, encoding="utf-8").read().replace("EVENTS", events).replace("AS_OF", as_of)
database = duckdb.connect(config={"threads": int(threads)})
database.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false; SET enable_progress_bar = false")
# It would test each event for the union of all conditions before it tests each condition: a tenth of the whole time.
database.execute("SET disabled_optimizers = 'cte_filter_pusher'")
elapsed = time.monotonic()
spent = time.process_time()
database.execute(f"COPY ({text}) TO '{output}' (FORMAT csv, HEADER false)")
print(f"{time.process_time() - spent:.3f} {time.monotonic() - elapsed:.3f} {duckdb.__version__}")
