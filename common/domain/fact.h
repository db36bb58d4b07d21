/* An event as the rules see it: when it was, who it is told apart by, which selectors took it, and the values that
 * these read. What a user's state absorbs; also what batch puts aside until it has all events of a user (pile.h). */
#ifndef MUSTER_DOMAIN_FACT_H
#define MUSTER_DOMAIN_FACT_H

#include "common/domain/ruleset_parts.h"
#include "common/domain/user_state.h"

/* Everything is borrowed. */
struct fact {
    int64_t time_ms;
    uint32_t content; /* hash of what the event says, to tell copies that differ, and its source; 0 without an id */
    struct slice id;  /* message id; empty without */
    uint32_t shape;
    bool has_id;
    bool matched;               /* a selector takes it: there are values */
    const uint64_t *mask;       /* selector_words words: the selectors that took it */
    const uint64_t *taken;      /* the same, a bit for each that the shape tests; of fact_take only */
    const struct value *values; /* by slot of the shape, where matched */
};

/* The lowest bits of a content are no hash. The lowest of these are where the event was read (user_state_fold_from). */
enum { FACT_CONTENT_SHIFT = 4, FACT_SOURCE_MASK = USER_STATE_SOURCES_MAX - 1 };

/* What the rules see of a track, page, screen or identify event, of source 0. Borrows from the event and from
 * `evaluation` until its next use. False when there is no memory. */
bool fact_take(const struct ruleset *ruleset, const struct event *event, struct evaluation *evaluation,
               struct fact *out, struct error *err) MUST_CHECK;

/* Absorbs a fact, as user_state_fold does the event that it was taken of. */
bool user_state_absorb(const struct ruleset *ruleset, struct user_state *state, const struct fact *fact,
                       enum fold_result *result, struct error *err) MUST_CHECK;

#endif
