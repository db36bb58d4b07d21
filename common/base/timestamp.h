/* Instants: int64_t milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted, years 0001 to 9999. */
#ifndef MUSTER_BASE_TIMESTAMP_H
#define MUSTER_BASE_TIMESTAMP_H

#include "common/base/buffer.h"
#include "common/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

#define TIMESTAMP_MIN INT64_C(-62135596800000) /* 0001-01-01T00:00:00.000Z */
#define TIMESTAMP_MAX INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */
#define TIMESTAMP_NEVER INT64_MAX              /* an open end: "never by itself" */
#define TIMESTAMP_ALWAYS INT64_MIN             /* before every instant */

/* RFC 3339 with 'T' or 't', seconds, and a zone ('Z', 'z', +hh:mm, -00:00); second 60 is the following second; digits
 * after the third of a fraction are dropped. False for anything else or an instant out of range. */
bool timestamp_parse(struct slice text, int64_t *out_ms);
/* "YYYY-MM-DD" as 00:00 UTC. */
bool timestamp_parse_date(struct slice text, int64_t *out_ms);
/* What a command line takes: RFC 3339, a date, or an integer of epoch milliseconds. */
bool timestamp_parse_argument(struct slice text, int64_t *out_ms);
/* 2026-05-01T10:00:00.000Z; nothing for TIMESTAMP_NEVER and TIMESTAMP_ALWAYS. */
void timestamp_append(struct buffer *out, int64_t ms);
enum { TIMESTAMP_TEXT_SIZE = 32 };
/* The same into `text`, which it returns. */
const char *timestamp_text(int64_t ms, char text[TIMESTAMP_TEXT_SIZE]);

/* Days since 1970-01-01 of a proleptic Gregorian date, and back (Hinnant, "chrono-compatible low-level date
 * algorithms"). Month 1..12, day 1..31. */
int64_t timestamp_days_from_civil(int64_t year, unsigned month, unsigned day);
void timestamp_civil_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day);

/* The wall clock now. Only base, io and programs call it; domain code is given its instants. */
int64_t timestamp_now(void);
/* A monotonic clock in ms and CPU time of the process in ns, for measuring. */
int64_t timestamp_monotonic_ms(void);
int64_t timestamp_cpu_ns(void);

#endif
