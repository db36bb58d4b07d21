/* PostgreSQL through libpq: connections, statements with parameters, COPY, transactions that check COMMIT's tag.
 *
 * Values are always parameters. Connection strings never reach a message or log. All sessions run with search_path =
 * muster, pg_temp, and UTC. Errors: ERROR_UNREACHABLE when the server cannot be reached or the connection is lost
 * (action ERROR_RETRY; also for serialization failures, deadlocks and lock timeouts, with ERROR_INTERNAL). The store's
 * functions raise SQLSTATE MU002 for ERROR_USAGE and MU004 for ERROR_INPUT. ERROR_INTERNAL otherwise. */
#ifndef MUSTER_IO_PG_H
#define MUSTER_IO_PG_H

#include "common/base/buffer.h"
#include "common/base/error.h"

#include <libpq-fe.h>
#include <stddef.h>
#include <stdint.h>

struct pg;

/* Connects; `program` becomes application_name. Sessions give up a lock after 30 s and a transaction left idle after 60
 * s (a stalled writer must not block withdrawals): a program that computes inside a transaction for longer sets that.
 */
bool pg_open(const char *conninfo, const char *program, struct pg **out, struct error *err) MUST_CHECK;
/* The same; `user` and `password` (NULL: none) are used where conninfo names none. */
bool pg_open_as(const char *conninfo, const char *program, const char *user, const char *password, struct pg **out,
                struct error *err) MUST_CHECK;
void pg_close(struct pg *pg);
PGconn *pg_connection(struct pg *pg);

/* A parameter: text (no NUL inside: refused with ERROR_INPUT), raw bytes, or NULL. */
struct pg_value {
    const char *data; /* NULL: SQL NULL */
    size_t size;
    bool binary;     /* bytea given as raw bytes */
    char number[24]; /* storage for pg_integer */
};
struct pg_value pg_null(void);
struct pg_value pg_text(struct slice text);   /* borrowed */
struct pg_value pg_bytes(struct slice bytes); /* borrowed */
/* Fills `storage` and points into it: pass the address of an element of the parameter array. */
void pg_set_integer(struct pg_value *value, int64_t number);
void pg_set_boolean(struct pg_value *value, bool flag);

/* Runs one statement with parameters $1.. . `out` may be NULL when no rows are wanted; else the caller clears it with
 * PQclear. */
bool pg_query(struct pg *pg, const char *sql, const struct pg_value *values, size_t value_count, PGresult **out,
              struct error *err) MUST_CHECK;
/* Several statements without parameters (migrations). */
bool pg_script(struct pg *pg, const char *sql, struct error *err) MUST_CHECK;

/* `mode` is "" or "ISOLATION LEVEL REPEATABLE READ ...". A READ ONLY transaction may be idle for an hour. */
bool pg_begin(struct pg *pg, const char *mode, struct error *err) MUST_CHECK;
/* Fails (ERROR_RETRY) when the server answers ROLLBACK. */
bool pg_commit(struct pg *pg, struct error *err) MUST_CHECK;
void pg_abort(struct pg *pg);

/* Runs one statement and visits its rows one by one as they arrive, so that the result may be larger than memory; `row`
 * is a result of one row (column cells: pg_*_at(row, 0, column)), borrowed until the visit returns. Stops and returns
 * false where visit does. No other statement may run on `pg` meanwhile. */
typedef bool pg_result_visit(void *context, const PGresult *row, struct error *err);
bool pg_each(struct pg *pg, const char *sql, const struct pg_value *values, size_t value_count, pg_result_visit *visit,
             void *context, struct error *err) MUST_CHECK;
/* Rows that the statement inserted, updated, deleted or returned. */
int64_t pg_row_count(const PGresult *result);

/* LISTEN, then pg_wait: true with *notified when a notification of any channel listened to arrived within timeout_ms
 * (0: only looks). All pending ones are consumed together. */
bool pg_listen(struct pg *pg, const char *channel, struct error *err) MUST_CHECK;
bool pg_wait(struct pg *pg, int64_t timeout_ms, bool *notified, struct error *err) MUST_CHECK;

/* Result cells. The column must exist. NULL gives the fallback or an empty slice with data NULL. */
int64_t pg_integer_at(const PGresult *result, int row, int column, int64_t fallback);
bool pg_boolean_at(const PGresult *result, int row, int column);
struct slice pg_text_at(const PGresult *result, int row, int column);

/* COPY ... FROM STDIN (FORMAT binary): begin sends the header; append rows to a buffer with the pg_row_* functions and
 * hand it over in pieces; end sends the trailer and reports the row count. */
bool pg_copy_in_begin(struct pg *pg, const char *sql, struct error *err) MUST_CHECK;
bool pg_copy_in_data(struct pg *pg, struct slice rows, struct error *err) MUST_CHECK;
bool pg_copy_in_end(struct pg *pg, int64_t *out_rows, struct error *err) MUST_CHECK;
void pg_row_begin(struct buffer *rows, int16_t column_count);
void pg_row_null(struct buffer *rows);
void pg_row_int16(struct buffer *rows, int16_t number);
void pg_row_int32(struct buffer *rows, int32_t number);
void pg_row_int64(struct buffer *rows, int64_t number);
void pg_row_boolean(struct buffer *rows, bool flag);
void pg_row_text(struct buffer *rows, struct slice text);
void pg_row_int64_array(struct buffer *rows, const int64_t *numbers, size_t count);

/* A binary array parameter ($1::bigint[]): begin, then one pg_row_* per element, then pg_bytes(buffer_slice(...)). */
enum pg_type { PG_BOOLEAN = 16, PG_BYTEA = 17, PG_INT64 = 20, PG_INT16 = 21, PG_INT32 = 23, PG_TEXT = 25 };
void pg_array_begin(struct buffer *array, uint32_t element_type, size_t count);
void pg_row_bytes(struct buffer *rows, struct slice bytes); /* bytea */

/* COPY ... TO STDOUT (FORMAT binary): `visit` gets each row's cells (data NULL for NULL; big-endian binary). */
typedef bool pg_row_visit(void *context, const struct slice *cells, size_t cell_count, struct error *err);
bool pg_copy_out(struct pg *pg, const char *sql, pg_row_visit *visit, void *context, struct error *err) MUST_CHECK;
int64_t pg_cell_int64(struct slice cell, int64_t fallback); /* 8-byte cell */
int32_t pg_cell_int32(struct slice cell, int32_t fallback); /* 4-byte cell */
int16_t pg_cell_int16(struct slice cell, int16_t fallback);
bool pg_cell_boolean(struct slice cell);

#endif
