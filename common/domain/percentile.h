/* percentile (section 5): the one form that depends on other users. Each user's value is taken first, the values of all
 * users are ranked by group, and evaluation then compares with the rank's value. */
#ifndef MUSTER_DOMAIN_PERCENTILE_H
#define MUSTER_DOMAIN_PERCENTILE_H

#include "common/domain/evaluation_parts.h"

void evaluate_percentile(struct evaluation *evaluation, const struct node *node, struct timeline *out);

#endif
