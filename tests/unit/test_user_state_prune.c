/* What pruning leaves of a state, form by form, and what a late event is told. That it changes no answer is held by the
 * oracle, on random definitions and events. */
#include "common/base/timestamp.h"
#include "common/domain/rule_parse.h"
#include "common/domain/user_log.h"
#include "common/domain/user_state.h"
#include "tests/unit/state_fixture.h"
#include "tests/unit/unit.h"

#include <stdio.h>

Suite *user_state_prune_suite(void);

#define SECOND INT64_C(1000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
/* A Monday in 2026, at midnight in UTC. */
#define START INT64_C(1772409600000)

enum { TEXT_SIZE = 256 };

/* An event of the name at the instant; a negative number: without a message id. */
static enum fold_result fold(struct state_fixture *world, const char *name, int number, int64_t time_ms, int n)
{
    char text[TEXT_SIZE];
    char id[40] = "";

    if (number >= 0) {
        (void)snprintf(id, sizeof id, "\"messageId\":\"id-%d\",", number);
    }
    (void)snprintf(text, sizeof text,
                   "{\"type\":\"track\",%s\"userId\":\"u\",\"timestamp\":%lld,\"event\":\"%s\",\"properties\":{"
                   "\"n\":%d}}",
                   id, (long long)time_ms, name, n);
    return state_fixture_fold(world, text);
}

static void prune(struct state_fixture *world, int64_t final_ms)
{
    struct error err = ERROR_INIT;

    ck_assert_ok(user_state_prune(world->ruleset, world->state, final_ms, world->evaluation, &err));
}

static struct membership membership_at(struct state_fixture *world, size_t segment, int64_t at)
{
    struct membership membership = {.member = false};
    struct error err = ERROR_INIT;

    ck_assert_ok(
        user_state_membership(world->ruleset, world->state, segment, at, world->evaluation, &membership, &err));
    return membership;
}

/* Entries with values, with an id alone, and panes. */
struct held {
    size_t values;
    size_t ids;
    size_t panes;
};

static struct held held_of(const struct state_fixture *world)
{
    struct held held = {0};

    for (size_t i = 0; i < world->state->entry_count; i++) {
        const struct entry *entry = entry_at(world->state, entry_stride(world->ruleset), i);
        uint64_t any = 0;

        for (size_t k = 0; k < world->ruleset->selector_words; k++) {
            any |= entry->mask[k];
        }
        if (entry_is_pane(entry)) {
            held.panes++;
        } else if (any != 0) {
            held.values++;
        } else {
            held.ids++;
        }
    }
    return held;
}

START_TEST(a_count_of_at_least_three_keeps_three)
{
    struct state_fixture world;
    struct held held;

    state_fixture_open(
        &world, "{\"segmentId\":\"s\",\"criteria\":[{\"event\":\"a\",\"window\":\"90d\",\"count\":{\">=\":3}}]}");
    for (int i = 0; i < 10000; i++) {
        ck_assert_int_eq(fold(&world, "a", i, START + i * 60 * SECOND, i), FOLD_APPLIED);
        if (user_state_prune_due(world.ruleset, world.state, START + (i - 60) * 60 * SECOND)) {
            prune(&world, START + (i - 60) * 60 * SECOND);
        }
    }
    /* What is not final yet is the last hour; ids are kept for a day before that. */
    prune(&world, START + 9939 * 60 * SECOND);
    held = held_of(&world);
    ck_assert_uint_eq(held.values, 60 + 3);
    ck_assert_uint_eq(held.ids, 24 * 60 - 3);
    prune(&world, START + 60 * DAY);
    held = held_of(&world);
    ck_assert_uint_eq(held.values, 3);
    ck_assert_uint_eq(held.ids, 0);
    ck_assert(membership_at(&world, 0, START + 60 * DAY).member);
    ck_assert_int_eq(membership_at(&world, 0, START + 60 * DAY).entered_at, START + 2 * 60 * SECOND);
    ck_assert_int_eq(membership_at(&world, 0, START + 60 * DAY).valid_until, START + 9997 * 60 * SECOND + 90 * DAY);
    prune(&world, START + 200 * DAY);
    ck_assert_uint_eq(user_state_event_count(world.state), 0);
    ck_assert(!membership_at(&world, 0, START + 200 * DAY).member);
    state_fixture_close(&world);
}
END_TEST

START_TEST(a_window_in_steps_keeps_a_pane_a_step)
{
    struct state_fixture world;
    struct held held;

    state_fixture_open(
        &world, "[{\"segmentId\":\"s\",\"criteria\":[{\"event\":\"a\",\"window\":\"5d\",\"slide\":\"1d\",\"sum\":"
                "{\"property\":\"n\",\">=\":1000}}]},"
                "{\"segmentId\":\"t\",\"criteria\":[{\"event\":\"a\",\"window\":{\"calendar\":\"day\",\"last\":3},"
                "\"avg\":{\"property\":\"n\",\"=\":1}}]}]");
    for (int i = 0; i < 240; i++) {
        ck_assert_int_eq(fold(&world, "a", -1, START + i * HOUR, 1 + i / 1000), FOLD_APPLIED);
    }
    ck_assert_int_eq(fold(&world, "a", -1, START + 239 * HOUR, 1000), FOLD_APPLIED);
    prune(&world, START + 239 * HOUR);
    held = held_of(&world);
    ck_assert_uint_eq(held.values, 0);
    /* The steps that end on the days 5 to 10, and three days of the calendar. */
    ck_assert_uint_eq(held.panes, 6 + 3);
    ck_assert(membership_at(&world, 0, START + 239 * HOUR).member);
    ck_assert(!membership_at(&world, 1, START + 239 * HOUR).member);
    ck_assert_int_eq(membership_at(&world, 0, START + 239 * HOUR).valid_until, START + 15 * DAY);
    state_fixture_close(&world);
}
END_TEST

START_TEST(what_is_beaten_is_dropped)
{
    struct state_fixture world;

    state_fixture_open(
        &world, "[{\"segmentId\":\"most\",\"criteria\":[{\"event\":\"a\",\"window\":\"30d\",\"max\":{\"property\":"
                "\"n\",\">=\":90}}]}]");
    for (int i = 0; i < 100; i++) {
        fold(&world, "a", -1, START + i * HOUR, 100 - i);
    }
    prune(&world, START + 99 * HOUR);
    ck_assert_uint_eq(user_state_event_count(world.state), 100);
    fold(&world, "a", -1, START + 100 * HOUR, 95);
    prune(&world, START + 100 * HOUR);
    ck_assert_uint_eq(user_state_event_count(world.state), 5 + 1);
    ck_assert_int_eq(membership_at(&world, 0, START + 100 * HOUR).valid_until, START + 100 * HOUR + 30 * DAY);
    state_fixture_close(&world);
}
END_TEST

START_TEST(without_a_window_only_sums_are_kept)
{
    struct state_fixture world;

    state_fixture_open(
        &world, "[{\"segmentId\":\"sum\",\"criteria\":[{\"event\":\"a\",\"sum\":{\"property\":\"n\",\">\":100}}]},"
                "{\"segmentId\":\"avg\",\"criteria\":[{\"event\":\"a\",\"avg\":{\"property\":\"n\",\"=\":2}}]},"
                "{\"segmentId\":\"gone\",\"criteria\":[{\"event\":\"a\",\"notFollowedBy\":{\"event\":\"b\"},"
                "\"within\":\"1d\",\"orLater\":true}]},"
                "{\"segmentId\":\"last\",\"criteria\":[{\"event\":\"a\",\"latest\":{\"property\":\"n\",\"=\":3}}]}]");
    for (int i = 0; i < 99; i++) {
        fold(&world, "a", -1, START + i * HOUR, 1 + i % 3);
    }
    prune(&world, START + 30 * DAY);
    ck_assert_uint_eq(user_state_event_count(world.state), 1);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_msg(membership_at(&world, i, START + 30 * DAY).member, "segment %zu", i);
    }
    ck_assert_int_eq(membership_at(&world, 0, START + 30 * DAY).entered_at, START + 50 * HOUR);
    fold(&world, "b", -1, START + 31 * DAY, 0);
    ck_assert(!membership_at(&world, 2, START + 31 * DAY).member);
    state_fixture_close(&world);
}
END_TEST

/* Of different values and periods the newest, as many as the comparison can ask for. */
START_TEST(four_different_ones_tell_more_than_three)
{
    struct state_fixture world;

    state_fixture_open(&world, "{\"segmentId\":\"s\",\"criteria\":[{\"event\":\"a\",\"window\":\"90d\",\"distinct\":{"
                               "\"property\":\"n\",\">\":3}"
                               "}]}");
    for (int i = 0; i < 60; i++) {
        fold(&world, "a", -1, START + i * HOUR, i % 12);
    }
    prune(&world, START + 10 * DAY);
    ck_assert_uint_eq(held_of(&world).values, 4);
    ck_assert_int_eq(membership_at(&world, 0, START + 11 * DAY).valid_until, START + 56 * HOUR + 90 * DAY);
    state_fixture_close(&world);

    state_fixture_open(&world, "{\"segmentId\":\"s\",\"criteria\":[{\"event\":\"a\",\"window\":\"90d\",\"distinct\":{"
                               "\"period\":\"day\",\">\":3}"
                               "}]}");
    for (int i = 0; i < 60; i++) {
        fold(&world, "a", -1, START + i * 4 * HOUR, i);
    }
    prune(&world, START + 11 * DAY);
    ck_assert_uint_eq(held_of(&world).values, 4);
    ck_assert_int_eq(membership_at(&world, 0, START + 12 * DAY).valid_until, START + 6 * DAY + 20 * HOUR + 90 * DAY);
    state_fixture_close(&world);
}
END_TEST

START_TEST(an_idle_state_does_not_grow)
{
    struct state_fixture world;
    size_t size;

    state_fixture_open(
        &world, "[{\"segmentId\":\"s\",\"criteria\":[{\"event\":\"a\"},{\"not\":{\"event\":\"b\",\"window\":\"9d\"}}]"
                ",\"membershipDuration\":\"400d\"},"
                "{\"segmentId\":\"t\",\"criteria\":[{\"event\":\"*\",\"earliest\":{\"property\":\"n\",\"=\":0}}]}]");
    for (int i = 0; i < 50; i++) {
        fold(&world, i % 2 == 0 ? "a" : "b", i, START + i * HOUR, i);
    }
    size = user_state_size(world.state);
    prune(&world, START + 20 * DAY);
    ck_assert_uint_lt(user_state_size(world.state), size / 20);
    size = user_state_size(world.state);
    for (int i = 21; i < 300; i++) {
        prune(&world, START + i * DAY);
        ck_assert_uint_eq(user_state_size(world.state), size);
        ck_assert_uint_eq(user_state_event_count(world.state), 1);
        ck_assert(membership_at(&world, 0, START + i * DAY).member);
        ck_assert(membership_at(&world, 1, START + i * DAY).member);
    }
    state_fixture_close(&world);
}
END_TEST

/* Of events of one millisecond without a message id the greater value decides, whichever came first. */
START_TEST(what_ties_is_kept_together)
{
    for (int greater = 0; greater < 3; greater++) {
        struct state_fixture world;

        state_fixture_open(
            &world, "[{\"segmentId\":\"e\",\"criteria\":[{\"event\":\"a\",\"earliest\":{\"property\":\"n\",\"=\":5}}]},"
                    "{\"segmentId\":\"w\",\"criteria\":[{\"event\":\"a\",\"window\":\"90d\",\"earliest\":{\"property\":"
                    "\"n\",\"=\":5}"
                    "}]},"
                    "{\"segmentId\":\"l\",\"criteria\":[{\"event\":\"b\",\"latest\":{\"property\":\"n\",\"=\":5}}]}]");
        for (int i = 0; i < 3; i++) {
            fold(&world, "a", -1, START, i == greater ? 5 : 1);
        }
        fold(&world, "a", -1, START + HOUR, 9);
        fold(&world, "b", -1, START, 9);
        for (int i = 0; i < 3; i++) {
            fold(&world, "b", -1, START + HOUR, i == greater ? 5 : 1);
        }
        prune(&world, START + DAY);
        for (size_t segment = 0; segment < 3; segment++) {
            ck_assert(membership_at(&world, segment, START + 2 * DAY).member);
        }
        ck_assert_uint_eq(held_of(&world).values, 7);
        state_fixture_close(&world);
    }
}
END_TEST

START_TEST(an_event_for_state_that_is_gone_is_late)
{
    struct state_fixture world;
    struct membership before;

    state_fixture_open(&world, "[{\"segmentId\":\"s\",\"criteria\":[{\"event\":\"a\",\"window\":\"9d\"}]},"
                               "{\"segmentId\":\"t\",\"criteria\":[{\"event\":\"b\"}]},"
                               "{\"segmentId\":\"r\",\"criteria\":[{\"not\":{\"segment\":\"t\"}}]}]");
    fold(&world, "a", 1, START, 0);
    fold(&world, "a", 2, START + 5 * DAY, 0);
    prune(&world, START + 5 * DAY);
    before = membership_at(&world, 1, START + 6 * DAY);
    ck_assert_int_eq(fold(&world, "a", 2, START + 5 * DAY, 0), FOLD_COPY);
    ck_assert_int_eq(fold(&world, "a", 2, START + 5 * DAY, 7), FOLD_COPY_DIFFERENT);
    ck_assert_int_eq(fold(&world, "b", 3, START + 5 * DAY, 0), FOLD_LATE);
    ck_assert_uint_eq(world.touched, 6);
    ck_assert_int_eq(fold(&world, "b", 4, START + 5 * DAY + 1, 0), FOLD_APPLIED);
    ck_assert(!before.member && membership_at(&world, 1, START + 6 * DAY).member);
    ck_assert_int_eq(membership_at(&world, 1, START + 6 * DAY).entered_at, START + 5 * DAY + 1);
    /* Nobody looks at it: nothing is lost. */
    ck_assert_int_eq(fold(&world, "c", 5, START + 2 * DAY, 0), FOLD_APPLIED);
    ck_assert_uint_eq(world.touched, 0);
    /* It would have made the user known earlier. */
    ck_assert_int_eq(fold(&world, "c", 6, START - DAY, 0), FOLD_LATE);
    ck_assert_uint_eq(world.touched, 7);
    ck_assert_int_eq(user_state_known_since(world.state), START - DAY);
    state_fixture_close(&world);
}
END_TEST

/* The first of copies is the one that counts, although it came too late to be absorbed itself. */
START_TEST(a_copy_of_an_event_that_came_too_late_is_one)
{
    struct state_fixture world;

    state_fixture_open(&world, "{\"segmentId\":\"s\",\"criteria\":[{\"event\":\"a\"}]}");
    fold(&world, "b", 1, START, 0);
    fold(&world, "a", 2, START + 5 * DAY, 0);
    prune(&world, START + 5 * DAY);
    ck_assert_int_eq(fold(&world, "a", 3, START + 5 * DAY - HOUR, 0), FOLD_LATE);
    ck_assert_int_eq(fold(&world, "a", 3, START + 5 * DAY - HOUR, 0), FOLD_COPY);
    ck_assert_int_eq(fold(&world, "a", 3, START + 5 * DAY + HOUR, 0), FOLD_COPY_DIFFERENT);
    /* Whether or not anybody looked at it. */
    ck_assert_int_eq(fold(&world, "c", 4, START + 5 * DAY, 0), FOLD_APPLIED);
    ck_assert_int_eq(fold(&world, "a", 4, START + 6 * DAY, 0), FOLD_COPY_DIFFERENT);
    /* No copy of this one comes that is not late as well. */
    ck_assert_int_eq(fold(&world, "a", 5, START + 4 * DAY, 0), FOLD_LATE);
    ck_assert_uint_eq(held_of(&world).ids, 3);
    prune(&world, START + 7 * DAY);
    ck_assert_uint_eq(held_of(&world).ids, 0);
    /* Also where it is the newest that has come of the user. */
    ck_assert_int_eq(fold(&world, "a", 6, START + 7 * DAY, 0), FOLD_LATE);
    ck_assert_int_eq(user_state_newest(world.state), START + 7 * DAY);
    state_fixture_close(&world);
}
END_TEST

START_TEST(an_event_far_ahead_moves_its_own_window_only)
{
    struct state_fixture pruned;
    struct state_fixture whole;
    static const char definitions[] =
        "[{\"segmentId\":\"s\",\"criteria\":[{\"event\":\"a\",\"window\":\"2d\",\"count\":{\">=\":2}}]},"
        "{\"segmentId\":\"t\",\"criteria\":[{\"event\":\"b\",\"window\":\"1d\"}]}]";

    state_fixture_open(&pruned, definitions);
    state_fixture_open(&whole, definitions);
    fold(&pruned, "b", 1000, START + 30 * DAY, 0);
    fold(&whole, "b", 1000, START + 30 * DAY, 0);
    for (int i = 0; i < 140; i++) {
        int64_t at = START + i * 5 * HOUR;

        ck_assert_int_eq(fold(&pruned, i % 3 == 0 ? "b" : "a", i, at, 0), FOLD_APPLIED);
        fold(&whole, i % 3 == 0 ? "b" : "a", i, at, 0);
        prune(&pruned, at - HOUR);
        for (size_t segment = 0; segment < 2; segment++) {
            struct membership wanted = membership_at(&whole, segment, at);
            struct membership got = membership_at(&pruned, segment, at);

            ck_assert(wanted.member == got.member && wanted.entered_at == got.entered_at &&
                      wanted.valid_until == got.valid_until);
        }
    }
    ck_assert_uint_lt(user_state_event_count(pruned.state), 12);
    ck_assert(membership_at(&pruned, 1, START + 30 * DAY).member);
    state_fixture_close(&pruned);
    state_fixture_close(&whole);
}
END_TEST

static bool prune_scenario(void *context, struct error *err)
{
    struct state_fixture *world = context;
    size_t count = user_state_event_count(world->state);

    if (user_state_prune(world->ruleset, world->state, START + 60 * HOUR, world->evaluation, err)) {
        return true;
    }
    ck_assert_uint_eq(user_state_event_count(world->state), count);
    ck_assert_int_eq(user_state_final(world->state), TIMESTAMP_ALWAYS);
    return false;
}

START_TEST(without_memory_nothing_is_pruned)
{
    struct state_fixture world;

    state_fixture_open(
        &world, "[{\"segmentId\":\"s\",\"criteria\":[{\"event\":\"a\",\"window\":\"9d\",\"slide\":\"1d\",\"count\":"
                "{\">=\":300}}]},"
                "{\"segmentId\":\"t\",\"criteria\":[{\"event\":\"a\",\"distinct\":{\"property\":\"n\",\">=\":9}}]}]");
    for (int i = 0; i < 90; i++) {
        fold(&world, "a", i, START + i * HOUR, i % 5);
    }
    /* The evaluation's memory grows once and stays: each failure needs one of its own. */
    unit_fail_each_allocation(prune_scenario, &world);
    ck_assert_int_eq(user_state_final(world.state), START + 60 * HOUR);
    state_fixture_close(&world);
}
END_TEST

/* One segment per measure, without a window: of each the base keeps something else. And windows in steps, whose panes
 * must not be taken for each other's. */
static const char summed[] =
    "[{\"segmentId\":\"any\",\"criteria\":[{\"event\":\"a\"}],\"membershipDuration\":\"3h\"},"
    "{\"segmentId\":\"count\",\"criteria\":[{\"event\":\"a\",\"count\":{\">=\":5,\"<\":9}}]},"
    "{\"segmentId\":\"sum\",\"criteria\":[{\"event\":\"a\",\"sum\":{\"property\":\"n\",\">\":20,\"<=\":40}}]},"
    "{\"segmentId\":\"avg\",\"criteria\":[{\"event\":\"a\",\"avg\":{\"property\":\"n\",\">\":3}}]},"
    "{\"segmentId\":\"min\",\"criteria\":[{\"event\":\"b\",\"min\":{\"property\":\"n\",\">=\":2}}]},"
    "{\"segmentId\":\"max\",\"criteria\":[{\"event\":\"b\",\"max\":{\"property\":\"n\",\"<\":6}}]},"
    "{\"segmentId\":\"different\",\"criteria\":[{\"event\":\"b\",\"distinct\":{\"property\":\"n\",\">\":3}}]},"
    "{\"segmentId\":\"days\",\"criteria\":[{\"event\":\"b\",\"distinct\":{\"period\":\"day\",\">\":1}}]},"
    "{\"segmentId\":\"first\",\"criteria\":[{\"event\":\"b\",\"first\":{\">=\":\"30h\",\"<\":\"45h\"}}]},"
    "{\"segmentId\":\"last\",\"criteria\":[{\"event\":\"b\",\"last\":{\">=\":\"4h\"}}]},"
    "{\"segmentId\":\"latest\",\"criteria\":[{\"event\":\"a\",\"latest\":{\"property\":\"n\",\">\":3}}]},"
    "{\"segmentId\":\"earliest\",\"criteria\":[{\"event\":\"b\",\"earliest\":{\"property\":\"n\",\"<\":5}}]},"
    "{\"segmentId\":\"absence\",\"criteria\":[{\"event\":\"a\",\"notFollowedBy\":{\"event\":\"b\"},\"within\":\"2h\"}],"
    "\"membershipDuration\":\"5h\"},"
    "{\"segmentId\":\"sequence\",\"criteria\":[{\"sequence\":[{\"event\":\"a\"},{\"event\":\"b\"}],\"within\":\"2h\"}],"
    "\"membershipMode\":\"sticky\",\"membershipDuration\":\"6h\"},"
    "{\"segmentId\":\"compare\",\"criteria\":[{\"compare\":{\"left\":{\"event\":\"a\",\"sum\":{\"property\":\"n\"}},"
    "\"op\":\">\","
    "\"right\":{\"event\":\"b\",\"sum\":{\"property\":\"n\"}}}}]},"
    "{\"segmentId\":\"steps_2h\",\"criteria\":[{\"event\":\"a\",\"window\":\"10h\",\"slide\":\"2h\",\"sum\":{"
    "\"property\":\"n\",\">\":9}}]},"
    "{\"segmentId\":\"steps_5h\",\"criteria\":[{\"event\":\"a\",\"window\":\"10h\",\"slide\":\"5h\",\"sum\":{"
    "\"property\":\"n\",\">\":9}}]},"
    "{\"segmentId\":\"today\",\"criteria\":[{\"event\":\"a\",\"window\":{\"calendar\":\"day\"},\"sum\":{\"property\":"
    "\"n\",\">\":9}}]},"
    "{\"segmentId\":\"two_days\",\"criteria\":[{\"event\":\"a\",\"window\":{\"calendar\":\"day\",\"last\":2},\"sum\":{"
    "\"property\":\"n\",\">\":9}}]},"
    "{\"segmentId\":\"yesterday\",\"criteria\":[{\"event\":\"a\",\"window\":{\"calendar\":\"day\",\"complete\":true},"
    "\"sum\":{\"property\":\"n\",\">\":9}}]},"
    "{\"segmentId\":\"blocked\",\"criteria\":[{\"event\":\"b\",\"window\":\"2h\"}],\"exclusionWindow\":\"7h\"}]";

/* Memberships of each segment, and instants without one. */
struct verdicts {
    size_t in[32];
    size_t out[32];
};

static void assert_same_answers(struct state_fixture *pruned, struct state_fixture *whole, int64_t from,
                                struct verdicts *verdicts)
{
    for (size_t segment = 0; segment < whole->set.definition_count; segment++) {
        for (int64_t at = from; at <= from + 3 * DAY; at += 90 * 60 * SECOND) {
            struct membership expected = membership_at(whole, segment, at);
            struct membership found = membership_at(pruned, segment, at);

            ck_assert_msg(found.member == expected.member &&
                              (!found.member ||
                               (found.entered_at == expected.entered_at && found.valid_until == expected.valid_until)),
                          "%.*s at %lld h", (int)whole->set.definitions[segment].segment_id.size,
                          whole->set.definitions[segment].segment_id.data, (long long)((at - START) / HOUR));
            verdicts->in[segment] += expected.member;
            verdicts->out[segment] += !expected.member;
        }
    }
}

static void compare_pruned(int variant, struct verdicts *verdicts)
{
    enum { EVENTS = 24 };
    struct state_fixture pruned;
    struct state_fixture whole;

    state_fixture_open(&pruned, summed);
    state_fixture_open(&whole, summed);
    for (int i = 0; i < EVENTS; i++) {
        const char *name = (i + variant) % 3 == 0 || i % 7 == 2 ? "b" : "a";
        int64_t time_ms = START + (int64_t)i * 2 * HOUR + (int64_t)(i % 5) * 20 * 60 * SECOND;
        int n = (i * 5 + variant * 3) % 8;

        ck_assert_int_eq(fold(&pruned, name, i, time_ms, n), FOLD_APPLIED);
        ck_assert_int_eq(fold(&whole, name, i, time_ms, n), FOLD_APPLIED);
        if (i % 4 == 3) {
            int64_t final_ms = time_ms - (variant % 3) * 3 * HOUR;

            prune(&pruned, final_ms);
            assert_same_answers(&pruned, &whole, final_ms + 1, verdicts);
        }
    }
    ck_assert_uint_lt(held_of(&pruned).values, held_of(&whole).values);
    state_fixture_close(&pruned);
    state_fixture_close(&whole);
}

START_TEST(no_measure_forgets_what_was_summed_up)
{
    struct verdicts verdicts = {{0}, {0}};
    struct state_fixture world;

    for (int variant = 0; variant < 8; variant++) {
        compare_pruned(variant, &verdicts);
    }
    state_fixture_open(&world, summed);
    for (size_t segment = 0; segment < world.set.definition_count; segment++) {
        ck_assert_msg(verdicts.in[segment] > 0 && verdicts.out[segment] > 0, "%.*s never changes",
                      (int)world.set.definitions[segment].segment_id.size,
                      world.set.definitions[segment].segment_id.data);
    }
    state_fixture_close(&world);
}
END_TEST

Suite *user_state_prune_suite(void)
{
    Suite *suite = suite_create("user_state_prune");
    TCase *cases = tcase_create("user_state_prune");

    tcase_add_test(cases, a_count_of_at_least_three_keeps_three);
    tcase_add_test(cases, a_window_in_steps_keeps_a_pane_a_step);
    tcase_add_test(cases, what_is_beaten_is_dropped);
    tcase_add_test(cases, without_a_window_only_sums_are_kept);
    tcase_add_test(cases, four_different_ones_tell_more_than_three);
    tcase_add_test(cases, an_idle_state_does_not_grow);
    tcase_add_test(cases, what_ties_is_kept_together);
    tcase_add_test(cases, an_event_for_state_that_is_gone_is_late);
    tcase_add_test(cases, a_copy_of_an_event_that_came_too_late_is_one);
    tcase_add_test(cases, an_event_far_ahead_moves_its_own_window_only);
    tcase_add_test(cases, without_memory_nothing_is_pruned);
    tcase_add_test(cases, no_measure_forgets_what_was_summed_up);
    suite_add_tcase(suite, cases);
    return suite;
}
