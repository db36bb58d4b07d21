/* Selectors of one event name that ask a property for equality with a text, found by the text: of hundreds that differ
 * in the category they name, an event tests those of its own. */
#ifndef MUSTER_DOMAIN_RULESET_LOOKUP_H
#define MUSTER_DOMAIN_RULESET_LOOKUP_H

#include "common/domain/ruleset_parts.h"

/* Fills `certain`, `takes_all`, `tested`, `plain` and `lookups` of all shapes, whose selectors are there. */
bool ruleset_lookup_compile(struct ruleset *ruleset, struct error *err) MUST_CHECK;

/* Most are words of a few letters: all of these take the same steps, whatever their sizes are. */
static inline uint32_t lookup_hash(const struct ruleset *ruleset, struct slice text)
{
    enum { HALF = sizeof(uint32_t), FEW_MAX = 3 * HALF };

    if (text.size >= HALF && text.size <= FEW_MAX) {
        const char *last = text.data + text.size - HALF;
        uint64_t first = hash_read32(text.data) | hash_read32(text.data + (text.size - HALF) / 2) << 32;

        return (uint32_t)hash_mix(first ^ HASH_SECRET_0, (hash_read32(last) | text.size << 32) ^ HASH_SECRET_1);
    }
    return (uint32_t)hash_short(text, ruleset->seed);
}

#endif
