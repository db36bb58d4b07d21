#include "common/base/csv.h"

#include "tests/unit/unit.h"

Suite *csv_suite(void);

/* Fields are joined by '|' in `wanted`; NULL: refused. */
static const struct {
    const char *text;
    const char *wanted;
} records[] = {
    {"", ""},
    {"a", "a"},
    {"a,b", "a|b"},
    {",", "|"},
    {"a,,c,", "a||c|"},
    {" a , b ", " a | b "},
    {"\"a\"", "a"},
    {"\"\"", ""},
    {"\"a,b\",c", "a,b|c"},
    {"\"say \"\"hi\"\"\",x", "say \"hi\"|x"},
    {"\"\"\"\"", "\""},
    {"\"two\nlines\",y", "two\nlines|y"},
    {"a\"b,c\"", "a\"b|c\""},
    {"\"a\"b", NULL},
    {"x,\"a\" ", NULL},
    {"\"a", NULL},
    {"x,\"a,b", NULL},
    {"\"a\"\"", NULL},
};

START_TEST(records_are_split)
{
    struct csv_record record;
    struct arena arena;

    csv_record_init(&record);
    arena_init(&arena, 1 << 16);
    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
        struct error err = ERROR_INIT;
        struct slice text = slice_from(records[i].text);
        char *copy = memory_allocate(text.size); /* of exactly that size, for the address sanitizer */
        char joined[64];
        size_t size = 0;

        memcpy(copy, text.data, text.size);
        if (records[i].wanted == NULL) {
            ck_assert_msg(!csv_parse(slice_of(copy, text.size), &record, &arena, &err), "%s", records[i].text);
            ck_assert_int_eq(err.code, ERROR_INPUT);
            memory_free(copy);
            continue;
        }
        ck_assert_ok(csv_parse(slice_of(copy, text.size), &record, &arena, &err));
        for (size_t field = 0; field < record.field_count; field++) {
            if (field > 0) {
                joined[size++] = '|';
            }
            memcpy(joined + size, record.fields[field].data, record.fields[field].size);
            size += record.fields[field].size;
        }
        ck_assert_msg(slice_equal(slice_of(joined, size), slice_from(records[i].wanted)), "%s: %.*s", records[i].text,
                      (int)size, joined);
        memory_free(copy);
    }
    arena_clear(&arena);
    csv_record_clear(&record);
}
END_TEST

START_TEST(open_quotes_go_on_in_the_next_line)
{
    static const struct {
        const char *line;
        enum csv_state from;
        enum csv_state to;
    } lines[] = {
        {"", CSV_RECORD_END, CSV_RECORD_END},
        {"a,b", CSV_RECORD_END, CSV_RECORD_END},
        {"\"a", CSV_RECORD_END, CSV_QUOTED},
        {"x,\"a", CSV_RECORD_END, CSV_QUOTED},
        {"x,\"", CSV_RECORD_END, CSV_QUOTED},
        {"x,\"\"", CSV_RECORD_END, CSV_RECORD_END},
        {"x,\"\"\"", CSV_RECORD_END, CSV_QUOTED},
        {"5\" disk,y", CSV_RECORD_END, CSV_RECORD_END}, /* a quote inside a plain field opens nothing */
        {"", CSV_QUOTED, CSV_QUOTED},
        {"still \"\"quoted\"\"", CSV_QUOTED, CSV_QUOTED},
        {"end\",x", CSV_QUOTED, CSV_RECORD_END},
        {"end\",\"again", CSV_QUOTED, CSV_QUOTED},
    };

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        ck_assert_msg(csv_scan_line(slice_from(lines[i].line), lines[i].from) == lines[i].to, "%s", lines[i].line);
    }
}
END_TEST

START_TEST(fields_are_bounded)
{
    char *text = memory_allocate(CSV_FIELD_COUNT_MAX);
    struct error err = ERROR_INIT;
    struct csv_record record;
    struct arena arena;

    csv_record_init(&record);
    arena_init(&arena, 1 << 16);
    memset(text, ',', CSV_FIELD_COUNT_MAX);
    ck_assert_ok(csv_parse(slice_of(text, CSV_FIELD_COUNT_MAX - 1), &record, &arena, &err));
    ck_assert_uint_eq(record.field_count, CSV_FIELD_COUNT_MAX);
    ck_assert_fails(csv_parse(slice_of(text, CSV_FIELD_COUNT_MAX), &record, &arena, &err), ERROR_INPUT, "fields");
    arena_clear(&arena);
    csv_record_clear(&record);
    memory_free(text);
}
END_TEST

static bool parse_scenario(void *context, struct error *err)
{
    struct csv_record record;
    struct arena arena;
    bool parsed;

    (void)context;
    csv_record_init(&record);
    arena_init(&arena, 1 << 16);
    parsed = csv_parse(SLICE_LITERAL("a,b,c,d,e,f,g,h,i,\"j\"\"k\""), &record, &arena, err);
    arena_clear(&arena);
    csv_record_clear(&record);
    return parsed;
}

START_TEST(parse_survives_no_memory)
{
    unit_fail_each_allocation(parse_scenario, NULL);
}
END_TEST

Suite *csv_suite(void)
{
    Suite *suite = suite_create("csv");
    TCase *tests = tcase_create("csv");

    tcase_add_test(tests, records_are_split);
    tcase_add_test(tests, open_quotes_go_on_in_the_next_line);
    tcase_add_test(tests, fields_are_bounded);
    tcase_add_test(tests, parse_survives_no_memory);
    suite_add_tcase(suite, tests);
    return suite;
}
