/* The facts of one user, all of them at hand, become its state: as if user_state_absorb had taken one after the other,
 * with less ado, since nobody has seen the state yet. First the log is made, and of each event it has only what took
 * it: enough to find that nothing comes of most users. Then the values are unpacked, where somebody asks for them. For
 * pile.c. */
#ifndef MUSTER_DOMAIN_PILE_FOLD_H
#define MUSTER_DOMAIN_PILE_FOLD_H

#include "common/domain/pile_pack.h"

/* Users with more facts are folded one by one: long logs have tables of their ids, and of what selectors took. */
enum { PILE_FOLD_MAX = 64, PILE_FOLD_KEY_WORDS = 8 };

/* A fact that is no copy. */
struct pile_fold_item {
    const struct packed *packed;
    struct packed_rest rest;
    uint64_t key; /* where keys differ, ids do */
};

struct pile_fold_copy {
    int64_t line;
    bool different;
};

/* Working memory, used again for the next user. */
struct pile_fold {
    struct pile_fold_item items[PILE_FOLD_MAX];
    size_t item_count;
    struct pile_fold_copy copies[PILE_FOLD_MAX]; /* in the order in which they were added */
    size_t copy_count;
    uint64_t keys[PILE_FOLD_KEY_WORDS]; /* bits: the keys of items with an id */
};

/* Folds a user's facts, PILE_FOLD_MAX at most, those of these indexes in their order, into a state that is empty. They
 * are borrowed until the next call. `seeing` (NULL: nothing) is told what the log holds of each selector up to `at`,
 * for evaluation_may_stand. False when there is no memory. */
bool pile_fold(const struct ruleset *ruleset, struct pile_fold *fold, const struct packed *facts, const uint32_t *order,
               size_t count, struct evaluation *seeing, int64_t at, struct user_state *state,
               struct error *err) MUST_CHECK;
/* Gives the log's events their values, and with `ids` their message ids. From then on the state can be evaluated, but
 * absorbs nothing more; without `ids` it can be neither written nor explained. */
bool pile_fold_values(const struct ruleset *ruleset, const struct pile_fold *fold, bool ids, struct user_state *state,
                      struct error *err) MUST_CHECK;

#endif
