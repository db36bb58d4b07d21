/* The cost said before a rule ships is never below what a state really holds. */
#include "common/base/timestamp.h"
#include "common/domain/event.h"
#include "common/domain/rule_cost.h"
#include "common/domain/rule_parse.h"
#include "common/domain/user_state.h"
#include "tests/unit/unit.h"

#include <stdio.h>

Suite *rule_cost_suite(void);

static const char definitions[] =
    "[{\"segmentId\":\"plain\",\"criteria\":[{\"event\":\"z\",\"window\":\"1d\"}]},"
    "{\"segmentId\":\"values\",\"criteria\":[{\"event\":\"a\",\"latest\":{\"property\":\"p\",\"=\":\"x\"}},"
    "{\"event\":\"a\",\"distinct\":{\"property\":\"q\",\">\":2}},{\"segment\":\"plain\"}]},"
    "{\"segmentId\":\"never\",\"evaluation\":\"batch\",\"criteria\":[{\"event\":\"a\",\"notFollowedBy\":{\"event\":"
    "\"b\"},"
    "\"within\":\"1d\",\"orLater\":true,\"same\":[\"p\"]}]},"
    "{\"segmentId\":\"refers\",\"evaluation\":\"batch\",\"criteria\":[{\"segment\":\"never\"}]}]";

#define DAY INT64_C(86400000)

static const struct rule_cost_assumptions assumptions = {.id_size = 36,
                                                         .text_size = 16,
                                                         .events_per_day = 10,
                                                         .lateness_ms = 7 * DAY};

static void open_rules(struct segment_set *set, struct ruleset **ruleset)
{
    struct error err = ERROR_INIT;

    segment_set_init(set);
    ck_assert_ok(segment_set_add(set, SLICE_LITERAL("f.json"), slice_from(definitions), 0, &err));
    ck_assert_ok(segment_set_check(set, &err));
    ck_assert_ok(ruleset_new(set, NULL, ruleset, &err));
}

START_TEST(reach_and_streaming_are_said)
{
    struct ruleset *ruleset = NULL;
    struct segment_set set;
    struct rule_cost costs[4];

    open_rules(&set, &ruleset);
    for (size_t i = 0; i < 4; i++) {
        rule_cost(ruleset, i, &assumptions, &costs[i]);
    }
    ck_assert(costs[0].streams && costs[1].streams && !costs[2].streams && !costs[3].streams);
    ck_assert_str_eq(costs[2].why, "notFollowedBy with orLater and same but no window");
    ck_assert_str_eq(costs[3].why, "it refers to a segment that does not stream");
    ck_assert_int_eq(costs[0].reach_ms, 86400000);
    ck_assert_int_eq(costs[1].reach_ms, TIMESTAMP_NEVER);
    ck_assert_uint_eq(costs[0].value_count_max, 0);
    ck_assert_uint_eq(costs[1].value_count_max, 2);
    /* One event of the window; the latest, three different values, and that of the segment it refers to; everything. */
    ck_assert_int_eq(costs[0].kept_count, 1);
    ck_assert_int_eq(costs[1].kept_count, 1 + 3 + 1);
    ck_assert_int_eq(costs[2].kept_count, -1);
    ck_assert_int_eq(costs[2].state_bytes, -1);
    ck_assert_int_eq(costs[0].recent_count, 8 * 10);
    ck_assert_int_gt(costs[1].state_bytes, costs[0].state_bytes);
    ck_assert_int_gt(costs[1].event_bytes, costs[0].event_bytes);
    ck_assert_int_gt(costs[1].fixed_bytes, costs[0].fixed_bytes);
    ruleset_free(ruleset);
    segment_set_clear(&set);
}
END_TEST

static const char streaming[] =
    "[{\"segmentId\":\"often\",\"criteria\":[{\"event\":\"a\",\"window\":\"30d\",\"count\":{\">=\":20}}]},"
    "{\"segmentId\":\"spent\",\"criteria\":[{\"event\":\"a\",\"window\":\"20d\",\"slide\":\"1d\",\"sum\":{"
    "\"property\":\"n\",\">\":9}}]},"
    "{\"segmentId\":\"most\",\"criteria\":[{\"event\":\"a\",\"window\":\"3d\",\"max\":{\"property\":\"n\",\"<\":"
    "9}}]},"
    "{\"segmentId\":\"kinds\",\"criteria\":[{\"event\":\"a\",\"distinct\":{\"property\":\"p\",\">=\":30}}]}]";

/* A user of ten events a day, whose maximum only falls, pruned as a lane does. */
START_TEST(no_pruned_state_is_larger)
{
    struct error err = ERROR_INIT;
    struct ruleset *ruleset = NULL;
    struct evaluation *evaluation = NULL;
    struct user_state *state = NULL;
    struct json_document document;
    struct segment_set set;
    struct rule_cost cost;
    struct arena arena;
    size_t largest = 0;

    segment_set_init(&set);
    ck_assert_ok(segment_set_add(&set, SLICE_LITERAL("f.json"), slice_from(streaming), 0, &err));
    ck_assert_ok(segment_set_check(&set, &err));
    ck_assert_ok(ruleset_new(&set, NULL, &ruleset, &err));
    json_document_init(&document);
    arena_init(&arena, 1 << 20);
    ck_assert_ok(evaluation_new(ruleset, &evaluation, &err));
    ck_assert_ok(user_state_new(ruleset, &state, &err));
    rule_cost(ruleset, SIZE_MAX, &assumptions, &cost);
    ck_assert_int_eq(cost.kept_count, 20 + 30 + 30);
    ck_assert_int_eq(cost.pane_count, 22);
    for (int i = 1; i <= 3000; i++) {
        int64_t time_ms = i * DAY / 10;
        enum quarantine_reason reason;
        enum fold_result result;
        struct event event;
        char text[256];

        (void)snprintf(text, sizeof(text),
                       "{\"type\":\"track\",\"messageId\":\"%036d\",\"userId\":\"u\",\"timestamp\":%lld,"
                       "\"event\":\"a\",\"properties\":{\"p\":\"%016d\",\"n\":%d}}",
                       i, (long long)time_ms, i, 5000 - i);
        arena_reset(&arena);
        ck_assert_ok(event_decode(slice_from(text), &document, &arena, &event, &reason, &err));
        ck_assert_ok(user_state_fold(ruleset, state, &event, evaluation, &result, NULL, &err));
        ck_assert_int_eq((int)result, (int)FOLD_APPLIED);
        if (user_state_prune_due(ruleset, state, time_ms - assumptions.lateness_ms)) {
            ck_assert_ok(user_state_prune(ruleset, state, time_ms - assumptions.lateness_ms, evaluation, &err));
        }
        largest = user_state_size(state) > largest ? user_state_size(state) : largest;
    }
    ck_assert_msg((int64_t)largest <= cost.state_bytes, "%zu of %lld", largest, (long long)cost.state_bytes);
    ck_assert_int_gt((int64_t)largest * 5, cost.state_bytes);
    user_state_free(state);
    evaluation_free(evaluation);
    ruleset_free(ruleset);
    json_document_clear(&document);
    arena_clear(&arena);
    segment_set_clear(&set);
}
END_TEST

START_TEST(no_state_is_larger)
{
    struct error err = ERROR_INIT;
    struct ruleset *ruleset = NULL;
    struct evaluation *evaluation = NULL;
    struct user_state *state = NULL;
    struct json_document document;
    struct segment_set set;
    struct rule_cost cost;
    struct arena arena;

    open_rules(&set, &ruleset);
    json_document_init(&document);
    arena_init(&arena, 1 << 20);
    ck_assert_ok(evaluation_new(ruleset, &evaluation, &err));
    ck_assert_ok(user_state_new(ruleset, &state, &err));
    rule_cost(ruleset, SIZE_MAX, &assumptions, &cost);
    for (int i = 1; i <= 3000; i++) {
        enum quarantine_reason reason;
        enum fold_result result;
        struct event event;
        char text[256];

        (void)snprintf(text, sizeof(text),
                       "{\"type\":\"track\",\"messageId\":\"%036d\",\"userId\":\"u\",\"timestamp\":%d,\"event\":\"a\","
                       "\"properties\":{\"p\":\"%016d\",\"q\":\"%016d\"}}",
                       i, i * 1000, i, i);
        ck_assert_ok(event_decode(slice_from(text), &document, &arena, &event, &reason, &err));
        ck_assert_ok(user_state_fold(ruleset, state, &event, evaluation, &result, NULL, &err));
        ck_assert_int_eq((int)result, (int)FOLD_APPLIED);
        ck_assert_msg((int64_t)user_state_size(state) <= cost.fixed_bytes + i * cost.event_bytes, "%d events: %zu", i,
                      user_state_size(state));
    }
    /* The worst case is not far off. */
    ck_assert_int_gt((int64_t)user_state_size(state) * 3, 3000 * cost.event_bytes);
    user_state_free(state);
    evaluation_free(evaluation);
    ruleset_free(ruleset);
    json_document_clear(&document);
    arena_clear(&arena);
    segment_set_clear(&set);
}
END_TEST

Suite *rule_cost_suite(void)
{
    Suite *suite = suite_create("rule_cost");
    TCase *cases = tcase_create("rule_cost");

    tcase_add_test(cases, reach_and_streaming_are_said);
    tcase_add_test(cases, no_state_is_larger);
    tcase_add_test(cases, no_pruned_state_is_larger);
    suite_add_tcase(suite, cases);
    return suite;
}
