/* evaluate: lane by lane, user by user, in several threads. */
#include "batch/evaluator.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { EVALUATE_THREADS_MAX = 64, EVALUATE_POLL_MS = 100 };

static size_t evaluate_thread_count(const struct batch_run *run)
{
    int64_t wanted = config_integer(run->config, "batch.threads");
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    if (wanted <= 0) {
        wanted = processors > 0 ? processors : 1;
    }
    if (wanted > run->lane_count) {
        wanted = run->lane_count;
    }
    return (size_t)(wanted > EVALUATE_THREADS_MAX ? EVALUATE_THREADS_MAX : wanted);
}

/* Shows how far the threads are until the last has ended. */
static void evaluate_watch(struct batch_run *run, const char *what, struct evaluator *evaluators, size_t count,
                           int64_t row_count)
{
    struct progress progress;

    progress_begin(&progress, what, (uint64_t)row_count);
    for (size_t i = 0; i < count; i++) {
        struct timespec until;
        do {
            (void)clock_gettime(CLOCK_REALTIME, &until);
            until.tv_nsec += EVALUATE_POLL_MS * 1000000L;
            until.tv_sec += until.tv_nsec / 1000000000L;
            until.tv_nsec %= 1000000000L;
            progress_update(&progress, (uint64_t)atomic_load(&run->rows_read));
        } while (pthread_timedjoin_np(evaluators[i].thread, NULL, &until) != 0);
    }
    progress_end(&progress);
}

/* Starts `count` threads; those that started are joined whatever happens. */
static bool evaluate_run_threads(struct evaluator_pass *pass, struct evaluator *evaluators, size_t count,
                                 struct error *err)
{
    struct batch_run *run = pass->run;
    int64_t row_count = 0;
    size_t started = 0;

    atomic_store(&run->rows_read, 0);
    for (int32_t lane = 0; lane < run->lane_count; lane++) {
        row_count += run->lane_rows[lane];
    }
    while (started < count &&
           pthread_create(&evaluators[started].thread, NULL, evaluator_work, &evaluators[started]) == 0) {
        started++;
    }
    evaluate_watch(run, run_step_name(pass->step), evaluators, started, row_count);
    if (started == 0) {
        return error_set(err, ERROR_INTERNAL, "could not start a thread");
    }
    for (size_t i = 0; i < started; i++) {
        if (evaluators[i].failed) {
            *err = evaluators[i].err;
            return false;
        }
    }
    return true;
}

/* What failed while lanes were evaluated becomes part of the plan's segments, for the steps that follow. */
static void evaluate_take_failures(struct batch_run *run)
{
    for (size_t i = 0; i < run->plan.segment_count; i++) {
        struct run_segment *segment = &run->plan.segments[i];
        if (atomic_load(&run->segment_failed[i]) && !segment->failed) {
            segment->failed = true;
            (void)snprintf(segment->reason, sizeof segment->reason, "could not be evaluated");
        }
    }
}

/* Puts together what the threads collected. *out stays NULL where a lane gave nothing. */
static bool evaluate_take_ranks(struct evaluator_pass *pass, struct evaluator *evaluators, size_t count,
                                struct ranks **out, struct error *err)
{
    if (pass->collect == NULL || atomic_load(&pass->lanes_collected) != pass->run->lane_count) {
        return true;
    }
    for (size_t i = 1; i < count; i++) {
        if (!ranks_merge(evaluators[0].ranks, evaluators[i].ranks, err)) {
            return false;
        }
    }
    *out = evaluators[0].ranks;
    evaluators[0].ranks = NULL;
    return true;
}

bool evaluate_pass(struct evaluator_pass *pass, struct ranks **out_ranks, struct error *err)
{
    size_t count = evaluate_thread_count(pass->run);
    struct evaluator *evaluators = memory_allocate_zeroed(count, sizeof *evaluators);
    size_t opened = 0;
    bool done = false;

    if (evaluators == NULL) {
        return error_no_memory(err, "evaluation");
    }
    while (opened < count) {
        if (!evaluator_open(&evaluators[opened++], pass, err)) {
            goto out;
        }
    }
    if (!evaluate_run_threads(pass, evaluators, count, err)) {
        goto out;
    }
    pass->run->stopped = command_stopping();
    evaluate_take_failures(pass->run);
    done = pass->run->stopped || evaluate_take_ranks(pass, evaluators, count, out_ranks, err);
out:
    for (size_t i = 0; i < opened; i++) {
        evaluator_close(&evaluators[i]);
    }
    memory_free(evaluators);
    return done;
}

bool evaluate_lanes(struct batch_run *run, struct error *err)
{
    struct evaluator_pass pass = {.run = run, .step = RUN_STEP_EVALUATE};

    /* While the messages are at hand, values for the ranks are collected too: that saves reading them once more. */
    pass.write = run->plain.ruleset == NULL ? NULL : &run->plain;
    pass.collect = run->ranked.ruleset == NULL ? NULL : &run->ranked;
    return pass.write == NULL || evaluate_pass(&pass, &run->ranks, err);
}
