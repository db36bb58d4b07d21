/* muster-reconcile run: one pass. */
#include "reconcile/commands.h"
#include "reconcile/pass.h"

#include "common/base/log.h"

#include <inttypes.h>
#include <stdio.h>

enum { LOCK_WAIT_MS = 5000 };

static bool summary_print(const struct pass_counts *counts, struct error *err)
{
    char sealed[32] = "no block sealed";
    char published[64] = "nothing published";

    if (counts->block_no != 0) {
        (void)snprintf(sealed, sizeof sealed, "block %" PRId64 " sealed", counts->block_no);
    }
    if (counts->published > 0) {
        (void)snprintf(published, sizeof published, "%" PRId64 " users published", counts->published);
    }
    if (counts->published < 0) {
        (void)snprintf(published, sizeof published, "not published");
    }
    if (printf("%" PRId64 " records merged, %" PRId64 " entered, %" PRId64 " exited, %" PRId64 " renewed, %" PRId64
               " refused; %s; %s\n",
               counts->records, counts->entered, counts->exited, counts->renewed, counts->refused, sealed,
               published) < 0) {
        return error_set(err, ERROR_CLOSED_PIPE, "could not write to standard output");
    }
    return true;
}

static bool run(const struct command_line *line, struct error *err)
{
    const struct config *config = NULL;
    struct reconciler reconciler = {.config = NULL};
    struct pass_counts counts;
    bool ok;

    if (!command_config(line, &config, err) || !reconciler_open(config, LOCK_WAIT_MS, &reconciler, err)) {
        return false;
    }
    reconciler.forced = command_has(line, "all");
    ok = pass_run(&reconciler, &counts, err);
    if (ok && !command_has(line, "no-publish")) {
        struct error publish_err = ERROR_INIT;

        if (!publish_redis(&reconciler, &counts, &publish_err)) {
            counts.published = -1;
            log_warning("%s", publish_err.message);
            ok = publish_err.code == ERROR_UNREACHABLE;
            if (!ok) {
                *err = publish_err;
            }
        }
    }
    ok = ok && pass_measure(&reconciler, err) && consent_sweep(&reconciler, err) && summary_print(&counts, err);
    reconciler_close(&reconciler);
    return ok;
}

static const struct option options[] = {
    {.name = "all", .kind = OPTION_FLAG, .help = "decide about every user again, not only where something is new"},
    {.name = "no-publish", .kind = OPTION_FLAG, .help = "leave the serving layer alone"},
    {.name = NULL},
};

const struct command command_run = {
    .name = "run",
    .arguments = "",
    .summary = "one pass: align, merge, consent, record, seal, publish",
    .help =
        "Decides about everyone whom new records, runs, builds, consent or time concern, writes effective membership "
        "and\n"
        "history, seals a block, brings Redis up to date, and removes records whose consent has ended. A second pass\n"
        "over the same records changes nothing. Exit status 1: another reconciler is at work. Where Redis is down the\n"
        "pass is done all the same: the removals and changes wait, and an alert is raised.",
    .options = options,
    .run = run,
};
