/* What a pruned state keeps for each criterion (user_state_prune): numbers for the summaries of its base and for panes,
 * and how many events are enough. */
#ifndef MUSTER_DOMAIN_RULESET_KEEP_H
#define MUSTER_DOMAIN_RULESET_KEEP_H

#include "common/domain/ruleset_parts.h"

/* Fills node.base, plan.pane_shape and plan.count_max of all criteria, and the ruleset's panes. False with an error
 * where there is no memory. */
bool ruleset_keep_compile(struct ruleset *ruleset, struct error *err) MUST_CHECK;

#endif
