#include "common/domain/percentile.h"

void evaluate_percentile(struct evaluation *evaluation, const struct node *node, struct timeline *out)
{
    (void)evaluation;
    (void)node;
    *out = (struct timeline){0};
}
