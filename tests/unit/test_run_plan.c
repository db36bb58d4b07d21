#include "common/base/timestamp.h"
#include "common/io/store_runs.h"

#include "tests/unit/unit.h"

Suite *run_plan_suite(void);

enum { BOUND_MS = 10 };

static struct run_plan plan_of(struct run_coverage *coverage, size_t count, int64_t load_time_max_ms)
{
    return (struct run_plan){.coverage = coverage, .coverage_count = count, .load_time_max_ms = load_time_max_ms};
}

START_TEST(as_of_is_the_smallest_watermark_that_counts)
{
    struct run_coverage coverage[] = {
        {.lane = 0, .event_time_max_ms = 1000},
        {.lane = 1, .event_time_max_ms = 700},
        {.lane = 2, .event_time_max_ms = 100, .at_end = true, .read_at_ms = 5000},
    };
    struct run_plan plan = plan_of(coverage, 3, TIMESTAMP_ALWAYS);

    /* With clock = event lane 2, fully idle, stands still; one of its partitions alone would be left out. */
    ck_assert_int_eq(run_plan_as_of(&plan, false, BOUND_MS), 90);
    coverage[2].lane = 1;
    ck_assert_int_eq(run_plan_as_of(&plan, false, BOUND_MS), 690);
    ck_assert_int_eq(run_plan_as_of(&plan, true, BOUND_MS), 690);
}
END_TEST

START_TEST(as_of_where_all_is_read_to_its_end)
{
    struct run_coverage coverage[] = {
        {.lane = 0, .event_time_max_ms = 1000, .at_end = true, .read_at_ms = 5000},
        {.lane = 1, .event_time_max_ms = TIMESTAMP_ALWAYS, .at_end = true, .read_at_ms = 4000},
    };
    struct run_plan plan = plan_of(coverage, 2, 1200);

    ck_assert_int_eq(run_plan_as_of(&plan, false, BOUND_MS), 990);
    ck_assert_int_eq(run_plan_as_of(&plan, true, BOUND_MS), 3990);
}
END_TEST

START_TEST(as_of_of_files_alone_and_of_nothing)
{
    struct run_plan files = plan_of(NULL, 0, 1200);
    struct run_plan nothing = plan_of(NULL, 0, TIMESTAMP_ALWAYS);
    struct run_coverage empty = {.event_time_max_ms = TIMESTAMP_ALWAYS, .at_end = true, .read_at_ms = 5000};
    struct run_plan empty_log = plan_of(&empty, 1, TIMESTAMP_ALWAYS);

    ck_assert_int_eq(run_plan_as_of(&files, true, BOUND_MS), 1200);
    ck_assert_int_eq(run_plan_as_of(&nothing, true, BOUND_MS), TIMESTAMP_ALWAYS);
    ck_assert_int_eq(run_plan_as_of(&empty_log, true, BOUND_MS), TIMESTAMP_ALWAYS);
}
END_TEST

START_TEST(same_plans_read_and_compute_the_same)
{
    struct run_coverage coverage[] = {{.topic_no = 0, .lane = 0, .offset_last = 9}};
    struct run_coverage further[] = {{.topic_no = 0, .lane = 0, .offset_last = 10}};
    struct run_segment segments[] = {{.segment_no = 1, .version = 1}, {.segment_no = 2, .version = 1}};
    struct run_segment newer[] = {{.segment_no = 2, .version = 1}, {.segment_no = 1, .version = 2}};
    int32_t loads[] = {1};
    struct run_plan a = {.coverage = coverage, .coverage_count = 1, .segments = segments, .segment_count = 2};
    struct run_plan b = a;

    b.as_of_ms = 7;
    ck_assert(run_plan_same(&a, &b));
    b.coverage = further;
    ck_assert(!run_plan_same(&a, &b));
    b = a;
    b.segments = newer;
    ck_assert(!run_plan_same(&a, &b));
    b = a;
    b.load_numbers = loads;
    b.load_count = 1;
    ck_assert(!run_plan_same(&a, &b));
}
END_TEST

START_TEST(range_holds_the_lane_alone)
{
    struct run_coverage coverage[] = {
        {.topic_no = 0, .lane = 0, .offset_last = 9},
        {.topic_no = 0, .lane = 1, .offset_last = -1},
        {.topic_no = 2, .lane = 0, .offset_last = 4},
    };
    int32_t loads[] = {3, 5};
    struct run_plan plan = {.coverage = coverage, .coverage_count = 3, .load_numbers = loads, .load_count = 2};
    struct archive_range range = run_plan_range(&plan, 0);

    ck_assert_int_eq(range.offset_next[0], 10);
    ck_assert_int_eq(range.offset_next[1], 0);
    ck_assert_int_eq(range.offset_next[2], 5);
    ck_assert_uint_eq(range.load_count, 2);
    ck_assert(!range.all_loads);
    range = run_plan_range(&plan, 1);
    ck_assert_int_eq(range.offset_next[0], 0);
}
END_TEST

Suite *run_plan_suite(void)
{
    Suite *suite = suite_create("run_plan");
    TCase *tests = tcase_create("run_plan");

    tcase_add_test(tests, as_of_is_the_smallest_watermark_that_counts);
    tcase_add_test(tests, as_of_where_all_is_read_to_its_end);
    tcase_add_test(tests, as_of_of_files_alone_and_of_nothing);
    tcase_add_test(tests, same_plans_read_and_compute_the_same);
    tcase_add_test(tests, range_holds_the_lane_alone);
    suite_add_tcase(suite, tests);
    return suite;
}
