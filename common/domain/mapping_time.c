#include "common/domain/mapping_time.h"

#include "common/base/timestamp.h"

struct reading {
    const char *at;
    const char *end;
    int64_t year;
    int64_t month;
    int64_t day;
    int64_t hour;
    int64_t minute;
    int64_t second;
    int64_t ms;
    int32_t zone_minutes;
    bool twelve_hours; /* %I */
    bool afternoon;    /* %p */
    bool epoch;        /* %s: all else is ignored */
    int64_t epoch_ms;
};

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* From digits_min to digits_max digits. */
static bool read_number(struct reading *reading, size_t digits_min, size_t digits_max, int64_t *out)
{
    size_t count = 0;
    int64_t number = 0;

    while (count < digits_max && reading->at < reading->end && is_digit(*reading->at)) {
        number = number * 10 + (*reading->at++ - '0');
        count++;
    }
    *out = number;
    return count >= digits_min;
}

static bool read_fraction(struct reading *reading)
{
    int64_t unit = 100;
    size_t count = 0;

    reading->ms = 0;
    for (; reading->at < reading->end && is_digit(*reading->at); reading->at++) {
        reading->ms += unit * (*reading->at - '0');
        unit /= 10;
        count++;
    }
    return count > 0;
}

static char lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
}

static bool read_word(struct reading *reading, struct slice word)
{
    if ((size_t)(reading->end - reading->at) < word.size) {
        return false;
    }
    for (size_t i = 0; i < word.size; i++) {
        if (lower(reading->at[i]) != word.data[i]) {
            return false;
        }
    }
    reading->at += word.size;
    return true;
}

static bool read_month_name(struct reading *reading)
{
    static const char names[12][4] = {"jan", "feb", "mar", "apr", "may", "jun",
                                      "jul", "aug", "sep", "oct", "nov", "dec"};

    for (int64_t month = 0; month < 12; month++) {
        if (read_word(reading, slice_of(names[month], 3))) {
            reading->month = month + 1;
            return true;
        }
    }
    return false;
}

/* Z, +hh:mm or +hhmm. */
static bool read_zone(struct reading *reading)
{
    int64_t hours;
    int64_t minutes;
    bool west;

    if (read_word(reading, SLICE_LITERAL("z"))) {
        reading->zone_minutes = 0;
        return true;
    }
    if (reading->at == reading->end || (*reading->at != '+' && *reading->at != '-')) {
        return false;
    }
    west = *reading->at++ == '-';
    if (!read_number(reading, 2, 2, &hours)) {
        return false;
    }
    if (reading->at < reading->end && *reading->at == ':') {
        reading->at++;
    }
    if (!read_number(reading, 2, 2, &minutes) || hours > 23 || minutes > 59) {
        return false;
    }
    reading->zone_minutes = (int32_t)(west ? -(hours * 60 + minutes) : hours * 60 + minutes);
    return true;
}

static bool read_epoch(struct reading *reading)
{
    bool negative = reading->at < reading->end && *reading->at == '-';
    int64_t seconds;

    reading->at += negative;
    if (!read_number(reading, 1, 15, &seconds)) {
        return false;
    }
    reading->epoch = true;
    reading->epoch_ms = (negative ? -seconds : seconds) * 1000;
    return true;
}

static bool read_half(struct reading *reading)
{
    reading->afternoon = read_word(reading, SLICE_LITERAL("pm"));
    return reading->afternoon || read_word(reading, SLICE_LITERAL("am"));
}

static bool read_format(struct reading *reading, struct slice format);

static bool read_directive(struct reading *reading, char directive)
{
    switch (directive) {
    case 'Y':
        return read_number(reading, 4, 4, &reading->year);
    case 'y':
        if (!read_number(reading, 2, 2, &reading->year)) {
            return false;
        }
        reading->year += reading->year < 69 ? 2000 : 1900;
        return true;
    case 'm':
        return read_number(reading, 1, 2, &reading->month);
    case 'b':
        return read_month_name(reading);
    case 'd':
        return read_number(reading, 1, 2, &reading->day);
    case 'I':
        reading->twelve_hours = true;
        return read_number(reading, 1, 2, &reading->hour) && reading->hour >= 1 && reading->hour <= 12;
    case 'H':
        return read_number(reading, 1, 2, &reading->hour);
    case 'M':
        return read_number(reading, 1, 2, &reading->minute);
    case 'S':
        return read_number(reading, 1, 2, &reading->second);
    case 'p':
        return read_half(reading);
    case 'f':
        return read_fraction(reading);
    case 'z':
        return read_zone(reading);
    case 's':
        return read_epoch(reading);
    case 'F':
        return read_format(reading, SLICE_LITERAL("%Y-%m-%d"));
    case 'T':
        return read_format(reading, SLICE_LITERAL("%H:%M:%S"));
    case '%':
        return reading->at < reading->end && *reading->at++ == '%';
    default:
        return false;
    }
}

static bool read_format(struct reading *reading, struct slice format)
{
    for (size_t i = 0; i < format.size; i++) {
        if (format.data[i] == '%') {
            if (++i == format.size || !read_directive(reading, format.data[i])) {
                return false;
            }
        } else if (reading->at == reading->end || *reading->at++ != format.data[i]) {
            return false;
        }
    }
    return true;
}

static bool to_instant(const struct reading *reading, int64_t *out_ms)
{
    int64_t hour = reading->twelve_hours ? reading->hour % 12 + (reading->afternoon ? 12 : 0) : reading->hour;
    int64_t year;
    unsigned month;
    unsigned day;
    int64_t days;
    int64_t ms;

    if (reading->year < 1 || reading->month < 1 || reading->month > 12 || reading->day < 1 || reading->day > 31 ||
        hour > 23 || reading->minute > 59 || reading->second > 60) {
        return false;
    }
    days = timestamp_days_from_civil(reading->year, (unsigned)reading->month, (unsigned)reading->day);
    timestamp_civil_from_days(days, &year, &month, &day);
    if (day != (unsigned)reading->day) {
        return false; /* 30 February */
    }
    ms = reading->second == 60 ? 0 : reading->ms;
    *out_ms =
        days * 86400000 + (hour * 60 + reading->minute - reading->zone_minutes) * 60000 + reading->second * 1000 + ms;
    return *out_ms >= TIMESTAMP_MIN && *out_ms <= TIMESTAMP_MAX;
}

bool mapping_time_parse(struct slice format, struct slice text, int32_t zone_minutes, int64_t *out_ms)
{
    struct reading reading = {.at = text.data, .end = text.data + text.size, .zone_minutes = zone_minutes};

    if (!read_format(&reading, format) || reading.at != reading.end) {
        return false;
    }
    if (reading.epoch) {
        *out_ms = reading.epoch_ms + reading.ms;
        return *out_ms >= TIMESTAMP_MIN && *out_ms <= TIMESTAMP_MAX;
    }
    return to_instant(&reading, out_ms);
}

bool mapping_time_check(struct slice format, struct error *err)
{
    static const char known[] = "YymbdIHMSpfzsFT%";
    bool seen[128] = {false};

    for (size_t i = 0; i < format.size; i++) {
        unsigned char directive;

        if (format.data[i] != '%') {
            continue;
        }
        if (++i == format.size) {
            return error_set(err, ERROR_INPUT, "the format ends with %%");
        }
        directive = (unsigned char)format.data[i];
        if (directive == 0 || directive > 127 || strchr(known, directive) == NULL) {
            return error_set(err, ERROR_INPUT,
                             "unknown %%%c in the format; known are %%Y %%y %%m %%b %%d %%H %%I %%p "
                             "%%M %%S %%f %%z %%F %%T %%s %%%%",
                             directive > 31 && directive < 127 ? directive : '?');
        }
        seen[directive] = true;
    }
    if (!seen['s'] && !seen['F'] && !((seen['Y'] || seen['y']) && (seen['m'] || seen['b']) && seen['d'])) {
        return error_set(err, ERROR_INPUT, "the format lacks a year, month or day");
    }
    if (seen['I'] != seen['p']) {
        return error_set(err, ERROR_INPUT, "the format needs %%I and %%p together");
    }
    return true;
}

bool mapping_zone_parse(struct slice text, int32_t *out_minutes, struct error *err)
{
    struct reading reading = {.at = text.data, .end = text.data + text.size};

    if (slice_equal_text(text, "UTC")) {
        *out_minutes = 0;
        return true;
    }
    if (read_zone(&reading) && reading.at == reading.end) {
        *out_minutes = reading.zone_minutes;
        return true;
    }
    (void)error_set(err, ERROR_INPUT, "not supported in this version: zone %.*s",
                    (int)(text.size < 64 ? text.size : 64), text.data);
    return error_hint(err, "use UTC or a fixed offset such as +01:00");
}
