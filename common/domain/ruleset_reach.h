/* How far back a definition's state can depend (reconciliation, section 2). */
#ifndef MUSTER_DOMAIN_RULESET_REACH_H
#define MUSTER_DOMAIN_RULESET_REACH_H

#include "common/domain/ruleset_parts.h"

/* Milliseconds, or TIMESTAMP_NEVER where there is no bound. The segments it refers to must have theirs. */
int64_t reach_of_segment(const struct ruleset *ruleset, const struct segment_plan *segment);

/* Whether the criterion may hold for a user without any event in its windows; true where that is not clear. */
bool criterion_may_hold_empty(const struct criterion *criterion);

#endif
