/* A mapping file: how the columns of a CSV file become messages. schemas/mapping.md says what may stand in one.
 *
 * A cell that is not what the mapping says (no number, no such time) refuses its record with QUARANTINE_MAPPING, never
 * guesses. */
#ifndef MUSTER_DOMAIN_MAPPING_H
#define MUSTER_DOMAIN_MAPPING_H

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/base/slice.h"
#include "common/domain/event.h"

#include <stddef.h>

struct mapping;

/* Reads a mapping; copies what it keeps. ERROR_INPUT "NAME:LINE: REASON", with what was expected. */
bool mapping_new(struct slice text, const char *name, struct mapping **out, struct error *err) MUST_CHECK;
void mapping_free(struct mapping *mapping); /* NULL is fine */

/* Finds the columns in the CSV header. ERROR_INPUT naming the columns there are. */
bool mapping_bind(struct mapping *mapping, const struct slice *columns, size_t column_count,
                  struct error *err) MUST_CHECK;

/* Appends the message for one record (bound before) to `out` as JSON, or sets *reason to QUARANTINE_MAPPING and `why`.
 * False only where there is no memory. Uses working memory of the mapping: one thread at a time. The message is not
 * judged further: that is event_decode's. */
bool mapping_apply(struct mapping *mapping, const struct slice *fields, size_t field_count, struct slice line_id,
                   struct buffer *out, enum quarantine_reason *reason, struct error *why) MUST_CHECK;

#endif
