/* What must have happened, how often and how lately, for a segment to hold: so that most segments of most users need no
 * look at their criteria, and those whose first need nobody of the user's events meets are not even asked. */
#ifndef MUSTER_DOMAIN_RULESET_NEEDS_H
#define MUSTER_DOMAIN_RULESET_NEEDS_H

#include "common/domain/ruleset_parts.h"

/* What a user's log holds of a selector. */
struct selector_seen {
    int64_t newest_ms; /* INT64_MIN where there is none */
    size_t count;
};

/* Fills `needs` of all segments, whose criteria and reach are compiled. */
bool ruleset_needs_compile(struct ruleset *ruleset, struct error *err) MUST_CHECK;

/* Of something seen. */
static inline bool seen_after(const struct selector_seen *seen, int64_t at, int64_t reach_ms)
{
    int64_t after;
    bool all = __builtin_sub_overflow(at, reach_ms, &after);

    return all | (seen->newest_ms > after);
}

static inline bool need_met(const struct need *need, int64_t at, const struct selector_seen *seen)
{
    return seen->count >= need->count_min && seen_after(seen, at, need->reach_ms);
}

/* Whether the segment may hold at `at`; `seen` has by selector its events <= at. */
static inline bool ruleset_needs_met(const struct segment_plan *plan, int64_t at, const struct selector_seen *seen)
{
    for (size_t i = 0; i < plan->need_count;) {
        const struct need *need = &plan->needs[i];

        if (need_met(need, at, &seen[need->selector])) {
            i = need->next;
        } else if (++i == need->next) {
            return false;
        }
    }
    return true;
}

#endif
