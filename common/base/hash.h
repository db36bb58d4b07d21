/* Hashing: a fast seeded hash of bytes, and a map from byte strings to numbers.
 *
 * Keys come from outside (user identifiers, message ids): with a fixed hash somebody who knows it can send keys that
 * all collide. So the hash takes a seed that each process draws for itself, and no result may depend on the order of a
 * map. */
#ifndef MUSTER_BASE_HASH_H
#define MUSTER_BASE_HASH_H

#include "common/base/error.h"
#include "common/base/int128.h"
#include "common/base/memory.h"
#include "common/base/slice.h"

#include <stdint.h>

/* The seed of this process, drawn from the system on first use. Thread-safe. */
uint64_t hash_seed(void);

static inline uint64_t hash_read64(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof word);
    return word;
}

static inline uint64_t hash_read32(const char *at)
{
    uint32_t word;

    memcpy(&word, at, sizeof word);
    return word;
}

/* Both halves of the 128-bit product, folded: the mixing step of wyhash. */
static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
    uint128 product = (uint128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

#define HASH_SECRET_0 UINT64_C(0xa0761d6478bd642f)
#define HASH_SECRET_1 UINT64_C(0xe7037ed1a0b428db)
#define HASH_SECRET_2 UINT64_C(0x8ebc6af09c88c6e3)

/* After wyhash (Wang Yi, public domain). The value is good within one process only. */
static inline uint64_t hash_bytes(struct slice bytes, uint64_t seed)
{
    const char *at = bytes.data;
    size_t rest = bytes.size;
    uint64_t a = 0;
    uint64_t b = 0;

    seed ^= hash_mix(seed ^ HASH_SECRET_0, HASH_SECRET_1);
    while (rest > 16) {
        seed = hash_mix(hash_read64(at) ^ HASH_SECRET_1, hash_read64(at + 8) ^ seed);
        at += 16;
        rest -= 16;
    }
    if (rest >= 8) {
        a = hash_read64(at);
        b = hash_read64(at + rest - 8);
    } else if (rest >= 4) {
        a = hash_read32(at);
        b = hash_read32(at + rest - 4);
    } else if (rest > 0) {
        a = (uint64_t)(unsigned char)at[0] << 16 | (uint64_t)(unsigned char)at[rest / 2] << 8 |
            (uint64_t)(unsigned char)at[rest - 1];
    }
    return hash_mix(HASH_SECRET_1 ^ bytes.size, hash_mix(a ^ HASH_SECRET_2, b ^ seed));
}

/* The same for tables of names and ids: other values, in fewer steps, which for most sizes are the same ones. */
static inline uint64_t hash_short(struct slice key, uint64_t seed)
{
    struct slice_words words;
    uint64_t hash;

    if (!slice_fits_words(key)) {
        return hash_bytes(key, seed);
    }
    words = slice_words(key);
    hash = hash_mix(words.first ^ HASH_SECRET_0, words.middle ^ seed);
    hash = hash_mix(hash ^ words.last, key.size ^ HASH_SECRET_1);
    /* Twice: after one product with a known number, some last words meet in their low bits whatever the seed is. */
    return hash_mix(hash, HASH_SECRET_2);
}

/* Of two words, for tables: both are mixed with what nobody knows. */
static inline uint64_t hash_pair(uint64_t first, uint64_t second, uint64_t seed)
{
    return hash_mix(hash_mix(first ^ seed, second ^ seed * HASH_SECRET_0) ^ HASH_SECRET_1, HASH_SECRET_2);
}

/* The same for long texts, in steps that do not wait for one another, and of texts of up to 128 bytes as many for each:
 * the last ones end where the text does, whatever they have in common. Two texts with one value can be made, whatever
 * the seed is: not for tables. */
static inline uint64_t hash_long(struct slice text, uint64_t seed)
{
    enum { STEP_SIZE = 32, BLOCK_SIZE = 128 };
    static const uint64_t keys[BLOCK_SIZE / sizeof(uint64_t)] = {
        /* pi */
        0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0, 0x082efa98ec4e6c89,
        0x452821e638d01377, 0xbe5466cf34e90c6c, 0xc0ac29b7c97c50dd, 0x3f84d5b5b5470917,
        0x9216d5d98979fb1b, 0xd1310ba698dfb5ac, 0x2ffd72dbd01adfb7, 0xb8e1afed6a267e96,
        0xba7c9045f12c7f99, 0x24a19947b3916cf7, 0x0801f2e2858efc16, 0x636920d871574e69,
    };

    if (text.size < STEP_SIZE) {
        return hash_bytes(text, seed);
    }
    for (size_t begin = 0; begin < text.size; begin += BLOCK_SIZE) {
        uint128 sum = text.size;

        for (size_t i = 0; i < BLOCK_SIZE / STEP_SIZE; i++) {
            size_t step = begin + i * STEP_SIZE;
            const char *at = text.data + (step < text.size - STEP_SIZE ? step : text.size - STEP_SIZE);
            const uint64_t *key = keys + i * (STEP_SIZE / sizeof *keys);

            sum += (uint128)(hash_read64(at) ^ key[0]) * (hash_read64(at + 8) ^ key[1]);
            sum += (uint128)(hash_read64(at + 16) ^ key[2]) * (hash_read64(at + 24) ^ key[3]);
        }
        seed = hash_mix((uint64_t)sum ^ HASH_SECRET_0, (uint64_t)(sum >> 64) ^ seed ^ HASH_SECRET_1);
    }
    return hash_mix(seed ^ HASH_SECRET_2, HASH_SECRET_1);
}

static inline uint64_t hash_integer(uint64_t number, uint64_t seed)
{
    /* Twice: one product leaves the low bits of numbers that follow one another uneven for some seeds. */
    return hash_mix(hash_mix(number ^ HASH_SECRET_0, seed ^ HASH_SECRET_1) ^ HASH_SECRET_2, HASH_SECRET_1);
}

struct hash_slot {
    const char *data; /* NULL: the slot is empty */
    uint32_t size;
    uint32_t value;
    uint64_t hash;
};

static inline bool hash_slot_holds(const struct hash_slot *slot, struct slice key, uint64_t hash)
{
    return slot->hash == hash && slice_equal(slice_of(slot->data, slot->size), key);
}

/* Byte strings to numbers: open addressing with linear probing, at most three quarters full, a power of two slots. */
struct hash_map {
    struct hash_slot *slots;
    size_t slot_count; /* 0 or a power of two */
    size_t count;      /* keys */
    size_t count_max;
    uint64_t seed;
};

/* An empty map that takes count_max keys at most (each shorter than 4 GiB). Owns nothing yet. */
void hash_map_init(struct hash_map *map, size_t count_max);
/* Frees the slots, not the keys. The map can be used again. */
void hash_map_clear(struct hash_map *map);
/* Forgets all keys but keeps the memory. */
void hash_map_reset(struct hash_map *map);
/* Room for `count` keys at once, so that adding that many does not fail. */
bool hash_map_reserve(struct hash_map *map, size_t count, struct error *err) MUST_CHECK;

/* The value of a key; false when it is not there. */
static inline bool hash_map_find(const struct hash_map *map, struct slice key, uint32_t *out)
{
    uint64_t hash;

    if (map->count == 0) {
        return false;
    }
    hash = hash_bytes(key, map->seed);
    for (size_t i = (size_t)hash & (map->slot_count - 1);; i = (i + 1) & (map->slot_count - 1)) {
        const struct hash_slot *slot = &map->slots[i];

        if (slot->data == NULL) {
            return false;
        }
        if (hash_slot_holds(slot, key, hash)) {
            *out = slot->value;
            return true;
        }
    }
}

/* Finds `key` or adds it with `value`; `*out` is the value it has now, `*added` says which. A new key's bytes are
 * copied into `arena`, or borrowed as long as the map lives when `arena` is NULL. On false (no memory, count_max) the
 * map is unchanged. */
bool hash_map_add(struct hash_map *map, struct arena *arena, struct slice key, uint32_t value, uint32_t *out,
                  bool *added, struct error *err) MUST_CHECK;
/* Changes the value of a key that is there; false when it is not. */
bool hash_map_replace(struct hash_map *map, struct slice key, uint32_t value);
/* Takes a key out; false when it was not there. Its bytes stay where they are. */
bool hash_map_remove(struct hash_map *map, struct slice key);

#endif
