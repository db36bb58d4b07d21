#include "common/base/timestamp.h"

#include "tests/unit/unit.h"

#include <stdio.h>

Suite *timestamp_suite(void);

static const struct {
    const char *text;
    int64_t ms;
} good[] = {
    {"1970-01-01T00:00:00Z", 0},
    {"1970-01-01t00:00:00z", 0},
    {"1970-01-01T00:00:00-00:00", 0},
    {"2026-05-01T10:00:00.000Z", 1777629600000},
    {"2026-05-01T10:00:00+02:00", 1777622400000},
    {"2026-05-01T10:00:00.1234567-23:59", 1777629600123 + (23 * 60 + 59) * 60000},
    {"2026-05-01T10:00:00.9999Z", 1777629600999},
    {"2026-05-01T10:00:00.5Z", 1777629600500},
    {"2016-12-31T23:59:60Z", 1483228800000},
    {"2024-02-29T00:00:00Z", 1709164800000},
    {"2000-02-29T00:00:00Z", 951782400000},
    {"0001-01-01T00:00:00Z", TIMESTAMP_MIN},
    {"0000-12-31T23:30:00-00:30", TIMESTAMP_MIN},
    {"9999-12-31T23:59:59.999Z", TIMESTAMP_MAX},
    {"1969-12-31T23:59:59.999Z", -1},
};

static const char *const bad[] = {
    "",
    "2026-05-01",
    "2026-05-01T10:00:00",
    "2026-05-01T10:00Z",
    "2026-05-01 10:00:00Z",
    "2026-05-01T10:00:00.Z",
    "2026-05-01T10:00:00,5Z",
    "2026-05-01T10:00:00ZZ",
    "2026-05-01T10:00:00+0200",
    "2026-05-01T10:00:00+02",
    "2026-05-01T10:00:00+24:00",
    "2026-05-01T10:00:00+02:60",
    "2026-05-01T24:00:00Z",
    "2026-05-01T10:60:00Z",
    "2026-05-01T10:00:61Z",
    "2026-13-01T10:00:00Z",
    "2026-00-01T10:00:00Z",
    "2026-04-31T10:00:00Z",
    "2026-04-00T10:00:00Z",
    "2023-02-29T10:00:00Z",
    "1900-02-29T10:00:00Z",
    "0000-12-31T23:59:59Z",
    "0001-01-01T00:00:00+00:01",
    "9999-12-31T23:59:60Z",
    "9999-12-31T23:59:59-00:01",
    "+026-05-01T10:00:00Z",
    "2026-5-01T10:00:00ZZ",
    "2026-05-01T10:00: 0Z",
    "2026-05-01T10:00:00 Z",
};

START_TEST(parse_reads_rfc3339)
{
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int64_t ms = -2;

        ck_assert_msg(timestamp_parse(slice_from(good[i].text), &ms), "%s", good[i].text);
        ck_assert_msg(ms == good[i].ms, "%s: %lld", good[i].text, (long long)ms);
    }
}
END_TEST

/* A small t is read as well, but without the short cut for what nearly all write. */
static void compare_with_general(const char *text)
{
    char other[32] = {0};
    int64_t usual_ms = -2;
    int64_t general_ms = -2;
    bool usual = timestamp_parse(slice_from(text), &usual_ms);

    memcpy(other, text, strlen(text));
    other[10] = other[10] == 'T' ? 't' : other[10];
    ck_assert_msg(usual == timestamp_parse(slice_from(other), &general_ms) && usual_ms == general_ms, "%s: %lld, %lld",
                  text, (long long)usual_ms, (long long)general_ms);
}

START_TEST(the_usual_form_is_read_like_any_other)
{
    static const char *const texts[] = {"2025-05-31T12:34:56.789Z", "2000-02-28T23:59:59.000Z", "0001-01-01T00:00:00Z"};
    static const char others[] = "0123456789:;-./TtZz \xff";
    char text[64] = {0};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        for (size_t at = 0; at < strlen(texts[i]); at++) {
            for (size_t other = 0; other < sizeof others - 1; other++) {
                memset(text, 0, sizeof text);
                memcpy(text, texts[i], strlen(texts[i]));
                text[at] = others[other];
                compare_with_general(text);
            }
        }
    }
    for (int year = 0; year<10000; year += year> 1890 && year < 2110 ? 1 : 37) {
        for (int month = 0; month <= 13; month++) {
            for (int day = 0; day <= 32; day += day < 26 ? 13 : 1) {
                (void)snprintf(text, sizeof text, "%04d-%02d-%02dT10:11:12.345Z", year, month, day);
                compare_with_general(text);
            }
        }
    }
}
END_TEST

START_TEST(parse_refuses_everything_else)
{
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t ms = -2;

        ck_assert_msg(!timestamp_parse(slice_from(bad[i]), &ms), "%s", bad[i]);
        ck_assert_msg(ms == -2, "%s: the result was touched", bad[i]);
    }
}
END_TEST

/* A text cut anywhere is no timestamp, and nothing behind its end is read. */
START_TEST(parse_stays_inside_the_slice)
{
    const char *text = "2026-05-01T10:00:00.123+02:00";

    for (size_t size = 0; size < strlen(text); size++) {
        char *copy = memory_allocate(size);
        int64_t ms;

        ck_assert_ptr_nonnull(copy);
        memcpy(copy, text, size);
        ck_assert(!timestamp_parse(slice_of(copy, size), &ms));
        memory_free(copy);
    }
}
END_TEST

START_TEST(civil_days_go_both_ways)
{
    const int64_t first = TIMESTAMP_MIN / 86400000;
    const int64_t last = TIMESTAMP_MAX / 86400000;
    int64_t year_before = 1;
    unsigned month_before = 0;
    unsigned day_before = 0;

    for (int64_t days = first; days <= last; days++) {
        int64_t year;
        unsigned month;
        unsigned day;

        timestamp_civil_from_days(days, &year, &month, &day);
        /* An assertion reports to the parent each time: 3.6 million of them would take a minute. */
        if (timestamp_days_from_civil(year, month, day) != days) {
            ck_abort_msg("day %lld does not come back", (long long)days);
        }
        if (year < year_before || (year == year_before && month < month_before) ||
            (year == year_before && month == month_before && day <= day_before)) {
            ck_abort_msg("day %lld does not follow the one before", (long long)days);
        }
        year_before = year;
        month_before = month;
        day_before = day;
    }
    ck_assert_int_eq(year_before, 9999);
}
END_TEST

START_TEST(text_reads_back)
{
    char text[TIMESTAMP_TEXT_SIZE];
    int64_t ms = TIMESTAMP_MIN;

    ck_assert_str_eq(timestamp_text(1777629600123, text), "2026-05-01T10:00:00.123Z");
    ck_assert_str_eq(timestamp_text(-1, text), "1969-12-31T23:59:59.999Z");
    ck_assert_str_eq(timestamp_text(TIMESTAMP_MIN, text), "0001-01-01T00:00:00.000Z");
    ck_assert_str_eq(timestamp_text(TIMESTAMP_MAX, text), "9999-12-31T23:59:59.999Z");
    ck_assert_str_eq(timestamp_text(TIMESTAMP_NEVER, text), "");
    ck_assert_str_eq(timestamp_text(TIMESTAMP_ALWAYS, text), "");
    for (; ms < TIMESTAMP_MAX - INT64_C(9876543210123); ms += INT64_C(9876543210123)) {
        int64_t again;

        ck_assert(timestamp_parse(slice_from(timestamp_text(ms, text)), &again));
        ck_assert_int_eq(again, ms);
    }
}
END_TEST

START_TEST(dates_and_arguments)
{
    int64_t ms;

    ck_assert(timestamp_parse_date(SLICE_LITERAL("2026-05-01"), &ms) && ms == 1777593600000);
    ck_assert(!timestamp_parse_date(SLICE_LITERAL("2026-05-01T"), &ms));
    ck_assert(!timestamp_parse_date(SLICE_LITERAL("0000-01-01"), &ms));
    ck_assert(timestamp_parse_argument(SLICE_LITERAL("2026-05-01"), &ms) && ms == 1777593600000);
    ck_assert(timestamp_parse_argument(SLICE_LITERAL("2026-05-01T10:00:00Z"), &ms) && ms == 1777629600000);
    ck_assert(timestamp_parse_argument(SLICE_LITERAL("-1"), &ms) && ms == -1);
    ck_assert(timestamp_parse_argument(SLICE_LITERAL("1777629600000"), &ms) && ms == 1777629600000);
    ck_assert(!timestamp_parse_argument(SLICE_LITERAL("-"), &ms));
    ck_assert(!timestamp_parse_argument(SLICE_LITERAL(""), &ms));
    ck_assert(!timestamp_parse_argument(SLICE_LITERAL("17776296e5"), &ms));
    ck_assert(!timestamp_parse_argument(SLICE_LITERAL("253402300800000"), &ms));
    ck_assert(!timestamp_parse_argument(SLICE_LITERAL("99999999999999999999"), &ms));
}
END_TEST

START_TEST(append_goes_into_the_buffer)
{
    struct buffer buffer;

    buffer_init(&buffer, 100);
    timestamp_append(&buffer, 0);
    timestamp_append(&buffer, TIMESTAMP_NEVER);
    ck_assert_str_eq(buffer_text(&buffer), "1970-01-01T00:00:00.000Z");
    buffer_clear(&buffer);
}
END_TEST

START_TEST(clocks_go_forward)
{
    int64_t begun = timestamp_monotonic_ms();

    ck_assert_int_gt(timestamp_now(), 1700000000000);
    ck_assert_int_ge(timestamp_monotonic_ms(), begun);
    ck_assert_int_gt(timestamp_cpu_ns(), 0);
}
END_TEST

Suite *timestamp_suite(void)
{
    Suite *suite = suite_create("timestamp");
    TCase *tests = tcase_create("timestamp");

    tcase_add_test(tests, parse_reads_rfc3339);
    tcase_add_test(tests, the_usual_form_is_read_like_any_other);
    tcase_add_test(tests, parse_refuses_everything_else);
    tcase_add_test(tests, parse_stays_inside_the_slice);
    tcase_add_test(tests, civil_days_go_both_ways);
    tcase_add_test(tests, text_reads_back);
    tcase_add_test(tests, dates_and_arguments);
    tcase_add_test(tests, append_goes_into_the_buffer);
    tcase_add_test(tests, clocks_go_forward);
    suite_add_tcase(suite, tests);
    return suite;
}
