/* Explanations: exact texts of every form (explanation_cases.txt), and that the event which they say would change a
 * criterion does. That truths and instants are the evaluator's is tested on random cases by tests/oracle/explained.c.
 */
#include "common/domain/explanation.h"

#include "common/base/file.h"
#include "common/base/timestamp.h"
#include "common/domain/percentile.h"
#include "common/domain/rule_parse.h"
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

static struct slice schema_text(struct buffer *text)
{
    struct error err = ERROR_INIT;

    buffer_init(text, TEXT_SIZE_MAX);
    ck_assert_ok(file_read("schemas/explanation.schema.json", text, &err));
    return buffer_slice(text);
}

/* The JSON form is JSON, and has no key that its schema does not name. */
static void check_json(struct world *world, struct slice schema)
{
    static const struct json_limits limits = {.depth_max = 64, .size_max = TEXT_SIZE_MAX};
    struct error err = ERROR_INIT;

    buffer_reset(&world->text);
    explanation_append_json(&world->text, SLICE_LITERAL("u"), &world->explanation.segment);
    ck_assert_ok(buffer_finish(&world->text, "json", &err));
    ck_assert_ok(json_parse(&world->document, buffer_slice(&world->text), &limits, &err));
    ck_assert(memchr(world->text.data, '\n', world->text.size) == NULL);
    for (uint32_t i = 0; i < world->document.token_count; i++) {
        struct slice raw = json_raw(&world->document, (int32_t)i);
        const char *end = raw.data + raw.size;
        char key[64];

        if (world->document.tokens[i].type == JSON_STRING && end[0] == '"' && end[1] == ':') {
            (void)snprintf(key, sizeof key, "\"%.*s\": {", (int)raw.size, raw.data);
            ck_assert_msg(memmem(schema.data, schema.size, key, strlen(key)) != NULL, "not in the schema: %s", key);
        }
    }
}

static void check_case(struct slice name, struct slice *rest, struct slice schema)
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
    check_json(&world, schema);
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
    struct buffer schema;
    struct buffer text;
    struct slice rest;
    int count = 0;

    buffer_init(&text, TEXT_SIZE_MAX);
    ck_assert_ok(file_read("tests/unit/explanation_cases.txt", &text, &err));
    (void)schema_text(&schema);
    rest = buffer_slice(&text);
    while (rest.size > 0) {
        struct slice line = next_line(&rest);

        if (!slice_starts_with(line, SLICE_LITERAL("#"))) {
            check_case(behind(line, "== "), &rest, buffer_slice(&schema));
            count++;
        }
    }
    ck_assert_int_gt(count, 30);
    buffer_clear(&schema);
    buffer_clear(&text);
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

Suite *explanation_suite(void)
{
    Suite *suite = suite_create("explanation");
    TCase *tests = tcase_create("explanation");

    tcase_add_test(tests, every_form_is_explained);
    tcase_add_test(tests, each_failing_allocation_is_reported);
    tcase_add_test(tests, a_percentile_needs_ranks);
    suite_add_tcase(suite, tests);
    return suite;
}
