#include "common/base/duration.h"

struct unit {
    const char *name;
    int64_t size_ms;
};

/* Longest first, "ms" before "m": the first that fits is the unit. */
static const struct unit units[] = {
    {"w", 7 * INT64_C(86400000)}, {"d", 86400000}, {"h", 3600000}, {"ms", 1}, {"m", 60000}, {"s", 1000},
};

/* Reads digits at `*at`; false when there are none or the number exceeds any valid duration. */
static bool read_number(struct slice text, size_t *at, int64_t *out)
{
    size_t begin = *at;
    int64_t number = 0;

    while (*at < text.size && text.data[*at] >= '0' && text.data[*at] <= '9') {
        number = number * 10 + (text.data[*at] - '0');
        if (number > DURATION_MAX_MS) {
            return false;
        }
        ++*at;
    }
    *out = number;
    return *at > begin;
}

static bool add(int64_t *total_ms, int64_t count, int64_t unit_ms)
{
    int64_t part_ms;

    return !__builtin_mul_overflow(count, unit_ms, &part_ms) && !__builtin_add_overflow(*total_ms, part_ms, total_ms) &&
           *total_ms <= DURATION_MAX_MS;
}

static bool parse_short(struct slice text, int64_t *out_ms)
{
    int64_t total_ms = 0;
    size_t at = 0;

    while (at < text.size) {
        const struct unit *unit = NULL;
        int64_t count;

        if (!read_number(text, &at, &count)) {
            return false;
        }
        for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
            if (slice_starts_with(slice_of(text.data + at, text.size - at), slice_from(units[i].name))) {
                unit = &units[i];
                break;
            }
        }
        if (unit == NULL || !add(&total_ms, count, unit->size_ms)) {
            return false;
        }
        at += strlen(unit->name);
    }
    *out_ms = total_ms;
    return text.size > 0;
}

/* PnW, or PnDTnHnMnS: each part optional but in this order, at least one, and at least one behind a T. */
static bool parse_iso(struct slice text, int64_t *out_ms)
{
    static const struct {
        char letter;
        bool timed;
        int64_t size_ms;
    } parts[] = {{'D', false, 86400000}, {'H', true, 3600000}, {'M', true, 60000}, {'S', true, 1000}};
    int64_t total_ms = 0;
    size_t at = 1;
    size_t part_next = 0;
    bool timed = false;
    bool complete = false;

    while (at < text.size) {
        int64_t count;
        char letter;

        if (!timed && text.data[at] == 'T') {
            timed = true;
            complete = false;
            at++;
            continue;
        }
        if (!read_number(text, &at, &count) || at == text.size) {
            return false;
        }
        letter = text.data[at++];
        if (letter == 'W') {
            *out_ms = 0;
            return !timed && part_next == 0 && at == text.size && add(out_ms, count, 7 * INT64_C(86400000));
        }
        while (part_next < 4 && (parts[part_next].letter != letter || parts[part_next].timed != timed)) {
            part_next++;
        }
        if (part_next == 4 || !add(&total_ms, count, parts[part_next].size_ms)) {
            return false;
        }
        part_next++;
        complete = true;
    }
    *out_ms = total_ms;
    return complete;
}

bool duration_parse_or_zero(struct slice text, int64_t *out_ms)
{
    int64_t total_ms;

    if (slice_equal_text(text, "0")) {
        total_ms = 0;
    } else if (!(text.size > 0 && text.data[0] == 'P' ? parse_iso(text, &total_ms) : parse_short(text, &total_ms))) {
        return false;
    }
    *out_ms = total_ms;
    return true;
}

bool duration_parse(struct slice text, int64_t *out_ms)
{
    int64_t total_ms;

    if (!duration_parse_or_zero(text, &total_ms) || total_ms == 0) {
        return false;
    }
    *out_ms = total_ms;
    return true;
}

void duration_append(struct buffer *out, int64_t ms)
{
    static const struct unit shown[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

    if (ms <= 0) {
        buffer_append_char(out, '0');
        return;
    }
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        if (ms >= shown[i].size_ms) {
            buffer_append_integer(out, ms / shown[i].size_ms);
            buffer_append_text(out, shown[i].name);
            ms %= shown[i].size_ms;
        }
    }
}
