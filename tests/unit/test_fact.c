/* Which selectors take an event: those found by a text, and those tested one by one, take the same events as the rule
 * says; and the segments that a user's events lead to are all that can hold. */
#include "common/domain/fact.h"

#include "common/domain/evaluation_parts.h"
#include "common/domain/rule_parse.h"
#include "tests/unit/unit.h"

#include <stdio.h>

Suite *fact_suite(void);

enum { TEXT_SIZE = 256 };

/* Each is one condition on an event named e, for which nothing else is asked. */
static const char *const conditions[] = {
    "{\"property\":\"p\",\"=\":\"a\"}",
    "{\"property\":\"p\",\"=\":\"b\"}",
    "{\"property\":\"p\",\"=\":\"\"}",
    "{\"property\":\"p\",\"in\":[\"a\",\"c\"]}",
    "{\"property\":\"p\",\"in\":[\"a\",1]}",
    "{\"property\":\"p\",\"=\":1}",
    "{\"property\":\"p\",\"!=\":\"a\"}",
    "{\"property\":\"p\",\"=\":\"a\",\"startsWith\":\"b\"}",
    "{\"property\":\"p\",\"startsWith\":\"a\",\"=\":\"ab\"}",
    "{\"property\":\"p\",\"contains\":\"a\"}",
};

/* A value of p, and which of the conditions hold for it. */
static const struct {
    const char *value;
    const char *holds;
} cases[] = {
    {"\"a\"", "1001100001"},  {"\"b\"", "0100001000"}, {"\"c\"", "0001001000"},       {"\"\"", "0010001000"},
    {"\"ab\"", "0000001011"}, {"1", "0000111000"},     {"null", "0000000000"},        {"[\"a\"]", "0000001001"},
    {"true", "0000001000"},   {"{}", "0000001000"},    {"\"\\u0061\"", "1001100001"},
};

enum { CONDITION_COUNT = sizeof conditions / sizeof conditions[0] };

struct world {
    struct segment_set set;
    struct ruleset *ruleset;
    struct evaluation *evaluation;
    struct user_state *state;
    struct json_document document;
    struct arena arena;
};

static void world_init(struct world *world)
{
    struct error err = ERROR_INIT;

    *world = (struct world){0};
    segment_set_init(&world->set);
    json_document_init(&world->document);
    arena_init(&world->arena, 1 << 20);
    for (size_t i = 0; i < CONDITION_COUNT; i++) {
        char text[TEXT_SIZE];
        struct slice kept;

        (void)snprintf(text, sizeof text, "{\"segmentId\":\"s%zu\",\"criteria\":[{\"event\":\"e\",\"where\":[%s]}]}", i,
                       conditions[i]);
        ck_assert(arena_copy(&world->arena, slice_from(text), &kept));
        ck_assert_ok(segment_set_add(&world->set, SLICE_LITERAL("test.json"), kept, 0, &err));
    }
    ck_assert_ok(segment_set_check(&world->set, &err));
    ck_assert_ok(ruleset_new(&world->set, NULL, &world->ruleset, &err));
    ck_assert_ok(evaluation_new(world->ruleset, &world->evaluation, &err));
    ck_assert_ok(user_state_new(world->ruleset, &world->state, &err));
}

static void world_clear(struct world *world)
{
    user_state_free(world->state);
    evaluation_free(world->evaluation);
    ruleset_free(world->ruleset);
    segment_set_clear(&world->set);
    json_document_clear(&world->document);
    arena_clear(&world->arena);
}

static void decode(struct world *world, const char *value, char text[TEXT_SIZE], struct event *event)
{
    enum quarantine_reason reason;
    struct error err = ERROR_INIT;

    (void)snprintf(text, TEXT_SIZE,
                   "{\"type\":\"track\",\"userId\":\"u\",\"event\":\"e\",\"timestamp\":1000,\"properties\":{\"p\":%s}}",
                   value);
    ck_assert_ok(event_decode(slice_from(text), &world->document, &world->arena, event, &reason, &err));
    ck_assert_int_eq(reason, QUARANTINE_NONE);
}

/* The selectors of the shape are those of the conditions in their order, each with a segment of its own. */
START_TEST(texts_lead_to_selectors)
{
    struct world world;
    struct error err = ERROR_INIT;

    world_init(&world);
    ck_assert_uint_gt(
        ruleset_shape(world.ruleset, SLICE_LITERAL("e"), ruleset_name_hash(SLICE_LITERAL("e")))->lookup_count, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct shape *shape =
            ruleset_shape(world.ruleset, SLICE_LITERAL("e"), ruleset_name_hash(SLICE_LITERAL("e")));
        const struct segment_membership *found;
        char text[TEXT_SIZE];
        size_t found_count;
        size_t held_count = 0;
        enum fold_result result;
        struct event event;
        struct fact fact;

        decode(&world, cases[i].value, text, &event);
        ck_assert_ok(fact_take(world.ruleset, &event, world.evaluation, &fact, &err));
        for (size_t k = 0; k < CONDITION_COUNT; k++) {
            uint32_t selector = world.ruleset->segments[k].criteria[0].plan.selector;
            bool holds = cases[i].holds[k] == '1';

            ck_assert_msg(bit_is_set(fact.mask, selector) == holds, "%s of %s", conditions[k], cases[i].value);
            for (size_t place = 0; place < shape->tested_count; place++) {
                if (shape->tested[place] == selector) {
                    ck_assert_int_eq(bit_is_set(fact.taken, place), holds);
                }
            }
            held_count += holds;
        }
        ck_assert_int_eq(fact.matched, held_count > 0);

        user_state_clear(world.ruleset, world.state);
        ck_assert_ok(user_state_fold(world.ruleset, world.state, &event, world.evaluation, &result, NULL, &err));
        ck_assert_ok(
            user_state_standing(world.ruleset, world.state, 2000, world.evaluation, &found, &found_count, &err));
        ck_assert_uint_eq(found_count, held_count);
        for (size_t k = 0; k < found_count; k++) {
            ck_assert(found[k].membership.member && cases[i].holds[found[k].segment] == '1');
            ck_assert_int_eq(found[k].membership.entered_at, 1000);
        }
    }
    world_clear(&world);
}
END_TEST

Suite *fact_suite(void)
{
    Suite *suite = suite_create("fact");
    TCase *tests = tcase_create("all");

    tcase_add_test(tests, texts_lead_to_selectors);
    suite_add_tcase(suite, tests);
    return suite;
}
