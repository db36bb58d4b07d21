#include "tests/oracle/pruned.h"

#include "common/domain/user_state_pack.h"
#include "tests/oracle/calendar.h"
#include "tests/oracle/product.h"

#include <stdlib.h>

enum { WRITTEN_MAX = 1 << 24 };

struct late_line {
    int64_t key; /* the event's time and how long it was under way: less than the lateness */
    uint64_t random;
    struct slice line;
};

struct pruned_run {
    const struct oracle_case *test;
    struct buffer *said;
    struct product whole;
    struct product pruned;
    struct late_line *lines;
    size_t line_count;
    int64_t lateness_ms;
    struct error err;
};

static uint64_t line_random(const struct oracle_case *test, struct slice line, uint64_t salt)
{
    uint64_t state = test->seed * 31 + salt;

    for (size_t i = 0; i < line.size; i++) {
        state = (state ^ (unsigned char)line.data[i]) * UINT64_C(0x100000001B3);
    }
    return random_next(&state);
}

static int compare_lines(const void *left, const void *right)
{
    const struct late_line *a = left;
    const struct late_line *b = right;

    if (a->key != b->key) {
        return a->key < b->key ? -1 : 1;
    }
    return (a->random > b->random) - (a->random < b->random);
}

/* Puts the events in an order in which each comes less than the lateness behind any later one. */
static bool order_lines(struct pruned_run *run, struct arena *arena)
{
    static const int64_t latenesses_ms[] = {1, 2000, 90000, 3600000, 6 * 3600000, 86400000, 3 * 86400000};
    uint64_t random = run->test->seed ^ UINT64_C(0x70727565);

    run->lateness_ms = latenesses_ms[random_next(&random) % (sizeof latenesses_ms / sizeof latenesses_ms[0])];
    run->lines = take(arena, run->test->line_count + 1, sizeof *run->lines);
    for (size_t i = 0; i < run->test->line_count; i++) {
        struct slice line = run->test->lines[i];
        struct event event;
        bool accepted = false;

        if (!product_decode(&run->whole, line, &event, &accepted, &run->err)) {
            return false;
        }
        if (accepted && event.kind != EVENT_CONSENT && event.kind != EVENT_DELETE) {
            uint64_t under_way = line_random(run->test, line, i) % (uint64_t)run->lateness_ms;

            run->lines[run->line_count++] = (struct late_line){.key = event.time_ms + (int64_t)under_way,
                                                               .random = line_random(run->test, line, 1000 + i),
                                                               .line = line};
        }
    }
    qsort(run->lines, run->line_count, sizeof *run->lines, compare_lines);
    return true;
}

static void say(struct pruned_run *run, const char *who, const struct interval *intervals, size_t count)
{
    char text[40];

    buffer_append_format(run->said, "  %-12s", who);
    for (size_t i = 0; i < count; i++) {
        buffer_append_format(run->said, " [%s, ", calendar_text(intervals[i].entered_at, text));
        buffer_append_format(run->said, "%s)",
                             intervals[i].left_at == TIMESTAMP_NEVER ? "open"
                                                                     : calendar_text(intervals[i].left_at, text));
    }
    buffer_append_text(run->said, count == 0 ? " nothing\n" : "\n");
}

static enum pruned_result refuse(struct pruned_run *run)
{
    buffer_append_format(run->said, "pruned: %s\n", run->err.message);
    return PRUNED_REFUSED;
}

static enum pruned_result compare_segment(struct pruned_run *run, struct arena *arena, struct slice user,
                                          size_t segment, int64_t from)
{
    const struct interval *borrowed = NULL;
    const struct interval *got = NULL;
    struct interval *wanted;
    size_t wanted_count = 0;
    size_t got_count = 0;
    bool equal;
    char text[40];

    if (!user_state_intervals(run->whole.ruleset, product_user(&run->whole, user)->state, segment, from,
                              run->whole.evaluation, &borrowed, &wanted_count, &run->err)) {
        return refuse(run);
    }
    wanted = take(arena, wanted_count + 1, sizeof *wanted);
    for (size_t i = 0; i < wanted_count; i++) {
        wanted[i] = borrowed[i];
    }
    if (!user_state_intervals(run->pruned.ruleset, product_user(&run->pruned, user)->state, segment, from,
                              run->pruned.evaluation, &got, &got_count, &run->err)) {
        return refuse(run);
    }
    equal = wanted_count == got_count;
    for (size_t i = 0; equal && i < got_count; i++) {
        equal = wanted[i].entered_at == got[i].entered_at && wanted[i].left_at == got[i].left_at;
    }
    if (equal) {
        return PRUNED_EQUAL;
    }
    buffer_append_format(run->said, "pruned: segment %.*s, user %.*s, final %s",
                         (int)run->whole.set.definitions[segment].segment_id.size,
                         run->whole.set.definitions[segment].segment_id.data, (int)user.size, user.data,
                         calendar_text(user_state_final(product_user(&run->pruned, user)->state), text));
    buffer_append_format(run->said, ", after %s\n", calendar_text(from, text));
    say(run, "whole", wanted, wanted_count);
    say(run, "pruned", got, got_count);
    return PRUNED_DIFFERENT;
}

/* Of all segments, or as the lane asks, of one: what was carried must serve in either case. */
static enum pruned_result compare_user(struct pruned_run *run, struct arena *arena, struct slice user, uint64_t random)
{
    size_t count = run->whole.set.definition_count;
    int64_t final_ms = user_state_final(product_user(&run->pruned, user)->state);

    for (size_t i = 0; i < count; i++) {
        if (!run->whole.set.definitions[i].needs_percentile && (random % 3 != 0 || i == random / 3 % count)) {
            enum pruned_result result = compare_segment(run, arena, user, i, final_ms);

            if (result != PRUNED_EQUAL) {
                return result;
            }
        }
    }
    return PRUNED_EQUAL;
}

/* Writes the pruned state out and reads it back: the same bytes again. */
static enum pruned_result restore(struct pruned_run *run, struct user_state *state)
{
    enum pruned_result result = PRUNED_DIFFERENT;
    struct buffer before;
    struct buffer after;

    buffer_init(&before, WRITTEN_MAX);
    buffer_init(&after, WRITTEN_MAX);
    user_state_write(run->pruned.ruleset, state, &before);
    if (!user_state_read(run->pruned.ruleset, buffer_slice(&before), state, &run->err)) {
        result = refuse(run);
        goto out;
    }
    user_state_write(run->pruned.ruleset, state, &after);
    if (slice_equal(buffer_slice(&before), buffer_slice(&after))) {
        result = PRUNED_EQUAL;
    } else {
        buffer_append_text(run->said, "pruned: other bytes when it is read and written again\n");
    }
out:
    buffer_clear(&before);
    buffer_clear(&after);
    return result;
}

static enum pruned_result feed(struct pruned_run *run, struct arena *arena)
{
    int64_t newest = INT64_MIN;

    for (size_t i = 0; i < run->line_count; i++) {
        uint64_t random = run->lines[i].random;
        const struct product_user *user;
        struct event event;
        bool accepted = false;
        enum pruned_result result;

        if (!product_decode(&run->whole, run->lines[i].line, &event, &accepted, &run->err) ||
            !product_fold(&run->whole, &event, false, &run->err) ||
            !product_fold(&run->pruned, &event, false, &run->err)) {
            return refuse(run);
        }
        newest = event.time_ms > newest ? event.time_ms : newest;
        user = product_user(&run->pruned, event.user);
        result = random % 2 == 0 ? compare_user(run, arena, user->id, random / 8) : PRUNED_EQUAL;
        if (result == PRUNED_EQUAL && random % 5 != 0) {
            int64_t final_ms = newest - run->lateness_ms - (random % 3 == 0 ? (int64_t)(random % 1000000) : 0);

            if (!user_state_prune(run->pruned.ruleset, user->state, final_ms, run->pruned.evaluation, &run->err)) {
                return refuse(run);
            }
            result = random % 7 == 0 ? restore(run, user->state) : PRUNED_EQUAL;
            result = result == PRUNED_EQUAL ? compare_user(run, arena, user->id, random / 16) : result;
        }
        if (result != PRUNED_EQUAL) {
            return result;
        }
    }
    return PRUNED_EQUAL;
}

enum pruned_result pruned_compare(struct arena *arena, struct zone_files *zones, const struct oracle_case *test,
                                  struct buffer *said)
{
    struct pruned_run run = {.test = test, .said = said};
    enum pruned_result result;
    bool whole = product_init(&run.whole, arena, zones, test->definitions, &run.err);
    bool pruned = product_init(&run.pruned, arena, zones, test->definitions, &run.err);

    result = whole && pruned && order_lines(&run, arena) ? feed(&run, arena) : refuse(&run);
    product_clear(&run.whole);
    product_clear(&run.pruned);
    return result;
}
