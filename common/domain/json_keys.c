#include "common/domain/json_keys.h"

#include "common/base/int128.h"
#include "common/domain/json_scan.h"

#define MULTIPLIER_A UINT64_C(0x9e3779b97f4a7c15)
#define MULTIPLIER_B UINT64_C(0xc2b2ae3d27d4eb4f)

uint32_t json_key_hash_escaped(struct slice raw)
{
    struct json_unescape reader;
    unsigned char first[8] = {0};
    unsigned char recent[8] = {0}; /* a ring: byte i is at i % 8 */
    unsigned char last[8] = {0};
    struct json_key_ends ends;
    size_t size = 0;

    json_unescape_begin(&reader, raw);
    for (int byte = json_unescape_next(&reader); byte >= 0; byte = json_unescape_next(&reader)) {
        if (size < sizeof first) {
            first[size] = (unsigned char)byte;
        }
        recent[size % sizeof recent] = (unsigned char)byte;
        size++;
    }
    for (size_t i = 0; size >= sizeof last && i < sizeof last; i++) {
        last[i] = recent[(size + i) % sizeof recent];
    }
    memcpy(&ends.first, first, sizeof ends.first);
    memcpy(&ends.last, last, sizeof ends.last);
    return json_key_mix(ends, size);
}

static struct slice key_raw(const struct json_document *document, const char *base, uint32_t key)
{
    const struct json_token *token = &document->tokens[key];

    return slice_of(base + token->begin, token->size);
}

static bool keys_equal(const struct json_document *document, const char *base, uint32_t a, uint32_t b)
{
    struct json_unescape left;
    struct json_unescape right;
    int byte;

    if (!document->tokens[a].escaped && !document->tokens[b].escaped) {
        return slice_equal(key_raw(document, base, a), key_raw(document, base, b));
    }
    json_unescape_begin(&left, key_raw(document, base, a));
    json_unescape_begin(&right, key_raw(document, base, b));
    do {
        byte = json_unescape_next(&left);
        if (byte != json_unescape_next(&right)) {
            return false;
        }
    } while (byte >= 0);
    return true;
}

bool json_key_seen(const struct json_document *document, const char *base, uint32_t object, uint32_t key)
{
    const struct json_token *tokens = document->tokens;

    for (uint32_t other = object + 1; other < key; other = tokens[other + 1].end_token) {
        if (tokens[other].count == tokens[key].count && keys_equal(document, base, other, key)) {
            return true;
        }
    }
    return false;
}

static uint64_t fold_multiply(uint64_t a, uint64_t b)
{
    int128 product = (int128)(a >> 1) * (int128)(b >> 1);

    return (uint64_t)product ^ (uint64_t)(product >> 64) ^ a;
}

/* A full hash with a seed that an author of messages does not know, so that keys cannot be made to collide. */
static uint64_t hash_full(const struct json_document *document, const char *base, uint32_t key, uint64_t seed)
{
    struct slice raw = key_raw(document, base, key);
    uint64_t hash = seed;
    uint64_t chunk = 0;
    struct json_unescape reader;
    size_t size = 0;

    json_unescape_begin(&reader, raw);
    for (;;) {
        int byte = json_unescape_next(&reader);

        if (byte < 0) {
            break;
        }
        chunk = chunk << 8 | (uint64_t)byte;
        if (++size % sizeof chunk == 0) {
            hash = fold_multiply(hash ^ chunk, MULTIPLIER_A ^ seed);
            chunk = 0;
        }
    }
    return fold_multiply(fold_multiply(hash ^ chunk, MULTIPLIER_A ^ seed) ^ size, MULTIPLIER_B ^ seed);
}

static bool grow_slots(struct json_document *document, size_t capacity)
{
    uint32_t *slots;

    if (document->slot_capacity >= capacity) {
        return true;
    }
    slots = memory_resize(document->slots, capacity, sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    document->slots = slots;
    document->slot_capacity = capacity;
    return true;
}

enum json_fault json_keys_check(struct json_document *document, const char *base, uint32_t object,
                                const char **fault_at)
{
    const struct json_token *tokens = document->tokens;
    /* Where this process put its memory is random and known to nobody outside. */
    uint64_t seed = ((uint64_t)(uintptr_t)tokens * MULTIPLIER_B) ^ (uint64_t)(uintptr_t)&grow_slots;
    size_t capacity = 64;

    while (capacity < (size_t)tokens[object].count * 2) {
        capacity *= 2;
    }
    *fault_at = base + tokens[object].begin;
    if (!grow_slots(document, capacity)) {
        return JSON_FAULT_NO_MEMORY;
    }
    memset(document->slots, 0, capacity * sizeof *document->slots); /* 0 is the root: never a key */
    for (uint32_t key = object + 1; key < tokens[object].end_token; key = tokens[key + 1].end_token) {
        size_t slot = (size_t)hash_full(document, base, key, seed) & (capacity - 1);

        for (; document->slots[slot] != 0; slot = (slot + 1) & (capacity - 1)) {
            if (keys_equal(document, base, document->slots[slot], key)) {
                *fault_at = base + tokens[key].begin - 1;
                return JSON_FAULT_REPEATED_KEY;
            }
        }
        document->slots[slot] = key;
    }
    return JSON_FAULT_NONE;
}
