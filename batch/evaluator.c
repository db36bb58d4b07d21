/* A thread reads one lane's messages sorted by user on one connection and writes the records of the members on another,
 * in one transaction per lane that ends with the lane's row in the ledger. Memory is that of one user and of the lane's
 * grants, whatever the size of the lane. */
#include "batch/evaluator.h"

#include "common/io/store.h"

#include <inttypes.h>

enum {
    EVALUATE_RECORDS_BUFFER_SIZE = 1 << 20,
    EVALUATE_RECORDS_SIZE_MAX = 64 << 20,
    EVALUATE_ARENA_SIZE_MAX = 16 << 20,
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
    const struct batch_run *run = evaluator->pass->run;
    const struct batch_rules *rules = evaluator->write.rules;
    const struct membership *membership = &evaluator->memberships[index];
    const struct stored_definition *stored = &rules->stored[index];
    struct buffer *records = &evaluator->records;
    int64_t grant_no = 0;

    if (rules->plan_index[index] == SIZE_MAX || !(membership->member || membership->excluded)) {
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
    evaluator->counts[2 * rules->plan_index[index] + (membership->member ? 0 : 1)]++;
}

/* ---- one user ---- */

/* Segment by segment, so that one that cannot be evaluated fails alone. */
static bool evaluator_isolate(struct evaluator *evaluator, struct error *err)
{
    struct batch_run *run = evaluator->pass->run;
    struct evaluator_rules *write = &evaluator->write;

    for (size_t i = 0; i < ruleset_segment_count(write->rules->ruleset); i++) {
        size_t plan_index = write->rules->plan_index[i];
        evaluator->memberships[i] = (struct membership){.member = false};
        if (user_state_membership(write->rules->ruleset, write->state, i, run->plan.as_of_ms, write->evaluation,
                                  &evaluator->memberships[i], err)) {
            continue;
        }
        if (err->code != ERROR_INPUT) {
            return false;
        }
        evaluator->memberships[i] = (struct membership){.member = false};
        if (plan_index != SIZE_MAX && !atomic_exchange(&run->segment_failed[plan_index], true)) {
            log_error("segment %s failed: %s", run->plan.segments[plan_index].segment_id, err->message);
        }
    }
    return true;
}

static bool evaluator_write_user(struct evaluator *evaluator, struct error *err)
{
    struct evaluator_rules *write = &evaluator->write;

    if (!user_state_memberships(write->rules->ruleset, write->state, evaluator->pass->run->plan.as_of_ms,
                                write->evaluation, evaluator->memberships, err) &&
        (err->code != ERROR_INPUT || !evaluator_isolate(evaluator, err))) {
        return false;
    }
    for (size_t i = 0; i < ruleset_segment_count(write->rules->ruleset); i++) {
        evaluator_append_record(evaluator, i);
    }
    user_state_clear(write->rules->ruleset, write->state);
    return evaluator->records.size < EVALUATE_RECORDS_BUFFER_SIZE || evaluator_send(evaluator, err);
}

static bool evaluator_finish_user(struct evaluator *evaluator, struct error *err)
{
    struct evaluator_rules *collect = &evaluator->collect;

    if (evaluator->user_no == 0) {
        return true;
    }
    if (collect->rules != NULL) {
        if (!ranks_add(evaluator->ranks, collect->state, evaluator->pass->run->plan.as_of_ms, collect->evaluation,
                       err)) {
            return false;
        }
        user_state_clear(collect->rules->ruleset, collect->state);
    }
    if (evaluator->write.rules != NULL && !evaluator_write_user(evaluator, err)) {
        return false;
    }
    evaluator->user_no = 0;
    return true;
}

static bool evaluator_fold(struct evaluator_rules *rules, const struct event *event, struct error *err)
{
    enum fold_result result = FOLD_NONE;

    return rules->rules == NULL ||
           user_state_fold(rules->rules->ruleset, rules->state, event, rules->evaluation, &result, NULL, err);
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

/* Where two rulesets are folded at once nothing can be left out for either. */
static bool evaluator_decode(struct evaluator *evaluator, struct slice text, struct event *out,
                             enum quarantine_reason *reason, struct error *why)
{
    const struct batch_rules *write = evaluator->write.rules;
    const struct batch_rules *collect = evaluator->collect.rules;

    if ((write != NULL) == (collect != NULL)) {
        return event_decode(text, &evaluator->document, &evaluator->arena, out, reason, why);
    }
    return event_decode_projected(text, ruleset_projection(write != NULL ? write->ruleset : collect->ruleset),
                                  &evaluator->document, &evaluator->arena, out, reason, why);
}

static bool evaluator_message(void *context, const struct archive_message *message, struct error *err)
{
    struct evaluator *evaluator = context;
    enum quarantine_reason reason = QUARANTINE_NONE;
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
    if (!evaluator_decode(evaluator, message->text, &event, &reason, &why)) {
        *err = why;
        return false;
    }
    if (reason != QUARANTINE_NONE) {
        return evaluator_refused(message, &why, err);
    }
    (void)atomic_fetch_add_explicit(&evaluator->pass->run->rows_read, 1, memory_order_relaxed);
    return evaluator_fold(&evaluator->write, &event, err) && evaluator_fold(&evaluator->collect, &event, err);
}

/* ---- one lane ---- */

static bool evaluator_read_lane(struct evaluator *evaluator, struct error *err)
{
    struct archive_range range = run_plan_range(&evaluator->pass->run->plan, evaluator->lane);

    evaluator->user_no = 0;
    return archive_read(evaluator->reader, evaluator->lane, &range, ARCHIVE_ORDER_USER, evaluator_message, evaluator,
                        err) &&
           evaluator_finish_user(evaluator, err);
}

/* What the lane adds to each segment. Always in the plan's order, so that two lanes never wait for each other. */
static bool evaluator_note_segments(struct evaluator *evaluator, struct error *err)
{
    const struct batch_run *run = evaluator->pass->run;

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

static bool evaluator_write_lane(struct evaluator *evaluator, struct error *err)
{
    const struct batch_run *run = evaluator->pass->run;
    int64_t row_count = 0;

    evaluator->record_count = 0;
    memset(evaluator->counts, 0, 2 * run->plan.segment_count * sizeof *evaluator->counts);
    buffer_reset(&evaluator->records);
    return store_runs_records_begin(evaluator->writer, err) && evaluator_read_lane(evaluator, err) &&
           evaluator_send(evaluator, err) && pg_copy_in_end(evaluator->writer, &row_count, err) &&
           evaluator_note_segments(evaluator, err) &&
           store_runs_step_end(evaluator->writer, run->plan.run_no, evaluator->pass->step, evaluator->lane, false,
                               evaluator->record_count, "", err) &&
           pg_commit(evaluator->writer, err);
}

/* *done: an earlier process had finished the lane, so nothing was read. */
static bool evaluator_lane(struct evaluator *evaluator, bool *done, struct error *err)
{
    const struct batch_run *run = evaluator->pass->run;

    if (evaluator->pass->write == NULL) {
        return evaluator_read_lane(evaluator, err);
    }
    if (!store_runs_step_begin(evaluator->writer, run->plan.run_no, evaluator->pass->step, evaluator->lane, done,
                               err)) {
        return false;
    }
    if (*done) {
        return true;
    }
    consent_map_free(evaluator->grants);
    evaluator->grants = NULL;
    if (!consent_map_new(&evaluator->grants, err) ||
        !store_consent_load(evaluator->reader, evaluator->lane, evaluator->grants, err) ||
        !store_runs_lane_begin(evaluator->writer, run->plan.run_no, evaluator->pass->step, evaluator->lane, done,
                               err)) {
        return false;
    }
    if (!*done && !evaluator_write_lane(evaluator, err)) {
        pg_abort(evaluator->writer);
        return false;
    }
    return true;
}

void *evaluator_work(void *context)
{
    struct evaluator *evaluator = context;
    struct evaluator_pass *pass = evaluator->pass;

    for (;;) {
        bool done = false;
        evaluator->lane = atomic_fetch_add(&pass->lane_next, 1);
        if (evaluator->lane >= pass->run->lane_count || command_stopping()) {
            return NULL;
        }
        if (!evaluator_lane(evaluator, &done, &evaluator->err)) {
            evaluator->failed = !evaluator->stopped;
            (void)error_context(&evaluator->err, "lane %" PRId32, evaluator->lane);
            return NULL;
        }
        if (done) {
            (void)atomic_fetch_add(&pass->run->rows_read, pass->run->lane_rows[evaluator->lane]);
        } else {
            (void)atomic_fetch_add(&pass->lanes_collected, 1);
        }
    }
}

/* ---- life ---- */

static bool evaluator_rules_open(struct evaluator_rules *rules, const struct batch_rules *source, struct error *err)
{
    rules->rules = source;
    return source == NULL || (user_state_new(source->ruleset, &rules->state, err) &&
                              evaluation_new(source->ruleset, &rules->evaluation, err));
}

static void evaluator_rules_close(struct evaluator_rules *rules)
{
    user_state_free(rules->state);
    evaluation_free(rules->evaluation);
}

bool evaluator_open(struct evaluator *evaluator, struct evaluator_pass *pass, struct error *err)
{
    size_t segment_count = pass->write == NULL ? 0 : ruleset_segment_count(pass->write->ruleset);

    *evaluator = (struct evaluator){.pass = pass, .err = ERROR_INIT};
    json_document_init(&evaluator->document);
    arena_init(&evaluator->arena, EVALUATE_ARENA_SIZE_MAX);
    buffer_init(&evaluator->records, EVALUATE_RECORDS_SIZE_MAX);
    evaluator->memberships = memory_allocate_zeroed(segment_count, sizeof *evaluator->memberships);
    evaluator->counts = memory_allocate_zeroed(2 * pass->run->plan.segment_count, sizeof *evaluator->counts);
    if (evaluator->memberships == NULL || evaluator->counts == NULL) {
        return error_no_memory(err, "memberships");
    }
    if (!store_open(pass->run->config, STORE_ROLE_BATCH, &evaluator->reader, err) ||
        !store_open(pass->run->config, STORE_ROLE_BATCH, &evaluator->writer, err) ||
        !store_runs_session(evaluator->reader, err) || !store_runs_session(evaluator->writer, err) ||
        !evaluator_rules_open(&evaluator->write, pass->write, err) ||
        !evaluator_rules_open(&evaluator->collect, pass->collect, err)) {
        return false;
    }
    if (pass->ranks != NULL) {
        evaluation_ranks(evaluator->write.evaluation, pass->ranks);
    }
    return pass->collect == NULL || ranks_new(pass->collect->ruleset, &evaluator->ranks, err);
}

void evaluator_close(struct evaluator *evaluator)
{
    consent_map_free(evaluator->grants);
    evaluator_rules_close(&evaluator->write);
    evaluator_rules_close(&evaluator->collect);
    ranks_free(evaluator->ranks);
    memory_free(evaluator->memberships);
    memory_free(evaluator->counts);
    json_document_clear(&evaluator->document);
    arena_clear(&evaluator->arena);
    buffer_clear(&evaluator->records);
    pg_close(evaluator->reader);
    pg_close(evaluator->writer);
}
