/* `muster eval --engine stream`: the users of the input and their states, event by event. */
#ifndef MUSTER_CLI_EVAL_USERS_H
#define MUSTER_CLI_EVAL_USERS_H

#include "common/base/hash.h"
#include "common/cli/eval_rows.h"

struct eval_user {
    struct slice id;
    struct user_state *state;
    struct eval_history *histories; /* by segment; NULL before the first event */
    struct consent_history consent;
};

struct eval_users {
    const struct ruleset *ruleset;
    struct eval_options options;
    struct evaluation *evaluation;
    struct arena arena; /* user ids */
    struct hash_map map;
    struct eval_user *users;
    size_t count;
    size_t capacity;
    uint64_t *touched;
    struct ranks *ranks; /* where a definition has a percentile */
    uint64_t copy_count;
    uint64_t copy_different_count;
};

/* Borrows the ruleset and the configuration. */
bool eval_users_init(struct eval_users *users, const struct ruleset *ruleset, const struct eval_options *options,
                     struct error *err) MUST_CHECK;
void eval_users_clear(struct eval_users *users);

/* Absorbs one event. *different: a copy with other content than the one kept. */
bool eval_users_fold(struct eval_users *users, const struct event *event, bool *different,
                     struct error *err) MUST_CHECK;

/* Adds all rows as of rows->at. */
bool eval_users_rows(struct eval_users *users, struct eval_rows *rows, struct error *err) MUST_CHECK;

size_t eval_users_size(const struct eval_users *users);

#endif
