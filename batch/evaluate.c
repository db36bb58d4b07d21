/* evaluate: lane by lane, user by user. A thread reads one lane's messages sorted by user on one connection and writes the
 * records of the members on another, in one transaction per lane that ends with the lane's row in the ledger. Memory is that of
 * one user and of the lane's grants, whatever the size of the lane. */
#include "batch/batch.h"

#include "common/io/store.h"
#include "common/io/store_consent.h"

#include <inttypes.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

enum {
    EVALUATE_THREADS_MAX = 64,
    EVALUATE_RECORDS_BUFFER_SIZE = 1 << 20,
    EVALUATE_RECORDS_SIZE_MAX = 64 << 20,
    EVALUATE_ARENA_SIZE_MAX = 16 << 20,
    EVALUATE_POLL_MS = 100,
};

struct evaluator {
    struct batch_run *run;
    atomic_int *lane_next; /* lanes are handed out by this counter */
    struct pg *reader;
    struct pg *writer;
    struct consent_map *grants; /* in force for the lane's users. A grant younger than the plan does no harm: where the
                                 * run's snapshot lacks a grant's control line, the run says nothing about that user */
    struct user_state *state;
    struct evaluation *evaluation;
    struct membership *memberships; /* per segment of the ruleset */
    struct json_document document;
    struct arena arena;
    struct buffer records;
    int32_t lane;
    int64_t user_no; /* whose messages are being folded; 0: nobody's */
    int64_t record_count;
    int64_t *counts; /* of the lane, per plan segment: members, excluded */
    pthread_t thread;
    bool failed;
    bool stopped;
    struct error err;
};

/* ---- records ---- */

static bool evaluator_send(struct evaluator *evaluator, struct error *err)
{
    if (!buffer_finish(&evaluator->records, "batch records", err) ||
        !pg_copy_in_data(evaluator->writer, buffer_slice(&evaluator->records), err)) {
        return false;
    }
    buffer_reset(&evaluator->records);
    return true;
}

static void evaluator_append_instant(struct buffer *records, bool known, int64_t ms)
{
    if (known && ms != TIMESTAMP_NEVER && ms != TIMESTAMP_ALWAYS) {
        pg_row_int64(records, ms);
    } else {
        pg_row_null(records);
    }
}

/* One (user, segment) of the ruleset: a record where the user is a member or excluded, and may be. */
static void evaluator_append_record(struct evaluator *evaluator, size_t index)
{
    const struct batch_run *run = evaluator->run;
    const struct membership *membership = &evaluator->memberships[index];
    const struct stored_definition *stored = &run->stored[index];
    struct buffer *records = &evaluator->records;
    int64_t grant_no = 0;

    if (run->plan_index[index] == SIZE_MAX || !(membership->member || membership->excluded)) {
        return;
    }
    if (stored->subject_to_consent) {
        grant_no = consent_map_grant(evaluator->grants, evaluator->user_no, stored->purpose_no);
        if (grant_no == 0) {
            return;
        }
    }
    pg_row_begin(records, 10);
    pg_row_int64(records, run->plan.run_no);
    pg_row_int32(records, stored->segment_no);
    pg_row_int32(records, stored->version);
    pg_row_int64(records, evaluator->user_no);
    pg_row_int32(records, evaluator->lane);
    pg_row_boolean(records, membership->member);
    evaluator_append_instant(records, membership->member, membership->entered_at);
    evaluator_append_instant(records, membership->member, membership->valid_until);
    if (stored->subject_to_consent) {
        pg_row_int16(records, stored->purpose_no);
        pg_row_int64(records, grant_no);
    } else {
        pg_row_null(records);
        pg_row_null(records);
    }
    evaluator->record_count++;
    evaluator->counts[2 * run->plan_index[index] + (membership->member ? 0 : 1)]++;
}

/* ---- one user ---- */

/* Segment by segment, so that one that cannot be evaluated fails alone. */
static bool evaluator_isolate(struct evaluator *evaluator, struct error *err)
{
    struct batch_run *run = evaluator->run;

    for (size_t i = 0; i < ruleset_segment_count(run->ruleset); i++) {
        evaluator->memberships[i] = (struct membership){.member = false};
        if (user_state_membership(run->ruleset, evaluator->state, i, run->plan.as_of_ms, evaluator->evaluation,
                                  &evaluator->memberships[i], err)) {
            continue;
        }
        if (err->code != ERROR_INPUT) {
            return false;
        }
        evaluator->memberships[i] = (struct membership){.member = false};
        if (run->plan_index[i] != SIZE_MAX && !atomic_exchange(&run->segment_failed[run->plan_index[i]], true)) {
            log_error("segment %.*s failed: %s", (int)run->set.definitions[i].segment_id.size,
                      run->set.definitions[i].segment_id.data, err->message);
        }
    }
    return true;
}

static bool evaluator_finish_user(struct evaluator *evaluator, struct error *err)
{
    const struct batch_run *run = evaluator->run;

    if (evaluator->user_no == 0) {
        return true;
    }
    if (!user_state_memberships(run->ruleset, evaluator->state, run->plan.as_of_ms, evaluator->evaluation,
                                evaluator->memberships, err) &&
        (err->code != ERROR_INPUT || !evaluator_isolate(evaluator, err))) {
        return false;
    }
    for (size_t i = 0; i < ruleset_segment_count(run->ruleset); i++) {
        evaluator_append_record(evaluator, i);
    }
    user_state_clear(evaluator->state);
    evaluator->user_no = 0;
    return evaluator->records.size < EVALUATE_RECORDS_BUFFER_SIZE || evaluator_send(evaluator, err);
}

static bool evaluator_refused(const struct archive_message *message, const struct error *why, struct error *err)
{
    if (message->source.topic_no >= 0) {
        return error_set(err, ERROR_INTERNAL, "archived message at topic %d offset %" PRId64 " cannot be read: %s",
                         (int)message->source.topic_no, message->source.position, why->message);
    }
    return error_set(err, ERROR_INTERNAL, "archived message at load %" PRId32 " line %" PRId64 " cannot be read: %s",
                     message->source.load_no, message->source.position, why->message);
}

static bool evaluator_message(void *context, const struct archive_message *message, struct error *err)
{
    struct evaluator *evaluator = context;
    struct batch_run *run = evaluator->run;
    enum quarantine_reason reason = QUARANTINE_NONE;
    enum fold_result result = FOLD_NONE;
    struct error why = ERROR_INIT;
    struct event event;

    if (command_stopping()) {
        evaluator->stopped = true;
        return error_set(err, ERROR_UNREACHABLE, "stopped");
    }
    if (message->user_no != evaluator->user_no && !evaluator_finish_user(evaluator, err)) {
        return false;
    }
    evaluator->user_no = message->user_no;
    arena_reset(&evaluator->arena);
    if (!event_decode(message->text, &evaluator->document, &evaluator->arena, &event, &reason, &why)) {
        *err = why;
        return false;
    }
    if (reason != QUARANTINE_NONE) {
        return evaluator_refused(message, &why, err);
    }
    (void)atomic_fetch_add_explicit(&run->rows_read, 1, memory_order_relaxed);
    return user_state_fold(run->ruleset, evaluator->state, &event, evaluator->evaluation, &result, NULL, err);
}

/* ---- one lane ---- */

static bool evaluator_lane_rows(struct evaluator *evaluator, struct error *err)
{
    const struct batch_run *run = evaluator->run;
    struct archive_range range = run_plan_range(&run->plan, evaluator->lane);
    int64_t row_count = 0;

    evaluator->user_no = 0;
    evaluator->record_count = 0;
    memset(evaluator->counts, 0, 2 * run->plan.segment_count * sizeof *evaluator->counts);
    buffer_reset(&evaluator->records);
    if (!store_runs_records_begin(evaluator->writer, err) ||
        !archive_read(evaluator->reader, evaluator->lane, &range, ARCHIVE_ORDER_USER, evaluator_message, evaluator, err) ||
        !evaluator_finish_user(evaluator, err) || !evaluator_send(evaluator, err) ||
        !pg_copy_in_end(evaluator->writer, &row_count, err)) {
        user_state_clear(evaluator->state);
        return false;
    }
    return true;
}

/* What the lane adds to each segment. Always in the plan's order, so that two lanes never wait for each other. */
static bool evaluator_note_segments(struct evaluator *evaluator, struct error *err)
{
    const struct batch_run *run = evaluator->run;

    for (size_t i = 0; i < run->plan.segment_count; i++) {
        const struct run_segment *segment = &run->plan.segments[i];
        const int64_t *counts = &evaluator->counts[2 * i];
        if (atomic_load(&run->segment_failed[i])) {
            if (!store_runs_fail_segment(evaluator->writer, run->plan.run_no, segment, "could not be evaluated", err)) {
                return false;
            }
        } else if (counts[0] + counts[1] > 0 &&
                   !store_runs_count_segment(evaluator->writer, run->plan.run_no, segment, counts[0], counts[1], err)) {
            return false;
        }
    }
    return true;
}

static bool evaluator_lane(struct evaluator *evaluator, struct error *err)
{
    const struct batch_run *run = evaluator->run;
    bool done = false;

    if (!store_runs_step_begin(evaluator->writer, run->plan.run_no, RUN_STEP_EVALUATE, evaluator->lane, &done, err)) {
        return false;
    }
    if (done) {
        (void)atomic_fetch_add_explicit(&evaluator->run->rows_read, run->lane_rows[evaluator->lane],
                                        memory_order_relaxed);
        return true;
    }
    if (!consent_map_new(&evaluator->grants, err) ||
        !store_consent_load(evaluator->reader, evaluator->lane, evaluator->grants, err) ||
        !store_runs_lane_begin(evaluator->writer, run->plan.run_no, evaluator->lane, &done, err)) {
        return false;
    }
    if (done) {
        return true;
    }
    if (!evaluator_lane_rows(evaluator, err) || !evaluator_note_segments(evaluator, err) ||
        !store_runs_step_end(evaluator->writer, run->plan.run_no, RUN_STEP_EVALUATE, evaluator->lane, false,
                             evaluator->record_count, "", err) ||
        !pg_commit(evaluator->writer, err)) {
        pg_abort(evaluator->writer);
        return error_context(err, "lane %" PRId32, evaluator->lane);
    }
    return true;
}

static void *evaluator_work(void *context)
{
    struct evaluator *evaluator = context;

    for (;;) {
        evaluator->lane = atomic_fetch_add(evaluator->lane_next, 1);
        if (evaluator->lane >= evaluator->run->lane_count || command_stopping()) {
            break;
        }
        if (!evaluator_lane(evaluator, &evaluator->err)) {
            evaluator->failed = !evaluator->stopped;
            break;
        }
        consent_map_free(evaluator->grants);
        evaluator->grants = NULL;
    }
    return NULL;
}

/* ---- threads ---- */

static bool evaluator_open(struct evaluator *evaluator, struct batch_run *run, atomic_int *lane_next, struct error *err)
{
    *evaluator = (struct evaluator){.run = run, .lane_next = lane_next, .err = ERROR_INIT};
    json_document_init(&evaluator->document);
    arena_init(&evaluator->arena, EVALUATE_ARENA_SIZE_MAX);
    buffer_init(&evaluator->records, EVALUATE_RECORDS_SIZE_MAX);
    evaluator->memberships = memory_allocate_zeroed(ruleset_segment_count(run->ruleset), sizeof *evaluator->memberships);
    evaluator->counts = memory_allocate_zeroed(2 * run->plan.segment_count, sizeof *evaluator->counts);
    if (evaluator->memberships == NULL || evaluator->counts == NULL) {
        return error_no_memory(err, "memberships");
    }
    return store_open(run->config, STORE_ROLE_BATCH, &evaluator->reader, err) &&
           store_open(run->config, STORE_ROLE_BATCH, &evaluator->writer, err) &&
           user_state_new(run->ruleset, &evaluator->state, err) &&
           evaluation_new(run->ruleset, &evaluator->evaluation, err);
}

static void evaluator_close(struct evaluator *evaluator)
{
    consent_map_free(evaluator->grants);
    user_state_free(evaluator->state);
    evaluation_free(evaluator->evaluation);
    memory_free(evaluator->memberships);
    memory_free(evaluator->counts);
    json_document_clear(&evaluator->document);
    arena_clear(&evaluator->arena);
    buffer_clear(&evaluator->records);
    pg_close(evaluator->reader);
    pg_close(evaluator->writer);
}

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
static void evaluate_watch(struct batch_run *run, struct evaluator *evaluators, size_t count, int64_t row_count)
{
    struct progress progress;

    progress_begin(&progress, "evaluate", (uint64_t)row_count);
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
static bool evaluate_run_threads(struct batch_run *run, struct evaluator *evaluators, size_t count, struct error *err)
{
    int64_t row_count = 0;
    size_t started = 0;

    for (int32_t lane = 0; lane < run->lane_count; lane++) {
        row_count += run->lane_rows[lane];
    }
    while (started < count && pthread_create(&evaluators[started].thread, NULL, evaluator_work, &evaluators[started]) == 0) {
        started++;
    }
    evaluate_watch(run, evaluators, started, row_count);
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

bool evaluate_lanes(struct batch_run *run, bool *stopped, struct error *err)
{
    size_t count = evaluate_thread_count(run);
    struct evaluator *evaluators;
    atomic_int lane_next = 0;
    size_t opened = 0;
    bool done = false;

    if (run->ruleset == NULL) {
        return true; /* every segment failed at planning */
    }
    evaluators = memory_allocate_zeroed(count, sizeof *evaluators);
    if (evaluators == NULL) {
        return error_no_memory(err, "evaluation");
    }
    while (opened < count) {
        if (!evaluator_open(&evaluators[opened++], run, &lane_next, err)) {
            goto out;
        }
    }
    done = evaluate_run_threads(run, evaluators, count, err);
    *stopped = command_stopping();
    evaluate_take_failures(run);
out:
    for (size_t i = 0; i < opened; i++) {
        evaluator_close(&evaluators[i]);
    }
    memory_free(evaluators);
    return done;
}
