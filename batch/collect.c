/* collect: how much each lane holds of what the plan covers. The rows stay where they are, in the archive. */
#include "batch/batch.h"

static bool collect_lane(struct batch_run *run, int32_t lane, struct error *err)
{
    bool done = false;

    if (!store_runs_step_begin(run->pg, run->plan.run_no, RUN_STEP_COLLECT, lane, &done, err) ||
        !store_runs_count_lane(run->pg, &run->plan, lane, &run->lane_rows[lane], err)) {
        return false;
    }
    return done ||
           store_runs_step_end(run->pg, run->plan.run_no, RUN_STEP_COLLECT, lane, false, run->lane_rows[lane], "", err);
}

bool collect_input(struct batch_run *run, struct error *err)
{
    run->lane_rows = memory_allocate_zeroed((size_t)run->lane_count, sizeof *run->lane_rows);
    if (run->lane_rows == NULL) {
        return error_no_memory(err, "lanes");
    }
    for (int32_t lane = 0; lane < run->lane_count; lane++) {
        if (!collect_lane(run, lane, err)) {
            return error_context(err, "collect");
        }
    }
    return true;
}
