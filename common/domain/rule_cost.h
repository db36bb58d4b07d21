/* What a definition costs before it ships: bytes of state per user, from the sizes that user_state.c really keeps, and
 * from what pruning leaves (user_keep.c). */
#ifndef MUSTER_DOMAIN_RULE_COST_H
#define MUSTER_DOMAIN_RULE_COST_H

#include "common/domain/ruleset.h"

/* What is assumed of the events. */
struct rule_cost_assumptions {
    int64_t id_size;   /* bytes of a message id */
    int64_t text_size; /* bytes of a text that rules read */
    int64_t events_per_day;
    int64_t lateness_ms; /* how late events may come: until then nothing is pruned */
};

struct rule_cost {
    bool streams;
    const char *why;        /* where not: the reason (static text); else "" */
    int64_t reach_ms;       /* how far back the state can depend; TIMESTAMP_NEVER: without limit */
    int64_t fixed_bytes;    /* per user, however many events there are */
    int64_t event_bytes;    /* at most, per event that is kept */
    int64_t kept_count;     /* final events, at most, that the definitions can still need; -1: no bound */
    int64_t pane_count;     /* panes, at most, in the place of others */
    int64_t recent_count;   /* events that late ones, or copies, may still follow */
    int64_t state_bytes;    /* at most; -1: no bound */
    size_t selector_count;  /* conditions tested on events */
    size_t value_count_max; /* values kept of one event at most */
};

/* The segment with all it refers to; `segment` SIZE_MAX: all of the ruleset together. What other definitions of the
 * ruleset read of the very same events is counted too, since it is kept with them once. Buffers grow by doubling, so
 * the figures count twice what is in them; and the log may double until it is pruned again: the worst case. */
void rule_cost(const struct ruleset *ruleset, size_t segment, const struct rule_cost_assumptions *assumptions,
               struct rule_cost *out);

#endif
