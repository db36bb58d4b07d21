/* Explanations: exact texts of every form (explanation_cases.txt), and that the event which they say would change a
 * criterion does. That truths and instants are the evaluator's is tested on random cases by tests/oracle/explained.c.
 */
#include "common/domain/explanation.h"

#include "common/base/file.h"
#include "common/base/timestamp.h"
#include "common/domain/percentile.h"
#include "common/domain/rule_parse.h"
#include "tests/unit/json_schema.h"
#include "tests/unit/unit.h"

#include <stdio.h>

Suite *explanation_suite(void);

enum { TEXT_SIZE_MAX = 1 << 20 };

struct world {
    struct segment_set set;
    struct ruleset *ruleset;
    struct evaluation *evaluation;
    struct ranks *ranks;
    struct user_state *state;
    struct json_document document;
    struct arena arena; /* of the event in hand */
    struct explanation_names names;
    struct explanation explanation;
    struct buffer text;
};

static bool world_init(struct world *world, struct slice definitions, struct error *err)
{
    *world = (struct world){0};
    segment_set_init(&world->set);
    json_document_init(&world->document);
    arena_init(&world->arena, TEXT_SIZE_MAX);
    explanation_names_init(&world->names);
    explanation_init(&world->explanation);
    buffer_init(&world->text, TEXT_SIZE_MAX);
    return segment_set_add(&world->set, SLICE_LITERAL("test.json"), definitions, 0, err) &&
           segment_set_check(&world->set, err) && ruleset_new(&world->set, NULL, &world->ruleset, err) &&
           evaluation_new(world->ruleset, &world->evaluation, err) &&
           user_state_new(world->ruleset, &world->state, err);
}

static void world_clear(struct world *world)
{
    buffer_clear(&world->text);
    explanation_clear(&world->explanation);
    user_state_free(world->state);
    ranks_free(world->ranks);
    evaluation_free(world->evaluation);
    ruleset_free(world->ruleset);
    json_document_clear(&world->document);
    arena_clear(&world->arena);
    explanation_names_clear(&world->names);
    segment_set_clear(&world->set);
}

static bool fold(struct world *world, struct slice line, int64_t *time_ms, struct error *err)
{
    enum quarantine_reason reason;
    enum fold_result result;
    struct event event;

    arena_reset(&world->arena);
    if (!event_decode(line, &world->document, &world->arena, &event, &reason, err)) {
        return false;
    }
    ck_assert_msg(reason == QUARANTINE_NONE, "%.*s: %s", (int)line.size, line.data, err->message);
    *time_ms = event.time_ms;
    return explanation_names_add(&world->names, &event, err) &&
           user_state_fold(world->ruleset, world->state, &event, world->evaluation, &result, NULL, err);
}

/* The only user is ranked alone. */
static bool explain(struct world *world, int64_t at, struct error *err)
{
    size_t segment = segment_set_find(&world->set, SLICE_LITERAL("s"));

    if (ruleset_percentile_count(world->ruleset) > 0 && world->ranks == NULL) {
        if (!ranks_new(world->ruleset, &world->ranks, err) ||
            !ranks_add(world->ranks, world->state, at, world->evaluation, err) || !ranks_finish(world->ranks, err)) {
            return false;
        }
        evaluation_ranks(world->evaluation, world->ranks);
    }
    return explanation_make(world->ruleset, world->state, segment, at, &world->names, world->evaluation,
                            &world->explanation, err);
}

/* ---- the file ---- */

static struct slice next_line(struct slice *rest)
{
    const char *end = memchr(rest->data, '\n', rest->size);
    struct slice line = slice_of(rest->data, (size_t)(end - rest->data));

    ck_assert_ptr_nonnull(end);
    *rest = slice_of(end + 1, rest->size - line.size - 1);
    return line;
}

static struct slice behind(struct slice line, const char *head)
{
    size_t size = strlen(head);

    ck_assert_msg(slice_starts_with(line, slice_from(head)), "%.*s", (int)line.size, line.data);
    return slice_of(line.data + size, line.size - size);
}

/* Which forms and measures were seen: the file has them all. */
struct seen {
    bool forms[CRITERION_PERCENTILE + 1];
    bool measures[RULE_EARLIEST + 1];
};

static void note_forms(struct seen *seen, const struct explanation_node *nodes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        seen->forms[nodes[i].criterion->kind] = true;
        seen->measures[nodes[i].criterion->measure.kind] = true;
        note_forms(seen, nodes[i].children, nodes[i].child_count);
    }
}

static bool conforms(struct json_schema *schema, const char *name, struct slice text, struct json_document *document)
{
    static const struct json_limits limits = {.depth_max = 64, .size_max = TEXT_SIZE_MAX};
    struct error err = ERROR_INIT;

    ck_assert_ok(json_parse(document, text, &limits, &err));
    return json_schema_takes(schema, name, document);
}

/* The JSON form is one line of JSON that its schema takes. */
static void check_json(struct world *world, struct json_schema *schema, struct slice name)
{
    struct error err = ERROR_INIT;

    buffer_reset(&world->text);
    explanation_append_json(&world->text, SLICE_LITERAL("u"), &world->explanation.segment);
    ck_assert_ok(buffer_finish(&world->text, "json", &err));
    ck_assert(memchr(world->text.data, '\n', world->text.size) == NULL);
    ck_assert_msg(conforms(schema, NULL, buffer_slice(&world->text), &world->document), "%.*s: %s", (int)name.size,
                  name.data, schema->why);
}

static void check_case(struct slice name, struct slice *rest, struct json_schema *schema, struct seen *seen)
{
    struct error err = ERROR_INIT;
    struct slice then = {0};
    struct slice line;
    struct world world;
    int64_t at;
    int64_t time_ms;
    bool before;

    ck_assert_ok(world_init(&world, next_line(rest), &err));
    ck_assert(timestamp_parse(behind(next_line(rest), "at "), &at));
    while (line = next_line(rest), !slice_equal_text(line, "--")) {
        if (slice_starts_with(line, SLICE_LITERAL("then "))) {
            then = behind(line, "then ");
        } else {
            ck_assert_ok(fold(&world, line, &time_ms, &err));
        }
    }
    ck_assert_ok(explain(&world, at, &err));
    explanation_append_text(&world.text, SLICE_LITERAL("u"), &world.explanation.segment);
    ck_assert_ok(buffer_finish(&world.text, "text", &err));
    ck_assert_msg(slice_starts_with(*rest, buffer_slice(&world.text)), "%.*s is now:\n%s", (int)name.size, name.data,
                  buffer_text(&world.text));
    *rest = slice_of(rest->data + world.text.size, rest->size - world.text.size);
    check_json(&world, schema, name);
    note_forms(seen, world.explanation.segment.criteria, world.explanation.segment.criterion_count);
    if (then.size > 0) {
        before = world.explanation.segment.criteria[0].holds;
        ck_assert_ok(fold(&world, then, &time_ms, &err));
        ck_assert_ok(explain(&world, time_ms - 1, &err));
        ck_assert_msg(world.explanation.segment.criteria[0].holds == before, "%.*s", (int)name.size, name.data);
        ck_assert_ok(explain(&world, time_ms, &err));
        ck_assert_msg(world.explanation.segment.criteria[0].holds != before, "%.*s", (int)name.size, name.data);
    }
    world_clear(&world);
}

START_TEST(every_form_is_explained)
{
    struct error err = ERROR_INIT;
    struct seen seen = {0};
    struct json_schema schema;
    struct buffer text;
    struct slice rest;
    int count = 0;

    buffer_init(&text, TEXT_SIZE_MAX);
    ck_assert_ok(file_read("tests/unit/explanation_cases.txt", &text, &err));
    json_schema_open(&schema, "schemas/explanation.schema.json");
    rest = buffer_slice(&text);
    while (rest.size > 0) {
        struct slice line = next_line(&rest);

        if (!slice_starts_with(line, SLICE_LITERAL("#"))) {
            check_case(behind(line, "== "), &rest, &schema, &seen);
            count++;
        }
    }
    ck_assert_int_gt(count, 30);
    for (size_t kind = CRITERION_NONE + 1; kind < sizeof seen.forms / sizeof seen.forms[0]; kind++) {
        ck_assert_msg(seen.forms[kind], "no case of %s", criterion_kind_name((enum criterion_kind)kind));
    }
    for (size_t kind = RULE_MEASURE_NONE; kind < sizeof seen.measures / sizeof seen.measures[0]; kind++) {
        ck_assert_msg(seen.measures[kind], "no case of %s", rule_measure_name((enum rule_measure_kind)kind));
    }
    json_schema_close(&schema);
    buffer_clear(&text);
}
END_TEST

/* What the schema says of each form, and by the first letter whether it takes this. */
static const char *const judged_criteria[] = {
    "y{\"form\":\"event\",\"path\":\"p\",\"rule\":\"r\",\"value\":2}",
    "n{\"form\":\"event\",\"path\":\"p\",\"rule\":\"r\"}",
    "n{\"form\":\"event\",\"path\":\"p\",\"rule\":\"r\",\"value\":\"2\"}",
    "n{\"form\":\"event\",\"path\":\"p\",\"rule\":\"r\",\"value\":2,\"length_ms\":2}",
    "n{\"form\":\"event\",\"path\":\"p\",\"rule\":\"r\",\"value\":2,\"other\":2}",
    "n{\"form\":\"event\",\"path\":\"p\",\"rule\":\"r\",\"value\":2,\"changes_at\":\"tomorrow\"}",
    "n{\"form\":\"event\",\"path\":\"p\",\"rule\":\"r\",\"measure\":\"median\",\"value\":2}",
    "n{\"form\":\"event\",\"path\":\"p\",\"rule\":\"r\",\"measure\":\"count\",\"value\":2.5}",
    "n{\"form\":\"event\",\"path\":\"p\",\"rule\":\"r\",\"measure\":\"count\",\"value\":null}",
    "n{\"form\":\"event\",\"path\":\"p\",\"rule\":\"r\",\"measure\":\"distinct\",\"value\":-1}",
    "y{\"form\":\"event\",\"path\":\"p\",\"rule\":\"r\",\"measure\":\"sum\",\"value\":2.5}",
    "n{\"form\":\"event\",\"path\":\"p\",\"rule\":\"r\",\"measure\":\"sum\",\"value\":null}",
    "n{\"form\":\"event\",\"path\":\"p\",\"rule\":\"r\",\"measure\":\"sum\",\"value\":{\"sum\":5,\"count\":3}}",
    "y{\"form\":\"event\",\"path\":\"p\",\"rule\":\"r\",\"measure\":\"avg\",\"value\":{\"sum\":5,\"count\":3}}",
    "y{\"form\":\"event\",\"path\":\"p\",\"rule\":\"r\",\"measure\":\"avg\",\"value\":null}",
    "n{\"form\":\"event\",\"path\":\"p\",\"rule\":\"r\",\"measure\":\"avg\",\"value\":{\"sum\":5}}",
    "n{\"form\":\"event\",\"path\":\"p\",\"rule\":\"r\",\"measure\":\"avg\",\"value\":\"x\"}",
    "y{\"form\":\"event\",\"path\":\"p\",\"rule\":\"r\",\"measure\":\"min\",\"value\":null}",
    "n{\"form\":\"event\",\"path\":\"p\",\"rule\":\"r\",\"measure\":\"max\",\"value\":{\"sum\":5,\"count\":3}}",
    "y{\"form\":\"event\",\"path\":\"p\",\"rule\":\"r\",\"measure\":\"last\",\"length_ms\":5}",
    "n{\"form\":\"event\",\"path\":\"p\",\"rule\":\"r\",\"measure\":\"last\",\"value\":5}",
    "n{\"form\":\"event\",\"path\":\"p\",\"rule\":\"r\",\"measure\":\"first\",\"length_ms\":\"5d\"}",
    "y{\"form\":\"event\",\"path\":\"p\",\"rule\":\"r\",\"measure\":\"latest\",\"value\":[1]}",
    "n{\"form\":\"event\",\"path\":\"p\",\"rule\":\"r\",\"measure\":\"latest\"}",
    "n{\"form\":\"event\",\"path\":\"p\",\"rule\":\"r\",\"measure\":\"earliest\",\"length_ms\":5}",
    "y{\"form\":\"percentile\",\"path\":\"p\",\"rule\":\"r\",\"holds\":true,\"measure\":\"sum\",\"value\":5}",
    "n{\"form\":\"percentile\",\"path\":\"p\",\"rule\":\"r\",\"holds\":true,\"measure\":\"sum\",\"value\":\"x\"}",
    "y{\"form\":\"trait\",\"path\":\"p\",\"rule\":\"r\",\"holds\":true,\"bound\":\"= 5\",\"value\":\"x\"}",
    "n{\"form\":\"trait\",\"path\":\"p\",\"rule\":\"r\",\"holds\":true,\"bound\":\"= 5\"}",
    "n{\"form\":\"trait\",\"path\":\"p\",\"rule\":\"r\",\"holds\":true,\"bound\":\"= "
    "5\",\"value\":5,\"measure\":\"sum\"}",
    "y{\"form\":\"age\",\"path\":\"p\",\"rule\":\"r\",\"holds\":true,\"bound\":\"> 5d\",\"length_ms\":null}",
    "y{\"form\":\"age\",\"path\":\"p\",\"rule\":\"r\",\"holds\":true,\"bound\":\"> 5d\",\"value\":null}",
    "n{\"form\":\"age\",\"path\":\"p\",\"rule\":\"r\",\"holds\":true,\"bound\":\"> 5d\",\"value\":\"x\"}",
    "n{\"form\":\"until\",\"path\":\"p\",\"rule\":\"r\",\"holds\":true,\"bound\":\"> "
    "5d\",\"value\":null,\"length_ms\":5}",
    "n{\"form\":\"until\",\"path\":\"p\",\"rule\":\"r\",\"holds\":true,\"bound\":\"> 5d\"}",
    "y{\"form\":\"sequence\",\"path\":\"p\",\"rule\":\"r\",\"holds\":true}",
    "n{\"form\":\"sequence\",\"path\":\"p\",\"rule\":\"r\",\"holds\":true,\"value\":5}",
    "n{\"form\":\"notFollowedBy\",\"path\":\"p\",\"rule\":\"r\",\"holds\":true,\"criteria\":[]}",
    "n{\"form\":\"compare\",\"path\":\"p\",\"rule\":\"r\",\"holds\":true,\"bound\":\"> 2\",\"criteria\":[]}",
    "n{\"form\":\"not\",\"path\":\"p\",\"rule\":\"r\",\"holds\":true}",
    "n{\"form\":\"segment\",\"path\":\"p\",\"rule\":\"r\",\"holds\":true}",
    "y{\"form\":\"segment\",\"path\":\"p\",\"rule\":\"r\",\"holds\":true,\"segment\":{\"segment\":\"t\",\"member\":"
    "true}}",
    "n{\"form\":\"both\",\"path\":\"p\",\"rule\":\"r\",\"holds\":true}",
};

START_TEST(the_schema_says_what_the_values_are)
{
    struct json_document document;
    struct json_schema schema;

    json_schema_open(&schema, "schemas/explanation.schema.json");
    json_document_init(&document);
    for (size_t i = 0; i < sizeof judged_criteria / sizeof judged_criteria[0]; i++) {
        const char *text = judged_criteria[i];

        ck_assert_msg(conforms(&schema, "criterion", slice_from(text + 1), &document) == (text[0] == 'y'), "%s: %s",
                      text, schema.why);
    }
    json_document_clear(&document);
    json_schema_close(&schema);
}
END_TEST

static const char all_forms[] =
    "[{\"segmentId\":\"s\",\"criteria\":[{\"event\":\"*\",\"window\":\"9d\",\"sum\":{\"property\":\"n\",\">\":4}},"
    "{\"any\":[{\"not\":{\"segment\":\"t\"}},{\"trait\":\"p\",\"=\":\"x\"}]},"
    "{\"event\":\"a\",\"distinct\":{\"property\":\"n\",\">\":4}},{\"event\":\"a\",\"max\":{\"property\":\"n\",\">\":4}}"
    ","
    "{\"compare\":{\"left\":{\"event\":\"a\",\"count\":{}},\"op\":\">\",\"right\":{\"event\":\"b\",\"count\":{}}}},"
    "{\"event\":\"a\",\"notFollowedBy\":{\"event\":\"b\"},\"within\":\"1h\",\"same\":[\"n\"]},"
    "{\"sequence\":[{\"event\":\"a\"},{\"event\":\"b\"}],\"within\":\"1h\"}],\"membershipDuration\":\"1d\"},"
    "{\"segmentId\":\"t\",\"criteria\":[{\"event\":\"b\"}]}]";

static const char *const all_events[] = {
    "{\"type\":\"track\",\"messageId\":\"1\",\"userId\":\"u\",\"timestamp\":1000,\"event\":\"a\",\"properties\":{\"n\":"
    "2}}",
    "{\"type\":\"track\",\"messageId\":\"2\",\"userId\":\"u\",\"timestamp\":2000,\"event\":\"c\",\"properties\":{\"n\":"
    "5}}",
    "{\"type\":\"track\",\"userId\":\"u\",\"timestamp\":3000,\"event\":\"b\",\"properties\":{\"n\":\"x\"}}",
    "{\"type\":\"identify\",\"userId\":\"u\",\"timestamp\":3000,\"traits\":{\"p\":\"x\"}}",
};

static bool scenario(void *context, struct error *err)
{
    struct world world;
    int64_t time_ms;
    bool done = world_init(&world, slice_from(all_forms), err);

    (void)context;
    for (size_t i = 0; done && i < sizeof all_events / sizeof all_events[0]; i++) {
        done = fold(&world, slice_from(all_events[i]), &time_ms, err);
    }
    done = done && explain(&world, 4000, err);
    if (done) {
        explanation_append_text(&world.text, SLICE_LITERAL("u"), &world.explanation.segment);
        explanation_append_json(&world.text, SLICE_LITERAL("u"), &world.explanation.segment);
        done = buffer_finish(&world.text, "text", err);
    }
    world_clear(&world);
    return done;
}

START_TEST(each_failing_allocation_is_reported)
{
    unit_fail_each_allocation(scenario, NULL);
}
END_TEST

START_TEST(a_percentile_needs_ranks)
{
    struct error err = ERROR_INIT;
    struct world world;

    ck_assert_ok(
        world_init(&world,
                   SLICE_LITERAL("{\"segmentId\":\"s\",\"evaluation\":\"batch\",\"criteria\":[{\"percentile\":9,"
                                 "\"of\":{\"event\":\"a\",\"count\":{}}}]}"),
                   &err));
    ck_assert_fails(explanation_make(world.ruleset, world.state, 0, 0, NULL, world.evaluation, &world.explanation,
                                     &err),
                    ERROR_INPUT, "values of all users");
    world_clear(&world);
}
END_TEST

/* A user of that tier with so many events, folded into the world's state or, where that is given, another one. */
static void fold_user(struct world *world, struct user_state *state, const char *tier, int count)
{
    struct error err = ERROR_INIT;

    for (int i = 0; i <= count; i++) {
        enum quarantine_reason reason;
        enum fold_result result;
        struct event event;
        char text[256];

        (void)snprintf(text, sizeof text,
                       i == 0 ? "{\"type\":\"identify\",\"userId\":\"u\",\"timestamp\":%d,\"traits\":{\"tier\":\"%s\"}}"
                              : "{\"type\":\"track\",\"userId\":\"u\",\"timestamp\":%d,\"event\":\"a\",\"properties\":{"
                                "\"t\":\"%s\"}}",
                       1000 + i, tier);
        arena_reset(&world->arena);
        ck_assert_ok(event_decode(slice_from(text), &world->document, &world->arena, &event, &reason, &err));
        ck_assert_ok(user_state_fold(world->ruleset, state, &event, world->evaluation, &result, NULL, &err));
    }
}

START_TEST(a_percentile_names_rank_and_group)
{
    static const struct {
        const char *tier;
        int count;
    } others[] = {{"gold", 5}, {"gold", 1}, {"tin", 3}, {"gold", 1}, {"tin", 4}};
    struct error err = ERROR_INIT;
    struct world world;

    ck_assert_ok(
        world_init(&world,
                   SLICE_LITERAL("{\"segmentId\":\"s\",\"evaluation\":\"batch\",\"criteria\":[{\"percentile\":50,"
                                 "\"of\":{\"event\":\"a\",\"count\":{}},\"by\":\"tier\"}]}"),
                   &err));
    fold_user(&world, world.state, "gold", 2);
    ck_assert_ok(ranks_new(world.ruleset, &world.ranks, &err));
    ck_assert_ok(ranks_add(world.ranks, world.state, 2000, world.evaluation, &err));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct user_state *state = NULL;

        ck_assert_ok(user_state_new(world.ruleset, &state, &err));
        fold_user(&world, state, others[i].tier, others[i].count);
        ck_assert_ok(ranks_add(world.ranks, state, 2000, world.evaluation, &err));
        user_state_free(state);
    }
    ck_assert_ok(ranks_finish(world.ranks, &err));
    evaluation_ranks(world.evaluation, world.ranks);
    ck_assert_ok(explain(&world, 2000, &err));
    explanation_append_text(&world.text, SLICE_LITERAL("u"), &world.explanation.segment);
    ck_assert_ok(buffer_finish(&world.text, "text", &err));
    ck_assert_ptr_nonnull(strstr(buffer_text(&world.text),
                                 "2 against 1, the value at rank 2 of 4 users whose tier = \"gold\"; 2 have less"));
    ck_assert(world.explanation.segment.membership.member);
    world_clear(&world);
}
END_TEST

Suite *explanation_suite(void)
{
    Suite *suite = suite_create("explanation");
    TCase *tests = tcase_create("explanation");

    tcase_add_test(tests, every_form_is_explained);
    tcase_add_test(tests, the_schema_says_what_the_values_are);
    tcase_add_test(tests, each_failing_allocation_is_reported);
    tcase_add_test(tests, a_percentile_needs_ranks);
    tcase_add_test(tests, a_percentile_names_rank_and_group);
    suite_add_tcase(suite, tests);
    return suite;
}
