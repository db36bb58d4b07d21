#include "common/base/buffer.h"

#include "tests/unit/unit.h"

#include <stdint.h>

Suite *buffer_suite(void);

START_TEST(pieces_come_in_order)
{
    struct error err = ERROR_INIT;
    struct buffer buffer;

    buffer_init(&buffer, 1000);
    ck_assert_str_eq(buffer_text(&buffer), "");
    buffer_append(&buffer, "ab", 2);
    buffer_append_slice(&buffer, SLICE_LITERAL("c"));
    buffer_append_slice(&buffer, slice_of(NULL, 0));
    buffer_append_text(&buffer, "de");
    buffer_append_char(&buffer, 'f');
    buffer_append_integer(&buffer, INT64_MIN);
    buffer_append_integer(&buffer, 0);
    buffer_append_integer(&buffer, INT64_MAX);
    buffer_append_format(&buffer, "[%s:%d]", "x", 5);
    ck_assert_ok(buffer_finish(&buffer, "text", &err));
    ck_assert_str_eq(buffer_text(&buffer), "abcdef-922337203685477580809223372036854775807[x:5]");
    ck_assert_uint_eq(buffer_slice(&buffer).size, strlen(buffer_text(&buffer)));
    buffer_clear(&buffer);
}
END_TEST

START_TEST(integers_are_big_endian)
{
    static const unsigned char expected[] = {0xff, 0xfe, 0x01, 0x02, 0x03, 0x04, 0x80, 0, 0, 0, 0, 0, 0, 0x01};
    struct buffer buffer;

    buffer_init(&buffer, 1000);
    buffer_append_int16(&buffer, -2);
    buffer_append_int32(&buffer, 0x01020304);
    buffer_append_int64(&buffer, INT64_MIN + 1);
    ck_assert_uint_eq(buffer.size, sizeof expected);
    ck_assert(memcmp(buffer.data, expected, sizeof expected) == 0);
    buffer_clear(&buffer);
}
END_TEST

START_TEST(a_failure_is_remembered)
{
    struct error err = ERROR_INIT;
    struct buffer buffer;

    buffer_init(&buffer, 10);
    buffer_append_text(&buffer, "1234567890");
    ck_assert_ok(buffer_finish(&buffer, "number", &err));
    ck_assert_str_eq(buffer_text(&buffer), "1234567890");
    buffer_append_char(&buffer, 'x');
    ck_assert_fails(buffer_finish(&buffer, "number", &err), ERROR_INTERNAL, "number is too large (at most 10 bytes)");
    ck_assert_str_eq(buffer_text(&buffer), "");
    buffer_reset(&buffer);
    buffer_append_format(&buffer, "%s", "12345678901");
    ck_assert(buffer.failed);
    buffer_reset(&buffer);
    buffer_append_text(&buffer, "ok");
    ck_assert_str_eq(buffer_text(&buffer), "ok");
    buffer_clear(&buffer);
    buffer_append_text(&buffer, "again");
    ck_assert_str_eq(buffer_text(&buffer), "again");
    buffer_clear(&buffer);
}
END_TEST

START_TEST(growth_keeps_the_bytes)
{
    struct buffer buffer;

    buffer_init(&buffer, 1 << 20);
    for (int i = 0; i < 50000; i++) {
        buffer_append_char(&buffer, (char)(i % 251));
    }
    ck_assert_uint_eq(buffer.size, 50000);
    for (int i = 0; i < 50000; i++) {
        ck_assert_int_eq(buffer.data[i], (char)(i % 251));
    }
    buffer_clear(&buffer);
}
END_TEST

static bool write_some(void *context, struct error *err)
{
    struct buffer buffer;
    bool done;

    (void)context;
    buffer_init(&buffer, 1 << 20);
    for (int i = 0; i < 1000; i++) {
        buffer_append_format(&buffer, "%d,", i);
        buffer_append_integer(&buffer, i);
        buffer_append_int64(&buffer, i);
    }
    done = buffer_finish(&buffer, "the list", err);
    buffer_clear(&buffer);
    return done;
}

START_TEST(each_failed_allocation_is_reported)
{
    unit_fail_each_allocation(write_some, NULL);
}
END_TEST

Suite *buffer_suite(void)
{
    Suite *suite = suite_create("buffer");
    TCase *tests = tcase_create("buffer");

    tcase_add_test(tests, pieces_come_in_order);
    tcase_add_test(tests, integers_are_big_endian);
    tcase_add_test(tests, a_failure_is_remembered);
    tcase_add_test(tests, growth_keeps_the_bytes);
    tcase_add_test(tests, each_failed_allocation_is_reported);
    suite_add_tcase(suite, tests);
    return suite;
}
