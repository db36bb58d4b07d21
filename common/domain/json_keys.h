/* Finding repeated keys of an object while it is parsed. */
#ifndef MUSTER_DOMAIN_JSON_KEYS_H
#define MUSTER_DOMAIN_JSON_KEYS_H

#include "common/domain/json.h"

/* Up to so many members keys are checked one by one as they come, beyond it all at once when the object is closed. */
enum { JSON_SMALL_MEMBERS = 24 };

struct json_key_filter {
    uint64_t bits[4];
};

static inline void json_key_filter_reset(struct json_key_filter *filter)
{
    *filter = (struct json_key_filter){.bits = {0}};
}

/* The first and the last eight bytes of a key; of a shorter one all of them and nothing. With the size they tell keys
 * of up to sixteen bytes apart. */
struct json_key_ends {
    uint64_t first;
    uint64_t last;
};

static inline struct json_key_ends json_key_ends(struct slice key)
{
    struct json_key_ends ends = {0};

    if (key.size >= sizeof ends.first) {
        memcpy(&ends.first, key.data, sizeof ends.first);
        memcpy(&ends.last, key.data + key.size - sizeof ends.last, sizeof ends.last);
    } else if (key.size > 0) {
        memcpy(&ends.first, key.data, key.size);
    }
    return ends;
}

/* The same without a loop, where eight bytes can be read whatever the size. */
static inline struct json_key_ends json_key_ends_padded(const char *text, size_t size)
{
    struct json_key_ends ends = {0};

    memcpy(&ends.first, text, sizeof ends.first);
    if (size < sizeof ends.first) {
        ends.first &= (UINT64_C(1) << (8 * size)) - 1;
    } else {
        memcpy(&ends.last, text + size - sizeof ends.last, sizeof ends.last);
    }
    return ends;
}

/* A short hash, good enough to tell the keys of an object apart; where it is equal the keys are compared in full. */
static inline uint32_t json_key_mix(struct json_key_ends ends, size_t size)
{
    uint64_t hash = (ends.first ^ (ends.last << 23 | ends.last >> 41)) + size;

    return (uint32_t)((hash * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

/* The same of what an escaped key means. */
uint32_t json_key_hash_escaped(struct slice raw);

/* Whether an earlier key of the object is the same; the tokens of its keys hold their hashes in the unused count. */
bool json_key_seen(const struct json_document *document, const char *base, uint32_t object, uint32_t key);

/* Notes the key whose token is the last one. True when the object has it already. `base` is the text with zeros behind
 * it. */
static inline bool json_key_filter_add(struct json_key_filter *filter, struct json_document *document, const char *base,
                                       uint32_t object, uint32_t key)
{
    struct json_token *token = &document->tokens[key];
    const char *text = base + token->begin;
    uint32_t hash = __builtin_expect(token->escaped, 0)
                        ? json_key_hash_escaped(slice_of(text, token->size))
                        : json_key_mix(json_key_ends_padded(text, token->size), token->size);
    uint64_t *word = &filter->bits[hash >> 30];
    uint64_t bit = UINT64_C(1) << (hash >> 24 & 63);
    bool taken = (*word & bit) != 0;

    token->count = hash;
    *word |= bit;
    return __builtin_expect(taken, 0) && json_key_seen(document, base, object, key);
}

/* Checks all keys of a closed object: JSON_FAULT_NONE, JSON_FAULT_REPEATED_KEY with *fault_at, or JSON_FAULT_NO_MEMORY.
 */
enum json_fault json_keys_check(struct json_document *document, const char *base, uint32_t object,
                                const char **fault_at);

#endif
