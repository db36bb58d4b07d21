#include "common/base/duration.h"

#include "tests/unit/unit.h"

Suite *duration_suite(void);

static const struct {
    const char *text;
    int64_t ms;
} good[] = {
    {"1ms", 1},
    {"30m", 1800000},
    {"1h30m", 5400000},
    {"30m1h", 5400000},
    {"2w", 1209600000},
    {"1d1ms", 86400001},
    {"1m1ms", 60001},
    {"0h1s", 1000},
    {"36525d", DURATION_MAX_MS},
    {"P2W", 1209600000},
    {"P1D", 86400000},
    {"PT1H30M", 5400000},
    {"P1DT12H", 129600000},
    {"PT0H1S", 1000},
    {"P0DT1S", 1000},
    {"PT30M5S", 1805000},
};

static const char *const bad[] = {
    "",
    "30",
    "m",
    "30 m",
    " 30m",
    "30m ",
    "+30m",
    "-30m",
    "1.5h",
    "30M",
    "30min",
    "1y",
    "0",
    "0s",
    "P0D",
    "36525d1ms",
    "36526d",
    "P",
    "PT",
    "P1DT",
    "PT1D",
    "P1H",
    "P1M",
    "P1Y",
    "P1W1D",
    "P1DT1W",
    "PT1M1H",
    "PT1H1H",
    "PT1.5S",
    "p1d",
    "PT1h",
    "PTT1H",
    "P-1D",
    "99999999999999999999d",
    "9223372036854775807ms",
    "1h30",
    "P1DT1HT1M",
    "P5219W",
};

START_TEST(parse_reads_both_spellings)
{
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int64_t ms = -2;

        ck_assert_msg(duration_parse(slice_from(good[i].text), &ms), "%s", good[i].text);
        ck_assert_msg(ms == good[i].ms, "%s: %lld", good[i].text, (long long)ms);
    }
}
END_TEST

START_TEST(parse_refuses_everything_else)
{
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t ms = -2;

        ck_assert_msg(!duration_parse(slice_from(bad[i]), &ms), "%s", bad[i]);
        ck_assert_msg(ms == -2, "%s: the result was touched", bad[i]);
    }
    ck_assert(!duration_parse(slice_of("1m\0", 3), &(int64_t){0}));
}
END_TEST

START_TEST(zero_is_for_settings)
{
    int64_t ms = 7;

    ck_assert(duration_parse_or_zero(SLICE_LITERAL("0"), &ms) && ms == 0);
    ms = 7;
    ck_assert(duration_parse_or_zero(SLICE_LITERAL("0s"), &ms) && ms == 0);
    ck_assert(duration_parse_or_zero(SLICE_LITERAL("5s"), &ms) && ms == 5000);
    ck_assert(!duration_parse_or_zero(SLICE_LITERAL("5"), &ms));
}
END_TEST

START_TEST(append_reads_back)
{
    static const int64_t samples[] = {1, 999, 1000, 60001, 5400000, 86400000, 1209600000, 129600001, DURATION_MAX_MS};
    struct buffer buffer;

    buffer_init(&buffer, 100);
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        int64_t ms;

        buffer_reset(&buffer);
        duration_append(&buffer, samples[i]);
        ck_assert(duration_parse(buffer_slice(&buffer), &ms));
        ck_assert_int_eq(ms, samples[i]);
    }
    buffer_reset(&buffer);
    duration_append(&buffer, 0);
    duration_append(&buffer, 5400000);
    ck_assert_str_eq(buffer_text(&buffer), "01h30m");
    buffer_clear(&buffer);
}
END_TEST

Suite *duration_suite(void)
{
    Suite *suite = suite_create("duration");
    TCase *tests = tcase_create("duration");

    tcase_add_test(tests, parse_reads_both_spellings);
    tcase_add_test(tests, parse_refuses_everything_else);
    tcase_add_test(tests, zero_is_for_settings);
    tcase_add_test(tests, append_reads_back);
    suite_add_tcase(suite, tests);
    return suite;
}
