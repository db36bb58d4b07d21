/* A sweep over the instants at which events begin and cease to count, and the measures of section 5 over those that
 * count. Events begin and cease in the order of their times, so what counts is always a run of the log: sums are kept
 * by adding and taking away, the least and greatest by a queue, different values by how often each occurs. */
#ifndef MUSTER_DOMAIN_MEASURE_H
#define MUSTER_DOMAIN_MEASURE_H

#include "common/domain/evaluation_parts.h"

struct counted {
    int64_t time_ms;
    int64_t enter_ms;
    int64_t leave_ms;
    const struct entry *entry;
    const struct pane *pane;    /* NULL: an event */
    const struct entry *chosen; /* latest, earliest: of those that tie with it, once that is known */
    int64_t micros;             /* where numeric */
    uint32_t value_id;          /* distinct: equal values have equal ids; RULESET_NONE: no value */
    bool numeric;
};

struct sweep {
    struct evaluation *evaluation;
    const struct node *node;
    const struct measure_plan *plan;
    struct summary base;   /* the events before items[0], where there is no window */
    struct counted *items; /* the events that count at F or later, in the order of section 2 */
    size_t item_count;
    size_t low; /* items[low .. high) count */
    size_t high;
    int64_t pane_count; /* of items that are panes, the events beyond the first of each */
    int128 sum;
    int64_t numeric_count;
    uint32_t *queue; /* min, max: indexes of items whose values rise (fall) */
    size_t queue_low;
    size_t queue_high;
    uint32_t *occurrences; /* distinct: by value id */
    int64_t distinct_count;
};

/* Gathers the events and stands at F. */
void sweep_begin(struct sweep *sweep, struct evaluation *evaluation, const struct node *node);
/* Sums up what counts now, for a node without a window. */
void sweep_sum_up(const struct sweep *sweep);
/* Number of counting events now. */
static inline int64_t sweep_count(const struct sweep *sweep)
{
    return sweep->base.count + sweep->pane_count + (int64_t)(sweep->high - sweep->low);
}
/* The next instant after the present one at which an event begins or ceases to count; TIMESTAMP_NEVER: none. */
int64_t sweep_next(const struct sweep *sweep);
/* Moves to `at`; returns whether an event began to count. */
bool sweep_move(struct sweep *sweep, int64_t at);
/* latest, earliest: the entry whose value is chosen: the greatest among those that tie, same time and no message id
 * (section 2). Something counts. `kept` holds the entry that is summed up, where it is that one. */
const struct entry *sweep_chosen(const struct sweep *sweep, struct entry *kept);
/* The measure as a number now: count, sum, avg, min, max, distinct (others do not exist). */
struct quotient sweep_number(const struct sweep *sweep);

#endif
