/* What counts at one instant, summed up without a sweep, against what is found from the beginning: at the instants at
 * which something begins or ceases to count, and just before them. */
#include "common/base/memory.h"
#include "tests/unit/state_fixture.h"
#include "tests/unit/unit.h"

#include <stdio.h>

Suite *at_once_suite(void);

enum { EVENT_COUNT = 120, VALUE_COUNT = 30, SEGMENTS_MAX = 24, TEXT_SIZE = 256 };

#define SECOND_MS INT64_C(1000)
#define BEGIN_MS INT64_C(1772409590000) /* 2026-03-01T23:59:50Z */

/* More different values than are told apart without a table where as many are asked for. */
static const char definitions[] =
    "[{\"segmentId\":\"few\",\"criteria\":[{\"event\":\"a\","
    "\"window\":\"40s\",\"distinct\":{\"property\":\"n\",\">=\":3}}]},"
    "{\"segmentId\":\"many\",\"criteria\":[{\"event\":\"a\","
    "\"window\":\"90s\",\"distinct\":{\"property\":\"n\",\">=\":20}}]},"
    "{\"segmentId\":\"more\",\"criteria\":[{\"compare\":{\"left\":{\"event\":\"a\",\"window\":\"40s\",\"distinct\":{"
    "\"property\":\"n\"}},"
    "\"op\":\">\",\"right\":{\"event\":\"b\",\"window\":\"90s\",\"distinct\":{\"property\":\"n\"}}}}]},"
    "{\"segmentId\":\"days\",\"criteria\":[{\"event\":\"*\",\"distinct\":{\"period\":\"day\",\">=\":2}}]},"
    "{\"segmentId\":\"count\",\"criteria\":[{\"event\":\"a\",\"window\":\"40s\",\"count\":{\">=\":9,\"<\":14}}]},"
    "{\"segmentId\":\"equal\",\"criteria\":[{\"event\":\"a\","
    "\"window\":\"40s\",\"offset\":\"3s\",\"count\":{\"=\":10}}]},"
    "{\"segmentId\":\"sum\",\"criteria\":[{\"event\":\"a\","
    "\"window\":\"40s\",\"sum\":{\"property\":\"n\",\">\":150}}]},"
    "{\"segmentId\":\"less\",\"criteria\":[{\"event\":\"a\","
    "\"window\":\"40s\",\"sum\":{\"property\":\"n\",\"<=\":120}}]},"
    "{\"segmentId\":\"avg\",\"criteria\":[{\"event\":\"a\","
    "\"window\":\"40s\",\"avg\":{\"property\":\"n\",\">\":14.5}}]},"
    "{\"segmentId\":\"min\",\"criteria\":[{\"event\":\"a\","
    "\"window\":\"40s\",\"min\":{\"property\":\"n\",\"<\":1}}]},"
    "{\"segmentId\":\"max\",\"criteria\":[{\"event\":\"a\","
    "\"window\":\"40s\",\"slide\":\"7s\",\"max\":{\"property\":\"n\",\">=\":29}}]},"
    "{\"segmentId\":\"first\",\"criteria\":[{\"event\":\"a\",\"window\":\"40s\",\"first\":{\">=\":\"38s\"}}]},"
    "{\"segmentId\":\"last\",\"criteria\":[{\"event\":\"a\",\"window\":\"40s\",\"last\":{\">\":\"4s\"}}]},"
    "{\"segmentId\":\"latest\",\"criteria\":[{\"event\":\"a\","
    "\"window\":\"40s\",\"latest\":{\"property\":\"n\",\">\":20}}]},"
    "{\"segmentId\":\"earliest\",\"criteria\":[{\"event\":\"a\","
    "\"window\":\"40s\",\"earliest\":{\"property\":\"n\",\"<\":9}}]},"
    "{\"segmentId\":\"today\",\"criteria\":[{\"event\":\"a\","
    "\"window\":{\"calendar\":\"day\"},\"count\":{\">=\":5}}]},"
    "{\"segmentId\":\"yesterday\",\"criteria\":[{\"event\":\"a\","
    "\"window\":{\"calendar\":\"day\",\"complete\":true}}]}]";

/* Some of one time, without a message id. */
static void fold_all(struct state_fixture *world, int64_t times_ms[EVENT_COUNT])
{
    int64_t time_ms = BEGIN_MS;

    for (int i = 0; i < EVENT_COUNT; i++) {
        char text[TEXT_SIZE];

        time_ms += state_fixture_below(world, 4) * SECOND_MS;
        times_ms[i] = time_ms;
        (void)snprintf(
            text, sizeof text,
            "{\"type\":\"track\",\"userId\":\"u\",\"timestamp\":%lld,\"event\":\"%s\",\"properties\":{\"n\":%u}}",
            (long long)time_ms, state_fixture_below(world, 3) == 0 ? "b" : "a",
            state_fixture_below(world, VALUE_COUNT));
        ck_assert_int_eq(state_fixture_fold(world, text), FOLD_APPLIED);
    }
}

static void expect_equal(struct state_fixture *world, int64_t at, unsigned in[SEGMENTS_MAX])
{
    struct membership all[SEGMENTS_MAX];
    struct error err = ERROR_INIT;

    ck_assert_ok(user_state_memberships(world->ruleset, world->state, at, world->evaluation, all, &err));
    for (size_t i = 0; i < ruleset_segment_count(world->ruleset); i++) {
        struct slice name = ruleset_definition(world->ruleset, i)->segment_id;
        struct membership one;

        ck_assert_ok(user_state_membership(world->ruleset, world->state, i, at, world->evaluation, &one, &err));
        ck_assert_msg(all[i].member == one.member && (!one.member || (all[i].entered_at == one.entered_at &&
                                                                      all[i].valid_until == one.valid_until)),
                      "%.*s at %lld", (int)name.size, name.data, (long long)at);
        in[i] += one.member;
    }
}

START_TEST(what_counts_at_an_instant_is_what_a_sweep_finds)
{
    static const int64_t offsets_ms[] = {0, 3 * SECOND_MS, 40 * SECOND_MS, 43 * SECOND_MS, 45 * SECOND_MS};
    unsigned in[SEGMENTS_MAX] = {0};
    int64_t times_ms[EVENT_COUNT];
    struct state_fixture world;
    unsigned asked = 0;

    state_fixture_open(&world, definitions);
    ck_assert_uint_le(ruleset_segment_count(world.ruleset), SEGMENTS_MAX);
    fold_all(&world, times_ms);
    for (int i = 0; i < EVENT_COUNT; i++) {
        for (size_t k = 0; k < sizeof offsets_ms / sizeof *offsets_ms; k++) {
            expect_equal(&world, times_ms[i] + offsets_ms[k] - 1, in);
            expect_equal(&world, times_ms[i] + offsets_ms[k], in);
            asked += 2;
        }
    }
    for (size_t i = 0; i < ruleset_segment_count(world.ruleset); i++) {
        struct slice name = ruleset_definition(world.ruleset, i)->segment_id;

        ck_assert_msg(in[i] > 0 && in[i] < asked, "%.*s: %u of %u", (int)name.size, name.data, in[i], asked);
    }
    state_fixture_close(&world);
}
END_TEST

Suite *at_once_suite(void)
{
    Suite *suite = suite_create("at_once");
    TCase *tests = tcase_create("at_once");

    tcase_add_test(tests, what_counts_at_an_instant_is_what_a_sweep_finds);
    suite_add_tcase(suite, tests);
    return suite;
}
