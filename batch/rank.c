/* rank: segments whose answer depends on all users at once (percentile, also by reference). The values of all users
 * were collected while the lanes were evaluated; where an earlier process evaluated some of them, all are collected
 * anew. */
#include "batch/evaluator.h"

bool rank_segments(struct batch_run *run, struct error *err)
{
    struct evaluator_pass pass = {.run = run, .step = RUN_STEP_RANK};

    if (run->ranked.ruleset == NULL) {
        return true;
    }
    if (run->ranks == NULL) {
        struct evaluator_pass collect = {.run = run, .step = RUN_STEP_RANK, .collect = &run->ranked};
        if (!evaluate_pass(&collect, &run->ranks, err)) {
            return error_context(err, "rank");
        }
        if (run->stopped) {
            return true;
        }
    }
    if (!ranks_finish(run->ranks, err)) {
        return error_context(err, "rank");
    }
    pass.write = &run->ranked;
    pass.ranks = run->ranks;
    return evaluate_pass(&pass, NULL, err) ? true : error_context(err, "rank");
}
