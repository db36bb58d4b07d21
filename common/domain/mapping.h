/* A mapping file: how the columns of a CSV file become messages. INI lines `target = expression`; `#` or `;` begins a
 * comment line; a `[mapping]` header is allowed.
 *
 *     user = CustomerID | strip ".0"
 *     time = InvoiceDate format "%Y-%m-%d %H:%M:%S" zone UTC
 *     messageId = #line
 *     event = cancel if InvoiceNo ^= "C" else purchase
 *     property.quantity = Quantity number
 *     const.source = "web"
 *
 * Targets: user, anonymousId, time (required), messageId, type (default track), event, name, property.X, trait.X,
 * purpose.X, const.X (a property; of an identify message a trait).
 *
 * An expression is: value, then filters, then what it is read as, then perhaps `if` condition `else` expression.
 *
 * value: Column, [Column with blanks], "text", #line (messageId only), or a bare word that is no column. Such a word
 * stands for itself, in event and type; in const it is a number, true or false. As the whole expression of event it
 * must be a column: a fixed name is written in quotes, so that a misspelt column is found.
 *
 * filter: `| strip "x"` (at the end, once), `| trim` (blanks at both ends), `| lower`, `| upper` (ASCII).
 *
 * read as: number, boolean or string (properties, traits, purposes); format "F" and zone Z (time).
 *
 * condition: Column OP "text" with = != ^= (begins with) $= (ends with) *= (contains). Without `else` a record that
 * meets no condition lacks the target.
 *
 * An empty cell is a missing value: a property or trait is left out, a user or time is refused. Time without a format
 * is RFC 3339 or epoch milliseconds; formats know %Y %y %m %d %b %H %I %p %M %S %f (fraction) %z %F %T %s %%; zone is
 * UTC (default) or +hh:mm. A cell that is not what the mapping says (no number, no such time) refuses its record with
 * QUARANTINE_MAPPING, never guesses. */
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
