/* `muster eval`: the users of the input, their states, and the rows that come out. */
#ifndef MUSTER_CLI_EVAL_USERS_H
#define MUSTER_CLI_EVAL_USERS_H

#include "common/base/config.h"
#include "common/base/hash.h"
#include "common/cli/eval_consent.h"
#include "common/domain/percentile.h"
#include "common/domain/ruleset.h"
#include "common/domain/user_state.h"

/* One row to print. */
struct eval_row {
    uint32_t user; /* index */
    struct interval interval;
};

struct eval_rows {
    struct eval_row *items;
    size_t count;
    size_t capacity;
};

struct eval_user {
    struct slice id;
    struct user_state *state;
    struct eval_history *histories; /* stream, --intervals: by segment */
    struct consent_history consent;
};

struct eval_options {
    bool stream; /* through the incremental path, event by event */
    bool intervals;
    bool consent;
    const struct config *config; /* with consent: the default of each purpose */
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
    int64_t newest;      /* greatest event time; TIMESTAMP_ALWAYS before the first */
    uint64_t event_count;
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

/* The rows of all segments as of `at`: `rows` has one list per segment, each in the order of the user ids. The caller
 * frees the lists' items. */
bool eval_users_rows(struct eval_users *users, int64_t at, struct eval_rows *rows, struct error *err) MUST_CHECK;

size_t eval_users_size(const struct eval_users *users);

#endif
