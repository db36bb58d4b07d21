/* What must have happened, and how lately, for a segment to hold: so that most segments of most users need no look at
 * their criteria. */
#ifndef MUSTER_DOMAIN_RULESET_NEEDS_H
#define MUSTER_DOMAIN_RULESET_NEEDS_H

#include "common/domain/ruleset_parts.h"

/* Fills `needs` of all segments, whose criteria are compiled. False when there is no memory. */
bool ruleset_needs_compile(struct ruleset *ruleset) MUST_CHECK;

/* Whether the segment may hold at `at`; `newest_ms` has by selector the time of its newest event <= at, or INT64_MIN.
 */
static inline bool ruleset_needs_met(const struct segment_plan *plan, int64_t at, const int64_t *newest_ms)
{
    for (size_t i = 0; i < plan->need_count;) {
        const struct need *need = &plan->needs[i];
        int64_t after;

        if (__builtin_sub_overflow(at, need->reach_ms, &after)) {
            after = INT64_MIN;
        }
        if (newest_ms[need->selector] > after) {
            i = need->next;
        } else if (++i == need->next) {
            return false;
        }
    }
    return true;
}

#endif
