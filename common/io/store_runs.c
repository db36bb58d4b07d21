/* The run ledger. A step is a row that turns from running to done in the transaction that holds what the step wrote, so
 * that a run that crashed anywhere continues where its ledger says, and nothing is there twice. */
#include "common/io/store_runs.h"

#include "common/base/log.h"
#include "common/io/store.h"
#include "common/io/store_control.h"
#include "sql_text.h"

#include <inttypes.h>
#include <time.h>

/* A killed run's session ends a moment after it. */
enum { RUNS_LOCK_WAIT_MS = 5000, RUNS_LOCK_POLL_MS = 50 };

const char *run_step_name(enum run_step step)
{
    static const char *const names[] = {
        [RUN_STEP_NONE] = "none",         [RUN_STEP_PLAN] = "plan",         [RUN_STEP_COLLECT] = "collect",
        [RUN_STEP_VALIDATE] = "validate", [RUN_STEP_EVALUATE] = "evaluate", [RUN_STEP_RANK] = "rank",
        [RUN_STEP_PUBLISH] = "publish",   [RUN_STEP_ACTIVATE] = "activate",
    };

    return names[step];
}

/* Runs a statement whose one parameter list is given and says whether it returned a row. */
static bool store_runs_hit(struct pg *pg, const char *sql, const struct pg_value *values, size_t count, bool *hit,
                           struct error *err)
{
    PGresult *result = NULL;

    if (!pg_query(pg, sql, values, count, &result, err)) {
        return false;
    }
    *hit = PQntuples(result) > 0;
    PQclear(result);
    return true;
}

bool store_runs_lock(struct pg *pg, struct error *err)
{
    const struct timespec pause = {.tv_sec = 0, .tv_nsec = RUNS_LOCK_POLL_MS * 1000000L};
    int64_t begun_ms = timestamp_monotonic_ms();
    struct pg_value values[2];
    PGresult *result = NULL;
    bool taken = false;

    pg_set_integer(&values[0], STORE_LOCK_CLASS);
    pg_set_integer(&values[1], STORE_LOCK_RUN);
    for (;;) {
        if (!pg_query(pg, "SELECT pg_try_advisory_lock($1::integer, $2::integer)", values, 2, &result, err)) {
            return error_context(err, "run lock");
        }
        taken = pg_boolean_at(result, 0, 0);
        PQclear(result);
        if (taken) {
            return true;
        }
        if (timestamp_monotonic_ms() - begun_ms > RUNS_LOCK_WAIT_MS) {
            break;
        }
        (void)nanosleep(&pause, NULL);
    }
    error_set(err, ERROR_USAGE, "another batch run is under way");
    return error_hint(err, "wait for it; 'muster-batch runs' shows how far it is");
}

bool store_runs_crashed(struct pg *pg, int64_t *out_run_no, struct error *err)
{
    PGresult *result = NULL;

    if (!pg_query(pg, "SELECT max(run_no) FROM runs WHERE state = 'running'", NULL, 0, &result, err)) {
        return error_context(err, "runs");
    }
    *out_run_no = pg_integer_at(result, 0, 0, 0);
    PQclear(result);
    return true;
}

bool store_runs_end(struct pg *pg, int64_t run_no, const char *state, struct error *err)
{
    struct pg_value values[2];

    pg_set_integer(&values[0], run_no);
    values[1] = pg_text(slice_from(state));
    return pg_query(pg, sql_runs_end, values, 2, NULL, err) ? true : error_context(err, "run %" PRId64, run_no);
}

bool store_runs_step_begin(struct pg *pg, int64_t run_no, enum run_step step, int32_t lane, bool *done,
                           struct error *err)
{
    struct pg_value values[3];
    bool hit = false;

    pg_set_integer(&values[0], run_no);
    values[1] = pg_text(slice_from(run_step_name(step)));
    pg_set_integer(&values[2], lane);
    if (!store_runs_hit(pg, sql_runs_step_begin, values, 3, &hit, err)) {
        return error_context(err, "step %s", run_step_name(step));
    }
    *done = !hit;
    return true;
}

bool store_runs_step_end(struct pg *pg, int64_t run_no, enum run_step step, int32_t lane, bool failed,
                         int64_t row_count, const char *detail, struct error *err)
{
    struct pg_value values[6];
    bool hit = false;

    pg_set_integer(&values[0], run_no);
    values[1] = pg_text(slice_from(run_step_name(step)));
    pg_set_integer(&values[2], lane);
    values[3] = pg_text(failed ? SLICE_LITERAL("failed") : SLICE_LITERAL("done"));
    pg_set_integer(&values[4], row_count);
    values[5] = pg_text(slice_from(detail));
    if (!store_runs_hit(pg, sql_runs_step_end, values, 6, &hit, err)) {
        return error_context(err, "step %s", run_step_name(step));
    }
    if (!hit) {
        return error_set(err, ERROR_FOUND, "run %" PRId64 ": step %s was ended by another process", run_no,
                         run_step_name(step));
    }
    return true;
}

bool store_runs_session(struct pg *pg, struct error *err)
{
    return pg_script(
        pg, "SET statement_timeout = 0; SET work_mem = '64MB'; SET idle_in_transaction_session_timeout = '60min'", err);
}

bool store_runs_lane_begin(struct pg *pg, int64_t run_no, enum run_step step, int32_t lane, bool *done,
                           struct error *err)
{
    struct pg_value values[3];
    bool hit = false;

    pg_set_integer(&values[0], run_no);
    pg_set_integer(&values[1], lane);
    values[2] = pg_text(slice_from(run_step_name(step)));
    if (!pg_begin(pg, "", err)) {
        return false;
    }
    if (!store_runs_hit(pg, sql_runs_lane_lock, values, 3, &hit, err)) {
        pg_abort(pg);
        return error_context(err, "lane %" PRId32, lane);
    }
    *done = !hit;
    if (*done) {
        pg_abort(pg);
    }
    return true;
}

bool store_runs_fail_segment(struct pg *pg, int64_t run_no, const struct run_segment *segment, const char *reason,
                             struct error *err)
{
    struct pg_value values[3];

    pg_set_integer(&values[0], run_no);
    pg_set_integer(&values[1], segment->segment_no);
    values[2] = pg_text(slice_from(reason));
    return pg_query(pg, sql_runs_fail_segment, values, 3, NULL, err)
               ? true
               : error_context(err, "segment %s", segment->segment_id);
}

bool store_runs_count_segment(struct pg *pg, int64_t run_no, const struct run_segment *segment, int64_t members,
                              int64_t excluded, struct error *err)
{
    struct pg_value values[4];

    pg_set_integer(&values[0], run_no);
    pg_set_integer(&values[1], segment->segment_no);
    pg_set_integer(&values[2], members);
    pg_set_integer(&values[3], excluded);
    return pg_query(pg, sql_runs_count_segment, values, 4, NULL, err)
               ? true
               : error_context(err, "segment %s", segment->segment_id);
}

bool store_runs_records_begin(struct pg *pg, struct error *err)
{
    return pg_copy_in_begin(pg, sql_runs_records_copy, err);
}

bool store_runs_count_lane(struct pg *pg, const struct run_plan *plan, int32_t lane, int64_t *out_rows,
                           struct error *err)
{
    struct pg_value values[2];
    PGresult *result = NULL;

    pg_set_integer(&values[0], plan->run_no);
    pg_set_integer(&values[1], lane);
    if (!pg_query(pg, sql_runs_count_lane, values, 2, &result, err)) {
        return error_context(err, "archive of lane %" PRId32, lane);
    }
    *out_rows = pg_integer_at(result, 0, 0, 0);
    PQclear(result);
    return true;
}

bool store_runs_check_loads(struct pg *pg, const struct run_plan *plan, struct error *err)
{
    struct pg_value value;
    PGresult *result = NULL;

    pg_set_integer(&value, plan->run_no);
    if (!pg_query(pg, sql_runs_check_loads, &value, 1, &result, err)) {
        return error_context(err, "loads");
    }
    if (PQntuples(result) > 0) {
        struct slice source = pg_text_at(result, 0, 1);
        error_set(err, ERROR_INTERNAL,
                  "load %" PRId64 " (%.*s) wrote %" PRId64 " events, but the archive holds %" PRId64 " of it",
                  pg_integer_at(result, 0, 0, 0), (int)source.size, source.data, pg_integer_at(result, 0, 2, 0),
                  pg_integer_at(result, 0, 3, 0));
        PQclear(result);
        return error_hint(err, "the archive was changed outside of muster; restore it before a run");
    }
    PQclear(result);
    return true;
}

static bool store_runs_drop_failed(struct pg *pg, const struct run_plan *plan, struct error *err)
{
    for (size_t i = 0; i < plan->segment_count; i++) {
        const struct run_segment *segment = &plan->segments[i];
        struct pg_value values[2];
        if (!segment->failed) {
            continue;
        }
        pg_set_integer(&values[0], plan->run_no);
        pg_set_integer(&values[1], segment->segment_no);
        if (!store_runs_fail_segment(pg, plan->run_no, segment, segment->reason, err) ||
            !pg_query(pg, sql_runs_clear_segment, values, 2, NULL, err)) {
            return error_context(err, "segment %s", segment->segment_id);
        }
    }
    return true;
}

bool store_runs_publish(struct pg *pg, struct run_plan *plan, struct error *err)
{
    struct run_plan counted = {.run_no = 0};
    struct pg_value value;
    bool done = false;

    pg_set_integer(&value, plan->run_no);
    if (!store_runs_drop_failed(pg, plan, err) || !pg_query(pg, sql_runs_publish, &value, 1, NULL, err) ||
        !store_runs_load(pg, plan->run_no, &counted, err)) {
        goto out;
    }
    for (size_t i = 0; i < plan->segment_count; i++) {
        for (size_t j = 0; j < counted.segment_count; j++) {
            if (plan->segments[i].segment_no == counted.segments[j].segment_no) {
                plan->segments[i].members = counted.segments[j].members;
                plan->segments[i].excluded = counted.segments[j].excluded;
            }
        }
    }
    done = true;
out:
    run_plan_clear(&counted);
    return done ? true : error_context(err, "publish run %" PRId64, plan->run_no);
}

bool store_runs_activate(struct pg *pg, const struct run_plan *plan, struct error *err)
{
    struct control_line line = CONTROL_LINE_INIT;
    struct pg_value value;
    bool hit = false;

    line.kind = CONTROL_RUN_ACTIVATED;
    line.run_no = plan->run_no;
    line.at_ms = plan->as_of_ms;
    pg_set_integer(&value, plan->run_no);
    if (!pg_begin(pg, "", err)) {
        return false;
    }
    if (!store_runs_hit(pg, sql_runs_activate, &value, 1, &hit, err)) {
        goto failed;
    }
    if (!hit) {
        error_set(err, ERROR_INTERNAL, "it is no longer running");
        goto failed;
    }
    if (!store_runs_step_end(pg, plan->run_no, RUN_STEP_ACTIVATE, RUN_LANE_WHOLE, false, 0, "", err) ||
        !store_control_append(pg, &line, NULL, err) || !pg_commit(pg, err)) {
        goto failed;
    }
    return true;
failed:
    pg_abort(pg);
    return error_context(err, "activate run %" PRId64, plan->run_no);
}

bool store_runs_warn_ungranted(struct pg *pg, int64_t run_no, struct error *err)
{
    struct pg_value value;
    PGresult *result = NULL;

    pg_set_integer(&value, run_no);
    if (!pg_query(pg, sql_runs_ungranted, &value, 1, &result, err)) {
        return error_context(err, "grants");
    }
    if (pg_text_at(result, 0, 0).size > 0) {
        log_warning("run %" PRId64
                    ": nobody has granted %s, so segments that need it have no members; a grant comes as a "
                    "consent message or by 'muster consent set'",
                    run_no, PQgetvalue(result, 0, 0));
    }
    PQclear(result);
    return true;
}

bool store_runs_prune(struct pg *pg, int32_t keep, struct error *err)
{
    struct pg_value value;

    pg_set_integer(&value, keep);
    if (!pg_begin(pg, "", err)) {
        return false;
    }
    if (!pg_script(pg, "SET LOCAL lock_timeout = '2s'", err) || !pg_query(pg, sql_runs_prune, &value, 1, NULL, err) ||
        !pg_commit(pg, err)) {
        pg_abort(pg);
        return error_context(err, "old runs");
    }
    return true;
}

/* ---- lists ---- */

static bool store_runs_print_query(struct pg *pg, const char *sql, int64_t parameter, const char *const *columns,
                                   size_t column_count, enum output_format format, struct error *err)
{
    struct slice cells[16];
    struct output *output = NULL;
    struct pg_value value;
    PGresult *result = NULL;
    bool done = false;

    pg_set_integer(&value, parameter);
    if (!pg_query(pg, sql, &value, 1, &result, err)) {
        return error_context(err, "runs");
    }
    if (!output_begin(stdout, format, columns, column_count, &output, err)) {
        PQclear(result);
        return false;
    }
    for (int row = 0; row < PQntuples(result); row++) {
        for (size_t i = 0; i < column_count; i++) {
            cells[i] = pg_text_at(result, row, (int)i);
        }
        if (!output_row(output, cells, err)) {
            goto out;
        }
    }
    done = true;
out:
    PQclear(result);
    if (!done) {
        struct error ignored = ERROR_INIT;
        (void)!output_end(output, &ignored);
        return false;
    }
    return output_end(output, err);
}

bool store_runs_print(struct pg *pg, enum output_format format, int64_t limit, struct error *err)
{
    static const char *const columns[] = {"run",      "state",  "as_of",   "begun_at", "seconds",   "events",
                                          "segments", "failed", "members", "excluded", "last_step", "tz_version"};

    return store_runs_print_query(pg, sql_runs_list, limit, columns, sizeof columns / sizeof columns[0], format, err);
}

bool store_runs_print_steps(struct pg *pg, int64_t run_no, enum output_format format, struct error *err)
{
    static const char *const step_columns[] = {"step", "lane", "state", "rows", "seconds", "detail"};
    static const char *const segment_columns[] = {"segment", "version", "state", "members", "excluded", "reason"};
    struct run_plan plan = {.run_no = 0};
    bool found = store_runs_load(pg, run_no, &plan, err);

    run_plan_clear(&plan);
    if (!found || !store_runs_print_query(pg, sql_runs_steps, run_no, step_columns, 6, format, err)) {
        return false;
    }
    if (format == OUTPUT_TEXT) {
        (void)fputc('\n', stdout);
    }
    return store_runs_print_query(pg, sql_runs_segments, run_no, segment_columns, 6, format, err);
}
