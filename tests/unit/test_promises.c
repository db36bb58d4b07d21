/* Promises of the segment language that a faster evaluator breaks first: through batch, the stream's intervals and the
 * records of a lane. */
#include "common/domain/lane.h"

#include "common/domain/rule_parse.h"
#include "tests/unit/unit.h"

#include <inttypes.h>
#include <stdio.h>

Suite *promises_suite(void);

enum { SEGMENTS = 6, RECORDS_MAX = 64, INTERVALS_MAX = 16, TEXT_SIZE = 256, USERS = 2 };

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define BASE (INT64_C(1772323200000)) /* 2026-03-01 */

enum segment { RECENT = 0, OFTEN, SPENT, ABANDONED, BOTH, SILENT };

static const char definitions[] =
    "[{\"segmentId\":\"recent\",\"criteria\":[{\"event\":\"a\",\"window\":\"1h\"}]},"
    "{\"segmentId\":\"often\",\"criteria\":[{\"event\":\"a\",\"window\":\"1d\",\"count\":{\">=\":3}}]},"
    "{\"segmentId\":\"spent\",\"criteria\":[{\"event\":\"a\",\"window\":\"7d\",\"slide\":\"1h\",\"sum\":"
    "{\"property\":\"v\",\">\":10}}]},"
    "{\"segmentId\":\"abandoned\",\"criteria\":[{\"event\":\"a\",\"window\":\"30m\",\"condition\":\"no_b_after\"}],"
    "\"membershipDuration\":\"24h\"},"
    "{\"segmentId\":\"both\",\"criteria\":[{\"sequence\":[{\"event\":\"a\"},{\"event\":\"b\"}],\"within\":\"2h\","
    "\"window\":\"3h\"}]},"
    "{\"segmentId\":\"silent\",\"criteria\":[{\"not\":{\"event\":\"*\",\"window\":\"2d\"}}]}]";

struct kept {
    struct interval intervals[INTERVALS_MAX];
    size_t count;
};

struct world {
    struct segment_set set;
    struct ruleset *ruleset;
    struct evaluation *evaluation;
    struct lane *lane;
    struct json_document document;
    struct arena arena;
    struct kept kept[USERS][SEGMENTS]; /* as the stream follows them */
    struct lane_record records[RECORDS_MAX];
    size_t record_count;
    int64_t watermark;
    int64_t offset;
};

static bool note_record(void *context, const struct lane_record *record, struct error *err)
{
    struct world *world = context;

    (void)err;
    ck_assert_uint_lt(world->record_count, RECORDS_MAX);
    world->records[world->record_count++] = *record;
    return true;
}

static struct lane_sink sink(struct world *world)
{
    return (struct lane_sink){.emit = note_record, .context = world};
}

static void open_world(struct world *world)
{
    const struct ruleset_options options = {.dedup_ms = DAY};
    struct lane_segment segments[SEGMENTS];
    struct lane_options lane_options = {.segments = segments};
    struct error err = ERROR_INIT;

    *world = (struct world){.watermark = TIMESTAMP_ALWAYS};
    segment_set_init(&world->set);
    json_document_init(&world->document);
    arena_init(&world->arena, 1 << 20);
    ck_assert_ok(segment_set_add(&world->set, SLICE_LITERAL("test.json"), slice_from(definitions), 0, &err));
    ck_assert_ok(segment_set_check(&world->set, &err));
    ck_assert_ok(ruleset_new(&world->set, &options, &world->ruleset, &err));
    ck_assert_ok(evaluation_new(world->ruleset, &world->evaluation, &err));
    for (size_t i = 0; i < SEGMENTS; i++) {
        segments[i] = (struct lane_segment){.purpose = LANE_NO_PURPOSE, .complete_from_ms = TIMESTAMP_ALWAYS};
    }
    lane_options.ruleset = world->ruleset;
    ck_assert_ok(lane_new(&lane_options, &world->lane, &err));
}

static void close_world(struct world *world)
{
    lane_free(world->lane);
    evaluation_free(world->evaluation);
    ruleset_free(world->ruleset);
    segment_set_clear(&world->set);
    json_document_clear(&world->document);
    arena_clear(&world->arena);
}

static struct lane_user *user_of(struct world *world, int user)
{
    char id[8];

    (void)snprintf(id, sizeof id, "u%d", user);
    return lane_find(world->lane, slice_from(id));
}

static struct user_state *state_of(struct world *world, int user)
{
    struct user_state *state = NULL;
    struct error err = ERROR_INIT;

    ck_assert_ok(lane_user_state(world->lane, user_of(world, user), &state, &err));
    return state;
}

/* What the stream keeps of a user's segments is asked anew from the event's time on. */
static void follow(struct world *world, int user, int64_t from)
{
    struct error err = ERROR_INIT;

    for (size_t segment = 0; segment < SEGMENTS; segment++) {
        struct kept *kept = &world->kept[user][segment];
        const struct interval *intervals;
        size_t count;

        ck_assert_ok(user_state_intervals(world->ruleset, state_of(world, user), segment, from, world->evaluation,
                                          &intervals, &count, &err));
        while (kept->count > 0 && kept->intervals[kept->count - 1].left_at > from) {
            kept->count--;
        }
        for (size_t i = 0; i < count; i++) {
            ck_assert_uint_lt(kept->count, INTERVALS_MAX);
            kept->intervals[kept->count++] = intervals[i];
        }
    }
}

/* The watermark stays where it is. */
static void take_event_ahead(struct world *world, int user, const char *name, int64_t at)
{
    const struct lane_sink to = sink(world);
    enum quarantine_reason reason = QUARANTINE_NONE;
    struct lane_user *found = NULL;
    struct error err = ERROR_INIT;
    char text[TEXT_SIZE];
    struct event event;

    (void)snprintf(text, sizeof text,
                   "{\"type\":\"track\",\"userId\":\"u%d\",\"timestamp\":%" PRId64
                   ",\"event\":\"%s\",\"properties\":{\"v\":5}}",
                   user, at, name);
    arena_reset(&world->arena);
    ck_assert_ok(event_decode(slice_from(text), &world->document, &world->arena, &event, &reason, &err));
    ck_assert_int_eq(reason, QUARANTINE_NONE);
    ck_assert_ok(lane_add(world->lane, event.user, &found, &err));
    ck_assert_ok(lane_event(world->lane, found, &event, 0, world->offset++, world->watermark, &to, &err));
    follow(world, user, at - 1);
}

/* A lane without bound: the watermark is the greatest event time. */
static void take_event(struct world *world, int user, const char *name, int64_t at)
{
    const struct lane_sink to = sink(world);
    struct error err = ERROR_INIT;

    take_event_ahead(world, user, name, at);
    world->watermark = at > world->watermark ? at : world->watermark;
    ck_assert_ok(lane_advance(world->lane, world->watermark, &to, &err));
}

/* The user's history by batch, which the kept intervals must equal. */
static struct kept history(struct world *world, int user, size_t segment)
{
    const struct kept *kept = &world->kept[user][segment];
    struct kept found = {.count = 0};
    const struct interval *intervals;
    struct error err = ERROR_INIT;

    ck_assert_ok(user_state_history(world->ruleset, state_of(world, user), segment, TIMESTAMP_NEVER, world->evaluation,
                                    &intervals, &found.count, &err));
    ck_assert_uint_le(found.count, INTERVALS_MAX);
    ck_assert_uint_eq(found.count, kept->count);
    for (size_t i = 0; i < found.count; i++) {
        found.intervals[i] = intervals[i];
        ck_assert_int_eq(intervals[i].entered_at, kept->intervals[i].entered_at);
        ck_assert_int_eq(intervals[i].left_at, kept->intervals[i].left_at);
    }
    return found;
}

static void expect_interval(const struct kept *kept, size_t index, int64_t entered_at, int64_t left_at)
{
    ck_assert_uint_lt(index, kept->count);
    ck_assert_int_eq(kept->intervals[index].entered_at, entered_at);
    ck_assert_int_eq(kept->intervals[index].left_at, left_at);
}

/* Membership at an instant, by the way batch takes, must be what the other user's is. */
static void expect_alike(struct world *world, int64_t at)
{
    struct membership memberships[USERS][SEGMENTS];
    struct error err = ERROR_INIT;

    for (int user = 0; user < USERS; user++) {
        ck_assert_ok(user_state_memberships(world->ruleset, state_of(world, user), at, world->evaluation,
                                            memberships[user], &err));
    }
    for (size_t i = 0; i < SEGMENTS; i++) {
        ck_assert_int_eq(memberships[0][i].member, memberships[1][i].member);
        if (memberships[0][i].member) {
            ck_assert_int_eq(memberships[0][i].entered_at, memberships[1][i].entered_at);
            ck_assert_int_eq(memberships[0][i].valid_until, memberships[1][i].valid_until);
        }
    }
}

/* u0 is u1 and one event dated 30 days ahead, which arrives first or in between. */
static void live_with_one_ahead(struct world *world, size_t place)
{
    static const struct {
        const char *name;
        int64_t after;
    } ordinary[] = {{"a", 0}, {"b", 20 * MINUTE}, {"a", HOUR}, {"a", 2 * HOUR}, {"a", 3 * HOUR}, {"b", 4 * HOUR}};

    for (size_t i = 0; i <= sizeof ordinary / sizeof ordinary[0]; i++) {
        if (i == place) {
            take_event(world, 0, "a", BASE + 30 * DAY);
        }
        for (int user = 0; i < sizeof ordinary / sizeof ordinary[0] && user < USERS; user++) {
            take_event(world, user, ordinary[i].name, BASE + ordinary[i].after);
        }
    }
}

START_TEST(test_one_event_ahead_moves_its_own_window_only)
{
    struct world world;

    open_world(&world);
    live_with_one_ahead(&world, (size_t)_i);
    for (int64_t at = BASE - HOUR; at < BASE + 6 * HOUR; at += 10 * MINUTE) {
        expect_alike(&world, at);
    }
    for (size_t segment = 0; segment < SEGMENTS; segment++) {
        struct kept ahead = history(&world, 0, segment);
        struct kept plain = history(&world, 1, segment);
        size_t i = 0;

        for (; i < plain.count && plain.intervals[i].left_at < BASE + 30 * DAY; i++) {
            expect_interval(&ahead, i, plain.intervals[i].entered_at, plain.intervals[i].left_at);
        }
        switch ((enum segment)segment) {
        case RECENT:
            ck_assert_uint_eq(ahead.count, i + 1);
            expect_interval(&ahead, i, BASE + 30 * DAY, BASE + 30 * DAY + HOUR);
            break;
        case ABANDONED:
            ck_assert_uint_eq(ahead.count, i + 1);
            expect_interval(&ahead, i, BASE + 30 * DAY + 30 * MINUTE, BASE + 31 * DAY + 30 * MINUTE);
            break;
        case SILENT:
            ck_assert_uint_eq(ahead.count, i + 2);
            expect_interval(&ahead, i, plain.intervals[i].entered_at, BASE + 30 * DAY);
            expect_interval(&ahead, i + 1, BASE + 32 * DAY, TIMESTAMP_NEVER);
            break;
        case OFTEN:
        case SPENT:
        case BOTH:
        default:
            ck_assert_uint_eq(ahead.count, i);
            ck_assert_uint_gt(i, 0);
        }
    }
    close_world(&world);
}
END_TEST

/* What is announced of a user's segment in the end; NULL: nothing. */
static const struct lane_record *newest_record(struct world *world, int user, size_t segment)
{
    const struct lane_record *newest = NULL;

    for (size_t i = 0; i < world->record_count; i++) {
        if (world->records[i].segment == segment && world->records[i].user == user_of(world, user)) {
            newest = &world->records[i];
        }
    }
    return newest;
}

/* The event ahead takes the watermark along; what comes after it is late, and still announced by what is true at it. */
START_TEST(test_one_event_ahead_is_announced_for_itself)
{
    struct world world;
    const struct lane_record *record;

    open_world(&world);
    live_with_one_ahead(&world, (size_t)_i);
    record = newest_record(&world, 0, RECENT);
    ck_assert_ptr_nonnull(record);
    ck_assert(record->member);
    ck_assert_int_eq(record->entered_at, BASE + 30 * DAY);
    ck_assert_int_eq(record->valid_until, BASE + 30 * DAY + HOUR);
    for (size_t segment = 0; segment < SEGMENTS; segment++) {
        record = newest_record(&world, 1, segment);
        ck_assert_int_eq(record != NULL && record->member, segment == SILENT);
    }
    close_world(&world);
}
END_TEST

START_TEST(test_first_event_older_than_its_window_invents_nothing)
{
    struct world world;
    struct kept found;

    open_world(&world);
    take_event(&world, 0, "other", BASE); /* the watermark */
    world.record_count = 0;
    take_event(&world, 1, "a", BASE - 10 * DAY);
    for (size_t i = 0; i < world.record_count; i++) {
        /* All that is true at the watermark: silent for two days. */
        ck_assert_uint_eq(world.records[i].segment, SILENT);
        ck_assert(world.records[i].member);
        ck_assert_int_eq(world.records[i].entered_at, BASE - 8 * DAY);
    }
    ck_assert_uint_eq(world.record_count, 1);
    found = history(&world, 1, RECENT);
    ck_assert_uint_eq(found.count, 1);
    expect_interval(&found, 0, BASE - 10 * DAY, BASE - 10 * DAY + HOUR);
    found = history(&world, 1, ABANDONED);
    ck_assert_uint_eq(found.count, 1);
    expect_interval(&found, 0, BASE - 10 * DAY + 30 * MINUTE, BASE - 9 * DAY + 30 * MINUTE);
    ck_assert_uint_eq(history(&world, 1, OFTEN).count, 0);
    close_world(&world);
}
END_TEST

/* Older than its wait, but not than what follows of it: one entry, dated back, and nothing else. */
START_TEST(test_first_event_of_the_past_is_announced_where_it_still_holds)
{
    struct world world;

    open_world(&world);
    take_event(&world, 0, "other", BASE);
    world.record_count = 0;
    take_event(&world, 1, "a", BASE - 5 * HOUR);
    ck_assert_uint_eq(world.record_count, 1);
    ck_assert_uint_eq(world.records[0].segment, ABANDONED);
    ck_assert(world.records[0].member);
    ck_assert_int_eq(world.records[0].entered_at, BASE - 5 * HOUR + 30 * MINUTE);
    ck_assert_int_eq(world.records[0].valid_until, BASE + 19 * HOUR + 30 * MINUTE);
    close_world(&world);
}
END_TEST

/* The watermark lies behind: an exit that the event brings about does not wait for it. */
START_TEST(test_what_an_event_ends_is_announced_with_it)
{
    struct world world;

    open_world(&world);
    take_event(&world, 0, "a", BASE);
    take_event(&world, 1, "other", BASE + 3 * DAY);
    ck_assert(newest_record(&world, 0, SILENT)->member);
    world.record_count = 0;
    take_event_ahead(&world, 0, "b", BASE + 4 * DAY);
    ck_assert_uint_eq(world.record_count, 1);
    ck_assert_uint_eq(world.records[0].segment, SILENT);
    ck_assert(!world.records[0].member);
    ck_assert_int_eq(world.records[0].effective_at, BASE + 4 * DAY);
    close_world(&world);
}
END_TEST

Suite *promises_suite(void)
{
    Suite *suite = suite_create("promises");
    TCase *tests = tcase_create("promises");

    tcase_add_loop_test(tests, test_one_event_ahead_moves_its_own_window_only, 0, 7);
    tcase_add_loop_test(tests, test_one_event_ahead_is_announced_for_itself, 0, 7);
    tcase_add_test(tests, test_what_an_event_ends_is_announced_with_it);
    tcase_add_test(tests, test_first_event_older_than_its_window_invents_nothing);
    tcase_add_test(tests, test_first_event_of_the_past_is_announced_where_it_still_holds);
    suite_add_tcase(suite, tests);
    return suite;
}
