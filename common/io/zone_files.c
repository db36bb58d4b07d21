#include "common/io/zone_files.h"

#include "common/base/timestamp.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    ZONES_SIZE_MAX = 256 << 20,
    FILE_MAX = 1 << 20,
    NAME_MAX_SIZE = 64,
    HEADER_SIZE = 44,
    LAST_YEAR = 10000,
    TRANSITIONS_MAX = 1 << 16,
};

struct zone_file {
    struct zone zone;
    struct zone_file *older;
};

/* A day of the year in the rule at the end of a file: "M3.5.0/2", "J60", "59". */
struct rule_day {
    char kind; /* 'M', 'J', or 'n' */
    int month;
    int week;
    int day;
    int64_t seconds; /* local time of day, may be negative or beyond a day */
};

struct rule {
    bool daylight; /* there is a second offset */
    int64_t standard_s;
    int64_t daylight_s; /* offsets east of UTC */
    struct rule_day begin;
    struct rule_day end;
};

struct reader {
    const unsigned char *at;
    const unsigned char *end;
};

struct header {
    uint64_t utc_count;
    uint64_t standard_count;
    uint64_t leap_count;
    uint64_t time_count;
    uint64_t type_count;
    uint64_t char_count;
};

void zone_files_init(struct zone_files *files)
{
    arena_init(&files->arena, ZONES_SIZE_MAX);
    files->newest = NULL;
}

void zone_files_clear(struct zone_files *files)
{
    arena_clear(&files->arena);
    files->newest = NULL;
}

static uint64_t big_endian(const unsigned char *at, size_t size)
{
    uint64_t number = 0;

    for (size_t i = 0; i < size; i++) {
        number = number << 8 | at[i];
    }
    return number;
}

/* ---- the rule at the end: a POSIX TZ string ---- */

static bool parse_number(const char **text, int64_t *out)
{
    char *end;

    if (**text < '0' || **text > '9') {
        return false;
    }
    *out = strtoll(*text, &end, 10);
    *text = end;
    return *out < 100000;
}

/* [+-]hh[:mm[:ss]] */
static bool parse_clock(const char **text, int64_t *out_s)
{
    int64_t sign = **text == '-' ? -1 : 1;
    int64_t unit = 3600;
    int64_t part;

    *text += **text == '-' || **text == '+';
    *out_s = 0;
    do {
        if (!parse_number(text, &part)) {
            return false;
        }
        *out_s += part * unit;
        unit /= 60;
    } while (unit > 0 && **text == ':' && (*text)++);
    *out_s *= sign;
    return true;
}

static bool skip_name(const char **text)
{
    const char *begin = *text;

    if (**text == '<') {
        const char *end = strchr(begin, '>');

        if (end == NULL) {
            return false;
        }
        *text = end + 1;
        return true;
    }
    while ((**text >= 'A' && **text <= 'Z') || (**text >= 'a' && **text <= 'z')) {
        (*text)++;
    }
    return *text > begin;
}

static bool parse_day(const char **text, struct rule_day *out)
{
    int64_t numbers[3] = {0};
    size_t count = 1;

    if (**text != ',') {
        return false;
    }
    (*text)++;
    out->kind = **text == 'M' || **text == 'J' ? **text : 'n';
    *text += out->kind != 'n';
    count = out->kind == 'M' ? 3 : 1;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && *(*text)++ != '.') {
            return false;
        }
        if (!parse_number(text, &numbers[i])) {
            return false;
        }
    }
    out->month = out->kind == 'M' ? (int)numbers[0] : 0;
    out->week = (int)numbers[1];
    out->day = out->kind == 'M' ? (int)numbers[2] : (int)numbers[0];
    out->seconds = 7200;
    if (**text == '/') {
        (*text)++;
        return parse_clock(text, &out->seconds);
    }
    return out->kind != 'M' || (out->month >= 1 && out->month <= 12 && out->week >= 1 && out->week <= 5);
}

static bool parse_rule(const char *text, struct rule *out)
{
    *out = (struct rule){0};
    if (!skip_name(&text) || !parse_clock(&text, &out->standard_s)) {
        return false;
    }
    out->standard_s = -out->standard_s;
    if (*text == '\0') {
        return true;
    }
    out->daylight = true;
    out->daylight_s = out->standard_s + 3600;
    if (!skip_name(&text)) {
        return false;
    }
    if (*text != ',') {
        if (!parse_clock(&text, &out->daylight_s)) {
            return false;
        }
        out->daylight_s = -out->daylight_s;
    }
    return parse_day(&text, &out->begin) && parse_day(&text, &out->end) && *text == '\0';
}

/* Seconds since 1970 in local time of the year's day. */
static int64_t day_seconds(const struct rule_day *rule, int64_t year)
{
    int64_t first = timestamp_days_from_civil(year, 1, 1);
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    int64_t day = first + rule->day;

    if (rule->kind == 'J') {
        day = first + rule->day - 1 + (leap && rule->day >= 60);
    } else if (rule->kind == 'M') {
        int64_t month_first = timestamp_days_from_civil(year, (unsigned)rule->month, 1);
        int64_t next = rule->month == 12 ? timestamp_days_from_civil(year + 1, 1, 1)
                                         : timestamp_days_from_civil(year, (unsigned)rule->month + 1, 1);
        int64_t weekday = ((month_first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */

        day = month_first + (rule->day - weekday + 7) % 7 + 7 * ((int64_t)rule->week - 1);
        while (day >= next) {
            day -= 7;
        }
    }
    return day * 86400 + rule->seconds;
}

/* ---- building the table ---- */

static bool add_transition(struct zone *zone, int64_t at_s, int64_t offset_s)
{
    size_t count = zone->instant_count;
    int64_t at_ms = at_s * 1000;

    if (at_ms < TIMESTAMP_MIN || (count > 0 && zone->instants_ms[count - 1] >= at_ms)) {
        if (at_ms < TIMESTAMP_MIN) {
            zone->offsets_ms[0] = (int32_t)(offset_s * 1000);
        }
        return true;
    }
    if (count == TRANSITIONS_MAX) {
        return false;
    }
    zone->instants_ms[count] = at_ms;
    zone->offsets_ms[count + 1] = (int32_t)(offset_s * 1000);
    zone->instant_count++;
    return true;
}

static bool add_rule(struct zone *zone, const struct rule *rule)
{
    int64_t last_ms = zone->instant_count == 0 ? INT64_C(0) : zone->instants_ms[zone->instant_count - 1];
    int64_t year;
    unsigned month;
    unsigned day;

    if (!rule->daylight) {
        return zone->instant_count > 0 || add_transition(zone, INT64_C(-62135596800), rule->standard_s);
    }
    timestamp_civil_from_days(last_ms / 86400000 - (last_ms % 86400000 < 0), &year, &month, &day);
    for (; year <= LAST_YEAR; year++) {
        int64_t begin = day_seconds(&rule->begin, year) - rule->standard_s;
        int64_t end = day_seconds(&rule->end, year) - rule->daylight_s;
        bool north = begin < end;

        if (!add_transition(zone, north ? begin : end, north ? rule->daylight_s : rule->standard_s) ||
            !add_transition(zone, north ? end : begin, north ? rule->standard_s : rule->daylight_s)) {
            return false;
        }
    }
    return true;
}

static bool read_header(struct reader *reader, struct header *out, char *version)
{
    if (reader->end - reader->at < HEADER_SIZE || memcmp(reader->at, "TZif", 4) != 0) {
        return false;
    }
    *version = (char)reader->at[4];
    out->utc_count = big_endian(reader->at + 20, 4);
    out->standard_count = big_endian(reader->at + 24, 4);
    out->leap_count = big_endian(reader->at + 28, 4);
    out->time_count = big_endian(reader->at + 32, 4);
    out->type_count = big_endian(reader->at + 36, 4);
    out->char_count = big_endian(reader->at + 40, 4);
    reader->at += HEADER_SIZE;
    return true;
}

static bool read_body(struct reader *reader, const struct header *header, size_t time_size, struct zone *zone)
{
    const unsigned char *times = reader->at;
    uint64_t size = header->time_count * time_size + header->time_count + header->type_count * 6 + header->char_count +
                    header->leap_count * (time_size + 4) + header->standard_count + header->utc_count;
    const unsigned char *indexes;
    const unsigned char *types;

    if (size > (uint64_t)(reader->end - reader->at) || header->type_count == 0) {
        return false;
    }
    reader->at += size;
    if (zone == NULL) {
        return true;
    }
    indexes = times + header->time_count * time_size;
    types = indexes + header->time_count;
    zone->offsets_ms[0] = (int32_t)big_endian(types, 4) * 1000;
    for (uint64_t i = 0; i < header->time_count; i++) {
        if (indexes[i] >= header->type_count ||
            !add_transition(zone, (int64_t)big_endian(times + i * 8, 8),
                            (int32_t)big_endian(types + (size_t)indexes[i] * 6, 4))) {
            return false;
        }
    }
    return true;
}

static bool read_footer(struct reader *reader, struct zone *zone)
{
    char text[128];
    size_t size = (size_t)(reader->end - reader->at);
    const unsigned char *end;
    struct rule rule;

    if (size < 2 || reader->at[0] != '\n') {
        return true;
    }
    end = memchr(reader->at + 1, '\n', size - 1);
    if (end == NULL || (size_t)(end - reader->at) > sizeof text) {
        return false;
    }
    size = (size_t)(end - reader->at) - 1;
    memcpy(text, reader->at + 1, size);
    text[size] = '\0';
    return size == 0 || (parse_rule(text, &rule) && add_rule(zone, &rule));
}

static bool parse_file(const unsigned char *data, size_t size, struct zone *zone)
{
    struct reader reader = {.at = data, .end = data + size};
    struct header header;
    char version;

    /* The first block holds 32-bit times; the second, of version 2 and later, is the one wanted. */
    return read_header(&reader, &header, &version) && version >= '2' && read_body(&reader, &header, 4, NULL) &&
           read_header(&reader, &header, &version) && read_body(&reader, &header, 8, zone) &&
           read_footer(&reader, zone);
}

static bool name_is_sane(struct slice name)
{
    if (name.size == 0 || name.size > NAME_MAX_SIZE || name.data[0] == '/' || memmem(name.data, name.size, "..", 2)) {
        return false;
    }
    return memchr(name.data, '\0', name.size) == NULL;
}

const char *zone_files_folder(void)
{
    const char *folder = getenv("TZDIR");

    return folder == NULL || folder[0] == '\0' ? "/usr/share/zoneinfo" : folder;
}

static size_t read_zone(struct slice name, unsigned char *data)
{
    char path[1024];
    size_t size = 0;
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%.*s", zone_files_folder(), (int)name.size, name.data);
    file = fopen(path, "rb");
    if (file != NULL) {
        size = fread(data, 1, FILE_MAX, file);
        (void)fclose(file);
    }
    return size;
}

/* Moves the table, built with room for the most transitions, to one of its own size. */
static bool keep(struct zone_files *files, struct slice name, const struct zone *built, struct zone_file *file)
{
    struct zone *zone = &file->zone;
    size_t count = built->instant_count;

    zone->instants_ms = arena_allocate_zeroed(&files->arena, count + 1, sizeof *zone->instants_ms);
    zone->offsets_ms = arena_allocate_zeroed(&files->arena, count + 1, sizeof *zone->offsets_ms);
    if (zone->instants_ms == NULL || zone->offsets_ms == NULL || !arena_copy(&files->arena, name, &zone->name)) {
        return false;
    }
    memcpy(zone->instants_ms, built->instants_ms, count * sizeof *zone->instants_ms);
    memcpy(zone->offsets_ms, built->offsets_ms, (count + 1) * sizeof *zone->offsets_ms);
    zone->instant_count = count;
    return true;
}

const struct zone *zone_files_find(void *context, struct slice name)
{
    struct zone_files *files = context;
    struct zone_file *file = files->newest;
    struct zone built = {0};
    unsigned char *data = NULL;

    while (file != NULL && !slice_equal(file->zone.name, name)) {
        file = file->older;
    }
    if (file != NULL || !name_is_sane(name)) {
        return file == NULL ? NULL : &file->zone;
    }
    files->arena.size_max = ZONES_SIZE_MAX;
    data = memory_allocate(FILE_MAX);
    built.instants_ms = memory_allocate_zeroed(TRANSITIONS_MAX, sizeof *built.instants_ms);
    built.offsets_ms = memory_allocate_zeroed(TRANSITIONS_MAX + 1, sizeof *built.offsets_ms);
    file = arena_allocate_zeroed(&files->arena, 1, sizeof *file);
    if (data != NULL && built.instants_ms != NULL && built.offsets_ms != NULL && file != NULL &&
        parse_file(data, read_zone(name, data), &built) && keep(files, name, &built, file)) {
        file->older = files->newest;
        files->newest = file;
    } else {
        file = NULL;
    }
    memory_free(data);
    memory_free(built.instants_ms);
    memory_free(built.offsets_ms);
    return file == NULL ? NULL : &file->zone;
}

const struct zone *zone_files_at(const struct zone_files *files, size_t index)
{
    const struct zone_file *file = files->newest;

    while (file != NULL && index > 0) {
        file = file->older;
        index--;
    }
    return file == NULL ? NULL : &file->zone;
}
