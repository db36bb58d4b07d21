/* The evaluator as a whole: that what it carries from event to event equals what it finds from the beginning, that
 * order does not matter, copies, the past, and failing allocations. What the answers must be is tested by the
 * conformance cases. */
#include "common/domain/user_state.h"

#include "common/base/timestamp.h"
#include "common/domain/rule_parse.h"
#include "common/domain/user_log.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

Suite *user_state_suite(void);

enum { EVENTS = 36, TEXT_SIZE = 320, ROUNDS = 60, SEGMENTS_MAX = 64 };

/* All forms, windowed and not, with all lifetimes. */
static const char definitions[] =
    "["
    "{\"segmentId\":\"count\",\"criteria\":[{\"event\":\"a\",\"window\":\"7s\",\"count\":{\">=\":2}}]},"
    "{\"segmentId\":\"ever\",\"criteria\":[{\"event\":\"a\",\"count\":{\"=\":3}}]},"
    "{\"segmentId\":\"few\",\"criteria\":[{\"event\":\"*\",\"window\":\"9s\",\"slide\":\"2s\",\"count\":{\"<\":3}}],"
    " \"membershipDuration\":\"5s\",\"membershipMode\":\"sticky\",\"exclusionWindow\":\"2s\"},"
    "{\"segmentId\":\"sums\",\"criteria\":[{\"event\":[\"a\",\"b\"],\"window\":\"10s\",\"offset\":\"2s\","
    " \"sum\":{\"product\":[\"n\",\"m\"],\">\":4}}],\"membershipDuration\":\"4s\"},"
    "{\"segmentId\":\"sum_ever\",\"criteria\":[{\"event\":\"b\",\"sum\":{\"property\":\"n\",\">\":3}}]},"
    "{\"segmentId\":\"avg\",\"criteria\":[{\"event\":\"a\",\"window\":\"12s\",\"avg\":{\"property\":\"n\",\">=\":1.5}}]"
    "},"
    "{\"segmentId\":\"avg_ever\",\"criteria\":[{\"event\":\"a\",\"avg\":{\"property\":\"n\",\">=\":1.5}}]},"
    "{\"segmentId\":\"least\",\"criteria\":[{\"event\":\"a\",\"window\":\"12s\",\"min\":{\"property\":\"n\",\"<=\":1}}]"
    "},"
    "{\"segmentId\":\"least_ever\",\"criteria\":[{\"event\":\"b\",\"min\":{\"property\":\"n\",\"<\":0}}],"
    " \"membershipDuration\":\"3s\"},"
    "{\"segmentId\":\"most\",\"criteria\":[{\"event\":\"b\",\"window\":\"12s\",\"max\":{\"property\":\"n\",\">=\":2}}]}"
    ","
    "{\"segmentId\":\"most_ever\",\"criteria\":[{\"event\":\"*\",\"max\":{\"property\":\"n\",\"<\":3}}]},"
    "{\"segmentId\":\"kinds\",\"criteria\":[{\"event\":\"*\",\"window\":\"8s\",\"distinct\":{\"property\":\"k\",\">=\":"
    "2}}]},"
    "{\"segmentId\":\"kinds_ever\",\"criteria\":[{\"event\":\"*\",\"distinct\":{\"property\":\"k\",\"=\":2}}],"
    " \"membershipDuration\":\"6s\"},"
    "{\"segmentId\":\"days_ever\",\"criteria\":[{\"event\":\"*\",\"distinct\":{\"period\":\"day\",\">=\":2}}]},"
    "{\"segmentId\":\"first\",\"criteria\":[{\"event\":\"a\",\"first\":{\">\":\"3s\",\"<=\":\"11s\"}}]},"
    "{\"segmentId\":\"last\",\"criteria\":[{\"event\":\"b\",\"last\":{\">=\":\"4s\"}}],\"membershipDuration\":\"6s\"},"
    "{\"segmentId\":\"lately\",\"criteria\":[{\"event\":\"b\",\"last\":{\"<\":\"5s\"}}],\"membershipMode\":\"sticky\","
    " \"membershipDuration\":\"6s\"},"
    "{\"segmentId\":\"just_then\",\"criteria\":[{\"event\":\"a\",\"last\":{\"=\":\"2s\"}}]},"
    "{\"segmentId\":\"first_in\",\"criteria\":[{\"event\":\"a\",\"window\":\"9s\",\"first\":{\">\":\"3s\"}}]},"
    "{\"segmentId\":\"latest\",\"criteria\":[{\"event\":\"*\",\"latest\":{\"property\":\"k\",\"=\":\"x\"}}]},"
    "{\"segmentId\":\"earliest\",\"criteria\":[{\"event\":\"a\",\"earliest\":{\"property\":\"k\",\"!=\":\"x\"}}]},"
    "{\"segmentId\":\"latest_in\",\"criteria\":[{\"event\":\"b\",\"window\":\"6s\",\"latest\":{\"property\":\"k\","
    " \"exists\":false}}]},"
    "{\"segmentId\":\"compare\",\"criteria\":[{\"compare\":{\"left\":{\"event\":\"a\",\"window\":\"9s\",\"sum\":"
    " {\"property\":\"n\"}},\"op\":\">\",\"right\":{\"event\":\"b\",\"count\":{}},\"times\":0.5}}],"
    " \"membershipDuration\":\"5s\"},"
    "{\"segmentId\":\"strict\",\"criteria\":[{\"event\":\"a\",\"notFollowedBy\":{\"event\":\"b\"},\"within\":\"4s\","
    " \"window\":\"14s\"}],\"membershipDuration\":\"5s\"},"
    "{\"segmentId\":\"strict_ever\",\"criteria\":[{\"event\":\"a\",\"notFollowedBy\":{\"event\":[\"a\",\"b\"]},"
    " \"within\":\"3s\"}],\"membershipDuration\":\"4s\"},"
    "{\"segmentId\":\"later\",\"criteria\":[{\"event\":\"a\",\"window\":\"4s\",\"condition\":\"no_b_after\"}],"
    " \"membershipDuration\":\"9s\"},"
    "{\"segmentId\":\"later_same\",\"criteria\":[{\"event\":\"a\",\"notFollowedBy\":{\"event\":\"*\"},\"within\":"
    "\"2s\","
    " \"window\":\"20s\",\"orLater\":true,\"same\":[\"k\"]}]},"
    "{\"segmentId\":\"later_ever\",\"criteria\":[{\"event\":\"a\",\"notFollowedBy\":{\"event\":[\"a\",\"c\"]},"
    " \"within\":\"2s\",\"orLater\":true}]},"
    "{\"segmentId\":\"sequence\",\"criteria\":[{\"sequence\":[{\"event\":\"a\"},{\"event\":[\"a\",\"b\"]},{\"event\":"
    "\"c\"}],"
    " \"within\":\"9s\",\"window\":\"6s\"}],\"membershipDuration\":\"4s\"},"
    "{\"segmentId\":\"sequence_ever\",\"criteria\":[{\"sequence\":[{\"event\":\"b\"},{\"event\":\"a\"}],\"within\":"
    "\"3s\","
    " \"same\":[\"k\"]}],\"membershipDuration\":\"7s\"},"
    "{\"segmentId\":\"sequence_plain\",\"criteria\":[{\"sequence\":[{\"event\":\"c\"},{\"event\":\"c\"},{\"event\":"
    "\"b\"}],"
    " \"within\":\"8s\"}]},"
    "{\"segmentId\":\"trait\",\"criteria\":[{\"trait\":\"t\",\"=\":1}],\"exclude\":[{\"event\":\"c\",\"window\":\"3s\"}"
    "]},"
    "{\"segmentId\":\"age\",\"criteria\":[{\"trait\":\"since\",\"age\":{\">=\":\"5s\"}}],\"exclusionWindow\":\"4s\"},"
    "{\"segmentId\":\"until\",\"criteria\":[{\"trait\":\"since\",\"until\":{\"<\":\"6s\"}}]},"
    "{\"segmentId\":\"none\",\"criteria\":[{\"not\":{\"event\":\"b\",\"window\":\"5s\"}}],\"membershipDuration\":"
    "\"8s\","
    " \"exclusionWindow\":\"3s\"},"
    "{\"segmentId\":\"mixed\",\"criteria\":[{\"any\":[{\"segment\":\"later\"},{\"all\":[{\"not\":{\"segment\":\"few\"}}"
    ","
    " {\"event\":\"a\",\"window\":\"11s\"}]}]}],\"exclude\":[{\"segment\":\"sums\"}],\"membershipDuration\":\"12s\"},"
    "{\"segmentId\":\"calendar\",\"criteria\":[{\"event\":\"a\",\"window\":{\"calendar\":\"day\",\"complete\":true},"
    " \"count\":{\">=\":2}}]}"
    "]";

struct world {
    struct segment_set set;
    struct ruleset *ruleset;
    struct evaluation *evaluation;
    struct json_document document;
    struct arena arena;
};

static bool world_init(struct world *world, struct error *err)
{
    *world = (struct world){0};
    segment_set_init(&world->set);
    json_document_init(&world->document);
    arena_init(&world->arena, 1 << 20);
    return segment_set_add(&world->set, SLICE_LITERAL("test.json"), slice_from(definitions), 0, err) &&
           segment_set_check(&world->set, err) && ruleset_new(&world->set, NULL, &world->ruleset, err) &&
           evaluation_new(world->ruleset, &world->evaluation, err);
}

static void world_clear(struct world *world)
{
    evaluation_free(world->evaluation);
    ruleset_free(world->ruleset);
    json_document_clear(&world->document);
    arena_clear(&world->arena);
    segment_set_clear(&world->set);
}

static bool fold(struct world *world, struct user_state *state, const char *text, enum fold_result *result,
                 uint64_t *touched, int64_t *time_ms, struct error *err)
{
    enum quarantine_reason reason;
    struct event event;

    arena_reset(&world->arena);
    if (!event_decode(slice_from(text), &world->document, &world->arena, &event, &reason, err)) {
        return false;
    }
    ck_assert_msg(reason == QUARANTINE_NONE, "%s: %s", text, err->message);
    *time_ms = event.time_ms;
    return user_state_fold(world->ruleset, state, &event, world->evaluation, result, touched, err);
}

/* A small generator of its own, so that a seed means the same everywhere. */
static unsigned next_random(unsigned *seed, unsigned below)
{
    *seed = *seed * 1103515245u + 12345u;
    return (*seed >> 16) % below;
}

/* Times on a grid of half a second around midnight, so that ties and exact edges abound. */
static void random_event(unsigned *seed, int number, char text[TEXT_SIZE])
{
    static const char *const names[] = {"a", "b", "c", "d"};
    static const char *const kinds[] = {"\"x\"", "\"y\"", "\"z\"", "null", "7"};
    int64_t time_ms =
        INT64_C(1772323190000) + 500 * ((int64_t)number + next_random(seed, 12)) + (next_random(seed, 4) == 0);
    char id[48] = "";

    if (next_random(seed, 4) > 0) {
        (void)snprintf(id, sizeof id, "\"messageId\":\"m%u\",", next_random(seed, 1000));
    }
    if (next_random(seed, 5) == 0) {
        (void)snprintf(
            text, TEXT_SIZE,
            "{\"type\":\"identify\",%s\"userId\":\"u\",\"timestamp\":%lld,\"traits\":{\"t\":%u,\"since\":%lld}}", id,
            (long long)time_ms, next_random(seed, 3), (long long)time_ms - 3000 + next_random(seed, 7000));
        return;
    }
    (void)snprintf(text, TEXT_SIZE,
                   "{\"type\":\"track\",%s\"userId\":\"u\",\"timestamp\":%lld,\"event\":\"%s\",\"properties\":"
                   "{\"k\":%s,\"n\":%d,\"m\":%u.25}}",
                   id, (long long)time_ms, names[next_random(seed, 4)], kinds[next_random(seed, 5)],
                   (int)next_random(seed, 5) - 1, next_random(seed, 3));
}

/* The state's incremental answer after `from` equals the one of a state that carries nothing. */
static void expect_equal(struct world *world, struct user_state *carrying, const struct user_state *plain,
                         size_t segment, int64_t from, unsigned seed, int step)
{
    struct error err = ERROR_INIT;
    const struct interval *intervals;
    struct interval found[256];
    size_t count;
    size_t skip = 0;
    size_t wanted;

    ck_assert_ok(
        user_state_intervals(world->ruleset, carrying, segment, from, world->evaluation, &intervals, &count, &err));
    ck_assert_uint_le(count, sizeof found / sizeof found[0]);
    if (count > 0) {
        memcpy(found, intervals, count * sizeof *found);
    }
    ck_assert_ok(user_state_history(world->ruleset, plain, segment, TIMESTAMP_NEVER, world->evaluation, &intervals,
                                    &wanted, &err));
    while (skip < wanted && intervals[skip].left_at <= from) {
        skip++;
    }
    ck_assert_msg(count == wanted - skip && (count == 0 || memcmp(found, intervals + skip, count * sizeof *found) == 0),
                  "seed %u, step %d, %s: %zu intervals from %lld, wanted %zu (first %lld-%lld, wanted %lld-%lld)", seed,
                  step, ruleset_definition(world->ruleset, segment)->segment_id.data, count, (long long)from,
                  wanted - skip, count > 0 ? (long long)found[0].entered_at : 0,
                  count > 0 ? (long long)found[0].left_at : 0,
                  wanted > skip ? (long long)intervals[skip].entered_at : 0,
                  wanted > skip ? (long long)intervals[skip].left_at : 0);
}

START_TEST(what_is_carried_equals_what_is_found_anew)
{
    struct error err = ERROR_INIT;
    struct world world;

    ck_assert_ok(world_init(&world, &err));
    for (unsigned round = 1; round <= ROUNDS; round++) {
        unsigned seed = round;
        struct user_state *carrying;
        struct user_state *plain;

        ck_assert_ok(user_state_new(world.ruleset, &carrying, &err));
        ck_assert_ok(user_state_new(world.ruleset, &plain, &err));
        for (int i = 0; i < EVENTS; i++) {
            uint64_t touched = 0;
            enum fold_result result;
            char text[TEXT_SIZE];
            int64_t time_ms;

            random_event(&seed, i, text);
            ck_assert_ok(fold(&world, carrying, text, &result, &touched, &time_ms, &err));
            ck_assert_ok(fold(&world, plain, text, &result, NULL, &time_ms, &err));
            for (size_t s = 0; s < ruleset_segment_count(world.ruleset); s++) {
                if ((touched >> s & 1) != 0 || next_random(&seed, 3) == 0) {
                    expect_equal(&world, carrying, plain, s, time_ms - 1, round, i);
                }
            }
        }
        user_state_free(carrying);
        user_state_free(plain);
    }
    world_clear(&world);
}
END_TEST

/* At instants around the events: on them, just before, and where windows and durations end. */
START_TEST(all_segments_at_once_equal_each_by_itself)
{
    struct error err = ERROR_INIT;
    struct world world;
    unsigned members = 0;
    unsigned excluded = 0;

    ck_assert_ok(world_init(&world, &err));
    for (unsigned round = 1; round <= ROUNDS; round++) {
        unsigned seed = round * 31;
        struct user_state *state;

        ck_assert_ok(user_state_new(world.ruleset, &state, &err));
        for (int i = 0; i < EVENTS; i++) {
            struct membership all[SEGMENTS_MAX];
            enum fold_result result;
            char text[TEXT_SIZE];
            int64_t time_ms;
            int64_t at;

            random_event(&seed, i, text);
            ck_assert_ok(fold(&world, state, text, &result, NULL, &time_ms, &err));
            at = time_ms + (int64_t)next_random(&seed, 30) * 500 - next_random(&seed, 2);
            ck_assert_ok(user_state_memberships(world.ruleset, state, at, world.evaluation, all, &err));
            for (size_t s = 0; s < ruleset_segment_count(world.ruleset); s++) {
                struct membership one;

                ck_assert_ok(user_state_membership(world.ruleset, state, s, at, world.evaluation, &one, &err));
                ck_assert_msg(all[s].member == one.member && all[s].excluded == one.excluded &&
                                  (!one.member ||
                                   (all[s].entered_at == one.entered_at && all[s].valid_until == one.valid_until)),
                              "seed %u, step %d, %s", round, i, ruleset_definition(world.ruleset, s)->segment_id.data);
                members += one.member;
                excluded += one.excluded;
            }
        }
        user_state_free(state);
    }
    ck_assert_uint_gt(members, 0);
    ck_assert_uint_gt(excluded, 0);
    world_clear(&world);
}
END_TEST

START_TEST(untouched_segments_do_not_change)
{
    struct error err = ERROR_INIT;
    struct world world;
    const struct interval *intervals;
    size_t count;

    ck_assert_ok(world_init(&world, &err));
    for (unsigned round = 1; round <= ROUNDS / 4; round++) {
        unsigned seed = round * 77;
        struct interval before[SEGMENTS_MAX][64];
        size_t counts[SEGMENTS_MAX] = {0};
        struct user_state *state;

        ck_assert_ok(user_state_new(world.ruleset, &state, &err));
        for (int i = 0; i < EVENTS; i++) {
            uint64_t touched = 0;
            enum fold_result result;
            char text[TEXT_SIZE];
            int64_t time_ms;

            random_event(&seed, i, text);
            ck_assert_ok(fold(&world, state, text, &result, &touched, &time_ms, &err));
            for (size_t s = 0; s < ruleset_segment_count(world.ruleset); s++) {
                ck_assert_ok(user_state_history(world.ruleset, state, s, TIMESTAMP_NEVER, world.evaluation, &intervals,
                                                &count, &err));
                ck_assert_uint_le(count, 64);
                ck_assert((touched >> s & 1) != 0 ||
                          (count == counts[s] &&
                           (count == 0 || memcmp(intervals, before[s], count * sizeof *intervals) == 0)));
                counts[s] = count;
                memcpy(before[s], intervals, count * sizeof *intervals);
            }
        }
        user_state_free(state);
    }
    world_clear(&world);
}
END_TEST

/* Ids differ here, so that which copy comes first does not matter. */
static void distinct_event(unsigned *seed, int number, char text[TEXT_SIZE])
{
    char other[TEXT_SIZE];
    const char *id;

    do {
        random_event(seed, number, other);
        id = strstr(other, "\"messageId\":\"m");
    } while (id == NULL);
    (void)snprintf(text, TEXT_SIZE, "%.*s\"messageId\":\"n%d-%s", (int)(id - other), other, number, id + 14);
}

START_TEST(order_does_not_matter_and_the_past_is_that_of_its_events)
{
    struct error err = ERROR_INIT;
    struct world world;
    struct membership wanted[SEGMENTS_MAX];
    struct membership found;

    ck_assert_ok(world_init(&world, &err));
    for (unsigned round = 1; round <= ROUNDS; round++) {
        unsigned seed = round * 31;
        char texts[EVENTS][TEXT_SIZE];
        int64_t at = INT64_C(1772323190000) + 500 * (int64_t)next_random(&seed, EVENTS);
        struct user_state *ordered;
        struct user_state *shuffled;
        enum fold_result result;
        int64_t time_ms;

        ck_assert_ok(user_state_new(world.ruleset, &ordered, &err));
        ck_assert_ok(user_state_new(world.ruleset, &shuffled, &err));
        for (int i = 0; i < EVENTS; i++) {
            const char *time;

            distinct_event(&seed, i, texts[i]);
            time = strstr(texts[i], "\"timestamp\":");
            if (strtoll(time + 12, NULL, 10) <= at) {
                ck_assert_ok(fold(&world, ordered, texts[i], &result, NULL, &time_ms, &err));
            }
        }
        for (int i = EVENTS; i > 0; i--) {
            unsigned pick = next_random(&seed, (unsigned)i);

            ck_assert_ok(fold(&world, shuffled, texts[pick], &result, NULL, &time_ms, &err));
            ck_assert_int_eq(result, FOLD_APPLIED);
            memcpy(texts[pick], texts[i - 1], TEXT_SIZE);
        }
        ck_assert_ok(user_state_memberships(world.ruleset, ordered, at, world.evaluation, wanted, &err));
        for (size_t s = 0; s < ruleset_segment_count(world.ruleset); s++) {
            ck_assert_ok(user_state_membership(world.ruleset, shuffled, s, at, world.evaluation, &found, &err));
            ck_assert_msg(found.member == wanted[s].member && found.excluded == wanted[s].excluded &&
                              (!found.member || (found.entered_at == wanted[s].entered_at &&
                                                 found.valid_until == wanted[s].valid_until)),
                          "seed %u, segment %zu", round, s);
        }
        user_state_free(ordered);
        user_state_free(shuffled);
    }
    world_clear(&world);
}
END_TEST

/* However few ids a log has: who sends one copy after the other must not have it looked through each time. */
START_TEST(a_long_log_with_few_ids_has_a_table_of_them)
{
    static const char one[] =
        "{\"type\":\"track\",\"messageId\":\"m\",\"userId\":\"u\",\"timestamp\":1,\"event\":\"a\"}";
    struct error err = ERROR_INIT;
    struct world world;
    struct user_state *state;
    enum fold_result result;
    int64_t time_ms;

    ck_assert_ok(world_init(&world, &err));
    ck_assert_ok(user_state_new(world.ruleset, &state, &err));
    ck_assert_ok(fold(&world, state, one, &result, NULL, &time_ms, &err));
    for (int i = 0; i < 2 * USER_LOG_SMALL_MAX; i++) {
        ck_assert_ok(fold(&world, state, "{\"type\":\"track\",\"userId\":\"u\",\"timestamp\":1,\"event\":\"a\"}",
                          &result, NULL, &time_ms, &err));
        ck_assert_int_eq(result, FOLD_APPLIED);
    }
    ck_assert_ptr_null(state->ids);
    ck_assert_ok(fold(&world, state, one, &result, NULL, &time_ms, &err));
    ck_assert_int_eq(result, FOLD_COPY);
    ck_assert_ptr_nonnull(state->ids);
    user_state_free(state);
    world_clear(&world);
}
END_TEST

START_TEST(copies_are_ignored_and_told_apart)
{
    struct error err = ERROR_INIT;
    struct world world;
    struct user_state *state;
    enum fold_result result;
    int64_t time_ms;
    char text[TEXT_SIZE];

    ck_assert_ok(world_init(&world, &err));
    ck_assert_ok(user_state_new(world.ruleset, &state, &err));
    /* Many ids, so that the table of ids takes over from looking at each. */
    for (int copy = 0; copy < 2; copy++) {
        for (int i = 0; i < 100; i++) {
            (void)snprintf(
                text, sizeof text,
                "{\"type\":\"track\",\"messageId\":\"m%d\",\"userId\":\"u\",\"timestamp\":%d,\"event\":\"%s\"}", i,
                i * 1000, i % 3 == 0 ? "a" : "unheard");
            ck_assert_ok(fold(&world, state, text, &result, NULL, &time_ms, &err));
            ck_assert_int_eq(result, copy == 0 ? FOLD_APPLIED : FOLD_COPY);
        }
    }
    ck_assert_uint_eq(user_state_event_count(state), 100);
    ck_assert_ok(
        fold(&world, state,
             "{\"type\":\"track\",\"messageId\":\"m7\",\"userId\":\"u\",\"timestamp\":86407000,\"event\":\"b\"}",
             &result, NULL, &time_ms, &err));
    ck_assert_int_eq(result, FOLD_COPY_DIFFERENT);
    ck_assert_ok(
        fold(&world, state,
             "{\"type\":\"track\",\"messageId\":\"m7\",\"userId\":\"u\",\"timestamp\":86407001,\"event\":\"b\"}",
             &result, NULL, &time_ms, &err));
    ck_assert_int_eq(result, FOLD_APPLIED);
    ck_assert_int_eq(user_state_known_since(state), 0);
    ck_assert_int_eq(user_state_newest(state), 86407001);
    ck_assert_ok(
        fold(&world, state, "{\"type\":\"delete\",\"userId\":\"u\",\"timestamp\":-5}", &result, NULL, &time_ms, &err));
    ck_assert_int_eq(result, FOLD_IGNORED);
    ck_assert_int_eq(user_state_known_since(state), 0);
    user_state_clear(world.ruleset, state);
    ck_assert_int_eq(user_state_known_since(state), TIMESTAMP_NEVER);
    ck_assert_uint_eq(user_state_event_count(state), 0);
    user_state_free(state);
    world_clear(&world);
}
END_TEST

/* Compiles, folds and evaluates; after a failure the state must still be usable. */
static bool scenario(void *context, struct error *err)
{
    struct world world;
    struct user_state *state = NULL;
    struct membership memberships[SEGMENTS_MAX];
    const struct interval *intervals;
    enum fold_result result;
    unsigned seed = 5;
    int64_t time_ms = 0;
    size_t count;
    bool done = false;

    (void)context;
    if (!world_init(&world, err) || !user_state_new(world.ruleset, &state, err)) {
        goto out;
    }
    for (int i = 0; i < EVENTS; i++) {
        char text[TEXT_SIZE];

        random_event(&seed, i, text);
        if (!fold(&world, state, text, &result, NULL, &time_ms, err)) {
            goto out;
        }
    }
    for (size_t s = 0; s < ruleset_segment_count(world.ruleset); s++) {
        if (!user_state_intervals(world.ruleset, state, s, time_ms, world.evaluation, &intervals, &count, err)) {
            goto out;
        }
    }
    done = user_state_memberships(world.ruleset, state, time_ms, world.evaluation, memberships, err);
out:
    user_state_free(state);
    world_clear(&world);
    return done;
}

START_TEST(each_failing_allocation_is_reported)
{
    unit_fail_each_allocation(scenario, NULL);
}
END_TEST

START_TEST(reach_is_bounded_only_where_it_can_be)
{
    struct error err = ERROR_INIT;
    struct world world;

    ck_assert_ok(world_init(&world, &err));
    ck_assert_int_eq(ruleset_reach_ms(world.ruleset, segment_set_find(&world.set, SLICE_LITERAL("count"))), 7000);
    ck_assert_int_eq(ruleset_reach_ms(world.ruleset, segment_set_find(&world.set, SLICE_LITERAL("sums"))), 16000);
    ck_assert_int_eq(ruleset_reach_ms(world.ruleset, segment_set_find(&world.set, SLICE_LITERAL("strict"))), 23000);
    ck_assert_int_eq(ruleset_reach_ms(world.ruleset, segment_set_find(&world.set, SLICE_LITERAL("ever"))),
                     TIMESTAMP_NEVER);
    ck_assert_int_eq(ruleset_reach_ms(world.ruleset, segment_set_find(&world.set, SLICE_LITERAL("none"))),
                     TIMESTAMP_NEVER);
    ck_assert_int_eq(ruleset_reach_ms(world.ruleset, segment_set_find(&world.set, SLICE_LITERAL("few"))),
                     TIMESTAMP_NEVER);
    ck_assert_int_eq(ruleset_reach_ms(world.ruleset, segment_set_find(&world.set, SLICE_LITERAL("trait"))),
                     TIMESTAMP_NEVER);
    ck_assert_int_eq(ruleset_reach_ms(world.ruleset, segment_set_find(&world.set, SLICE_LITERAL("mixed"))),
                     TIMESTAMP_NEVER);
    world_clear(&world);
}
END_TEST

Suite *user_state_suite(void)
{
    Suite *suite = suite_create("user_state");
    TCase *tests = tcase_create("user_state");

    tcase_add_test(tests, what_is_carried_equals_what_is_found_anew);
    tcase_add_test(tests, all_segments_at_once_equal_each_by_itself);
    tcase_add_test(tests, untouched_segments_do_not_change);
    tcase_add_test(tests, order_does_not_matter_and_the_past_is_that_of_its_events);
    tcase_add_test(tests, a_long_log_with_few_ids_has_a_table_of_them);
    tcase_add_test(tests, copies_are_ignored_and_told_apart);
    tcase_add_test(tests, each_failing_allocation_is_reported);
    tcase_add_test(tests, reach_is_bounded_only_where_it_can_be);
    suite_add_tcase(suite, tests);
    return suite;
}
