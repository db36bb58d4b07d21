#include "common/base/output.h"

#include "tests/unit/unit.h"

#include <stdlib.h>

Suite *output_suite(void);

static const char *const columns[] = {"segment", "user", "valid_until"};

/* Writes rows and returns what reached the file, owned by the caller (free). */
static char *write_rows(enum output_format format, const struct slice (*rows)[3], size_t row_count)
{
    struct error err = ERROR_INIT;
    struct output *output;
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    ck_assert_ptr_nonnull(file);
    ck_assert_ok(output_begin(file, format, columns, 3, &output, &err));
    for (size_t i = 0; i < row_count; i++) {
        ck_assert_ok(output_row(output, rows[i], &err));
    }
    ck_assert_ok(output_end(output, &err));
    ck_assert_int_eq(fclose(file), 0);
    return text;
}

static const struct slice sample[][3] = {
    {{"vip", 3}, {"a,b", 3}, {"2026-05-01T10:00:00.000Z", 24}},
    {{"cart_abandoned", 14}, {"say \"hi\"\r\n", 10}, {NULL, 0}},
    {{"x", 1}, {"j\xc3\xbcrgen", 7}, {"", 0}},
};

START_TEST(csv_is_quoted_only_where_needed)
{
    char *text = write_rows(OUTPUT_CSV, sample, 3);

    ck_assert_str_eq(text, "segment,user,valid_until\nvip,\"a,b\",2026-05-01T10:00:00.000Z\n"
                           "cart_abandoned,\"say \"\"hi\"\"\r\n\",\nx,j\xc3\xbcrgen,\n");
    free(text);
    text = write_rows(OUTPUT_CSV, sample, 0);
    ck_assert_str_eq(text, "segment,user,valid_until\n");
    free(text);
}
END_TEST

START_TEST(csv_is_quoted_for_four_bytes_wherever_they_stand)
{
    enum { SIZE_MAX_TRIED = 19 };
    struct buffer out;

    buffer_init(&out, 1 << 10);
    for (int byte = 0; byte < 256; byte++) {
        bool special = byte == ',' || byte == '"' || byte == '\r' || byte == '\n';

        for (size_t size = 1; size <= SIZE_MAX_TRIED; size++) {
            for (size_t place = 0; place < size; place++) {
                char text[SIZE_MAX_TRIED];

                memset(text, place % 2 == 0 ? 'a' : '\xff', size);
                text[place] = (char)byte;
                buffer_reset(&out);
                output_append_csv(&out, slice_of(text, size));
                ck_assert_msg((out.data[0] == '"') == special, "byte %d at %zu of %zu", byte, place, size);
            }
        }
    }
    buffer_clear(&out);
}
END_TEST

START_TEST(jsonl_has_the_columns_as_keys)
{
    char *text = write_rows(OUTPUT_JSONL, sample, 3);

    ck_assert_str_eq(text, "{\"segment\":\"vip\",\"user\":\"a,b\",\"valid_until\":\"2026-05-01T10:00:00.000Z\"}\n"
                           "{\"segment\":\"cart_abandoned\",\"user\":\"say \\\"hi\\\"\\r\\n\",\"valid_until\":null}\n"
                           "{\"segment\":\"x\",\"user\":\"j\xc3\xbcrgen\",\"valid_until\":\"\"}\n");
    free(text);
}
END_TEST

START_TEST(text_is_aligned_and_harmless)
{
    char *text = write_rows(OUTPUT_TEXT, sample, 3);

    ck_assert_str_eq(text, "segment         user              valid_until\n"
                           "vip             a,b               2026-05-01T10:00:00.000Z\n"
                           "cart_abandoned  say \"hi\"\\x0d\\x0a  -\n"
                           "x               j\xc3\xbcrgen            \n");
    free(text);
}
END_TEST

START_TEST(text_streams_after_a_screenful)
{
    struct slice rows[300][3];
    char *text;
    size_t lines = 0;

    for (size_t i = 0; i < 300; i++) {
        rows[i][0] = SLICE_LITERAL("a");
        rows[i][1] = i == 250 ? SLICE_LITERAL("a wider cell") : SLICE_LITERAL("b\x1b[2J");
        rows[i][2] = SLICE_LITERAL("c");
    }
    text = write_rows(OUTPUT_TEXT, (const struct slice(*)[3])rows, 300);
    for (const char *at = text; *at != '\0'; at++) {
        lines += *at == '\n';
    }
    ck_assert_uint_eq(lines, 301);
    ck_assert_ptr_null(strchr(text, '\x1b'));
    ck_assert_ptr_nonnull(strstr(text, "\na        b\\x1b[2J  c\n"));
    ck_assert_ptr_nonnull(strstr(text, "\na        a wider cell  c\n"));
    free(text);
}
END_TEST

START_TEST(json_escapes_what_must_be)
{
    static const struct {
        struct slice text;
        const char *json;
    } cases[] = {
        {{"", 0}, "\"\""},
        {{"a\\b\"c", 5}, "\"a\\\\b\\\"c\""},
        {{"\0\x1f\t\n\r\x7f", 6}, "\"\\u0000\\u001f\\t\\n\\r\\u007f\""},
        {{"\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80", 9}, "\"\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {{"a\xff"
          "b",
          3},
         "\"a\xef\xbf\xbd"
         "b\""},
        {{"\xc3", 1}, "\"\xef\xbf\xbd\""},
        {{"\xc0\x80", 2}, "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {{"\xed\xa0\x80", 3}, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {{"\xf4\x90\x80\x80", 4}, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    };
    struct buffer buffer;

    buffer_init(&buffer, 1000);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buffer_reset(&buffer);
        output_append_json(&buffer, cases[i].text);
        ck_assert_str_eq(buffer_text(&buffer), cases[i].json);
    }
    buffer_clear(&buffer);
}
END_TEST

START_TEST(formats_have_names)
{
    struct error err = ERROR_INIT;
    enum output_format format;

    ck_assert_ok(output_format_parse("csv", OUTPUT_TEXT, &format, &err));
    ck_assert_int_eq(format, OUTPUT_CSV);
    ck_assert_ok(output_format_parse("jsonl", OUTPUT_TEXT, &format, &err));
    ck_assert_int_eq(format, OUTPUT_JSONL);
    ck_assert_ok(output_format_parse("text", OUTPUT_CSV, &format, &err));
    ck_assert_int_eq(format, OUTPUT_TEXT);
    ck_assert_ok(output_format_parse(NULL, OUTPUT_CSV, &format, &err));
    ck_assert_int_eq(format, OUTPUT_CSV);
    ck_assert_fails(output_format_parse("xml", OUTPUT_CSV, &format, &err), ERROR_USAGE, "not \"xml\"");
}
END_TEST

START_TEST(a_full_disk_is_an_error)
{
    static const enum output_format formats[] = {OUTPUT_TEXT, OUTPUT_CSV, OUTPUT_JSONL};

    for (size_t i = 0; i < 3; i++) {
        struct error err = ERROR_INIT;
        struct output *output;
        FILE *full = fopen("/dev/full", "w");
        bool row = true;

        ck_assert_ptr_nonnull(full);
        ck_assert_ok(output_begin(full, formats[i], columns, 3, &output, &err));
        for (size_t k = 0; k < 5000 && row; k++) {
            row = output_row(output, sample[k % 3], &err);
        }
        if (row) {
            ck_assert(!output_end(output, &err));
        } else {
            output_abort(output);
        }
        ck_assert_int_eq(err.code, ERROR_INTERNAL);
        ck_assert_ptr_nonnull(strstr(err.message, "No space left on device"));
        (void)fclose(full);
    }
}
END_TEST

static bool write_all(void *context, struct error *err)
{
    const enum output_format *format = context;
    struct output *output;
    FILE *null = fopen("/dev/null", "w");
    bool done = true;

    ck_assert_ptr_nonnull(null);
    if (!output_begin(null, *format, columns, 3, &output, err)) {
        (void)fclose(null);
        return false;
    }
    for (size_t i = 0; i < 300 && done; i++) {
        done = output_row(output, sample[i % 3], err);
    }
    if (done) {
        done = output_end(output, err);
    } else {
        output_abort(output);
    }
    (void)fclose(null);
    return done;
}

START_TEST(each_failed_allocation_is_reported)
{
    for (enum output_format format = OUTPUT_TEXT; format <= OUTPUT_JSONL; format++) {
        unit_fail_each_allocation(write_all, &format);
    }
}
END_TEST

Suite *output_suite(void)
{
    Suite *suite = suite_create("output");
    TCase *tests = tcase_create("output");

    tcase_add_test(tests, csv_is_quoted_only_where_needed);
    tcase_add_test(tests, csv_is_quoted_for_four_bytes_wherever_they_stand);
    tcase_add_test(tests, jsonl_has_the_columns_as_keys);
    tcase_add_test(tests, text_is_aligned_and_harmless);
    tcase_add_test(tests, text_streams_after_a_screenful);
    tcase_add_test(tests, json_escapes_what_must_be);
    tcase_add_test(tests, formats_have_names);
    tcase_add_test(tests, a_full_disk_is_an_error);
    tcase_add_test(tests, each_failed_allocation_is_reported);
    suite_add_tcase(suite, tests);
    return suite;
}
