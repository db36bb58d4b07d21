/* What counts at one instant, summed up over the log without a sweep: for whoever asks about that instant alone. The
 * events that count at an instant are those of one stretch of time, so there is nothing to be kept in order. */
#ifndef MUSTER_DOMAIN_AT_ONCE_H
#define MUSTER_DOMAIN_AT_ONCE_H

#include "common/domain/evaluation_parts.h"

/* The measure as a number, for a comparison with one bound (plan->bound). False as below. */
bool at_once_amount(struct evaluation *evaluation, const struct measure_plan *plan, int128 *micros);
/* Sums up the events that count at evaluation->at, as far as the measure needs: what a sweep would begin with that has
 * gathered nothing. Counts, also of different things, end where more would not change the answer. The state is not
 * pruned, and was seen. False: there are too many different values to tell them apart here. */
bool at_once_sum_up(struct evaluation *evaluation, const struct measure_plan *plan, struct summary *out);

#endif
