/* `muster eval --engine batch`: all events first, then user by user. */
#ifndef MUSTER_CLI_EVAL_BATCH_H
#define MUSTER_CLI_EVAL_BATCH_H

#include "common/base/hash.h"
#include "common/cli/eval_rows.h"
#include "common/domain/pile.h"

struct eval_batch {
    const struct ruleset *ruleset;
    struct eval_options options;
    struct evaluation *evaluation;
    struct piles *piles;
    struct ranks *ranks; /* where a definition has a percentile */
    struct arena arena;  /* with consent: ids and purposes */
    struct hash_map map; /* with consent: users about whom something was said */
    struct consent_history *consents;
    size_t consent_capacity;
};

/* Borrows the ruleset and the configuration. */
bool eval_batch_init(struct eval_batch *batch, const struct ruleset *ruleset, const struct eval_options *options,
                     struct error *err) MUST_CHECK;
void eval_batch_clear(struct eval_batch *batch);

/* Takes an event; lines ascend. */
bool eval_batch_add(struct eval_batch *batch, const struct event *event, int64_t line, struct error *err) MUST_CHECK;

/* Where a definition has a percentile: ranks all users as of `at`. */
bool eval_batch_rank(struct eval_batch *batch, int64_t at, struct error *err) MUST_CHECK;

/* Adds all rows as of rows->at. The events are gone afterwards; what was counted is in piles_counts(batch->piles). */
bool eval_batch_rows(struct eval_batch *batch, struct eval_rows *rows, struct error *err) MUST_CHECK;

#endif
