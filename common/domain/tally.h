/* Counts and sums over a window, kept from one evaluation to the next, so that an event in order costs what begins and
 * ceases to count with it, and not a look through the whole window.
 *
 * What counts at F is summed up with the places in the log where it begins and ends. Beyond the newest event only
 * events cease to count: a count, or a sum of values that are not negative, then falls, and its comparison with one
 * bound turns once. Where it turns only moves towards newer events as events come, so that place is kept as well. */
#ifndef MUSTER_DOMAIN_TALLY_H
#define MUSTER_DOMAIN_TALLY_H

#include "common/domain/evaluation_parts.h"

/* Whether the measure can be tallied: count, sum or none. */
bool tally_suits(const struct rule_measure *measure);
/* The truth of the criterion from F on, as evaluate_event gives it. */
void evaluate_tally(struct evaluation *evaluation, const struct node *node, bool marked, struct timeline *out);

#endif
