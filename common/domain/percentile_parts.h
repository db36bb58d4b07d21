/* Where a user stands among those a percentile ranks: for the explanation. */
#ifndef MUSTER_DOMAIN_PERCENTILE_PARTS_H
#define MUSTER_DOMAIN_PERCENTILE_PARTS_H

#include "common/domain/evaluation_parts.h"

struct percentile_place {
    bool exists; /* the user is ranked */
    struct quotient number;
    struct quotient threshold;
    struct value group; /* of `by`; missing: users without the trait, or no `by`. Borrowed from the state. */
    size_t group_size;
    size_t threshold_rank; /* from 1 */
    size_t less_count;     /* values of the group that are less */
};

/* At the instant of the evaluation's call, from its ranks. */
struct percentile_place percentile_place(struct evaluation *evaluation, const struct node *node);

#endif
