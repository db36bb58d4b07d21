/* A segment definition as SQL over the event table (schemas/event-table.md): for auditors to read, to check the
 * evaluator from outside, and for populations that have outgrown one machine. Pure text generation. */
#ifndef MUSTER_DOMAIN_RULE_SQL_H
#define MUSTER_DOMAIN_RULE_SQL_H

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/domain/rule.h"

enum sql_dialect { SQL_DIALECT_NONE = 0, SQL_POSTGRES, SQL_DUCKDB, SQL_SPARK };

/* What the rows of a query are. */
enum sql_rows {
    SQL_MEMBERS = 0, /* user_id: the members at as_of */
    SQL_TIMES,       /* the same with entered_at and valid_until, NULL where it never ends */
    SQL_INTERVALS,   /* user_id, entered_at, left_at: the history up to as_of, left_at NULL where it has not ended */
    SQL_ROWS_COUNT,
};

const char *sql_dialect_name(enum sql_dialect dialect);
/* SQL_DIALECT_NONE when there is none of that name. */
enum sql_dialect sql_dialect_find(const char *name);
const char *sql_rows_name(enum sql_rows rows);
/* SQL_ROWS_COUNT when there are none of that name. */
enum sql_rows sql_rows_find(const char *name);

struct rule_sql_options {
    enum sql_dialect dialect;
    enum sql_rows rows;
    struct slice table; /* of distinct events; "muster_events" when empty */
    bool as_of_given;   /* write as_of_ms instead of the parameter (:as_of, of DuckDB $as_of) */
    int64_t as_of_ms;
};

/* Appends a query for the definition at `index` of the checked set, before consent; instants are milliseconds.
 * ERROR_INPUT with segment, path and the form's name where SQL cannot express it sensibly. */
bool rule_sql_append(struct buffer *out, const struct segment_set *set, size_t index,
                     const struct rule_sql_options *options, struct error *err) MUST_CHECK;

/* Appends the tables that the queries read, and the query that fills the one of distinct events from the one of
 * messages: of copies of a message at most dedup_ms apart, the first in the log is kept. */
void rule_sql_append_tables(struct buffer *out, enum sql_dialect dialect, int64_t dedup_ms);

/* The one place where a name or a string becomes SQL. False when it cannot be written: an identifier that is empty or a
 * text that holds U+0000. */
bool sql_append_identifier(struct buffer *out, enum sql_dialect dialect, struct slice name) MUST_CHECK;
bool sql_append_literal(struct buffer *out, enum sql_dialect dialect, struct slice text) MUST_CHECK;

#endif
