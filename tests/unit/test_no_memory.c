/* The whole way through the evaluator with each allocation failing in turn: definitions, events, a lane with consent,
 * records, timers, a restart, ranks. Whatever fails says so, and nothing is leaked or read that is not there. What a
 * module does by itself is tested with the module. */
#include "common/domain/lane.h"
#include "common/domain/percentile.h"
#include "common/domain/rule_parse.h"
#include "tests/unit/unit.h"

#include <stdio.h>

Suite *no_memory_suite(void);

enum { EVENTS = 60, USERS = 5, SEGMENTS = 6, TEXT_SIZE = 320 };

static const char definitions[] =
    "[{\"segmentId\":\"recent\",\"criteria\":[{\"event\":\"a\",\"window\":\"30m\",\"count\":{\">=\":2}}]},"
    "{\"segmentId\":\"spent\",\"criteria\":[{\"event\":[\"a\",\"b\"],\"window\":\"2h\",\"slide\":\"5m\","
    "\"sum\":{\"product\":[\"v\",\"w\"],\">\":10}}],\"exclude\":[{\"trait\":\"tier\",\"=\":\"tin\"}],"
    "\"membershipDuration\":\"1h\",\"exclusionWindow\":\"3m\"},"
    "{\"segmentId\":\"left\",\"criteria\":[{\"event\":\"a\",\"window\":\"20m\",\"condition\":\"no_b_after\","
    "\"same\":[\"k\"]}],\"membershipDuration\":\"2h\",\"membershipMode\":\"sticky\"},"
    "{\"segmentId\":\"path\",\"criteria\":[{\"sequence\":[{\"event\":\"a\"},{\"event\":\"b\"},{\"event\":\"*\"}],"
    "\"within\":\"1h\",\"window\":\"1h\",\"same\":[\"k\"]}]},"
    "{\"segmentId\":\"mixed\",\"criteria\":[{\"any\":[{\"segment\":\"recent\"},{\"not\":{\"segment\":\"left\"}},"
    "{\"compare\":{\"left\":{\"event\":\"a\",\"distinct\":{\"property\":\"k\"}},\"op\":\">\",\"right\":"
    "{\"event\":\"b\",\"window\":{\"calendar\":\"day\"},\"max\":{\"property\":\"v\"}}}}]}]},"
    "{\"segmentId\":\"top\",\"evaluation\":\"batch\",\"criteria\":[{\"percentile\":50,\"of\":{\"event\":\"*\","
    "\"window\":\"9h\",\"count\":{}},\"by\":\"tier\"}]}]";

struct world {
    struct segment_set set;
    struct ruleset *ruleset;
    struct lane *lane;
    struct json_document document;
    struct arena arena;
    size_t records;
    size_t pruned; /* users */
};

static bool count_record(void *context, const struct lane_record *record, struct error *err)
{
    struct world *world = context;

    (void)record;
    (void)err;
    world->records++;
    return true;
}

static bool world_event(struct world *world, int number, struct event *out, struct error *err)
{
    enum quarantine_reason reason = QUARANTINE_NONE;
    static char text[TEXT_SIZE];
    long long time_ms = INT64_C(1772323190000) + 240000LL * number - (number % 7 == 0 ? 3600000 : 0);

    if (number % 9 == 4) {
        (void)snprintf(text, sizeof text,
                       "{\"type\":\"identify\",\"userId\":\"u%d\",\"timestamp\":%lld,\"traits\":{\"tier\":\"%s\"}}",
                       number % USERS, time_ms, number % 2 == 0 ? "gold" : "tin");
    } else {
        (void)snprintf(text, sizeof text,
                       "{\"type\":\"track\",\"userId\":\"u%d\",\"messageId\":\"m\\u0041%d\",\"timestamp\":%lld,"
                       "\"event\":\"%c\",\"properties\":{\"v\":%d.5,\"w\":2,\"k\":\"key%d\"}}",
                       number % USERS, number - number % 11 / 10, time_ms, "abc"[number * 7 % 3], number % 5,
                       number % 2);
    }
    arena_reset(&world->arena);
    return event_decode(slice_from(text), &world->document, &world->arena, out, &reason, err);
}

static bool world_lane(struct world *world, struct error *err)
{
    struct lane_segment segments[SEGMENTS];
    struct lane_options options = {.ruleset = world->ruleset,
                                   .segments = segments,
                                   .purpose_count = 1,
                                   .user_events_max = 9,
                                   .lateness_ms = 1800000};

    for (int i = 0; i < SEGMENTS; i++) {
        segments[i] = (struct lane_segment){.silent = i == SEGMENTS - 1,
                                            .purpose = i % 2 == 0 ? 0 : LANE_NO_PURPOSE,
                                            .is_new = i == 2,
                                            .complete_from_ms = TIMESTAMP_ALWAYS};
    }
    return lane_new(&options, &world->lane, err);
}

/* The first half is caught up with, the second comes live; consent comes and goes. */
static bool world_live(struct world *world, struct error *err)
{
    struct lane_sink sink = {.emit = count_record, .context = world};
    int64_t watermark = TIMESTAMP_ALWAYS;

    for (int i = 0; i < EVENTS; i++) {
        struct lane_user *user = NULL;
        struct event event;

        if (i == EVENTS / 2 && !lane_start(world->lane, watermark, &sink, err)) {
            return false;
        }
        if (!world_event(world, i, &event, err) || !lane_add(world->lane, event.user, &user, err)) {
            return false;
        }
        if (i < EVENTS / 2 ? !lane_fold(world->lane, user, &event, 0, i, err)
                           : !lane_event(world->lane, user, &event, 0, i, watermark, &sink, err)) {
            return false;
        }
        watermark = event.time_ms - 60000 > watermark ? event.time_ms - 60000 : watermark;
        if (i >= EVENTS / 2 && i % 8 == 3 &&
            (!lane_hold(world->lane, user, watermark, &sink, err) ||
             !lane_grant_set(world->lane, user, 0, i % 3, watermark, &sink, err) ||
             !lane_release(world->lane, user, err) || !lane_advance(world->lane, watermark, &sink, err))) {
            return false;
        }
    }
    return lane_end(world->lane, watermark + 90 * 60000, &sink, err);
}

struct ranking {
    struct world *world;
    struct ranks *ranks;
    struct evaluation *evaluation;
    int64_t at;
};

static bool add_rank(void *context, struct lane_user *user, struct error *err)
{
    const struct ranking *ranking = context;
    struct user_state *state = NULL;

    if (!lane_user_state(ranking->world->lane, user, &state, err)) {
        return false;
    }
    ranking->world->pruned += user_state_final(state) != TIMESTAMP_ALWAYS;
    return ranks_add(ranking->ranks, state, ranking->at, ranking->evaluation, err);
}

static bool ask(void *context, struct lane_user *user, struct error *err)
{
    const struct ranking *ranking = context;
    struct membership memberships[SEGMENTS];
    const struct interval *intervals;
    struct user_state *state = NULL;
    size_t count;

    return lane_user_state(ranking->world->lane, user, &state, err) &&
           user_state_memberships(ranking->world->ruleset, state, ranking->at, ranking->evaluation, memberships, err) &&
           user_state_history(ranking->world->ruleset, state, 4, ranking->at, ranking->evaluation, &intervals, &count,
                              err);
}

static bool world_ranks(struct world *world, struct error *err)
{
    struct ranking ranking = {.world = world, .at = INT64_C(1772323190000) + EVENTS * INT64_C(240000)};
    struct ranks *others = NULL;
    bool done = false;

    if (!evaluation_new(world->ruleset, &ranking.evaluation, err) || !ranks_new(world->ruleset, &others, err) ||
        !ranks_new(world->ruleset, &ranking.ranks, err) || !lane_each(world->lane, add_rank, &ranking, err) ||
        !ranks_merge(others, ranking.ranks, err) || !ranks_finish(others, err)) {
        goto out;
    }
    evaluation_ranks(ranking.evaluation, others);
    done = lane_each(world->lane, ask, &ranking, err);
out:
    evaluation_free(ranking.evaluation);
    ranks_free(ranking.ranks);
    ranks_free(others);
    return done;
}

static bool scenario(void *context, struct error *err)
{
    struct ruleset_options options = {0};
    struct world world = {0};
    bool done;

    (void)context;
    segment_set_init(&world.set);
    json_document_init(&world.document);
    arena_init(&world.arena, 1 << 20);
    done = segment_set_add(&world.set, SLICE_LITERAL("f.json"), slice_from(definitions), 0, err) &&
           segment_set_check(&world.set, err) && ruleset_new(&world.set, &options, &world.ruleset, err) &&
           world_lane(&world, err) && world_live(&world, err) && world_ranks(&world, err);
    ck_assert(!done || (world.records > 20 && world.pruned > 0));
    lane_free(world.lane);
    ruleset_free(world.ruleset);
    json_document_clear(&world.document);
    arena_clear(&world.arena);
    segment_set_clear(&world.set);
    return done;
}

START_TEST(each_failure_is_reported)
{
    unit_fail_each_allocation(scenario, NULL);
}
END_TEST

Suite *no_memory_suite(void)
{
    Suite *suite = suite_create("no_memory");
    TCase *tests = tcase_create("no_memory");

    tcase_add_test(tests, each_failure_is_reported);
    suite_add_tcase(suite, tests);
    return suite;
}
