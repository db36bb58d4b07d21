#include "common/domain/zone.h"

#include "common/base/timestamp.h"

static const int64_t day_ms = INT64_C(86400000);

/* The tables reach the end of the year 10000. Rules come again with the calendar every 400 years, which are whole
 * weeks: a period that begins behind that is found in the cycle before. */
static const int64_t cycle_days = 146097;
static const int64_t table_end_day = 2932897; /* 10000-01-01 */

const struct zone *zone_utc(void)
{
    static int32_t no_offset[1] = {0};
    static const struct zone utc = {.name = {.data = "UTC", .size = 3}, .offsets_ms = no_offset};

    return &utc;
}

/* Number of transitions at or before `ms`: the index of the offset that holds then. */
static size_t transitions_until(const struct zone *zone, int64_t ms)
{
    size_t low = 0;
    size_t high = zone->instant_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (zone->instants_ms[middle] <= ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The smallest instant whose local time is at or beyond local midnight of the day. The clock may be set back and pass
 * midnight twice: the first counts; it may jump over midnight: the instant of the jump counts. */
static int64_t day_start_ms(const struct zone *zone, int64_t day)
{
    int64_t later_days = day < table_end_day ? 0 : ((day - table_end_day) / cycle_days + 1) * cycle_days;
    int64_t local_ms = (day - later_days) * day_ms;
    size_t index = transitions_until(zone, local_ms - 2 * day_ms);

    for (;; index++) {
        int64_t start = local_ms - zone->offsets_ms[index];

        if (index > 0 && start < zone->instants_ms[index - 1]) {
            start = zone->instants_ms[index - 1];
        }
        if (index == zone->instant_count || start < zone->instants_ms[index]) {
            return start + later_days * day_ms;
        }
    }
}

static int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t months_day(int64_t month_index)
{
    int64_t year = floor_divide(month_index, 12);

    return timestamp_days_from_civil(1970 + year, (unsigned)(month_index - year * 12) + 1, 1);
}

/* First day of a period, in days since 1970-01-01. Week 0 begins on Monday 1969-12-29. */
static int64_t period_first_day(enum rule_period period, int64_t index)
{
    switch (period) {
    case RULE_WEEK:
        return index * 7 - 3;
    case RULE_MONTH:
        return months_day(index);
    case RULE_QUARTER:
        return months_day(index * 3);
    case RULE_YEAR:
        return months_day(index * 12);
    case RULE_DAY:
    case RULE_PERIOD_NONE:
    default:
        return index;
    }
}

static int64_t period_of_day(enum rule_period period, int64_t day)
{
    int64_t year;
    int64_t months;
    unsigned month;
    unsigned day_of_month;

    if (period == RULE_WEEK) {
        return floor_divide(day + 3, 7);
    }
    if (period == RULE_DAY || period == RULE_PERIOD_NONE) {
        return day;
    }
    timestamp_civil_from_days(day, &year, &month, &day_of_month);
    months = (year - 1970) * 12 + (int64_t)month - 1;
    if (period == RULE_MONTH) {
        return months;
    }
    return floor_divide(months, period == RULE_QUARTER ? 3 : 12);
}

int64_t zone_period_start_ms(const struct zone *zone, enum rule_period period, int64_t index)
{
    return day_start_ms(zone, period_first_day(period, index));
}

int64_t zone_period_index(const struct zone *zone, enum rule_period period, int64_t ms)
{
    int64_t local_ms = ms + zone->offsets_ms[transitions_until(zone, ms)];
    int64_t index = period_of_day(period, floor_divide(local_ms, day_ms));

    if (zone->instant_count == 0) {
        return index;
    }
    while (zone_period_start_ms(zone, period, index) > ms) {
        index--;
    }
    while (zone_period_start_ms(zone, period, index + 1) <= ms) {
        index++;
    }
    return index;
}
