#include "tests/oracle/generator.h"

#include "common/base/timestamp.h"
#include "tests/oracle/calendar.h"
#include "tests/oracle/generator_parts.h"
#include "tests/oracle/messages.h"

#include <inttypes.h>
#include <stdlib.h>

enum { CASE_SEGMENTS_MAX = 4 };

uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

int below(struct generator *generator, int bound)
{
    return (int)(random_next(&generator->random) % (uint64_t)bound);
}

bool one_in(struct generator *generator, int n)
{
    return below(generator, n) == 0;
}

const char *pick(struct generator *generator, const char *const *words)
{
    int count = 0;

    while (words[count] != NULL) {
        count++;
    }
    return words[below(generator, count)];
}

void put(struct generator *generator, const char *text)
{
    buffer_append_text(&generator->out, text);
}

void put_number(struct generator *generator, bool odd)
{
    static const char *const odd_numbers[] = {"0.0000005",
                                              "0.0000015",
                                              "0.00000049999",
                                              "1.0000005",
                                              "1.0000015",
                                              "9.2e12",
                                              "-9.2e12",
                                              "9.2000000000000000001e12",
                                              "9.3e12",
                                              "1e400",
                                              "-1E+400",
                                              "1e-400",
                                              "-0",
                                              "-0.0000005",
                                              "9007199254740.993001",
                                              "1e2",
                                              "1.50E0",
                                              "0.1",
                                              "0.2",
                                              "0.30",
                                              "3000000",
                                              "3066666.666667",
                                              "9199999999999.9999995",
                                              "0.000001",
                                              NULL};
    static const char *const fractions[] = {"", "", "", ".5", ".25", ".1", NULL};

    if (odd && one_in(generator, 4)) {
        put(generator, pick(generator, odd_numbers));
        return;
    }
    buffer_append_format(&generator->out, "%d%s", below(generator, 9) - 2, "");
    put(generator, pick(generator, fractions));
}

/* A duration, mostly on the grid; ms. */
static int64_t random_duration(struct generator *generator, int units)
{
    int64_t ms = generator->grid_ms * (1 + below(generator, units));

    if (one_in(generator, 12)) {
        ms += below(generator, 3) - 1;
    }
    return ms < 1 ? 1 : ms > INT64_C(3155760000000) ? INT64_C(3155760000000) : ms;
}

void put_duration(struct generator *generator, int units)
{
    int64_t ms = random_duration(generator, units);

    if (ms % 1000 == 0 && one_in(generator, 3)) {
        buffer_append_format(&generator->out, one_in(generator, 2) ? "\"PT%" PRId64 "S\"" : "\"%" PRId64 "s\"",
                             ms / 1000);
    } else if (ms % 60000 == 0 && one_in(generator, 2)) {
        buffer_append_format(&generator->out, "\"%" PRId64 "m\"", ms / 60000);
    } else {
        buffer_append_format(&generator->out, "\"%" PRId64 "ms\"", ms);
    }
}

/* Where time lies in a case: ordinary, at changes of clocks, before the epoch, at the edges of the years. */
static void choose_time(struct generator *generator)
{
    static const int64_t grids[] = {1, 1000, 1000, 1000, 60000, 3600000, 3600000, 43200000, 86400000, 864000000};
    static const int64_t bases[] = {
        INT64_C(1772323200000),   /* 2026-03-01 */
        INT64_C(1774742400000),   /* 2026-03-29, Berlin sets its clocks */
        INT64_C(1792800000000),   /* 2026-10-24 */
        INT64_C(1541203200000),   /* 2018-11-03, Sao Paulo has no midnight next day */
        INT64_C(1289012400000),   /* 2010-11-06, St John's sets its clocks at 00:01 */
        INT64_C(1325116800000),   /* 2011-12-29, Apia leaves out a day */
        INT64_C(1709078400000),   /* 2024-02-28 */
        INT64_C(-30000),          /* the epoch */
        INT64_C(-62135596800000), /* 0001-01-01 */
        INT64_C(253402214400000), /* 9999-12-31 */
        INT64_C(253402300760000),
    };
    bool edge = one_in(generator, 12);

    generator->grid_ms = grids[below(generator, (int)(sizeof grids / sizeof grids[0]))];
    generator->base_ms = bases[edge ? 8 + below(generator, 3) : below(generator, 8)];
    generator->steps = 8 + below(generator, 40);
}

const char *random_zone(struct generator *generator)
{
    static const char *const zones[] = {"Europe/Berlin",
                                        "Europe/Berlin",
                                        "America/Sao_Paulo",
                                        "America/St_Johns",
                                        "Pacific/Apia",
                                        "Asia/Kolkata",
                                        "America/Havana",
                                        "America/Asuncion",
                                        "Africa/Casablanca",
                                        "Australia/Lord_Howe",
                                        "UTC",
                                        "America/New_York",
                                        NULL};

    return pick(generator, zones);
}

/* A period of the case's zone that is near begins, or its clocks change, an hour or a few later. */
static int64_t calendar_edge(struct generator *generator, int64_t ms)
{
    struct slice zone = slice_from(generator->zone);
    enum calendar_unit unit = (enum calendar_unit)(CALENDAR_DAYS + (one_in(generator, 2) ? 0 : below(generator, 5)));

    ms = calendar_start(zone, unit, calendar_period(zone, unit, ms) + below(generator, 2));
    return one_in(generator, 3) ? ms + 3600000 * below(generator, 4) : ms;
}

int64_t random_instant(struct generator *generator)
{
    int64_t ms = generator->base_ms + generator->grid_ms * below(generator, generator->steps);

    if (generator->grid_ms >= 60000 && one_in(generator, 4)) {
        ms = calendar_edge(generator, ms);
    }
    if (one_in(generator, 20)) {
        ms += below(generator, 3) - 1;
    }
    if (one_in(generator, 40)) {
        ms += generator->grid_ms * below(generator, 400);
    }
    return ms < TIMESTAMP_MIN ? TIMESTAMP_MIN : ms > TIMESTAMP_MAX ? TIMESTAMP_MAX : ms;
}

static struct slice keep(struct generator *generator)
{
    struct slice kept;

    if (!arena_copy(generator->arena, buffer_slice(&generator->out), &kept)) {
        kept = slice_of("", 0);
    }
    buffer_reset(&generator->out);
    return kept;
}

/* ---- definitions ---- */

static void put_segment(struct generator *generator, int index)
{
    static const char *const lifetimes[] = {"membershipDuration", "exclusionWindow", NULL};
    bool any_ranked = false;
    bool ranked;

    generator->segment = index;
    generator->needs_batch = false;
    generator->ranked[index] = one_in(generator, 12);
    for (int i = 0; i < index; i++) {
        any_ranked = any_ranked || generator->ranked[i];
    }
    ranked = generator->ranked[index];
    buffer_append_format(&generator->out, "{\"segmentId\":\"s%d\",\"criteria\":[", index);
    for (int count = 1 + (one_in(generator, 3) ? 1 : 0) + (one_in(generator, 8) ? 1 : 0); count > 0; count--) {
        put_criterion(generator, 0);
        put(generator, count > 1 ? "," : "]");
    }
    if (one_in(generator, 5)) {
        put(generator, ",\"exclude\":[");
        put_criterion(generator, 0);
        put(generator, "]");
    }
    if (ranked || generator->needs_batch) {
        put(generator, ",\"evaluation\":\"batch\"");
    }
    if (!ranked && one_in(generator, 2)) {
        bool sticky = one_in(generator, 3);

        buffer_append_format(&generator->out, ",\"%s\":", lifetimes[0]);
        put_duration(generator, 14);
        put(generator, sticky ? ",\"membershipMode\":\"sticky\"" : "");
    }
    if (!ranked && one_in(generator, 4)) {
        buffer_append_format(&generator->out, ",\"%s\":", lifetimes[1]);
        put_duration(generator, 10);
    }
    put(generator, "}");
}

static struct slice generate_definitions(struct generator *generator, int count)
{
    put(generator, "[");
    for (int i = 0; i < count; i++) {
        put(generator, i > 0 ? "," : "");
        put_segment(generator, i);
    }
    put(generator, "]");
    return keep(generator);
}

static struct generator begin(struct arena *arena, uint64_t seed)
{
    struct generator generator = {.arena = arena, .random = seed, .previous_number = -1};

    buffer_init(&generator.out, 1 << 20);
    (void)random_next(&generator.random);
    choose_time(&generator);
    generator.zone = random_zone(&generator);
    generator.theme = one_in(&generator, 2) ? THEME_NONE : (enum theme)(1 + below(&generator, THEMES - 1));
    generator.narrow = one_in(&generator, 2);
    return generator;
}

/* The lines and the instants. */
static void generate_lines(struct generator *generator, size_t line_count, struct oracle_case *out)
{
    out->lines = take(generator->arena, line_count, sizeof *out->lines);
    while (out->line_count < line_count) {
        /* Now and then an earlier line once more, or one with its messageId. */
        if (out->line_count > 0 && one_in(generator, 12)) {
            out->lines[out->line_count] = out->lines[below(generator, (int)out->line_count)];
        } else {
            put_message(generator);
            out->lines[out->line_count] = keep(generator);
        }
        out->line_count++;
    }
    for (int i = 0; i < CASE_INSTANTS; i++) {
        out->instants[i] = random_instant(generator);
    }
    buffer_clear(&generator->out);
}

struct oracle_case generate_case(struct arena *arena, uint64_t seed)
{
    struct generator generator = begin(arena, seed);
    struct oracle_case result = {.seed = seed};

    generator.user_count = one_in(&generator, 4) ? 4 : 1;
    result.definitions = generate_definitions(&generator, 1 + below(&generator, CASE_SEGMENTS_MAX));
    generate_lines(&generator, (size_t)(1 + below(&generator, one_in(&generator, 6) ? 40 : 18)), &result);
    return result;
}

/* ---- larger ones ---- */

struct timed_line {
    int64_t at;
    size_t number;
    struct slice line;
};

static int compare_timed(const void *left, const void *right)
{
    const struct timed_line *a = left;
    const struct timed_line *b = right;

    return a->at != b->at ? (a->at > b->at) - (a->at < b->at) : (a->number > b->number) - (a->number < b->number);
}

/* Nearly in the order of time. Lines without a time stay behind the one before. */
static void arrange(struct generator *generator, int disorder, struct oracle_case *test)
{
    struct timed_line *timed = take(generator->arena, test->line_count, sizeof *timed);
    int64_t at = INT64_MIN;

    for (size_t i = 0; i < test->line_count; i++) {
        struct message message;

        if (message_read(generator->arena, test->lines[i], &message)) {
            at = message.time + generator->grid_ms * below(generator, disorder + 1);
        }
        timed[i] = (struct timed_line){.at = at, .number = i, .line = test->lines[i]};
    }
    qsort(timed, test->line_count, sizeof *timed, compare_timed);
    for (size_t i = 0; i < test->line_count; i++) {
        test->lines[i] = timed[i].line;
    }
}

struct oracle_case generate_world(struct arena *arena, uint64_t seed, const struct world_size *size)
{
    struct generator generator = begin(arena, seed);
    struct oracle_case result = {.seed = seed};
    int events_per_user = size->line_count / size->user_count;

    generator.user_count = size->user_count;
    generator.steps = events_per_user > generator.steps ? events_per_user : generator.steps;
    generator.narrow = generator.narrow && size->segment_count < 10;
    result.definitions = generate_definitions(&generator, size->segment_count);
    generate_lines(&generator, (size_t)size->line_count, &result);
    if (size->disorder >= 0) {
        arrange(&generator, size->disorder, &result);
    }
    return result;
}
