/* Results to standard output: rows as aligned text, CSV (RFC 4180: quoted only for comma, quote, CR, LF; lines end in
 * LF) or JSON lines. */
#ifndef MUSTER_BASE_OUTPUT_H
#define MUSTER_BASE_OUTPUT_H

#include "common/base/buffer.h"
#include "common/base/error.h"

#include <stddef.h>
#include <stdio.h>

enum output_format { OUTPUT_NONE = 0, OUTPUT_TEXT, OUTPUT_CSV, OUTPUT_JSONL };
/* "text", "csv", "jsonl"; ERROR_USAGE otherwise. NULL gives `fallback`. */
bool output_format_parse(const char *text, enum output_format fallback, enum output_format *out,
                         struct error *err) MUST_CHECK;

struct output;
/* `columns` are borrowed names. Text format keeps up to a screenful to align, then streams. */
bool output_begin(FILE *file, enum output_format format, const char *const *columns, size_t column_count,
                  struct output **out, struct error *err) MUST_CHECK;
/* One row of column_count cells; a cell with data NULL is empty ("-" in text, null in JSON). Text shows control
 * characters as \xNN. The output stays owned by the caller, also on false. */
bool output_row(struct output *output, const struct slice *cells, struct error *err) MUST_CHECK;
/* Flushes and checks the stream (ERROR_CLOSED_PIPE, or ERROR_INTERNAL for a full disk), frees, also on false. */
bool output_end(struct output *output, struct error *err) MUST_CHECK;
/* Frees without writing what is pending: after another failure. NULL is fine. */
void output_abort(struct output *output);

/* Writes bytes that are no rows; errors as for output_end. What is small may wait in the stream's buffer. */
bool output_write(FILE *file, struct slice bytes, struct error *err) MUST_CHECK;
/* Flushes `file` and says whether all that was ever printed to it arrived; errors as for output_end. */
bool output_check(FILE *file, struct error *err) MUST_CHECK;

/* One CSV cell, quoted where needed; one JSON string with quotes (bytes that are not UTF-8 become U+FFFD). */
void output_append_csv(struct buffer *out, struct slice text);
void output_append_json(struct buffer *out, struct slice text);
/* As text format shows it: control characters, which could move the cursor of the person who reads, as \xNN. */
void output_append_visible(struct buffer *out, struct slice text);

#endif
