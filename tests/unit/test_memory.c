#include "common/base/memory.h"

#include "tests/unit/unit.h"

#include <stdalign.h>
#include <stdint.h>

Suite *memory_suite(void);

START_TEST(overflow_gives_null)
{
    void *block = memory_allocate(8);

    ck_assert_ptr_nonnull(block);
    ck_assert_ptr_null(memory_allocate_zeroed(SIZE_MAX / 2, 3));
    ck_assert_ptr_null(memory_resize(block, SIZE_MAX / 2, 3));
    memory_free(block); /* still ours after the failed resize */
}
END_TEST

START_TEST(zero_bytes_are_a_block)
{
    void *a = memory_allocate(0);
    void *b = memory_allocate_zeroed(0, 5);
    void *c = memory_resize(NULL, 0, 5);

    ck_assert_ptr_nonnull(a);
    ck_assert_ptr_nonnull(b);
    ck_assert_ptr_nonnull(c);
    memory_free(a);
    memory_free(b);
    memory_free(c);
    memory_free(NULL);
}
END_TEST

START_TEST(copy_ends_with_nul)
{
    char *copy = memory_copy_text(slice_of("abcdef", 3));
    char *empty = memory_copy_text(slice_of(NULL, 0));

    ck_assert_str_eq(copy, "abc");
    ck_assert_str_eq(empty, "");
    memory_free(copy);
    memory_free(empty);
}
END_TEST

START_TEST(grow_doubles_up_to_the_limit)
{
    struct error err = ERROR_INIT;
    int *numbers = NULL;
    size_t capacity = 0;

    for (int i = 0; i < 20; i++) {
        ck_assert_ok(memory_grow(&numbers, &capacity, (size_t)i, 20, sizeof *numbers, "numbers", &err));
        ck_assert_uint_gt(capacity, (size_t)i);
        ck_assert_uint_le(capacity, 20);
        numbers[i] = i;
    }
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(numbers[i], i);
    }
    ck_assert_fails(memory_grow(&numbers, &capacity, 20, 20, sizeof *numbers, "numbers", &err), ERROR_INTERNAL,
                    "too many numbers: at most 20");
    (void)memory_fail_at(1);
    ck_assert_fails(memory_grow(&numbers, &capacity, 20, 40, sizeof *numbers, "numbers", &err), ERROR_INTERNAL,
                    "no memory for numbers");
    (void)memory_fail_at(0);
    ck_assert_int_eq(numbers[19], 19);
    memory_free(numbers);
}
END_TEST

START_TEST(fail_at_counts)
{
    void *blocks[3];

    (void)memory_fail_at(3);
    blocks[0] = memory_allocate(1);
    blocks[1] = memory_allocate_zeroed(1, 1);
    blocks[2] = memory_allocate(1);
    ck_assert_ptr_nonnull(blocks[0]);
    ck_assert_ptr_nonnull(blocks[1]);
    ck_assert_ptr_null(blocks[2]);
    ck_assert_ptr_null(memory_allocate(1)); /* and every later one */
    ck_assert_uint_eq(memory_fail_at(0), 4);
    blocks[2] = memory_allocate(1);
    ck_assert_ptr_nonnull(blocks[2]);
    for (size_t i = 0; i < 3; i++) {
        memory_free(blocks[i]);
    }
}
END_TEST

START_TEST(arena_blocks_are_aligned_and_apart)
{
    struct arena arena;
    unsigned char *blocks[300];

    arena_init(&arena, 1 << 22);
    for (size_t i = 0; i < 300; i++) {
        size_t size = i * 7 % 97 + (i == 200 ? 100000 : 0);

        blocks[i] = arena_allocate(&arena, size);
        ck_assert_ptr_nonnull(blocks[i]);
        ck_assert_uint_eq((uintptr_t)blocks[i] % alignof(max_align_t), 0);
        memset(blocks[i], (int)(i & 0xff), size);
    }
    for (size_t i = 0; i < 300; i++) {
        for (size_t k = 0; k < i * 7 % 97; k++) {
            ck_assert_uint_eq(blocks[i][k], i & 0xff);
        }
    }
    arena_clear(&arena);
}
END_TEST

START_TEST(arena_keeps_its_maximum)
{
    struct arena arena;

    arena_init(&arena, 1000);
    ck_assert_ptr_nonnull(arena_allocate(&arena, 500));
    ck_assert_ptr_null(arena_allocate(&arena, 500));
    ck_assert_ptr_null(arena_allocate(&arena, SIZE_MAX));
    ck_assert_ptr_null(arena_allocate_zeroed(&arena, SIZE_MAX / 2, 3));
    ck_assert_ptr_nonnull(arena_allocate(&arena, 400));
    arena_reset(&arena);
    ck_assert_uint_eq(arena.size_used, 0);
    ck_assert_ptr_nonnull(arena_allocate(&arena, 900));
    arena_clear(&arena);
    ck_assert_ptr_nonnull(arena_allocate(&arena, 900));
    arena_clear(&arena);
}
END_TEST

START_TEST(arena_copies_and_zeroes)
{
    struct arena arena;
    struct slice copy;
    const unsigned char *zeroed;

    arena_init(&arena, 1 << 20);
    ck_assert(arena_copy(&arena, SLICE_LITERAL("a\0b"), &copy));
    ck_assert_uint_eq(copy.size, 3);
    ck_assert(memcmp(copy.data, "a\0b\0", 4) == 0);
    ck_assert(arena_copy(&arena, slice_of(NULL, 0), &copy));
    ck_assert_uint_eq(copy.size, 0);
    memset(arena_allocate(&arena, 200), 0xff, 200);
    arena_reset(&arena);
    zeroed = arena_allocate_zeroed(&arena, 20, 10);
    for (size_t i = 0; i < 200; i++) {
        ck_assert_uint_eq(zeroed[i], 0);
    }
    arena_clear(&arena);
}
END_TEST

static bool fill_arena(void *context, struct error *err)
{
    struct arena arena;
    bool done = true;

    (void)context;
    arena_init(&arena, 1 << 24);
    for (size_t i = 0; i < 2000 && done; i++) {
        struct slice copy;

        done = arena_copy(&arena, SLICE_LITERAL("some bytes to copy"), &copy) &&
               slice_equal(copy, SLICE_LITERAL("some bytes to copy"));
    }
    arena_clear(&arena);
    return done || error_no_memory(err, "the arena");
}

START_TEST(arena_survives_each_failure)
{
    unit_fail_each_allocation(fill_arena, NULL);
}
END_TEST

Suite *memory_suite(void)
{
    Suite *suite = suite_create("memory");
    TCase *tests = tcase_create("memory");

    tcase_add_test(tests, overflow_gives_null);
    tcase_add_test(tests, zero_bytes_are_a_block);
    tcase_add_test(tests, copy_ends_with_nul);
    tcase_add_test(tests, grow_doubles_up_to_the_limit);
    tcase_add_test(tests, fail_at_counts);
    tcase_add_test(tests, arena_blocks_are_aligned_and_apart);
    tcase_add_test(tests, arena_keeps_its_maximum);
    tcase_add_test(tests, arena_copies_and_zeroes);
    tcase_add_test(tests, arena_survives_each_failure);
    suite_add_tcase(suite, tests);
    return suite;
}
