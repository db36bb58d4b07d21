#include "common/domain/json.h"

#include "tests/unit/unit.h"

#include <stdio.h>

Suite *json_suite(void);

static const struct json_limits limits = {.depth_max = 64, .size_max = 4 << 20};

/* Parses a copy of exactly that size, so that reading beyond the end shows under the address sanitizer. */
static bool parse_copy(struct json_document *document, struct slice text, char **out_copy, struct error *err)
{
    *out_copy = memory_allocate(text.size);
    if (text.size > 0) {
        memcpy(*out_copy, text.data, text.size);
    }
    return json_parse(document, slice_of(*out_copy, text.size), &limits, err);
}

#define TEXT(literal)                                                                                                  \
    {                                                                                                                  \
        literal, sizeof(literal) - 1                                                                                   \
    }

static const struct slice good[] = {
    TEXT("{}"),
    TEXT(" [ ] "),
    TEXT("\t\r\n 1 \n"),
    TEXT("-0"),
    TEXT("0"),
    TEXT("1e5"),
    TEXT("[0.5,-1.5E+10,1e-7,true,false,null]"),
    TEXT("\"\""),
    TEXT("\"\\u0000\""),
    TEXT("\"\\ud83d\\ude00\""),
    TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\""),
    TEXT("\"\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf\x7f\""),
    TEXT("\"a string of more than sixteen bytes, with \xc3\xa9 in it\""),
    TEXT("{\"a\":1,\"b\":{\"a\":2},\"c\":[{\"a\":3},{\"a\":4}]}"),
    TEXT("{\"\":1,\" \":2}"),
};

static const struct {
    struct slice text;
    enum json_fault fault;
    uint32_t offset;
} bad[] = {
    {TEXT(""), JSON_FAULT_END, 0},
    {TEXT("   "), JSON_FAULT_END, 3},
    {TEXT("{"), JSON_FAULT_END, 1},
    {TEXT("[1"), JSON_FAULT_END, 2},
    {TEXT("[1,]"), JSON_FAULT_UNEXPECTED, 3},
    {TEXT("[,1]"), JSON_FAULT_UNEXPECTED, 1},
    {TEXT("[1 2]"), JSON_FAULT_UNEXPECTED, 3},
    {TEXT("{\"a\":1,}"), JSON_FAULT_UNEXPECTED, 7},
    {TEXT("{\"a\"}"), JSON_FAULT_UNEXPECTED, 4},
    {TEXT("{\"a\":}"), JSON_FAULT_UNEXPECTED, 5},
    {TEXT("{\"a\" 1}"), JSON_FAULT_UNEXPECTED, 5},
    {TEXT("{\"a\":1 \"b\":2}"), JSON_FAULT_UNEXPECTED, 7},
    {TEXT("{a:1}"), JSON_FAULT_UNEXPECTED, 1},
    {TEXT("{1:1}"), JSON_FAULT_UNEXPECTED, 1},
    {TEXT("{'a':1}"), JSON_FAULT_UNEXPECTED, 1},
    {TEXT("[}"), JSON_FAULT_UNEXPECTED, 1},
    {TEXT("[1}"), JSON_FAULT_UNEXPECTED, 2},
    {TEXT("{]"), JSON_FAULT_UNEXPECTED, 1},
    {TEXT("]"), JSON_FAULT_UNEXPECTED, 0},
    {TEXT("\0"), JSON_FAULT_UNEXPECTED, 0},
    {TEXT("[1\0]"), JSON_FAULT_UNEXPECTED, 2},
    {TEXT("+1"), JSON_FAULT_UNEXPECTED, 0},
    {TEXT(".5"), JSON_FAULT_UNEXPECTED, 0},
    {TEXT("NaN"), JSON_FAULT_UNEXPECTED, 0},
    {TEXT("Infinity"), JSON_FAULT_UNEXPECTED, 0},
    {TEXT("\xef\xbb\xbf{}"), JSON_FAULT_UNEXPECTED, 0},
    {TEXT("\x0b{}"), JSON_FAULT_UNEXPECTED, 0},
    {TEXT("// comment\n1"), JSON_FAULT_UNEXPECTED, 0},
    {TEXT("{} x"), JSON_FAULT_TRAILING, 3},
    {TEXT("{}{}"), JSON_FAULT_TRAILING, 2},
    {TEXT("1 2"), JSON_FAULT_TRAILING, 2},
    {TEXT("truex"), JSON_FAULT_TRAILING, 4},
    {TEXT("{}\0"), JSON_FAULT_TRAILING, 2},
    {TEXT("tru"), JSON_FAULT_LITERAL, 0},
    {TEXT("[nul]"), JSON_FAULT_LITERAL, 1},
    {TEXT("True"), JSON_FAULT_UNEXPECTED, 0},
    {TEXT("01"), JSON_FAULT_NUMBER, 0},
    {TEXT("-01"), JSON_FAULT_NUMBER, 1},
    {TEXT("-"), JSON_FAULT_NUMBER, 1},
    {TEXT("1."), JSON_FAULT_NUMBER, 2},
    {TEXT("1.e5"), JSON_FAULT_NUMBER, 2},
    {TEXT("1e"), JSON_FAULT_NUMBER, 2},
    {TEXT("1e+"), JSON_FAULT_NUMBER, 3},
    {TEXT("\""), JSON_FAULT_END, 1},
    {TEXT("\"abc"), JSON_FAULT_END, 4},
    {TEXT("\"a\nb\""), JSON_FAULT_CONTROL, 2},
    {TEXT("\"a\0b\""), JSON_FAULT_CONTROL, 2},
    {TEXT("\"a\x1f\""), JSON_FAULT_CONTROL, 2},
    {TEXT("\"\\"), JSON_FAULT_ESCAPE, 1},
    {TEXT("\"\\x\""), JSON_FAULT_ESCAPE, 1},
    {TEXT("\"\\u12\""), JSON_FAULT_ESCAPE, 1},
    {TEXT("\"\\u12g4\""), JSON_FAULT_ESCAPE, 1},
    {TEXT("\"\\ud800\""), JSON_FAULT_SURROGATE, 1},
    {TEXT("\"\\udc00\""), JSON_FAULT_SURROGATE, 1},
    {TEXT("\"\\ud800\\u0041\""), JSON_FAULT_SURROGATE, 1},
    {TEXT("\"\\ud800\\ud800\""), JSON_FAULT_SURROGATE, 1},
    {TEXT("\"\\ud800x\""), JSON_FAULT_SURROGATE, 1},
    {TEXT("\"\x80\""), JSON_FAULT_UTF8, 1},
    {TEXT("\"\xff\""), JSON_FAULT_UTF8, 1},
    {TEXT("\"\xc3\""), JSON_FAULT_UTF8, 1},
    {TEXT("\"\xc0\x80\""), JSON_FAULT_UTF8, 1},
    {TEXT("\"\xc1\xbf\""), JSON_FAULT_UTF8, 1},
    {TEXT("\"\xe0\x80\x80\""), JSON_FAULT_UTF8, 1},
    {TEXT("\"\xe4\xb8\""), JSON_FAULT_UTF8, 1},
    {TEXT("\"\xed\xa0\x80\""), JSON_FAULT_UTF8, 1},
    {TEXT("\"\xf0\x80\x80\x80\""), JSON_FAULT_UTF8, 1},
    {TEXT("\"\xf4\x90\x80\x80\""), JSON_FAULT_UTF8, 1},
    {TEXT("\"\xf5\x80\x80\x80\""), JSON_FAULT_UTF8, 1},
    {TEXT("\xc3\xa9"), JSON_FAULT_UNEXPECTED, 0},
    {TEXT("{\"a\":1,\"a\":2}"), JSON_FAULT_REPEATED_KEY, 7},
    {TEXT("{\"a\":1,\"\\u0061\":2}"), JSON_FAULT_REPEATED_KEY, 7},
    {TEXT("{\"\\u0061\":1,\"b\":[],\"a\":2}"), JSON_FAULT_REPEATED_KEY, 19},
    {TEXT("{\"a key of twenty bytes\":1,\"a k\\u0065y of twenty bytes\":2}"), JSON_FAULT_REPEATED_KEY, 27},
    {TEXT("{\"\":1,\"\":2}"), JSON_FAULT_REPEATED_KEY, 6},
    {TEXT("[{\"x\":{\"b\":1,\"b\":2}}]"), JSON_FAULT_REPEATED_KEY, 13},
};

START_TEST(parse_takes_json)
{
    struct json_document document;
    struct error err = ERROR_INIT;

    json_document_init(&document);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        char *copy;

        ck_assert_ok(parse_copy(&document, good[i], &copy, &err));
        memory_free(copy);
    }
    json_document_clear(&document);
}
END_TEST

START_TEST(parse_refuses_all_else)
{
    struct json_document document;

    json_document_init(&document);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct error err = ERROR_INIT;
        char *copy;
        bool parsed = parse_copy(&document, bad[i].text, &copy, &err);

        ck_assert_msg(!parsed, "case %zu was taken: %s", i, bad[i].text.data);
        ck_assert_int_eq(err.code, ERROR_INPUT);
        ck_assert_msg(document.fault == bad[i].fault, "%s: %s", bad[i].text.data, err.message);
        ck_assert_msg(document.fault_offset == bad[i].offset, "%s: %s", bad[i].text.data, err.message);
        memory_free(copy);
    }
    json_document_clear(&document);
}
END_TEST

/* Each good text cut anywhere must be refused (where it is no shorter number or blank), never read beyond its end. */
START_TEST(parse_survives_every_cut)
{
    static const char text[] =
        "{\"a\":[1,-2.5e3,\"x\\u00e9\\ud83d\\ude00\xf0\x9f\x98\x80\",true,null],\"b\":{\"c\":false}}";
    struct json_document document;

    json_document_init(&document);
    for (size_t size = 0; size < sizeof text - 1; size++) {
        struct error err = ERROR_INIT;
        char *copy;

        ck_assert(!parse_copy(&document, slice_of(text, size), &copy, &err));
        memory_free(copy);
    }
    json_document_clear(&document);
}
END_TEST

START_TEST(depth_is_bounded_without_recursion)
{
    struct json_document document;
    char text[200];

    json_document_init(&document);
    for (size_t depth = 63; depth <= 65; depth++) {
        struct error err = ERROR_INIT;
        bool parsed;

        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        parsed = json_parse(&document, slice_of(text, 2 * depth), &limits, &err);
        ck_assert_int_eq(parsed, depth <= 64);
        ck_assert_int_eq(document.fault, depth <= 64 ? JSON_FAULT_NONE : JSON_FAULT_TOO_DEEP);
    }
    json_document_clear(&document);
}
END_TEST

START_TEST(size_is_bounded)
{
    const struct json_limits small = {.depth_max = 64, .size_max = 4};
    struct json_document document;
    struct error err = ERROR_INIT;

    json_document_init(&document);
    ck_assert_ok(json_parse(&document, SLICE_LITERAL("1234"), &small, &err));
    ck_assert_fails(json_parse(&document, SLICE_LITERAL("12345"), &small, &err), ERROR_INPUT, "too large");
    ck_assert_int_eq(document.fault, JSON_FAULT_TOO_LARGE);
    json_document_clear(&document);
}
END_TEST

/* An object of `count` members; the last key repeats number `repeated` (none where it is negative). */
static size_t write_object(char *text, size_t count, long repeated, const char *spelling)
{
    size_t size = 0;

    text[size++] = '{';
    for (size_t i = 0; i < count; i++) {
        size += (size_t)snprintf(text + size, 64, "%s\"key%zu\":%zu", i > 0 ? "," : "", i, i);
    }
    if (repeated >= 0) {
        size += (size_t)snprintf(text + size, 64, ",\"%s%ld\":0", spelling, repeated);
    }
    text[size++] = '}';
    return size;
}

START_TEST(repeated_keys_are_found_in_objects_of_any_size)
{
    static const size_t counts[] = {1, 2, 10, 23, 24, 25, 26, 100, 5000};
    char *text = memory_allocate(1 << 20);
    struct json_document document;

    json_document_init(&document);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct error err = ERROR_INIT;

        ck_assert_ok(json_parse(&document, slice_of(text, write_object(text, counts[i], -1, "")), &limits, &err));
        ck_assert_uint_eq(document.tokens[0].count, counts[i]);
        for (size_t k = 0; k < counts[i]; k = k * 2 + 1) {
            size_t size = write_object(text, counts[i], (long)k, "key");

            ck_assert_fails(json_parse(&document, slice_of(text, size), &limits, &err), ERROR_INPUT, "repeated key");
            size = write_object(text, counts[i], (long)k, "k\\u0065y");
            ck_assert_fails(json_parse(&document, slice_of(text, size), &limits, &err), ERROR_INPUT, "repeated key");
        }
        ck_assert_ok(
            json_parse(&document, slice_of(text, write_object(text, counts[i], 0, "k\\u0066y")), &limits, &err));
    }
    json_document_clear(&document);
    memory_free(text);
}
END_TEST

START_TEST(members_and_paths_are_found)
{
    static const char text[] = "{\"a\":[1,{\"b\":2}],\"b\":{\"c\":{\"d\":\"x\"}},\"e.f\":null,\"\\u0067\":4}";
    const struct slice path[] = {SLICE_LITERAL("b"), SLICE_LITERAL("c"), SLICE_LITERAL("d")};
    const struct slice wrong[] = {SLICE_LITERAL("a"), SLICE_LITERAL("b")};
    struct json_document document;
    struct error err = ERROR_INIT;
    int32_t token;

    json_document_init(&document);
    ck_assert_ok(json_parse(&document, slice_from(text), &limits, &err));
    ck_assert_uint_eq(document.tokens[0].count, 4);
    ck_assert_uint_eq(document.tokens[0].end_token, document.token_count);
    token = json_member(&document, 0, SLICE_LITERAL("a"));
    ck_assert(slice_equal_text(json_raw(&document, token), "[1,{\"b\":2}]"));
    ck_assert_uint_eq(document.tokens[token].count, 2);
    ck_assert_int_eq(json_member(&document, token, SLICE_LITERAL("b")), JSON_ABSENT);
    ck_assert_int_eq(json_member(&document, JSON_ABSENT, SLICE_LITERAL("b")), JSON_ABSENT);
    ck_assert(slice_equal_text(json_raw(&document, json_member(&document, 0, SLICE_LITERAL("g"))), "4"));
    ck_assert_int_eq(document.tokens[json_member(&document, 0, SLICE_LITERAL("e.f"))].type, JSON_NULL);
    ck_assert_int_eq(json_member(&document, 0, SLICE_LITERAL("d")), JSON_ABSENT);
    ck_assert(slice_equal_text(json_raw(&document, json_path(&document, 0, path, 3)), "x"));
    ck_assert_int_eq(json_path(&document, 0, wrong, 2), JSON_ABSENT);
    ck_assert_int_eq(json_path(&document, 0, path, 0), 0);
    json_document_clear(&document);
}
END_TEST

START_TEST(strings_are_unescaped)
{
    static const char text[] = "[\"plain\",\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u00e9\\u4e2d\\ud83d\\ude00z\",\"\"]";
    static const char wanted[] = "\"\\/\b\f\n\r\t\0\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80z";
    struct json_document document;
    struct error err = ERROR_INIT;
    struct arena arena;
    struct slice string;

    json_document_init(&document);
    arena_init(&arena, 1 << 20);
    ck_assert_ok(json_parse(&document, slice_from(text), &limits, &err));
    ck_assert(json_string(&document, 1, &arena, &string));
    ck_assert_ptr_eq(string.data, text + 2); /* borrowed */
    ck_assert_uint_eq(string.size, 5);
    ck_assert(json_string(&document, 2, &arena, &string));
    ck_assert(slice_equal(string, slice_of(wanted, sizeof wanted - 1)));
    ck_assert(json_equal(&document, 2, slice_of(wanted, sizeof wanted - 1)));
    ck_assert(!json_equal(&document, 2, slice_of(wanted, sizeof wanted - 2)));
    ck_assert(!json_equal(&document, 2, slice_of(wanted, sizeof wanted)));
    ck_assert(json_string(&document, 3, &arena, &string));
    ck_assert_uint_eq(string.size, 0);
    arena_clear(&arena);
    json_document_clear(&document);
}
END_TEST

START_TEST(values_keep_number_text)
{
    static const char text[] = "[0.1,1e20,true,false,null,\"1\",[],{\"a\": 1}]";
    struct json_document document;
    struct error err = ERROR_INIT;
    struct arena arena;
    struct value value;
    bool out_of_range = false;

    json_document_init(&document);
    arena_init(&arena, 1 << 20);
    ck_assert_ok(json_parse(&document, slice_from(text), &limits, &err));
    ck_assert(json_value(&document, 1, &arena, &value, &out_of_range));
    ck_assert(value.type == VALUE_NUMBER && value.micros == 100000 && !out_of_range);
    ck_assert(json_value(&document, 2, &arena, &value, &out_of_range));
    ck_assert(value.type == VALUE_MISSING && out_of_range);
    ck_assert(json_value(&document, 2, &arena, &value, NULL));
    ck_assert(json_value(&document, 3, &arena, &value, NULL));
    ck_assert(value.type == VALUE_BOOLEAN && value.boolean);
    ck_assert(json_value(&document, 4, &arena, &value, NULL));
    ck_assert(value.type == VALUE_BOOLEAN && !value.boolean);
    ck_assert(json_value(&document, 5, &arena, &value, NULL));
    ck_assert_int_eq(value.type, VALUE_MISSING);
    ck_assert(json_value(&document, 6, &arena, &value, NULL));
    ck_assert(value.type == VALUE_STRING && slice_equal_text(value.text, "1"));
    ck_assert(json_value(&document, 7, &arena, &value, NULL));
    ck_assert(value.type == VALUE_COMPOUND && slice_equal_text(value.text, "[]"));
    ck_assert(json_value(&document, 8, &arena, &value, NULL));
    ck_assert(value.type == VALUE_COMPOUND && slice_equal_text(value.text, "{\"a\": 1}"));
    ck_assert(json_value(&document, JSON_ABSENT, &arena, &value, NULL));
    ck_assert_int_eq(value.type, VALUE_MISSING);
    arena_clear(&arena);
    json_document_clear(&document);
}
END_TEST

START_TEST(lines_are_counted)
{
    struct json_document document;
    struct error err = ERROR_INIT;

    json_document_init(&document);
    ck_assert(!json_parse(&document, SLICE_LITERAL("{\n\"a\": 1,\n\"b\": x\n}"), &limits, &err));
    ck_assert_uint_eq(json_line(&document, document.fault_offset), 3);
    json_document_clear(&document);
}
END_TEST

static bool parse_scenario(void *context, struct error *err)
{
    const struct slice *text = context;
    struct json_document document;
    bool parsed;

    json_document_init(&document);
    parsed = json_parse(&document, *text, &limits, err);
    json_document_clear(&document);
    return parsed;
}

START_TEST(parse_survives_no_memory)
{
    char *text = memory_allocate(1 << 16);
    struct slice object = slice_of(text, write_object(text, 300, -1, ""));

    unit_fail_each_allocation(parse_scenario, &object);
    memory_free(text);
}
END_TEST

Suite *json_suite(void)
{
    Suite *suite = suite_create("json");
    TCase *tests = tcase_create("json");

    tcase_add_test(tests, parse_takes_json);
    tcase_add_test(tests, parse_refuses_all_else);
    tcase_add_test(tests, parse_survives_every_cut);
    tcase_add_test(tests, depth_is_bounded_without_recursion);
    tcase_add_test(tests, size_is_bounded);
    tcase_add_test(tests, repeated_keys_are_found_in_objects_of_any_size);
    tcase_add_test(tests, members_and_paths_are_found);
    tcase_add_test(tests, strings_are_unescaped);
    tcase_add_test(tests, values_keep_number_text);
    tcase_add_test(tests, lines_are_counted);
    tcase_add_test(tests, parse_survives_no_memory);
    suite_add_tcase(suite, tests);
    return suite;
}
