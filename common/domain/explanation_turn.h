/* What one more event would have to bring so that a comparison with a measure turns: the smallest of what is near the
 * comparison's bounds, found by trying it. */
#ifndef MUSTER_DOMAIN_EXPLANATION_TURN_H
#define MUSTER_DOMAIN_EXPLANATION_TURN_H

#include "common/domain/measure.h"

/* Whether the comparison holds with this number on the side in question. */
typedef bool turn_holds(const void *context, const struct quotient *number);

/* What to add: events (count), different values (distinct), micros (sum: together; avg, min, max: the value of one). */
struct turn {
    bool exists;
    int128 amount;
};

enum { TURN_BOUNDS_MAX = 16 };

/* The turn of the measure that the sweep has now. `bounds` (micros) are the numbers at which the comparison may
 * change; those that are too large to reckon with are left out. */
struct turn turn_find(const struct sweep *sweep, const int128 *bounds, size_t bound_count, turn_holds *holds,
                      const void *context);

#endif
