/* validate: a run must not compute from an archive that lost or gained rows behind its back. */
#include "batch/batch.h"

bool validate_input(struct batch_run *run, struct error *err)
{
    return store_runs_check_loads(run->pg, &run->plan, err) ? true : error_context(err, "validate");
}
