#include "common/domain/timer.h"
#include "common/domain/watermark.h"

#include <check.h>

Suite *watermark_suite(void);

START_TEST(it_is_the_smallest_of_the_topics)
{
    struct watermark watermark;

    watermark_init(&watermark, 2, 10, TIMESTAMP_ALWAYS);
    watermark_event(&watermark, 0, 100);
    ck_assert(watermark.value_ms == TIMESTAMP_ALWAYS);
    watermark_event(&watermark, 1, 50);
    ck_assert_int_eq(watermark.value_ms, 40);
    watermark_event(&watermark, 1, 200);
    ck_assert_int_eq(watermark.value_ms, 90);
    watermark_event(&watermark, 0, 20);
    ck_assert_int_eq(watermark.value_ms, 90);
}
END_TEST

START_TEST(idle_topics_are_left_out_and_it_never_goes_back)
{
    struct watermark watermark;

    watermark_init(&watermark, 2, 10, TIMESTAMP_ALWAYS);
    watermark_idle(&watermark, 1);
    ck_assert(watermark.value_ms == TIMESTAMP_ALWAYS);
    watermark_event(&watermark, 0, 100);
    ck_assert_int_eq(watermark.value_ms, 90);
    watermark_idle(&watermark, 0);
    ck_assert_int_eq(watermark.value_ms, 90);
    watermark_event(&watermark, 1, 30);
    ck_assert_int_eq(watermark.value_ms, 90);
    watermark_event(&watermark, 0, 95);
    watermark_event(&watermark, 1, 130);
    ck_assert_int_eq(watermark.value_ms, 90);
    watermark_event(&watermark, 0, 125);
    ck_assert_int_eq(watermark.value_ms, 115);
}
END_TEST

START_TEST(idle_topics_follow_the_wall_clock)
{
    struct watermark watermark;

    watermark_init(&watermark, 2, 10, TIMESTAMP_ALWAYS);
    watermark_event(&watermark, 0, 100);
    watermark_wall(&watermark, 1000);
    ck_assert(watermark.value_ms == TIMESTAMP_ALWAYS);
    watermark_idle(&watermark, 1);
    watermark_wall(&watermark, 1000);
    ck_assert_int_eq(watermark.value_ms, 90);
    watermark_idle(&watermark, 0);
    watermark_wall(&watermark, 1000);
    ck_assert_int_eq(watermark.value_ms, 990);
}
END_TEST

START_TEST(it_stops_at_its_ceiling_and_goes_on_from_where_it_stood)
{
    struct watermark watermark;

    watermark_init(&watermark, 1, 10, 500);
    watermark.ceiling_ms = 700;
    watermark_event(&watermark, 0, 100);
    ck_assert_int_eq(watermark.value_ms, 500);
    watermark_event(&watermark, 0, 5000);
    ck_assert_int_eq(watermark.value_ms, 700);
}
END_TEST

START_TEST(timers_come_in_order)
{
    struct error err = ERROR_INIT;
    struct timer_heap heap;
    struct timer timer;
    uint64_t state = 7;
    int64_t last = -1;
    size_t count = 0;

    timer_heap_init(&heap);
    for (int i = 0; i < 1000; i++) {
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407U;
        ck_assert(timer_heap_push(&heap, (int64_t)(state >> 54), NULL, &err));
    }
    while (timer_heap_pop(&heap, 511, &timer)) {
        ck_assert(timer.at_ms >= last && timer.at_ms <= 511);
        last = timer.at_ms;
        count++;
    }
    ck_assert(heap.count == 0 || heap.timers[0].at_ms > 511);
    while (timer_heap_pop(&heap, INT64_MAX, &timer)) {
        ck_assert(timer.at_ms >= last);
        last = timer.at_ms;
        count++;
    }
    ck_assert_uint_eq(count, 1000);
    timer_heap_clear(&heap);
}
END_TEST

Suite *watermark_suite(void)
{
    Suite *suite = suite_create("watermark");
    TCase *tcase = tcase_create("watermark");

    tcase_add_test(tcase, it_is_the_smallest_of_the_topics);
    tcase_add_test(tcase, idle_topics_are_left_out_and_it_never_goes_back);
    tcase_add_test(tcase, idle_topics_follow_the_wall_clock);
    tcase_add_test(tcase, it_stops_at_its_ceiling_and_goes_on_from_where_it_stood);
    tcase_add_test(tcase, timers_come_in_order);
    suite_add_tcase(suite, tcase);
    return suite;
}
