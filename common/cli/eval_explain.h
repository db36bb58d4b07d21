/* `muster eval --explain USER`: why one user is, or is not, in the segments. */
#ifndef MUSTER_CLI_EVAL_EXPLAIN_H
#define MUSTER_CLI_EVAL_EXPLAIN_H

#include "common/base/command.h"
#include "common/cli/eval_batch.h"
#include "common/domain/explanation.h"

struct eval_explain {
    struct slice user;
    struct explanation_names names; /* of the user's events */
};

/* `user` is borrowed. */
void eval_explain_init(struct eval_explain *explain, const char *user);
void eval_explain_clear(struct eval_explain *explain);

/* Keeps the event's name where it is the user's. */
bool eval_explain_take(struct eval_explain *explain, const struct event *event, struct error *err) MUST_CHECK;

/* Prints the explanation of --segment, or of every segment, as of `at`, from the events that the batch has taken; they
 * are gone afterwards. ERROR_INPUT where there is no such segment, or no event of the user. */
bool eval_explain_print(const struct eval_explain *explain, struct eval_batch *batch, const struct segment_set *set,
                        const struct command_line *line, int64_t at, struct error *err) MUST_CHECK;

#endif
