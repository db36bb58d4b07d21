/* What pg.c does without a server: parameters, binary rows and arrays, and what its messages must not say. */
#include "common/io/pg.h"
#include "tests/unit/unit.h"

#include <string.h>

START_TEST(test_values)
{
    struct pg_value value;

    ck_assert_ptr_null(pg_null().data);
    pg_set_integer(&value, INT64_MIN);
    ck_assert_str_eq(value.data, "-9223372036854775808");
    ck_assert_uint_eq(value.size, 20);
    pg_set_boolean(&value, true);
    ck_assert_int_eq(memcmp(value.data, "t", 1), 0);
    value = pg_text(slice_of(NULL, 0));
    ck_assert_msg(value.data != NULL, "an empty text is not NULL");
    ck_assert(pg_bytes(SLICE_LITERAL("a\0b")).binary);
}
END_TEST

START_TEST(test_rows)
{
    static const char wanted[] = "\0\6"
                                 "\377\377\377\377"
                                 "\0\0\0\2\1\2"
                                 "\0\0\0\4\377\377\377\376"
                                 "\0\0\0\10\0\0\0\0\0\0\1\0"
                                 "\0\0\0\1\1"
                                 "\0\0\0\3abc";
    struct error err = ERROR_INIT;
    struct buffer rows;

    buffer_init(&rows, 1024);
    pg_row_begin(&rows, 6);
    pg_row_null(&rows);
    pg_row_int16(&rows, 258);
    pg_row_int32(&rows, -2);
    pg_row_int64(&rows, 256);
    pg_row_boolean(&rows, true);
    pg_row_text(&rows, SLICE_LITERAL("abc"));
    ck_assert_ok(buffer_finish(&rows, "rows", &err));
    ck_assert_uint_eq(rows.size, sizeof wanted - 1);
    ck_assert_int_eq(memcmp(rows.data, wanted, rows.size), 0);
    buffer_clear(&rows);
}
END_TEST

START_TEST(test_arrays)
{
    static const char empty[] = "\0\0\0\14\0\0\0\0\0\0\0\1\0\0\0\24";
    static const char one[] = "\0\0\0\40\0\0\0\1\0\0\0\1\0\0\0\24\0\0\0\1\0\0\0\1\0\0\0\10\0\0\0\0\0\0\0\5";
    struct error err = ERROR_INIT;
    const int64_t numbers[] = {5};
    struct buffer array;

    buffer_init(&array, 1024);
    pg_row_int64_array(&array, numbers, 0);
    ck_assert_ok(buffer_finish(&array, "array", &err));
    ck_assert_uint_eq(array.size, sizeof empty - 1);
    ck_assert_int_eq(memcmp(array.data, empty, array.size), 0);
    buffer_reset(&array);
    pg_row_int64_array(&array, numbers, 1);
    ck_assert_ok(buffer_finish(&array, "array", &err));
    ck_assert_uint_eq(array.size, sizeof one - 1);
    ck_assert_int_eq(memcmp(array.data, one, array.size), 0);
    buffer_clear(&array);
}
END_TEST

START_TEST(test_cells)
{
    const struct slice null = {.data = NULL, .size = 0};

    ck_assert_int_eq(pg_cell_int64(slice_of("\377\377\377\377\377\377\377\376", 8), 0), -2);
    ck_assert_int_eq(pg_cell_int64(null, 9), 9);
    ck_assert_int_eq(pg_cell_int32(slice_of("\0\0\1\0", 4), 0), 256);
    ck_assert_int_eq(pg_cell_int32(slice_of("\0\0", 2), 9), 9);
    ck_assert_int_eq(pg_cell_int16(slice_of("\200\0", 2), 0), INT16_MIN);
    ck_assert(pg_cell_boolean(slice_of("\1", 1)));
    ck_assert(!pg_cell_boolean(null));
}
END_TEST

START_TEST(test_messages_keep_secrets)
{
    struct error err = ERROR_INIT;
    struct pg *pg = NULL;

    ck_assert_fails(pg_open("postgresql://u:geheim@127.0.0.1:1/d?wrong=1", "test", &pg, &err), ERROR_USAGE,
                    "not a valid");
    ck_assert_ptr_null(strstr(err.message, "geheim"));
    ck_assert_fails(pg_open("host=127.0.0.1 port=1 user=u password=geheim", "test", &pg, &err), ERROR_UNREACHABLE,
                    "could not connect to the store");
    ck_assert_ptr_null(strstr(err.message, "geheim"));
    ck_assert_int_eq(err.action, ERROR_RETRY);
    ck_assert_fails(pg_open("host=/nowhere/geheim password=geheim user=u", "test", &pg, &err), ERROR_UNREACHABLE,
                    "***");
    ck_assert_ptr_null(strstr(err.message, "geheim"));
}
END_TEST

Suite *pg_suite(void);
Suite *pg_suite(void)
{
    Suite *suite = suite_create("pg");
    TCase *offline = tcase_create("offline");

    tcase_add_test(offline, test_values);
    tcase_add_test(offline, test_rows);
    tcase_add_test(offline, test_arrays);
    tcase_add_test(offline, test_cells);
    tcase_add_test(offline, test_messages_keep_secrets);
    suite_add_tcase(suite, offline);
    return suite;
}
