/* Working memory of folding and evaluating, and what the forms of criteria share. For the files that evaluate. */
#ifndef MUSTER_DOMAIN_EVALUATION_PARTS_H
#define MUSTER_DOMAIN_EVALUATION_PARTS_H

#include "common/domain/optimisation.h"
#include "common/domain/rule_operators.h"
#include "common/domain/ruleset_needs.h"
#include "common/domain/timeline.h"
#include "common/domain/user_log.h"

/* M of one segment from F on: what a reference to it sees, and what a caller gets. */
struct answer {
    struct interval *intervals;
    size_t count;
    bool excluded; /* at `at`: the criteria with lifetime hold and an exclusion does too */

    /* carried.c */
    int64_t from;     /* F of these intervals */
    int64_t wanted;   /* F that the call in progress needs at the latest */
    uint64_t answers; /* evaluation->answers_no when it was found */
};

/* A calendar period that was asked for. */
struct period_found {
    const struct zone *zone;
    enum rule_period period;
    int64_t start_ms;
    int64_t end_ms;
};
enum { PERIODS_FOUND = 64 };

struct evaluation {
    const struct ruleset *ruleset;
    struct arena arena; /* everything of one call; reset by the next */
    struct comparison_scratch scratch;
    struct buffer key;         /* percentile: the group's key */
    const struct ranks *ranks; /* NULL: not given */
    bool failed;               /* the arena ran out: the call fails at its end */
    bool unranked;             /* a percentile was to be evaluated without ranks */

    /* fold */
    struct value *values; /* by source */
    struct value *kept;   /* by slot of the shape */
    uint64_t *mask;
    uint64_t *taken; /* bits by the place of a selector in the shape */

    /* the call in progress */
    const struct user_state *state;
    size_t stride;
    size_t entry_count;                 /* entries with time <= the instant asked about */
    const struct user_taken *log_taken; /* by selector its entries; NULL: the log is looked through */
    int64_t known_since;                /* TIMESTAMP_NEVER where nothing in these entries makes the user known */
    int64_t at;                         /* the instant asked about; TIMESTAMP_NEVER: all */
    int64_t from;                       /* F: truths are found from here on; INT64_MIN = from the beginning */
    bool marking_turned;                /* inside an odd number of nots: nothing requalifies */
    struct instants marks;              /* instants after F at which a criterion requalifies (section 6), unsorted */
    struct answer *answers;             /* by segment; valid for those of the present closure */

    /* what the log holds (evaluation_see) */
    struct selector_seen *seen; /* by selector */
    uint64_t *present;          /* bits: selectors with an event */

    /* memberships.c */
    bool candidates_found;   /* by the call that began last, for what it began with */
    uint64_t *candidates;    /* bits by rank: segments that are looked at */
    unsigned char *verdicts; /* by segment; all zero between calls */
    struct segment_membership *found;

    /* summaries of criteria */
    const struct summary *summed; /* of the present segment, by node.carry; NULL: none */
    struct summary *summing;      /* the same to be filled (they may be the same); NULL: not wanted */
    int64_t carry_at;             /* as of this instant */
    bool thorough;                /* every criterion is evaluated, whether or not it decides */
    bool standing_only; /* of what must hold for a membership at `at` all that comes after its end is left out */
    bool at_once;       /* only the truths at F are wanted, of a state that was seen */

    /* answers that are good for more than one call (carried.c) */
    const struct user_state *answered_state; /* whose; NULL: there are none */
    uint64_t answered_cleared_count;         /* of its contents */
    uint64_t answers_no;                     /* counts the states and events they were found for */
    bool seen_now;                           /* `seen` is of them as well */
    const struct user_state *fresh_state;    /* whose event was folded last; NULL: not known */
    uint64_t fresh_cleared_count;
    uint64_t *fresh; /* bits: the segments it touched */

    struct period_found periods[PERIODS_FOUND]; /* by day: few days have most of the events */
};

/* Zeroed, on the arena; NULL, and the call fails at its end, where that ran out. */
void *evaluation_allocate(struct evaluation *evaluation, size_t count, size_t size);
/* The same with contents undefined. */
void *evaluation_reserve(struct evaluation *evaluation, size_t size);

/* Fills `seen` and `present` from the entries of the call in progress. */
void evaluation_see(struct evaluation *evaluation);
/* The same event by event, in any order, before the call: first nothing, then each selector that took one. */
void evaluation_see_nothing(struct evaluation *evaluation);
static inline void evaluation_see_one(struct evaluation *evaluation, uint32_t selector, int64_t time_ms)
{
    struct selector_seen *seen = &evaluation->seen[selector];

    bit_set(evaluation->present, selector);
    seen->newest_ms = time_ms > seen->newest_ms ? time_ms : seen->newest_ms;
    seen->count++;
}
/* Of a state whose events until `at` have been seen. False: user_state_standing finds nothing at that instant. True:
 * the next call is that of user_state_standing, which goes on from here. Does not look at values. */
bool evaluation_may_stand(struct evaluation *evaluation, const struct user_state *state, int64_t at);
/* Whether `seen` can tell that a segment does not hold: a state that was pruned knows of more than its log. */
static inline bool evaluation_sees(const struct evaluation *evaluation)
{
    return optimisation_on(OPTIMISATION_NEEDS) && evaluation->state->base == NULL;
}

/* The period that the instant lies in. Borrowed until the next call. */
const struct period_found *evaluation_period(struct evaluation *evaluation, const struct zone *zone,
                                             enum rule_period period, int64_t time_ms);

/* First index of an entry with time > after - reach. */
size_t evaluation_first_after(const struct evaluation *evaluation, int64_t after_ms, int64_t reach_ms);
/* The same after F: entries that may still matter then. */
size_t evaluation_first_entry(const struct evaluation *evaluation, int64_t reach_ms);
extern const struct summary summary_none;
/* The part of evaluation_summed that batch does not need. */
struct summary evaluation_find_summed(const struct evaluation *evaluation, const struct node *node);
/* What is summed up of the node's past, or a summary of nothing. */
static inline struct summary evaluation_summed(const struct evaluation *evaluation, const struct node *node)
{
    if (evaluation->summed == NULL && evaluation->state->base == NULL) {
        return summary_none;
    }
    return evaluation_find_summed(evaluation, node);
}
/* Leaves a summary as of carry_at; does nothing where none is wanted. */
void evaluation_sum_up(struct evaluation *evaluation, const struct node *node, const struct summary *summary);

static inline const struct entry *evaluation_entry(const struct evaluation *evaluation, size_t index)
{
    return entry_at(evaluation->state, evaluation->stride, index);
}

static inline size_t evaluation_index(const struct evaluation *evaluation, const struct entry *entry)
{
    return (size_t)((const char *)entry - evaluation->state->entries) / evaluation->stride;
}

/* The first of the entries [index, end) that the selector took; `end` where there is none. */
static inline size_t evaluation_next(const struct evaluation *evaluation, uint32_t selector, size_t index, size_t end)
{
    if (evaluation->log_taken != NULL) {
        return user_taken_next(evaluation->log_taken, selector, index, end);
    }
    while (index < end && !bit_is_set(evaluation_entry(evaluation, index)->mask, selector)) {
        index++;
    }
    return index;
}

/* One more than the index of the last of the entries [0, end) that the selector took; 0 where there is none. */
static inline size_t evaluation_last(const struct evaluation *evaluation, uint32_t selector, size_t end)
{
    if (evaluation->log_taken != NULL) {
        return user_taken_last(evaluation->log_taken, selector, end);
    }
    while (end > 0 && !bit_is_set(evaluation_entry(evaluation, end - 1)->mask, selector)) {
        end--;
    }
    return end;
}

static inline void evaluation_set(struct evaluation *evaluation, struct timeline *timeline, int64_t at, bool value)
{
    timeline_set(timeline, at, value, &evaluation->arena, &evaluation->failed);
}

static inline void evaluation_mark(struct evaluation *evaluation, int64_t at)
{
    if (at > evaluation->from) {
        instants_push(&evaluation->marks, at, &evaluation->arena, &evaluation->failed);
    }
}

/* The part of window_bounds for stepped ones. */
void window_bounds_stepped(const struct measure_plan *plan, int64_t time_ms, int64_t *enter, int64_t *leave);
/* When the event of this time begins and ceases to count (section 5). */
static inline void window_bounds(const struct measure_plan *plan, int64_t time_ms, int64_t *enter, int64_t *leave)
{
    if (plan->stepped) {
        window_bounds_stepped(plan, time_ms, enter, leave);
    } else {
        *enter = time_ms + plan->begins_ms;
        *leave = plan->ends_ms == TIMESTAMP_NEVER ? TIMESTAMP_NEVER : time_ms + plan->ends_ms;
    }
}

/* Which entries a measure is taken over: events, or for what had begun to count as of the base, panes. */
struct taking {
    uint32_t selector;
    uint32_t pane_shape;
    int64_t after_ms; /* events up to it are in panes */
};
struct taking taking_begin(const struct user_state *state, const struct measure_plan *plan);

static inline bool taking_takes(const struct taking *taking, const struct entry *entry)
{
    return (bit_is_set(entry->mask, taking->selector) && entry->time_ms > taking->after_ms) ||
           entry->shape == taking->pane_shape;
}
/* The first of the entries [index, end) that is taken; `end` where there is none. */
static inline size_t taking_next(const struct taking *taking, const struct evaluation *evaluation, size_t index,
                                 size_t end)
{
    /* Where there are no panes, no event is in one. */
    if (taking->pane_shape == RULESET_NONE) {
        return evaluation_next(evaluation, taking->selector, index, end);
    }
    while (index < end && !taking_takes(taking, evaluation_entry(evaluation, index))) {
        index++;
    }
    return index;
}
/* Of the events that have begun to count at `at_ms` (whether or not they have ceased), the latest possible time. */
int64_t window_begun_ms(const struct measure_plan *plan, int64_t at_ms);
/* A bound of leave - time for every event, or INT64_MAX. */
int64_t window_reach_ms(const struct rule_window *window);

/* Each gives the truth of one criterion from F on; `marked`: its qualifying marks are wanted. */
criterion_evaluate evaluate_counted; /* by a tally, where its plan has one */
criterion_evaluate evaluate_event;
criterion_evaluate evaluate_compare;
criterion_evaluate evaluate_absence;
criterion_evaluate evaluate_sequence;
criterion_evaluate evaluate_trait;
criterion_evaluate evaluate_reference;
criterion_evaluate evaluate_all;
criterion_evaluate evaluate_any;
criterion_evaluate evaluate_not;
criterion_evaluate evaluate_percentile; /* the same truth at all times: that of evaluation->at */
criterion_evaluate evaluate_nothing;

/* The one of the selector's entries at the time of entry `index`, which is one of them, whose value is chosen where
 * they tie, without message ids: the one with the greatest (section 2). */
const struct entry *evaluation_chosen(const struct evaluation *evaluation, uint32_t selector, uint32_t column,
                                      size_t index);
/* The value of the node's trait after the first `count` entries; missing where none sets it. */
struct value trait_value(const struct evaluation *evaluation, const struct node *node, size_t count);
/* The instant that age and until take such a value for; false where it is none. */
bool trait_value_instant(const struct value *value, int64_t *out_ms);

/* The truth of any criterion. */
criterion_evaluate evaluate_node;
/* The truth of criteria from F on: of all of them, or of any. */
void evaluate_children(struct evaluation *evaluation, const struct node *nodes, size_t count, bool all, bool marked,
                       struct timeline *out);
/* M of a segment from the beginning, or the state's base; F must stand there. Into evaluation->answers; what the
 * segment refers to must be there. */
void evaluate_segment_anew(struct evaluation *evaluation, size_t segment);
struct membership membership_of(const struct answer *answer, int64_t at);

extern const struct carry carry_none;
/* M of a segment from F on, from what is carried at F; `carried` receives the same for carry_at. What it refers to has
 * been evaluated, from F or before. */
void evaluate_segment(struct evaluation *evaluation, size_t segment, const struct carry *carry, int64_t carry_at,
                      struct carry *carried);

/* Begin and end of one call: `at` bounds the events, `from` is F, but not before the state's base. False where
 * something failed in between. */
void evaluation_begin(struct evaluation *evaluation, const struct user_state *state, int64_t at, int64_t from);
bool evaluation_finish(const struct evaluation *evaluation, struct error *err) MUST_CHECK;

/* Hash and equality of the values of some columns: what `same` and `distinct` compare. False where one is missing or a
 * compound. */
bool values_hash(const struct evaluation *evaluation, const struct entry *entry, const uint32_t *columns, size_t count,
                 uint64_t *hash);
bool values_equal(const struct evaluation *evaluation, const struct entry *a, const struct entry *b,
                  const uint32_t *columns, size_t count);

#endif
