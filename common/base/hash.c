#include "common/base/hash.h"

#include <stdatomic.h>
#include <sys/random.h>
#include <time.h>

uint64_t hash_seed(void)
{
    static _Atomic uint64_t seed;
    uint64_t known = atomic_load(&seed);
    uint64_t drawn = 0;

    if (known != 0) {
        return known;
    }
    if (getrandom(&drawn, sizeof drawn, GRND_NONBLOCK) != (ssize_t)sizeof drawn) {
        struct timespec now = {0};

        /* Early in the boot of a machine: weak, but not known outside. */
        (void)clock_gettime(CLOCK_REALTIME, &now);
        drawn = hash_mix((uint64_t)now.tv_nsec ^ HASH_SECRET_0, (uint64_t)(uintptr_t)&drawn ^ HASH_SECRET_2);
    }
    drawn |= 1;
    return atomic_compare_exchange_strong(&seed, &known, drawn) ? drawn : known;
}

void hash_map_init(struct hash_map *map, size_t count_max)
{
    *map = (struct hash_map){.count_max = count_max, .seed = hash_seed()};
}

void hash_map_clear(struct hash_map *map)
{
    memory_free(map->slots);
    *map = (struct hash_map){.count_max = map->count_max, .seed = map->seed};
}

void hash_map_reset(struct hash_map *map)
{
    if (map->count > 0) {
        memset(map->slots, 0, map->slot_count * sizeof *map->slots);
        map->count = 0;
    }
}

/* The slot of the key, or the empty one where it belongs. There is always an empty one. */
static struct hash_slot *probe(struct hash_slot *slots, size_t slot_count, struct slice key, uint64_t hash)
{
    size_t i = (size_t)hash & (slot_count - 1);

    while (slots[i].data != NULL && !hash_slot_holds(&slots[i], key, hash)) {
        i = (i + 1) & (slot_count - 1);
    }
    return &slots[i];
}

static bool rehash(struct hash_map *map, size_t slot_count, struct error *err)
{
    struct hash_slot *slots = memory_allocate_zeroed(slot_count, sizeof *slots);

    if (slots == NULL) {
        return error_no_memory(err, "a hash map");
    }
    for (size_t i = 0; i < map->slot_count; i++) {
        size_t at = (size_t)map->slots[i].hash & (slot_count - 1);

        if (map->slots[i].data == NULL) {
            continue;
        }
        while (slots[at].data != NULL) {
            at = (at + 1) & (slot_count - 1);
        }
        slots[at] = map->slots[i];
    }
    memory_free(map->slots);
    map->slots = slots;
    map->slot_count = slot_count;
    return true;
}

bool hash_map_reserve(struct hash_map *map, size_t count, struct error *err)
{
    size_t slot_count = map->slot_count == 0 ? 16 : map->slot_count;

    if (count > map->count_max || count > SIZE_MAX / 4 / sizeof *map->slots) {
        return error_set(err, ERROR_INTERNAL, "too many keys in a hash map: at most %zu", map->count_max);
    }
    while (slot_count / 4 * 3 < count) {
        slot_count *= 2;
    }
    return slot_count == map->slot_count || rehash(map, slot_count, err);
}

bool hash_map_add(struct hash_map *map, struct arena *arena, struct slice key, uint32_t value, uint32_t *out,
                  bool *added, struct error *err)
{
    uint64_t hash = hash_bytes(key, map->seed);
    struct hash_slot *slot;

    if (map->slot_count > 0) {
        slot = probe(map->slots, map->slot_count, key, hash);
        if (slot->data != NULL) {
            *out = slot->value;
            *added = false;
            return true;
        }
    }
    if (key.size > UINT32_MAX) {
        return error_set(err, ERROR_INTERNAL, "a key of a hash map is too long");
    }
    if (!hash_map_reserve(map, map->count + 1, err)) {
        return false;
    }
    if (arena != NULL && !arena_copy(arena, key, &key)) {
        return error_no_memory(err, "a key of a hash map");
    }
    slot = probe(map->slots, map->slot_count, key, hash);
    *slot = (struct hash_slot){.data = key.data == NULL ? "" : key.data,
                               .size = (uint32_t)key.size,
                               .value = value,
                               .hash = hash};
    map->count++;
    *out = value;
    *added = true;
    return true;
}

bool hash_map_replace(struct hash_map *map, struct slice key, uint32_t value)
{
    struct hash_slot *slot;

    if (map->count == 0) {
        return false;
    }
    slot = probe(map->slots, map->slot_count, key, hash_bytes(key, map->seed));
    if (slot->data == NULL) {
        return false;
    }
    slot->value = value;
    return true;
}

bool hash_map_remove(struct hash_map *map, struct slice key)
{
    size_t mask = map->slot_count - 1;
    struct hash_slot *slot;
    size_t hole;

    if (map->count == 0) {
        return false;
    }
    slot = probe(map->slots, map->slot_count, key, hash_bytes(key, map->seed));
    if (slot->data == NULL) {
        return false;
    }
    /* Close the gap, so that probing needs no tombstones: what may move into the hole moves. */
    hole = (size_t)(slot - map->slots);
    for (size_t i = (hole + 1) & mask; map->slots[i].data != NULL; i = (i + 1) & mask) {
        size_t home = (size_t)map->slots[i].hash & mask;

        if (((i - home) & mask) >= ((i - hole) & mask)) {
            map->slots[hole] = map->slots[i];
            hole = i;
        }
    }
    map->slots[hole] = (struct hash_slot){0};
    map->count--;
    return true;
}
