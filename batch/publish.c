/* publish: the records are complete: what failed is taken out, the rest is counted and can be looked up. Still
 * invisible. */
#include "batch/batch.h"

bool publish_run(struct batch_run *run, struct error *err)
{
    return store_runs_publish(run->pg, &run->plan, err);
}
