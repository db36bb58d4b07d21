/* Time zones as tables of transitions, and the calendar periods of section 5 in them. The tables are loaded by
 * common/io/zone_files.h; here is only arithmetic. */
#ifndef MUSTER_DOMAIN_ZONE_H
#define MUSTER_DOMAIN_ZONE_H

#include "common/base/slice.h"
#include "common/domain/rule.h"

#include <stdint.h>

/* Local time = UTC + offset. offsets_ms[0] holds before instants_ms[0], offsets_ms[i + 1] from instants_ms[i] on. */
struct zone {
    struct slice name;
    int64_t *instants_ms; /* ascending */
    int32_t *offsets_ms;  /* instant_count + 1 */
    size_t instant_count;
};

/* Finds a zone by name: NULL where there is none of that name. */
typedef const struct zone *zone_find(void *context, struct slice name);

/* UTC: no transitions. */
const struct zone *zone_utc(void);

/* Start of period number `index` (0 = the one that holds 1970-01-01 local): local midnight of its first day, the first
 * of two, or the first instant of that day where midnight does not exist. Clamped to a year beyond TIMESTAMP_MIN / MAX.
 */
int64_t zone_period_start_ms(const struct zone *zone, enum rule_period period, int64_t index);
/* The period that `ms` lies in: start(index) <= ms < start(index + 1). */
int64_t zone_period_index(const struct zone *zone, enum rule_period period, int64_t ms);

#endif
