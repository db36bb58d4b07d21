/* Random cases as generated SQL, with the answers that the product gives: tests/integration/sql.sh runs the queries and
 * compares. */
#ifndef MUSTER_TESTS_ORACLE_QUERIES_H
#define MUSTER_TESTS_ORACLE_QUERIES_H

#include "common/domain/rule_sql.h"
#include "common/io/zone_files.h"
#include "tests/oracle/generator.h"

#include <stdio.h>

struct queries {
    struct zone_files *zones;
    enum sql_dialect dialect;
    FILE *expected; /* JSON lines: ["name", "segment", as_of, "rows", "user", ...] */
    FILE *asked;    /* lines: NAME SEGMENT */
    FILE *refused;  /* lines: NAME SEGMENT: why */
    struct buffer out;
};

/* Prints a case to standard output: for PostgreSQL as a psql script, for others as a line {"rows": CSV, "queries":
 * [[["name", "segment", as_of, "rows"], SQL], ...]}. False where the product refuses its definitions. */
bool queries_print(struct queries *queries, struct arena *arena, const struct oracle_case *test, const char *name);

#endif
