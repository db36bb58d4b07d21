/* What a stranger chooses the size of: the largest that is taken, and the first that is refused, with what is said. */
#include "common/base/csv.h"
#include "common/domain/event.h"
#include "common/domain/mapping.h"
#include "common/domain/rule_parse.h"
#include "common/domain/ruleset.h"
#include "tests/unit/unit.h"

#include <string.h>

Suite *limits_suite(void);

enum { TEXT_MAX = 32 << 20 };

/* Appends `count` times `format` with the number, separated by commas. */
static void repeat(struct buffer *out, const char *before, const char *after, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buffer_append_format(out, "%s%s%zu%s", i == 0 ? "" : ",", before, i, after);
    }
}

/* ---- messages ---- */

static enum quarantine_reason judge(struct buffer *text, struct error *why)
{
    enum quarantine_reason reason = QUARANTINE_NONE;
    struct json_document document;
    struct arena arena;
    struct event event;

    json_document_init(&document);
    arena_init(&arena, 2 * EVENT_SIZE_MAX);
    ck_assert(!text->failed);
    ck_assert(event_decode(buffer_slice(text), &document, &arena, &event, &reason, why));
    arena_clear(&arena);
    json_document_clear(&document);
    buffer_clear(text);
    buffer_init(text, TEXT_MAX);
    return reason;
}

START_TEST(messages)
{
    struct error why = ERROR_INIT;
    struct buffer text;

    buffer_init(&text, TEXT_MAX);
    for (size_t count = 256; count <= 257; count++) {
        buffer_append_text(&text, "{\"type\":\"consent\",\"userId\":\"u\",\"timestamp\":1,\"purposes\":{");
        repeat(&text, "\"p", "\":true", count);
        buffer_append_text(&text, "}}");
        ck_assert_int_eq(judge(&text, &why), count == 256 ? QUARANTINE_NONE : QUARANTINE_PURPOSES);
    }
    ck_assert_str_eq(why.message, "more than 256 purposes");
    for (size_t size = 256; size <= 257; size++) {
        buffer_append_text(&text, "{\"type\":\"consent\",\"userId\":\"u\",\"timestamp\":1,\"purposes\":{\"");
        for (size_t i = 0; i < size; i++) {
            buffer_append_char(&text, 'p');
        }
        buffer_append_text(&text, "\":true}}");
        ck_assert_int_eq(judge(&text, &why), size == 256 ? QUARANTINE_NONE : QUARANTINE_PURPOSES);
    }
    /* As many properties as there is room for, then one byte too many. */
    for (size_t more = 0; more <= 1; more++) {
        buffer_append_text(&text,
                           "{\"type\":\"track\",\"userId\":\"u\",\"timestamp\":1,\"event\":\"e\",\"properties\":{");
        repeat(&text, "\"", "\":1", 100000);
        buffer_append_text(&text, "}}");
        ck_assert_uint_lt(text.size, EVENT_SIZE_MAX);
        while (text.size < EVENT_SIZE_MAX + more) {
            buffer_append_char(&text, ' ');
        }
        ck_assert_int_eq(judge(&text, &why), more == 0 ? QUARANTINE_NONE : QUARANTINE_TOO_LARGE);
    }
    buffer_clear(&text);
}
END_TEST

/* ---- definitions ---- */

struct definition_limit {
    const char *head;
    const char *before; /* of an element, before its number */
    const char *after;
    const char *tail;
    size_t count_max;
    const char *message;
};

static const struct definition_limit definition_limits[] = {
    {"{\"segmentId\":\"a\",\"criteria\":[", "{\"event\":\"e", "\"}", "]}", 10000,
     "f.json: $.criteria: more than 10000 criteria"},
    {"{\"segmentId\":\"a\",\"criteria\":[{\"any\":[", "{\"event\":\"e", "\"}", "]}]}", 10000,
     "f.json: $.criteria[0].any: more than 10000 criteria"},
    {"{\"segmentId\":\"a\",\"criteria\":[{\"event\":[", "\"e", "\"", "]}]}", 1000,
     "f.json: $.criteria[0].event: more than 1000 event names"},
    {"{\"segmentId\":\"a\",\"criteria\":[{\"event\":\"e\",\"where\":[", "{\"property\":\"p", "\",\"=\":1}", "]}]}",
     1000, "f.json: $.criteria[0].where: more than 1000 predicates"},
    {"{\"segmentId\":\"a\",\"criteria\":[{\"event\":\"e\",\"where\":[{\"property\":\"p\",\"in\":[", "", "", "]}]}]}",
     100000, "f.json: $.criteria[0].where[0].in: more than 100000 strings, numbers or booleans"},
    {"{\"segmentId\":\"a\",\"criteria\":[{\"within\":\"1h\",\"sequence\":[", "{\"event\":\"e", "\"}", "]}]}", 100,
     "f.json: $.criteria[0].sequence: more than 100 steps"},
    {"{\"segmentId\":\"a\",\"criteria\":[{\"event\":\"e\",\"notFollowedBy\":{\"event\":\"f\"},\"within\":\"1h\","
     "\"same\":[",
     "\"p", "\"", "]}]}", 100, "f.json: $.criteria[0].same: more than 100 property paths"},
    {"{\"segmentId\":\"a\",\"criteria\":[{\"event\":\"e\"}],\"tags\":[", "\"t", "\"", "]}", 1000,
     "f.json: $.tags: more than 1000 strings"},
};

static bool compile(struct buffer *text, struct error *err)
{
    struct ruleset *ruleset = NULL;
    struct segment_set set;
    bool done;

    segment_set_init(&set);
    ck_assert(!text->failed);
    done = segment_set_add(&set, SLICE_LITERAL("f.json"), buffer_slice(text), 0, err) && segment_set_check(&set, err) &&
           ruleset_new(&set, NULL, &ruleset, err);
    ruleset_free(ruleset);
    segment_set_clear(&set);
    buffer_clear(text);
    buffer_init(text, TEXT_MAX);
    return done;
}

START_TEST(definitions)
{
    const struct definition_limit *limit = &definition_limits[_i];
    struct error err = ERROR_INIT;
    struct buffer text;

    buffer_init(&text, TEXT_MAX);
    for (size_t more = 0; more <= 1; more++) {
        buffer_append_text(&text, limit->head);
        repeat(&text, limit->before, limit->after, limit->count_max + more);
        buffer_append_text(&text, limit->tail);
        if (more == 0) {
            ck_assert_ok(compile(&text, &err));
        } else {
            ck_assert(!compile(&text, &err));
            ck_assert_int_eq(err.code, ERROR_INPUT);
            ck_assert_str_eq(err.message, limit->message);
        }
    }
    buffer_clear(&text);
}
END_TEST

/* `count` definitions, each with `each` criteria of their own. */
static void write_definitions(struct buffer *out, size_t count, size_t each, const char *before, const char *after)
{
    buffer_append_char(out, '[');
    for (size_t i = 0; i < count; i++) {
        buffer_append_format(out, "%s{\"segmentId\":\"s%zu\",\"criteria\":[", i == 0 ? "" : ",", i);
        for (size_t k = 0; k < each; k++) {
            buffer_append_format(out, "%s%s%zu%s", k == 0 ? "" : ",", before, i * each + k, after);
        }
        buffer_append_text(out, "]}");
    }
    buffer_append_char(out, ']');
}

START_TEST(what_is_evaluated_together)
{
    struct error err = ERROR_INIT;
    struct buffer text;

    buffer_init(&text, TEXT_MAX);
    write_definitions(&text, RULESET_SEGMENT_COUNT_MAX, 1, "{\"event\":\"e\",\"count\":{\">=\":", "}}");
    ck_assert_ok(compile(&text, &err));
    write_definitions(&text, RULESET_SEGMENT_COUNT_MAX + 1, 1, "{\"event\":\"e\",\"count\":{\">=\":", "}}");
    ck_assert_fails(compile(&text, &err), ERROR_INPUT, "more than 10000 segments");
    write_definitions(&text, 4, RULESET_CONDITION_COUNT_MAX / 4, "{\"event\":\"e", "\"}");
    ck_assert_ok(compile(&text, &err));
    write_definitions(&text, 3, RULESET_CONDITION_COUNT_MAX / 3 + 1, "{\"event\":\"e", "\"}");
    ck_assert_fails(compile(&text, &err), ERROR_INPUT, "more than 20000 different conditions");
    write_definitions(&text, 7, 3000, "{\"event\":\"e\",\"sum\":{\"property\":\"p", "\",\">\":1}}");
    ck_assert_fails(compile(&text, &err), ERROR_INPUT, "more than 20000 different properties");
    write_definitions(&text, 3, 10000, "{\"event\":[\"a\",\"f\",\"e", "\"]}");
    ck_assert_fails(compile(&text, &err), ERROR_INPUT, "more than 20000 different conditions");
    buffer_clear(&text);
}
END_TEST

/* Names are counted by themselves: a condition can have many. */
START_TEST(names_of_events)
{
    struct error err = ERROR_INIT;
    struct buffer text;

    buffer_init(&text, TEXT_MAX);
    for (size_t more = 0; more <= 1; more++) {
        buffer_append_text(&text, "{\"segmentId\":\"a\",\"criteria\":[{\"event\":\"e0\"}");
        for (size_t i = 0; i < RULESET_NAME_COUNT_MAX / 1000; i++) {
            buffer_append_text(&text, ",{\"event\":[");
            for (size_t k = 0; k < 1000; k++) {
                buffer_append_format(&text, "%s\"e%zu\"", k == 0 ? "" : ",", i * 1000 + k + more);
            }
            buffer_append_text(&text, "]}");
        }
        buffer_append_text(&text, "]}");
        if (more == 0) {
            ck_assert_ok(compile(&text, &err));
        } else {
            ck_assert_fails(compile(&text, &err), ERROR_INPUT, "name more than 20000 different events");
        }
    }
    buffer_clear(&text);
}
END_TEST

/* ---- CSV and mappings ---- */

START_TEST(csv_fields)
{
    struct error err = ERROR_INIT;
    struct csv_record record;
    struct buffer text;
    struct arena arena;

    csv_record_init(&record);
    arena_init(&arena, 1 << 20);
    buffer_init(&text, TEXT_MAX);
    repeat(&text, "", "", CSV_FIELD_COUNT_MAX);
    ck_assert_ok(csv_parse(buffer_slice(&text), &record, &arena, &err));
    ck_assert_uint_eq(record.field_count, CSV_FIELD_COUNT_MAX);
    buffer_append_char(&text, ',');
    ck_assert_fails(csv_parse(buffer_slice(&text), &record, &arena, &err), ERROR_INPUT, "more than 10000 fields");
    ck_assert_ok(csv_parse(slice_of(NULL, 0), &record, &arena, &err));
    ck_assert_uint_eq(record.field_count, 1);
    buffer_clear(&text);
    arena_clear(&arena);
    csv_record_clear(&record);
}
END_TEST

static bool read_mapping(struct buffer *text, struct error *err)
{
    struct mapping *mapping = NULL;
    bool done = mapping_new(buffer_slice(text), "m.map", &mapping, err);

    mapping_free(mapping);
    buffer_reset(text);
    return done;
}

START_TEST(mappings)
{
    struct error err = ERROR_INIT;
    struct buffer text;

    buffer_init(&text, TEXT_MAX);
    for (size_t count = 1000; count <= 1001; count++) {
        buffer_append_text(&text, "user = u\ntime = t\nevent = e\n");
        for (size_t i = 3; i < count; i++) {
            buffer_append_format(&text, "property.p%zu = c\n", i);
        }
        ck_assert_int_eq(read_mapping(&text, &err), count == 1000);
    }
    ck_assert_int_eq(err.code, ERROR_INPUT);
    for (size_t count = 8; count <= 9; count++) {
        buffer_append_text(&text, "time = t\nevent = e\nuser = u");
        for (size_t i = 0; i < count; i++) {
            buffer_append_text(&text, " | trim");
        }
        ck_assert_int_eq(read_mapping(&text, &err), count == 8);
    }
    ck_assert_int_eq(err.code, ERROR_INPUT);
    for (size_t count = 64; count <= 65; count++) {
        buffer_append_text(&text, "time = t\nuser = u\nevent = ");
        for (size_t i = 1; i < count; i++) {
            buffer_append_text(&text, "a if b = \"x\" else ");
        }
        buffer_append_text(&text, "\"c\"");
        ck_assert_int_eq(read_mapping(&text, &err), count == 64);
    }
    ck_assert_int_eq(err.code, ERROR_INPUT);
    buffer_clear(&text);
}
END_TEST

Suite *limits_suite(void)
{
    Suite *suite = suite_create("limits");
    TCase *tests = tcase_create("limits");

    tcase_add_test(tests, messages);
    tcase_add_loop_test(tests, definitions, 0, sizeof definition_limits / sizeof definition_limits[0]);
    tcase_add_test(tests, what_is_evaluated_together);
    tcase_add_test(tests, names_of_events);
    tcase_add_test(tests, csv_fields);
    tcase_add_test(tests, mappings);
    suite_add_tcase(suite, tests);
    return suite;
}
