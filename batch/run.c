/* muster-batch run: one batch computation, step by step. A step that the ledger calls done is not repeated, so a run
 * that was killed anywhere continues there; what no process holds the lock for was killed. */
#include "batch/batch.h"

#include "common/base/output.h"
#include "common/io/store.h"

#include <inttypes.h>
#include <stdio.h>

typedef bool run_stage(struct batch_run *run, struct error *err);

static bool run_prepare(const struct command_line *line, struct batch_run *run, struct error *err)
{
    zone_files_init(&run->zones);
    plan_forget_rules(&run->plain);
    plan_forget_rules(&run->ranked);
    if (!command_config(line, &run->config, err)) {
        return false;
    }
    run->request.as_of_ms = command_instant(line, "as-of", TIMESTAMP_NEVER);
    if (command_has(line, "as-of") &&
        run->request.as_of_ms > timestamp_now() + config_duration_ms(run->config, "time.future_skew")) {
        error_set(err, ERROR_USAGE, "--as-of lies in the future: a run would end what its windows cannot know of yet");
        return error_hint(err, "leave it out to ask about the newest instant that is known");
    }
    run->request.segments = command_text(line, "segments");
    run->request.resume = command_has(line, "resume");
    run->lane_count = (int32_t)config_integer(run->config, "topics.partitions");
    return store_open(run->config, STORE_ROLE_BATCH, &run->pg, err) && store_runs_lock(run->pg, err);
}

static void run_release(struct batch_run *run)
{
    ranks_free(run->ranks);
    plan_forget_rules(&run->plain);
    plan_forget_rules(&run->ranked);
    zone_files_clear(&run->zones);
    run_plan_clear(&run->plan);
    memory_free(run->lane_rows);
    memory_free(run->segment_failed);
    pg_close(run->pg);
}

/* A step of the whole run, with its row in the ledger. */
static bool run_step(struct batch_run *run, enum run_step step, run_stage *stage, struct error *err)
{
    bool done = false;

    if (!store_runs_step_begin(run->pg, run->plan.run_no, step, RUN_LANE_WHOLE, &done, err)) {
        return false;
    }
    if (done) {
        return true;
    }
    if (!stage(run, err)) {
        struct error ignored = ERROR_INIT; /* the ledger is told where it can be; the reason is already in err */
        (void)!store_runs_step_end(run->pg, run->plan.run_no, step, RUN_LANE_WHOLE, true, 0, err->message, &ignored);
        return false;
    }
    return run->stopped || store_runs_step_end(run->pg, run->plan.run_no, step, RUN_LANE_WHOLE, false, 0, "", err);
}

static bool run_stages(struct batch_run *run, struct error *err)
{
    bool done = false;

    if (!collect_input(run, err) || !run_step(run, RUN_STEP_VALIDATE, validate_input, err) ||
        !evaluate_lanes(run, err)) {
        return false;
    }
    if (!run->stopped && !run_step(run, RUN_STEP_RANK, rank_segments, err)) {
        return false;
    }
    if (run->stopped) {
        return true;
    }
    return run_step(run, RUN_STEP_PUBLISH, publish_run, err) &&
           store_runs_step_begin(run->pg, run->plan.run_no, RUN_STEP_ACTIVATE, RUN_LANE_WHOLE, &done, err) &&
           activate_run(run, err);
}

static bool run_print(const struct batch_run *run, enum output_format format, struct error *err)
{
    static const char *const columns[] = {"segment", "version", "state", "members", "excluded", "reason"};
    struct output *output = NULL;

    if (!output_begin(stdout, format, columns, sizeof columns / sizeof columns[0], &output, err)) {
        return false;
    }
    for (size_t i = 0; i < run->plan.segment_count; i++) {
        const struct run_segment *segment = &run->plan.segments[i];
        char version[24];
        char members[24];
        char excluded[24];
        struct slice cells[6];
        (void)snprintf(version, sizeof version, "%" PRId32, segment->version);
        (void)snprintf(members, sizeof members, "%" PRId64, segment->members);
        (void)snprintf(excluded, sizeof excluded, "%" PRId64, segment->excluded);
        cells[0] = slice_from(segment->segment_id);
        cells[1] = slice_from(version);
        cells[2] = segment->failed ? SLICE_LITERAL("failed") : SLICE_LITERAL("done");
        cells[3] = slice_from(members);
        cells[4] = slice_from(excluded);
        cells[5] = slice_from(segment->reason);
        if (!output_row(output, cells, err)) {
            struct error ignored = ERROR_INIT;
            (void)!output_end(output, &ignored);
            return false;
        }
    }
    return output_end(output, err);
}

/* ERROR_FOUND with their names where segments failed. */
static bool run_report_failed(const struct batch_run *run, struct error *err)
{
    struct buffer names;
    size_t count = 0;

    buffer_init(&names, ERROR_MESSAGE_SIZE);
    for (size_t i = 0; i < run->plan.segment_count; i++) {
        if (run->plan.segments[i].failed) {
            buffer_append_format(&names, "%s%s", count == 0 ? "" : ", ", run->plan.segments[i].segment_id);
            count++;
        }
    }
    if (count == 0) {
        buffer_clear(&names);
        return true;
    }
    error_set(err, ERROR_FOUND, "%zu of %zu segments failed: %s", count, run->plan.segment_count, buffer_text(&names));
    error_hint(err, "the others are in force; 'muster-batch runs %" PRId64 "' says why", run->plan.run_no);
    buffer_clear(&names);
    return false;
}

static bool run_work(struct batch_run *run, enum output_format format, struct error *err)
{
    char as_of[TIMESTAMP_TEXT_SIZE];
    int64_t begun_ms = timestamp_monotonic_ms();

    if (!plan_make(run, err)) {
        return false;
    }
    log_info("run %" PRId64 ": %s, as of %s, %zu segments", run->plan.run_no, run->resumed ? "resumed" : "planned",
             timestamp_text(run->plan.as_of_ms, as_of), run->plan.segment_count);
    if (!run_stages(run, err)) {
        return error_context(err, "run %" PRId64, run->plan.run_no);
    }
    if (run->stopped) {
        log_info("run %" PRId64 ": stopped; the next run takes it up", run->plan.run_no);
        return true;
    }
    log_info("run %" PRId64 ": activated after %" PRId64 " ms", run->plan.run_no, timestamp_monotonic_ms() - begun_ms);
    return store_runs_warn_ungranted(run->pg, run->plan.run_no, err) && run_print(run, format, err) &&
           run_report_failed(run, err);
}

static bool run_command(const struct command_line *line, struct error *err)
{
    struct batch_run run = {.config = NULL, .pg = NULL};
    enum output_format format = OUTPUT_NONE;
    bool done;

    if (!output_format_parse(command_text(line, "format"), OUTPUT_TEXT, &format, err)) {
        return false;
    }
    command_catch_signals();
    done = run_prepare(line, &run, err) && run_work(&run, format, err);
    run_release(&run);
    return done;
}

static const struct option run_options[] = {
    {"as-of", OPTION_INSTANT, "T", "the instant asked about (default: see above)", false},
    {"segments", OPTION_TEXT, "ID,...", "only these, and what they refer to (default: all but evaluation = stream)",
     false},
    {"resume", OPTION_FLAG, NULL, "only continue the run that a crash left, even if more was archived since", false},
    {"format", OPTION_TEXT, "FORMAT", "text, csv or jsonl", false},
    {.name = NULL},
};

const struct command batch_command_run = {
    .name = "run",
    .arguments = "",
    .summary = "recompute the segments from everything archived",
    .help =
        "Steps: plan, collect, validate, evaluate (lane by lane), rank, publish, activate. Nothing of a run is "
        "visible\n"
        "before it is activated. A run that was killed is continued by the next one where it would compute the same,\n"
        "and abandoned otherwise. A segment that cannot be evaluated is marked failed (exit 1), the others go on.\n"
        "\n"
        "Without --as-of the run asks about the newest instant whose events have all been archived: the smallest\n"
        "watermark of the lanes archived, as the stream would have it. A partition that 'load --kafka' read to its "
        "end\n"
        "counts, with clock = wall, as advanced to the instant of that reading less time.watermark_bound; with clock "
        "=\n"
        "event it is left out, and a lane read to its ends stands at its greatest event time less the bound. Where "
        "only\n"
        "files were loaded: the greatest event time read. Of the runs of a version the one with the greatest as-of "
        "decides:\n"
        "a later run about an earlier instant is kept, and changes no list.\n",
    .options = run_options,
    .run = run_command,
};
