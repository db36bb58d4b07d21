/* What a state must hold on to when its past up to an instant is final: which entries, and which panes take the place
 * of others. Part of user_state_prune. */
#ifndef MUSTER_DOMAIN_USER_KEEP_H
#define MUSTER_DOMAIN_USER_KEEP_H

#include "common/domain/evaluation_parts.h"

enum keep_kind {
    KEEP_NONE = 0, /* nothing needs it */
    KEEP_ID,       /* its message id alone */
    KEEP_VALUES,   /* its values: the id is too old for copies, and no event of the same time is to be told apart */
    KEEP_ALL,
};

/* A pane that is to be in the log. */
struct kept_pane {
    int64_t time_ms;
    uint32_t shape;
    struct pane pane;
};

struct kept {
    unsigned char *kinds;    /* by entry: enum keep_kind */
    struct kept_pane *panes; /* in the order of time, then shape */
    size_t pane_count;
};

/* Finds what is needed of the entries with time <= base->at_ms, the base that the state will have (its summaries are
 * filled). Everything lies on the evaluation's arena; evaluation->failed is set where there is no memory. The
 * evaluation stands at the state's present base, all entries included. */
void keep_find(struct evaluation *evaluation, const struct user_base *base, struct kept *out);

#endif
