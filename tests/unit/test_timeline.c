#include "common/domain/timeline.h"

#include "tests/unit/unit.h"

Suite *timeline_suite(void);

enum { SPAN = 24 };

/* A timeline from the bits of a number: its value at instant i is bit i. */
static void from_bits(struct timeline *timeline, unsigned bits, struct arena *arena, bool *failed)
{
    *timeline = (struct timeline){.initial = (bits & 1) != 0};
    for (int at = 1; at < SPAN; at++) {
        timeline_set(timeline, at, (bits >> at & 1) != 0, arena, failed);
    }
}

static unsigned to_bits(const struct timeline *timeline)
{
    unsigned bits = 0;

    for (unsigned at = 0; at < SPAN; at++) {
        bits |= (unsigned)timeline_at(timeline, at) << at;
    }
    return bits;
}

START_TEST(merging_is_and_and_or_at_every_instant)
{
    struct arena arena;
    bool failed = false;
    unsigned seed = 1;

    arena_init(&arena, 1 << 20);
    for (int round = 0; round < 2000; round++) {
        unsigned a = (seed = seed * 1103515245u + 12345u) >> 8 & 0xffffff;
        unsigned b = (seed = seed * 1103515245u + 12345u) >> 8 & 0xffffff;
        struct timeline left;
        struct timeline right;

        /* Long constant stretches too. */
        b = round % 3 == 0 ? 0 : round % 3 == 1 ? 0xffffff : b;
        from_bits(&left, a, &arena, &failed);
        from_bits(&right, b, &arena, &failed);
        ck_assert_uint_eq(to_bits(&left), a);
        timeline_and(&left, &right, &arena, &failed);
        ck_assert_uint_eq(to_bits(&left), a & b);
        from_bits(&left, a, &arena, &failed);
        timeline_or(&right, &left, &arena, &failed);
        ck_assert_uint_eq(to_bits(&right), a | b);
        arena_reset(&arena);
    }
    ck_assert(!failed);
    arena_clear(&arena);
}
END_TEST

START_TEST(a_union_joins_what_touches)
{
    struct arena arena;
    struct timeline timeline = {0};
    struct timeline_union sum = {.timeline = &timeline, .first = 2, .end = INT64_MIN};
    bool failed = false;

    arena_init(&arena, 1 << 20);
    timeline_union_add(&sum, 0, 2, &arena, &failed); /* over before it begins */
    timeline_union_add(&sum, 1, 5, &arena, &failed);
    timeline_union_add(&sum, 3, 4, &arena, &failed);
    timeline_union_add(&sum, 5, 7, &arena, &failed);
    timeline_union_add(&sum, 8, 8, &arena, &failed); /* empty */
    timeline_union_add(&sum, 9, 11, &arena, &failed);
    timeline_union_add(&sum, 12, INT64_MAX, &arena, &failed);
    timeline_union_end(&sum, &arena, &failed);
    ck_assert(!failed && timeline.initial);
    ck_assert_uint_eq(timeline.flips.count, 4);
    ck_assert_int_eq(timeline.flips.at[0], 7);
    ck_assert_int_eq(timeline.flips.at[1], 9);
    ck_assert_int_eq(timeline.flips.at[2], 11);
    ck_assert_int_eq(timeline.flips.at[3], 12);
    arena_clear(&arena);
}
END_TEST

START_TEST(no_memory_is_remembered)
{
    struct arena arena;
    struct timeline timeline = {0};
    bool failed = false;

    arena_init(&arena, 100);
    for (int64_t at = 0; at < 100; at++) {
        timeline_set(&timeline, at, at % 2 == 0, &arena, &failed);
    }
    ck_assert(failed);
    arena_clear(&arena);
}
END_TEST

Suite *timeline_suite(void)
{
    Suite *suite = suite_create("timeline");
    TCase *tests = tcase_create("timeline");

    tcase_add_test(tests, merging_is_and_and_or_at_every_instant);
    tcase_add_test(tests, a_union_joins_what_touches);
    tcase_add_test(tests, no_memory_is_remembered);
    suite_add_tcase(suite, tests);
    return suite;
}
