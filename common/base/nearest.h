/* "did you mean": of the names offered, the one that a misspelt name most likely meant. */
#ifndef MUSTER_BASE_NEAREST_H
#define MUSTER_BASE_NEAREST_H

#include "common/base/slice.h"

#include <stddef.h>

struct nearest {
    struct slice wanted;
    const char *name; /* best so far, borrowed; NULL when nothing is near */
    size_t distance;
};

/* Begins the search for what `wanted` (borrowed) may have meant. */
void nearest_begin(struct nearest *nearest, struct slice wanted);
/* Considers a name (borrowed): near is at most a third of the shorter one's bytes wrong, or one byte (insert, delete,
 * replace, swap of two neighbours), and something in common. Two of four would take "both" for "batch". */
void nearest_offer(struct nearest *nearest, const char *name);

#endif
