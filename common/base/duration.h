/* Durations as people write them: "30m", "1h30m", "P1DT12H", "P2W". The unit is milliseconds; a day has 24 hours, and
 * there are no months or years. */
#ifndef MUSTER_BASE_DURATION_H
#define MUSTER_BASE_DURATION_H

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/base/slice.h"

#include <stdint.h>

#define DURATION_MAX_MS (INT64_C(36525) * 86400000) /* a hundred years */

/* Integers with ms, s, m, h, d or w, one after the other, lower case, no sign or blank; or ISO 8601 PnDTnHnMnS or PnW.
 * The total is more than 0 and at most DURATION_MAX_MS. False for anything else, without an error object: the caller
 * says what the duration was for. */
bool duration_parse(struct slice text, int64_t *out_ms) MUST_CHECK;
/* The same, but "0" and a total of 0 are fine. For settings. */
bool duration_parse_or_zero(struct slice text, int64_t *out_ms) MUST_CHECK;
/* The shortest text that duration_parse reads back: 5400000 as "1h30m", 0 as "0". Whole weeks stay days. `ms` >= 0. */
void duration_append(struct buffer *out, int64_t ms);

#endif
