/* The forms in which explanations are printed. */
#ifndef MUSTER_CLI_EXPLAIN_FORMAT_H
#define MUSTER_CLI_EXPLAIN_FORMAT_H

#include "common/domain/explanation.h"

enum explain_format { EXPLAIN_NONE = 0, EXPLAIN_TEXT, EXPLAIN_JSONL, EXPLAIN_JSON };

/* "text", "jsonl", "json"; ERROR_USAGE otherwise. NULL gives text. */
bool explain_format_parse(const char *text, enum explain_format *out, struct error *err) MUST_CHECK;
/* One explanation of several, of which it is the first or last: a tree behind an empty line, a line of JSON, or an
 * element of an array. The caller finishes the buffer. */
void explain_format_append(struct buffer *out, enum explain_format format, struct slice user,
                           const struct explanation_segment *segment, bool first, bool last);

#endif
