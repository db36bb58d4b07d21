/* Instants, durations and calendar periods for the oracle. Zones are the C library's own (TZ, localtime_r): another
 * implementation than the product's tables. */
#ifndef MUSTER_TESTS_ORACLE_CALENDAR_H
#define MUSTER_TESTS_ORACLE_CALENDAR_H

#include "common/base/slice.h"

#include <stdint.h>

#define CALENDAR_DAY INT64_C(86400000)

enum calendar_unit {
    CALENDAR_NONE = 0,
    CALENDAR_DAYS,
    CALENDAR_WEEKS,
    CALENDAR_MONTHS,
    CALENDAR_QUARTERS,
    CALENDAR_YEARS,
};

/* "day" .. "year". */
enum calendar_unit calendar_unit_from(struct slice word);

/* RFC 3339; false where impossible. */
bool calendar_instant(struct slice text, int64_t *ms);
/* YYYY-MM-DD. */
bool calendar_date(struct slice text, int64_t *ms);
/* Instants that exist: the years 0001 to 9999. */
bool calendar_possible(int64_t ms);
/* A duration of the language in ms; the caller knows that it is valid. */
int64_t calendar_duration(struct slice text);
/* The `years`-th anniversary of an instant, in UTC. */
int64_t calendar_anniversary(int64_t ms, int64_t years);

/* The number of the period that an instant lies in, and where a period begins. */
int64_t calendar_period(struct slice zone, enum calendar_unit unit, int64_t ms);
int64_t calendar_start(struct slice zone, enum calendar_unit unit, int64_t period);

/* "2026-05-01T10:00:00.000Z"; `text` has room for 40 bytes. */
const char *calendar_text(int64_t ms, char *text);

#endif
