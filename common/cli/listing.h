/* The rows of a query to standard output, as text, CSV or JSON lines. */
#ifndef MUSTER_CLI_LISTING_H
#define MUSTER_CLI_LISTING_H

#include "common/base/command.h"
#include "common/base/error.h"
#include "common/io/pg.h"

#include <stddef.h>
#include <stdint.h>

/* The option that every listing takes. */
#define LISTING_OPTION_FORMAT                                                                                          \
    {                                                                                                                  \
        .name = "format", .kind = OPTION_TEXT, .value = "FORMAT", .help = "text (default), csv or jsonl"               \
    }

struct listing_column {
    const char *name;
    bool instant; /* the cell is a number of epoch milliseconds, printed as RFC 3339 */
};

/* Prints what `sql` yields; its columns are those of `columns`, in order. *row_count (may be NULL) is how many rows.
 * Errors of the store, of the format, and of standard output (a closed pipe, a full disk). */
bool listing_print(const struct command_line *line, struct pg *pg, const char *sql, const struct pg_value *values,
                   size_t value_count, const struct listing_column *columns, size_t column_count, int64_t *row_count,
                   struct error *err) MUST_CHECK;

/* Connects as the operator. The caller closes with pg_close. */
bool listing_open(const struct command_line *line, struct pg **out, struct error *err) MUST_CHECK;
/* The number of a segment; ERROR_INPUT for one that the store does not know. */
bool listing_segment(struct pg *pg, const char *segment_id, int32_t *segment_no, struct error *err) MUST_CHECK;
/* The number of a user; ERROR_INPUT for one that the store does not know. */
bool listing_user(struct pg *pg, const char *user_id, int64_t *user_no, struct error *err) MUST_CHECK;

#endif
