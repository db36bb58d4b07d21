/* activate: the run becomes visible, in the transaction that announces it; then old runs' records may go. */
#include "batch/batch.h"

#include <inttypes.h>

enum { ACTIVATE_RUNS_KEPT = 3 };

bool activate_run(struct batch_run *run, struct error *err)
{
    struct error prune_error = ERROR_INIT;

    if (!store_runs_activate(run->pg, &run->plan, err)) {
        return false;
    }
    if (!store_runs_prune(run->pg, ACTIVATE_RUNS_KEPT, &prune_error)) {
        log_warning("run %" PRId64 " is activated, but old records stay for now: %s", run->plan.run_no,
                    prune_error.message);
    }
    return true;
}
