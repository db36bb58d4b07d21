/* Selectors of one event name that ask a property for equality with a text, found by the text: of hundreds that differ
 * in the category they name, an event tests those of its own. */
#ifndef MUSTER_DOMAIN_RULESET_LOOKUP_H
#define MUSTER_DOMAIN_RULESET_LOOKUP_H

#include "common/domain/ruleset_parts.h"

/* Fills `certain`, `takes_all`, `tested`, `plain` and `lookups` of all shapes, whose selectors are there. */
bool ruleset_lookup_compile(struct ruleset *ruleset, struct error *err) MUST_CHECK;

static inline uint32_t lookup_hash(const struct ruleset *ruleset, struct slice text)
{
    return (uint32_t)hash_short(text, ruleset->seed);
}

#endif
