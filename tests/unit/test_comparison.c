#include "common/domain/comparison.h"

#include "common/base/timestamp.h"
#include "tests/unit/unit.h"

Suite *comparison_suite(void);

static struct quotient number(int128 sum, int64_t count)
{
    return (struct quotient){.exists = true, .sum = sum, .count = count};
}

START_TEST(quotients_compare_exactly)
{
    struct quotient third = number(1, 3);
    struct quotient rounded = number(333333333, 1000000000);
    struct quotient huge = number((int128)DECIMAL_MAX * 1000000000, 999999999);
    struct quotient huger = number((int128)DECIMAL_MAX * 1000000000 + 1, 999999999);
    struct quotient nothing = {0};

    ck_assert_int_eq(quotient_compare(&third, &rounded), 1);
    ck_assert_int_eq(quotient_compare(&rounded, &third), -1);
    ck_assert_int_eq(quotient_compare(&third, &third), 0);
    ck_assert_int_eq(quotient_compare(&huge, &huger), -1);
    huge.sum = -huge.sum;
    huger.sum = -huger.sum;
    ck_assert_int_eq(quotient_compare(&huge, &huger), 1);
    ck_assert_int_eq(quotient_compare(&huge, &third), -1);
    /* -1/3 x -2 = 2/3 */
    third.sum = -1;
    rounded = number(2, 3);
    ck_assert(comparison_of_quotients(&rounded, RULE_EQUAL, &third, -2 * DECIMAL_ONE));
    ck_assert(!comparison_of_quotients(&rounded, RULE_EQUAL, &third, 2 * DECIMAL_ONE));
    ck_assert(!comparison_of_quotients(&nothing, RULE_NOT_EQUAL, &third, DECIMAL_ONE));
}
END_TEST

START_TEST(arrays_contain_equal_elements_only)
{
    struct comparison_scratch scratch;
    struct value operand = {.type = VALUE_NUMBER, .micros = 2 * DECIMAL_ONE};
    struct rule_term term = {.op = RULE_CONTAINS, .operands = &operand, .operand_count = 1};
    struct rule_comparison comparison = {.terms = &term, .term_count = 1};
    struct value array = {.type = VALUE_COMPOUND, .text = SLICE_LITERAL("[1,[2],\"2\",2.0]")};
    struct value without = {.type = VALUE_COMPOUND, .text = SLICE_LITERAL("[1,[2],\"2\"]")};

    comparison_scratch_init(&scratch);
    ck_assert(comparison_value(&comparison, &array, &scratch));
    ck_assert(!comparison_value(&comparison, &without, &scratch));
    term.op = RULE_NOT_EQUAL;
    ck_assert(comparison_value(&comparison, &array, &scratch));
    term.op = RULE_GREATER;
    ck_assert(!comparison_value(&comparison, &array, &scratch));
    ck_assert(!scratch.failed);
    comparison_scratch_clear(&scratch);
}
END_TEST

static int64_t instant(const char *text)
{
    int64_t ms;

    ck_assert(timestamp_parse(slice_from(text), &ms));
    return ms;
}

START_TEST(anniversaries_keep_the_time_of_day)
{
    struct rule_span_term term = {.op = RULE_GREATER_EQUAL, .span = {.years = 18}};
    struct rule_span_comparison spans = {.terms = &term, .term_count = 1};
    int64_t leap = instant("2008-02-29T06:30:00Z");
    int64_t edges[SPAN_EDGES_MAX];
    size_t count = span_edges(&spans, SPAN_ELAPSED, leap, edges);

    ck_assert(!span_holds(&spans, SPAN_ELAPSED, leap, instant("2026-03-01T06:29:59.999Z")));
    ck_assert(span_holds(&spans, SPAN_ELAPSED, leap, instant("2026-03-01T06:30:00Z")));
    ck_assert_uint_eq(count, 3);
    ck_assert_int_eq(edges[0], leap);
    ck_assert_int_eq(edges[1], instant("2026-03-01T06:30:00Z"));
    term.span.years = 20;
    ck_assert(span_holds(&spans, SPAN_ELAPSED, leap, instant("2028-02-29T06:30:00Z")));
    ck_assert(!span_holds(&spans, SPAN_ELAPSED, leap, instant("2028-02-29T06:29:59Z")));
}
END_TEST

/* Every edge is a change of truth or none at all, but between edges nothing changes. */
START_TEST(nothing_changes_between_edges)
{
    struct rule_span_term terms[] = {{.op = RULE_GREATER, .span = {.ms = 5}},
                                     {.op = RULE_NOT_EQUAL, .span = {.ms = 9}}};
    struct rule_span_comparison spans = {.terms = terms, .term_count = 2};

    for (int kind = SPAN_ELAPSED; kind <= SPAN_REMAINING; kind++) {
        int64_t edges[SPAN_EDGES_MAX];
        size_t count = span_edges(&spans, (enum span_kind)kind, 100, edges);
        bool before = span_holds(&spans, (enum span_kind)kind, 100, 50);
        int changes = 0;

        for (int64_t at = 51; at < 150; at++) {
            bool now = span_holds(&spans, (enum span_kind)kind, 100, at);
            bool edge = false;

            for (size_t i = 0; i < count; i++) {
                edge = edge || edges[i] == at;
            }
            ck_assert_msg(edge || now == before, "kind %d, at %lld", kind, (long long)at);
            changes += now != before;
            before = now;
        }
        ck_assert_int_eq(changes, 3);
    }
}
END_TEST

Suite *comparison_suite(void)
{
    Suite *suite = suite_create("comparison");
    TCase *tests = tcase_create("comparison");

    tcase_add_test(tests, quotients_compare_exactly);
    tcase_add_test(tests, arrays_contain_equal_elements_only);
    tcase_add_test(tests, anniversaries_keep_the_time_of_day);
    tcase_add_test(tests, nothing_changes_between_edges);
    suite_add_tcase(suite, tests);
    return suite;
}
