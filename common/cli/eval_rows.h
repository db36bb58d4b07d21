/* `muster eval`: the rows that are printed, whichever engine found them. */
#ifndef MUSTER_CLI_EVAL_ROWS_H
#define MUSTER_CLI_EVAL_ROWS_H

#include "common/base/config.h"
#include "common/cli/eval_consent.h"
#include "common/domain/percentile.h"
#include "common/domain/ruleset.h"
#include "common/domain/user_state.h"

struct eval_options {
    bool stream; /* through the incremental path, event by event */
    bool intervals;
    bool consent;
    const struct config *config; /* with consent: the default of each purpose */
};

struct eval_row {
    struct interval interval;
    uint32_t segment;
    uint32_t user; /* index into users */
};

/* A user who has rows: these stand behind one another as they were found. */
struct eval_rows_user {
    struct slice id;
    uint64_t key; /* orders as the ids do, but for ties; found by eval_rows_arrange */
    size_t first;
    size_t count;
};

struct eval_rows {
    const struct ruleset *ruleset;
    struct eval_options options;
    int64_t at; /* the instant asked about */
    struct arena arena;
    struct eval_rows_user *users;
    size_t user_count;
    size_t user_capacity;
    struct eval_row *items;
    size_t count;
    size_t capacity;
    size_t *ends; /* by segment, after eval_rows_arrange: where its rows end */
    /* the user whose rows are being added */
    struct slice user;
    const struct consent_history *consent;
    bool added;
};

/* Borrows the ruleset and the configuration. */
bool eval_rows_init(struct eval_rows *rows, const struct ruleset *ruleset, const struct eval_options *options,
                    int64_t at, struct error *err) MUST_CHECK;
void eval_rows_clear(struct eval_rows *rows);

/* The rows added next are this user's. `consent` (NULL: nothing was said) is looked at with options.consent only. Both
 * are borrowed until the next user. A user comes once. */
void eval_rows_user(struct eval_rows *rows, struct slice user, const struct consent_history *consent);
/* Adds what of the interval is to be printed. */
bool eval_rows_add(struct eval_rows *rows, size_t segment, struct interval interval, struct error *err) MUST_CHECK;
/* Evaluates all segments and adds what comes out. */
bool eval_rows_compute(struct eval_rows *rows, struct user_state *state, struct evaluation *evaluation,
                       struct error *err) MUST_CHECK;

/* Sorts by segment (in the order of the ruleset) and by user id; nothing may be added afterwards. */
bool eval_rows_arrange(struct eval_rows *rows, struct error *err) MUST_CHECK;
/* The rows of a segment, borrowed. */
const struct eval_row *eval_rows_of(const struct eval_rows *rows, size_t segment, size_t *count);

#endif
