/* Exact decimals: micros in an int64_t (value.h), from decimal text, half-even (segment-language, section 4). */
#ifndef MUSTER_DOMAIN_DECIMAL_H
#define MUSTER_DOMAIN_DECIMAL_H

#include "common/base/buffer.h"
#include "common/base/int128.h"
#include "common/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* Reads a JSON number's text (with exponent, of any length). False when it is outside the range after rounding. The
 * text must be a valid JSON number. */
bool decimal_parse(struct slice text, int64_t *out_micros);
/* Reads a JSON number's text as an exact integer: "1e3" and "1000.0" are 1000. False when it is not integral or does
 * not fit (INT64_MIN does not). The text must be a valid JSON number. */
bool decimal_parse_integral(struct slice text, int64_t *out);
/* a x b, rounded half-even to micros. False when outside the range. */
bool decimal_multiply(int64_t a, int64_t b, int64_t *out_micros);
/* The shortest decimal text: "12", "-0.5". */
void decimal_append(struct buffer *out, int64_t micros);
/* The same for a sum, which has no range (micros in 128 bits). */
void decimal_append_wide(struct buffer *out, int128 micros);

#endif
