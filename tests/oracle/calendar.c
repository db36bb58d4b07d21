#include "tests/oracle/calendar.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ZONE_SIZE = 64, CACHE_SIZE = 4096 };

static int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0 ? 1 : 0);
}

/* ---- dates: counted year by year from 1970 would be too slow; by whole cycles of 400 years, then one by one ---- */

static bool leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in_month(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && leap(year) ? 1 : 0);
}

/* Days from 1970-01-01 to the first of the month (1..12). */
static int64_t days_to_month(int64_t year, int month)
{
    int64_t cycles = floor_divide(year - 1970, 400);
    int64_t days = cycles * 146097;

    for (int64_t y = 1970 + cycles * 400; y < year; y++) {
        days += leap(y) ? 366 : 365;
    }
    for (int m = 1; m < month; m++) {
        days += days_in_month(year, m);
    }
    return days;
}

static void date_of_day(int64_t day, int64_t *year, int *month, int *day_of_month)
{
    int64_t cycles = floor_divide(day, 146097);
    int64_t rest = day - cycles * 146097;
    int64_t y = 1970 + cycles * 400;
    int m = 1;

    while (rest >= (leap(y) ? 366 : 365)) {
        rest -= leap(y) ? 366 : 365;
        y++;
    }
    while (rest >= days_in_month(y, m)) {
        rest -= days_in_month(y, m);
        m++;
    }
    *year = y;
    *month = m;
    *day_of_month = (int)rest + 1;
}

bool calendar_possible(int64_t ms)
{
    return ms >= days_to_month(1, 1) * CALENDAR_DAY && ms < days_to_month(10000, 1) * CALENDAR_DAY;
}

/* `count` digits as a number; -1 where they are none. */
static int digits(const char *at, int count)
{
    int number = 0;

    for (int i = 0; i < count; i++) {
        if (at[i] < '0' || at[i] > '9') {
            return -1;
        }
        number = number * 10 + (at[i] - '0');
    }
    return number;
}

bool calendar_date(struct slice text, int64_t *ms)
{
    int year;
    int month;
    int day;

    if (text.size != 10 || text.data[4] != '-' || text.data[7] != '-') {
        return false;
    }
    year = digits(text.data, 4);
    month = digits(text.data + 5, 2);
    day = digits(text.data + 8, 2);
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) {
        return false;
    }
    *ms = (days_to_month(year, month) + day - 1) * CALENDAR_DAY;
    return true;
}

/* The zone at the end of an RFC 3339 timestamp, in minutes. */
static bool read_zone(const char *at, size_t size, int *minutes)
{
    int hour;
    int minute;

    *minutes = 0;
    if (size == 1) {
        return *at == 'Z' || *at == 'z';
    }
    if (size != 6 || (at[0] != '+' && at[0] != '-') || at[3] != ':') {
        return false;
    }
    hour = digits(at + 1, 2);
    minute = digits(at + 4, 2);
    *minutes = (hour * 60 + minute) * (at[0] == '-' ? -1 : 1);
    return hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59;
}

bool calendar_instant(struct slice text, int64_t *ms)
{
    int64_t day;
    int hour;
    int minute;
    int second;
    int milli = 0;
    int zone;
    size_t at = 19;

    if (text.size < 20 || !calendar_date(slice_of(text.data, 10), &day) ||
        (text.data[10] != 'T' && text.data[10] != 't') || text.data[13] != ':' || text.data[16] != ':') {
        return false;
    }
    hour = digits(text.data + 11, 2);
    minute = digits(text.data + 14, 2);
    second = digits(text.data + 17, 2);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) {
        return false;
    }
    if (text.data[at] == '.') {
        int place = 100;
        size_t begin = ++at;

        for (; at < text.size && text.data[at] >= '0' && text.data[at] <= '9'; at++) {
            milli += (text.data[at] - '0') * place;
            place /= 10;
        }
        if (at == begin) {
            return false;
        }
    }
    if (at >= text.size || !read_zone(text.data + at, text.size - at, &zone)) {
        return false;
    }
    *ms = day + ((int64_t)hour * 3600 + minute * 60 + second) * 1000 + milli - (int64_t)zone * 60000;
    return calendar_possible(*ms);
}

static int64_t unit_ms(const char *at, const char *end, size_t *size)
{
    *size = 1;
    if (*at == 'm' && at + 1 < end && at[1] == 's') {
        *size = 2;
        return 1;
    }
    switch (*at) {
    case 's':
    case 'S':
        return 1000;
    case 'm':
    case 'M':
        return 60000;
    case 'h':
    case 'H':
        return 3600000;
    case 'd':
    case 'D':
        return CALENDAR_DAY;
    default:
        return 7 * CALENDAR_DAY;
    }
}

int64_t calendar_duration(struct slice text)
{
    const char *end = text.data + text.size;
    int64_t total = 0;

    for (const char *at = text.data; at < end;) {
        int64_t number = 0;
        size_t size;

        if (*at == 'P' || *at == 'T') {
            at++;
            continue;
        }
        for (; at < end && *at >= '0' && *at <= '9'; at++) {
            number = number * 10 + (*at - '0');
        }
        if (at == end) {
            break;
        }
        total += number * unit_ms(at, end, &size);
        at += size;
    }
    return total;
}

int64_t calendar_anniversary(int64_t ms, int64_t years)
{
    int64_t day = floor_divide(ms, CALENDAR_DAY);
    int64_t year;
    int month;
    int day_of_month;

    date_of_day(day, &year, &month, &day_of_month);
    /* Where 29 February does not exist, counting on from the first of the month gives 1 March. */
    return (days_to_month(year + years, month) + day_of_month - 1) * CALENDAR_DAY + (ms - day * CALENDAR_DAY);
}

const char *calendar_text(int64_t ms, char *text)
{
    int64_t day = floor_divide(ms, CALENDAR_DAY);
    int64_t rest = ms - day * CALENDAR_DAY;
    int64_t year;
    int month;
    int day_of_month;

    date_of_day(day, &year, &month, &day_of_month);
    (void)snprintf(text, 40, "%04" PRId64 "-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month, day_of_month,
                   (int)(rest / 3600000), (int)(rest / 60000 % 60), (int)(rest / 1000 % 60), (int)(rest % 1000));
    return text;
}

/* ---- zones ---- */

/* Local time minus UTC, in ms. */
static int64_t offset_at(struct slice zone, int64_t ms)
{
    static char current[ZONE_SIZE];
    char name[ZONE_SIZE] = {0};
    time_t second = (time_t)floor_divide(ms, 1000);
    struct tm local;

    if (slice_equal_text(zone, "UTC") || zone.size == 0 || zone.size >= sizeof name) {
        return 0;
    }
    memcpy(name, zone.data, zone.size);
    if (strcmp(name, current) != 0) {
        memcpy(current, name, sizeof current);
        (void)setenv("TZ", name, 1);
        tzset();
    }
    (void)localtime_r(&second, &local);
    return (int64_t)local.tm_gmtoff * 1000;
}

static int64_t local_day(struct slice zone, int64_t ms)
{
    return floor_divide(ms + offset_at(zone, ms), CALENDAR_DAY);
}

/* The first instant at which the clock shows midnight of the day; where it never does, the first of that day or later.
 */
static int64_t find_day_start(struct slice zone, int64_t day)
{
    int64_t midnight = day * CALENDAR_DAY;
    int64_t best = INT64_MAX;
    int64_t low = midnight - 2 * CALENDAR_DAY;
    int64_t high = midnight + 2 * CALENDAR_DAY;

    for (int64_t near = low; near <= high; near += 3600000) {
        int64_t instant = midnight - offset_at(zone, near);

        if (instant < best && instant + offset_at(zone, instant) == midnight) {
            best = instant;
        }
    }
    if (best != INT64_MAX) {
        return best;
    }
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;

        if (local_day(zone, middle) >= day) {
            high = middle;
        } else {
            low = middle;
        }
    }
    return high;
}

static int64_t day_start(struct slice zone, int64_t day)
{
    static struct {
        char zone[ZONE_SIZE];
        int64_t day;
        int64_t start;
    } cache[CACHE_SIZE];
    uint64_t slot = (uint64_t)day;

    if (slice_equal_text(zone, "UTC") || zone.size == 0 || zone.size >= ZONE_SIZE) {
        return day * CALENDAR_DAY;
    }
    for (size_t i = 0; i < zone.size; i++) {
        slot = slot * 31 + (unsigned char)zone.data[i];
    }
    slot %= CACHE_SIZE;
    if (cache[slot].day != day || strlen(cache[slot].zone) != zone.size ||
        memcmp(cache[slot].zone, zone.data, zone.size) != 0) {
        memset(cache[slot].zone, 0, ZONE_SIZE);
        memcpy(cache[slot].zone, zone.data, zone.size);
        cache[slot].day = day;
        cache[slot].start = find_day_start(zone, day);
    }
    return cache[slot].start;
}

/* ---- periods ---- */

enum calendar_unit calendar_unit_from(struct slice word)
{
    static const char *const words[] = {"", "day", "week", "month", "quarter", "year"};

    for (int i = 1; i <= CALENDAR_YEARS; i++) {
        if (slice_equal_text(word, words[i])) {
            return (enum calendar_unit)i;
        }
    }
    return CALENDAR_NONE;
}

static int months_of(enum calendar_unit unit)
{
    return unit == CALENDAR_MONTHS ? 1 : unit == CALENDAR_QUARTERS ? 3 : 12;
}

int64_t calendar_start(struct slice zone, enum calendar_unit unit, int64_t period)
{
    int64_t month;

    if (unit == CALENDAR_DAYS) {
        return day_start(zone, period);
    }
    if (unit == CALENDAR_WEEKS) {
        return day_start(zone, period * 7 - 3); /* 1970-01-01 was a Thursday */
    }
    month = period * months_of(unit);
    return day_start(zone,
                     days_to_month(1970 + floor_divide(month, 12), (int)(month - floor_divide(month, 12) * 12) + 1));
}

int64_t calendar_period(struct slice zone, enum calendar_unit unit, int64_t ms)
{
    int64_t day = local_day(zone, ms);
    int64_t period = day;
    int64_t year;
    int month;
    int day_of_month;

    if (unit == CALENDAR_WEEKS) {
        period = floor_divide(day + 3, 7);
    } else if (unit != CALENDAR_DAYS) {
        date_of_day(day, &year, &month, &day_of_month);
        period = floor_divide((year - 1970) * 12 + month - 1, months_of(unit));
    }
    /* A clock set back over midnight shows the day before once more: what counts is where the periods begin. */
    while (calendar_start(zone, unit, period) > ms) {
        period--;
    }
    while (calendar_start(zone, unit, period + 1) <= ms) {
        period++;
    }
    return period;
}
