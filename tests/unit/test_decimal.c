#include "common/domain/decimal.h"

#include "common/domain/value.h"

#include "tests/unit/unit.h"

#include <stdio.h>

Suite *decimal_suite(void);

/* What the text reads as, written again; "out" where it is outside the range. */
static const struct {
    const char *text;
    const char *wanted;
} readings[] = {
    {"0", "0"},
    {"-0", "0"},
    {"-0.0e7", "0"},
    {"0.1", "0.1"},
    {"-1.50", "-1.5"},
    {"1e3", "1000"},
    {"1E+3", "1000"},
    {"12345678e-3", "12345.678"},
    {"123456789012.123456", "123456789012.123456"},
    {"999999999999.9999995", "1000000000000"},
    {"9007199254740.993", "9007199254740.993"},
    /* half-even at the seventh digit */
    {"0.0000005", "0"},
    {"0.0000015", "0.000002"},
    {"0.0000025", "0.000002"},
    {"-0.0000025", "-0.000002"},
    {"-0.0000035", "-0.000004"},
    {"0.00000250000000000000000000000000000001", "0.000003"},
    {"0.00000049999999999999999999999999999999", "0"},
    {"5e-7", "0"},
    {"15E-7", "0.000002"},
    {"0.0000006", "0.000001"},
    {"0.9999995", "1"},
    {"0.9999985", "0.999998"},
    /* the range, inclusive after rounding */
    {"9200000000000", "9200000000000"},
    {"-9200000000000", "-9200000000000"},
    {"9200000000000.0000005", "9200000000000"},
    {"9200000000000.0000006", "out"},
    {"-9200000000000.000001", "out"},
    {"9007199254740993", "out"},
    {"92233720368547758080", "out"},
    {"1e13", "out"},
    /* exponents of any length */
    {"1e-400", "0"},
    {"1e99999999999999999999999", "out"},
    {"-1e99999999999999999999999", "out"},
    {"0e99999999999999999999999", "0"},
    {"1e-99999999999999999999999", "0"},
    {"0.00000000000000000000000000000000000001e40", "100"},
    {"100000000000000000000000000000000000000e-36", "100"},
};

START_TEST(parse_rounds_from_the_text)
{
    for (size_t i = 0; i < sizeof readings / sizeof readings[0]; i++) {
        struct buffer text;
        int64_t micros;

        buffer_init(&text, 100);
        buffer_append_text(&text, "out");
        if (decimal_parse(slice_from(readings[i].text), &micros)) {
            buffer_reset(&text);
            decimal_append(&text, micros);
        }
        ck_assert_msg(strcmp(buffer_text(&text), readings[i].wanted) == 0, "%s reads as %s, not %s", readings[i].text,
                      buffer_text(&text), readings[i].wanted);
        buffer_clear(&text);
    }
}
END_TEST

START_TEST(parse_takes_a_million_digits)
{
    enum { ZEROS = 1000000 };
    char *text = memory_allocate(ZEROS + 32);
    int64_t micros = -1;
    int size;

    memset(text, '0', ZEROS);
    text[1] = '.';
    size = snprintf(text + ZEROS, 32, "15e%d", ZEROS - 1);
    ck_assert(decimal_parse(slice_of(text, ZEROS + (size_t)size), &micros));
    ck_assert_int_eq(micros, 1500000); /* 0.15 behind ZEROS - 2 zeros, times 10^(ZEROS - 1) */
    memory_free(text);
}
END_TEST

static uint64_t draw(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

/* Schoolbook rounding of 0.DIGITS x 10^point, digit by digit, as a text of micros. */
static int64_t round_slowly(const char *digits, size_t count, int point)
{
    int keep = point + 6;
    int64_t micros = 0;
    int rest = 0; /* -1 below a half, 0 half, 1 above */

    for (int i = 0; i < keep; i++) {
        micros = micros * 10 + (i < (int)count ? digits[i] - '0' : 0);
    }
    if (keep >= 0 && keep < (int)count) {
        rest = digits[keep] > '5' ? 1 : digits[keep] < '5' ? -1 : 0;
        for (size_t i = (size_t)keep + 1; rest == 0 && i < count; i++) {
            rest = digits[i] != '0';
        }
    } else {
        rest = -1;
    }
    return rest > 0 || (rest == 0 && micros % 2 != 0) ? micros + 1 : micros;
}

START_TEST(parse_agrees_with_schoolbook_rounding)
{
    uint64_t state = 4;

    for (int round = 0; round < 20000; round++) {
        char digits[32];
        char text[64];
        size_t count = 1 + draw(&state) % 20;
        int point = (int)(draw(&state) % 21) - 8; /* at most 12 digits before the point */
        int64_t micros;
        int64_t wanted;

        for (size_t i = 0; i < count; i++) {
            uint64_t kind = draw(&state) % 4;

            digits[i] = kind == 0 ? '0' : kind == 1 ? '5' : (char)('0' + draw(&state) % 10);
        }
        digits[count] = '\0';
        (void)snprintf(text, sizeof text, "0.%se%d", digits, point);
        wanted = round_slowly(digits, count, point);
        ck_assert_msg(decimal_parse(slice_from(text), &micros), "%s is out of range", text);
        ck_assert_msg(micros == wanted, "%s reads as %lld, not %lld", text, (long long)micros, (long long)wanted);
    }
}
END_TEST

/* Short numbers, the point anywhere, read as they do behind zeros that make them long. Each lies at the end of its
 * room, behind which nothing may be read. */
START_TEST(short_numbers_read_like_long_ones)
{
    uint64_t state = 9;

    for (int round = 0; round < 20000; round++) {
        size_t size = 1 + draw(&state) % 10;
        size_t place = draw(&state) % (size + 3); /* none beyond the end */
        char *text = memory_allocate(size);
        char padded[64] = "00000000000000";
        int64_t micros = -1;
        int64_t wanted = -2;

        for (size_t i = 0; i < size; i++) {
            text[i] = draw(&state) % 3 == 0 ? '0' : (char)('0' + draw(&state) % 10);
        }
        if (place > 0 && place + 1 < size) {
            text[place] = '.';
        }
        if (size > 1 && place != 1 && round % 5 == 0) {
            text[0] = '-';
            padded[0] = '-';
            memcpy(padded + 14, text + 1, size - 1);
        } else if (size > 2 && place != size - 2 && round % 7 == 0) {
            text[size - 2] = 'e';
            memcpy(padded + 14, text, size);
        } else {
            memcpy(padded + 14, text, size);
        }
        ck_assert_int_eq(decimal_parse(slice_of(text, size), &micros), decimal_parse(slice_from(padded), &wanted));
        ck_assert_msg(micros == wanted || (micros == -1 && wanted == -2), "%.*s: %lld, %lld", (int)size, text,
                      (long long)micros, (long long)wanted);
        memory_free(text);
    }
}
END_TEST

static const struct {
    const char *text;
    bool good;
    int64_t wanted;
} integrals[] = {
    {"0", true, 0},
    {"-0.000", true, 0},
    {"1e3", true, 1000},
    {"1.5e1", true, 15},
    {"150e-1", true, 15},
    {"1777629600000.000", true, INT64_C(1777629600000)},
    {"-62135596800000", true, INT64_C(-62135596800000)},
    {"9223372036854775807", true, INT64_MAX},
    {"9223372036854775808", false, 0},
    {"1.5", false, 0},
    {"1.0000001", false, 0},
    {"1e-1", false, 0},
    {"1e30", false, 0},
    {"1e99999999999999999999", false, 0},
};

START_TEST(parse_integral_is_exact)
{
    for (size_t i = 0; i < sizeof integrals / sizeof integrals[0]; i++) {
        int64_t number = -7;
        bool good = decimal_parse_integral(slice_from(integrals[i].text), &number);

        ck_assert_msg(good == integrals[i].good, "%s", integrals[i].text);
        ck_assert_msg(!good || number == integrals[i].wanted, "%s", integrals[i].text);
    }
}
END_TEST

START_TEST(multiply_rounds_half_even)
{
    int64_t micros;

    ck_assert(decimal_multiply(3 * DECIMAL_ONE, -2500000, &micros));
    ck_assert_int_eq(micros, -7500000);
    ck_assert(decimal_multiply(1, 500000, &micros)); /* 0.0000005 */
    ck_assert_int_eq(micros, 0);
    ck_assert(decimal_multiply(3, 500000, &micros));
    ck_assert_int_eq(micros, 2);
    ck_assert(decimal_multiply(-3, 500000, &micros));
    ck_assert_int_eq(micros, -2);
    ck_assert(decimal_multiply(-5, 500000, &micros));
    ck_assert_int_eq(micros, -2);
    ck_assert(decimal_multiply(DECIMAL_MAX, DECIMAL_ONE, &micros));
    ck_assert_int_eq(micros, DECIMAL_MAX);
    ck_assert(decimal_multiply(DECIMAL_MIN, DECIMAL_ONE, &micros));
    ck_assert_int_eq(micros, DECIMAL_MIN);
    ck_assert(!decimal_multiply(DECIMAL_MAX, DECIMAL_ONE + 1, &micros));
    ck_assert(!decimal_multiply(DECIMAL_MAX, DECIMAL_MIN, &micros));
}
END_TEST

START_TEST(append_wide_has_no_range)
{
    struct buffer text;
    int128 half = (int128)1 << 126;
    int128 largest = half - 1 + half;

    buffer_init(&text, 200);
    decimal_append_wide(&text, largest);
    ck_assert_str_eq(buffer_text(&text), "170141183460469231731687303715884.105727");
    buffer_reset(&text);
    decimal_append_wide(&text, -largest - 1);
    ck_assert_str_eq(buffer_text(&text), "-170141183460469231731687303715884.105728");
    buffer_reset(&text);
    decimal_append(&text, -1);
    ck_assert_str_eq(buffer_text(&text), "-0.000001");
    buffer_clear(&text);
}
END_TEST

START_TEST(values_are_ordered_by_type_then_value)
{
    const struct value order[] = {
        {.type = VALUE_MISSING},
        {.type = VALUE_BOOLEAN, .boolean = false},
        {.type = VALUE_BOOLEAN, .boolean = true},
        {.type = VALUE_NUMBER, .micros = -5},
        {.type = VALUE_NUMBER, .micros = 7},
        {.type = VALUE_STRING, .text = {NULL, 0}},
        {.type = VALUE_STRING, .text = {"a", 1}},
        {.type = VALUE_STRING, .text = {"a\0", 2}},
        {.type = VALUE_STRING, .text = {"\xc3", 1}},
        {.type = VALUE_COMPOUND, .text = {"[]", 2}},
    };
    size_t count = sizeof order / sizeof order[0];

    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            int sign = value_compare(&order[i], &order[j]);

            ck_assert_int_eq((sign > 0) - (sign < 0), (i > j) - (i < j));
            ck_assert_int_eq(value_equal(&order[i], &order[j]), i == j && i > 0);
        }
    }
}
END_TEST

Suite *decimal_suite(void)
{
    Suite *suite = suite_create("decimal");
    TCase *tests = tcase_create("decimal");

    tcase_add_test(tests, parse_rounds_from_the_text);
    tcase_add_test(tests, parse_takes_a_million_digits);
    tcase_add_test(tests, parse_agrees_with_schoolbook_rounding);
    tcase_add_test(tests, short_numbers_read_like_long_ones);
    tcase_add_test(tests, parse_integral_is_exact);
    tcase_add_test(tests, multiply_rounds_half_even);
    tcase_add_test(tests, append_wide_has_no_range);
    tcase_add_test(tests, values_are_ordered_by_type_then_value);
    suite_add_tcase(suite, tests);
    return suite;
}
