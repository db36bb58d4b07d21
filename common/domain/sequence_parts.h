/* Chains of steps: for the files that find sequences and explain them. */
#ifndef MUSTER_DOMAIN_SEQUENCE_PARTS_H
#define MUSTER_DOMAIN_SEQUENCE_PARTS_H

#include "common/domain/occurrence.h"

struct chains {
    struct evaluation *evaluation;
    const struct node *node;
    size_t step_count;
    int64_t *begins;          /* by number of steps done: the latest begin of such a chain; INT64_MIN: none */
    int64_t *begins_next;     /* while a millisecond is taken */
    const struct link *group; /* the events of one millisecond and key */
    size_t group_count;
    uint32_t *served; /* by event of the group: the step, + 1 */
    bool *seen;       /* by event of the group */
    size_t group_capacity;
};

/* Puts the links of one key together, the order of each kept. `begins` receives where each key begins, and where the
 * last ends. NULL where there is no memory. */
struct link *links_by_key(struct evaluation *evaluation, const struct links *links, size_t **begins);
/* All events of one key, in time order: the instants at which a sequence is completed are appended. `begins` is left as
 * of the last event. */
void chains_take(struct chains *chains, const struct link *items, size_t count, struct instants *completed);

/* Makes room for the group's marks; false where there is no memory. */
bool chains_reserve(struct chains *chains);
/* Finds an event of the group for the step, moving other steps to other events where that helps (augmenting paths). */
bool chains_serve(struct chains *chains, size_t step);

#endif
