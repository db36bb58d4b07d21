#include "common/base/hash.h"

#include "tests/unit/unit.h"

#include <stdio.h>

Suite *hash_suite(void);

enum { KEYS = 20000 };

static struct slice key_of(char text[32], unsigned number)
{
    return slice_of(text, (size_t)snprintf(text, 32, "user-%u", number * 7919));
}

START_TEST(map_finds_what_was_added)
{
    struct error err = ERROR_INIT;
    struct hash_map map;
    struct arena arena;
    char text[32];
    uint32_t value;
    bool added;

    hash_map_init(&map, KEYS);
    arena_init(&arena, 1 << 24);
    ck_assert(!hash_map_find(&map, SLICE_LITERAL("x"), &value));
    for (unsigned i = 0; i < KEYS; i++) {
        ck_assert_ok(hash_map_add(&map, &arena, key_of(text, i), i, &value, &added, &err));
        ck_assert(added && value == i);
    }
    for (unsigned i = 0; i < KEYS; i++) {
        ck_assert(hash_map_find(&map, key_of(text, i), &value) && value == i);
        ck_assert_ok(hash_map_add(&map, &arena, key_of(text, i), 0, &value, &added, &err));
        ck_assert(!added && value == i);
        ck_assert(!hash_map_find(&map, key_of(text, i + KEYS), &value));
    }
    ck_assert_uint_eq(map.count, KEYS);
    ck_assert_fails(hash_map_add(&map, &arena, SLICE_LITERAL("one more"), 0, &value, &added, &err), ERROR_INTERNAL,
                    "too many keys");
    ck_assert(hash_map_replace(&map, key_of(text, 5), 55));
    ck_assert(hash_map_find(&map, key_of(text, 5), &value) && value == 55);
    ck_assert(!hash_map_replace(&map, SLICE_LITERAL("nobody"), 55));
    hash_map_reset(&map);
    ck_assert(!hash_map_find(&map, key_of(text, 5), &value));
    hash_map_clear(&map);
    arena_clear(&arena);
}
END_TEST

START_TEST(removal_leaves_the_others)
{
    struct error err = ERROR_INIT;
    struct hash_map map;
    struct arena arena;
    char text[32];
    uint32_t value;
    bool added;

    hash_map_init(&map, KEYS);
    arena_init(&arena, 1 << 24);
    ck_assert(!hash_map_remove(&map, SLICE_LITERAL("x")));
    for (unsigned i = 0; i < KEYS; i++) {
        ck_assert_ok(hash_map_add(&map, &arena, key_of(text, i), i, &value, &added, &err));
    }
    for (unsigned i = 0; i < KEYS; i += 3) {
        ck_assert(hash_map_remove(&map, key_of(text, i)));
        ck_assert(!hash_map_remove(&map, key_of(text, i)));
    }
    for (unsigned i = 0; i < KEYS; i++) {
        bool found = hash_map_find(&map, key_of(text, i), &value);

        ck_assert_int_eq(found, i % 3 != 0);
        ck_assert(!found || value == i);
    }
    ck_assert_uint_eq(map.count, KEYS - (KEYS + 2) / 3);
    hash_map_clear(&map);
    arena_clear(&arena);
}
END_TEST

START_TEST(empty_and_binary_keys_are_keys)
{
    struct error err = ERROR_INIT;
    struct hash_map map;
    uint32_t value;
    bool added;

    hash_map_init(&map, 10);
    ck_assert_ok(hash_map_add(&map, NULL, slice_of(NULL, 0), 1, &value, &added, &err));
    ck_assert_ok(hash_map_add(&map, NULL, SLICE_LITERAL("\0"), 2, &value, &added, &err));
    ck_assert_ok(hash_map_add(&map, NULL, SLICE_LITERAL("\0\0"), 3, &value, &added, &err));
    ck_assert(hash_map_find(&map, SLICE_LITERAL(""), &value) && value == 1);
    ck_assert(hash_map_find(&map, SLICE_LITERAL("\0"), &value) && value == 2);
    ck_assert(hash_map_find(&map, SLICE_LITERAL("\0\0"), &value) && value == 3);
    hash_map_clear(&map);
}
END_TEST

typedef uint64_t hash(struct slice bytes, uint64_t seed);
static hash *const hashes[] = {hash_bytes, hash_short, hash_long};
enum { HASH_COUNT = sizeof hashes / sizeof *hashes };

/* Keys of every length that differ in one bit hash apart, and the same key differs by seed. */
START_TEST(every_byte_counts)
{
    char bytes[300] = {0};

    for (size_t i = 0; i < HASH_COUNT * sizeof bytes; i++) {
        size_t size = i / HASH_COUNT + 1;
        uint64_t plain = hashes[i % HASH_COUNT](slice_of(bytes, size), 1);

        ck_assert(plain != hashes[i % HASH_COUNT](slice_of(bytes, size), 2));
        ck_assert(plain != hashes[i % HASH_COUNT](slice_of(bytes, size - 1), 1));
        for (size_t bit = 0; bit < size * 8; bit++) {
            bytes[bit / 8] = (char)(1 << bit % 8);
            ck_assert_msg(hashes[i % HASH_COUNT](slice_of(bytes, size), 1) != plain, "size %zu, bit %zu", size, bit);
            bytes[bit / 8] = 0;
        }
    }
    ck_assert_uint_ne(hash_integer(1, 1), hash_integer(2, 1));
    ck_assert_uint_ne(hash_integer(1, 1), hash_integer(1, 2));
    ck_assert_uint_eq(hash_seed(), hash_seed());
    ck_assert_uint_ne(hash_seed(), 0);
}
END_TEST

/* The low bits, which choose the slot, are spread, and the high ones: no bucket of 1024 gets more than three times its
 * share. */
START_TEST(bits_are_spread)
{
    uint64_t seed = hash_seed();
    char text[32];

    for (int round = 0; round < 20; round++, seed = hash_mix(seed, HASH_SECRET_0)) {
        unsigned buckets[1024] = {0};
        unsigned short_buckets[1024] = {0};
        unsigned high_buckets[1024] = {0};
        unsigned integer_buckets[1024] = {0};
        unsigned pair_buckets[1024] = {0};
        unsigned high_pair_buckets[1024] = {0};

        for (unsigned i = 0; i < 64 * 1024; i++) {
            buckets[hash_bytes(key_of(text, i), seed) % 1024]++;
            short_buckets[hash_short(key_of(text, i), seed) % 1024]++;
            high_buckets[hash_short(key_of(text, i), seed) >> 54]++;
            integer_buckets[hash_integer(i * UINT64_C(4096), seed) % 1024]++;
            pair_buckets[hash_pair(i * UINT64_C(4096), i % 7, seed) % 1024]++;
            high_pair_buckets[hash_pair(i % 7, i * UINT64_C(4096), seed) >> 54]++;
        }
        for (size_t i = 0; i < 1024; i++) {
            ck_assert_msg(buckets[i] < 192 && short_buckets[i] < 192 && high_buckets[i] < 192 &&
                              integer_buckets[i] < 192 && pair_buckets[i] < 192 && high_pair_buckets[i] < 192,
                          "seed %llx", (unsigned long long)seed);
        }
    }
}
END_TEST

/* Nor can somebody choose keys that crowd a table for every seed, as these would after one product less. */
START_TEST(chosen_keys_are_spread)
{
    static const unsigned char chosen[] = {21, 49, 22, 12, 2, 24, 8, 30, 32, 50, 48, 13, 60};
    enum { BIT_COUNT = sizeof chosen, KEY_COUNT = 1 << BIT_COUNT, SLOT_COUNT = 2 * KEY_COUNT };
    uint64_t seed = hash_seed();

    for (int round = 0; round < 20; round++, seed = hash_mix(seed, HASH_SECRET_0)) {
        bool taken[SLOT_COUNT] = {false};
        unsigned passed_count = 0;

        for (unsigned i = 0; i < KEY_COUNT; i++) {
            char text[] = "aaaaaaaaaaaaaaaaPPPPPPPP";
            uint64_t slot;

            for (unsigned k = 0; k < BIT_COUNT; k++) {
                text[16 + chosen[k] / 8] = (char)(text[16 + chosen[k] / 8] ^ (int)((i >> k & 1) << chosen[k] % 8));
            }
            for (slot = hash_short(slice_from(text), seed) % SLOT_COUNT; taken[slot]; slot = (slot + 1) % SLOT_COUNT) {
                passed_count++;
            }
            taken[slot] = true;
        }
        /* Half a slot for each key is what chance makes of it. */
        ck_assert_msg(passed_count < 4 * KEY_COUNT, "seed %llx: %u", (unsigned long long)seed, passed_count);
    }
}
END_TEST

static bool fill_map(void *context, struct error *err)
{
    struct hash_map map;
    struct arena arena;
    char text[32];
    bool done = true;

    (void)context;
    hash_map_init(&map, 1000);
    arena_init(&arena, 1 << 20);
    for (unsigned i = 0; i < 500 && done; i++) {
        uint32_t value;
        bool added;
        size_t count = map.count;

        done = hash_map_add(&map, &arena, key_of(text, i), i, &value, &added, err);
        if (!done && map.count != count) {
            err->code = ERROR_NONE; /* the map must be unchanged: makes the test fail */
        }
    }
    hash_map_clear(&map);
    arena_clear(&arena);
    return done;
}

START_TEST(each_failed_allocation_is_reported)
{
    unit_fail_each_allocation(fill_map, NULL);
}
END_TEST

Suite *hash_suite(void)
{
    Suite *suite = suite_create("hash");
    TCase *tests = tcase_create("hash");

    tcase_add_test(tests, map_finds_what_was_added);
    tcase_add_test(tests, removal_leaves_the_others);
    tcase_add_test(tests, empty_and_binary_keys_are_keys);
    tcase_add_test(tests, every_byte_counts);
    tcase_add_test(tests, bits_are_spread);
    tcase_add_test(tests, chosen_keys_are_spread);
    tcase_add_test(tests, each_failed_allocation_is_reported);
    suite_add_tcase(suite, tests);
    return suite;
}
