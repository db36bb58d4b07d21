/* What a run reads and computes: taken from the store in one snapshot, and read back when a run is resumed. */
#include "common/io/store_runs.h"

#include "sql_text.h"

#include <inttypes.h>

void run_plan_clear(struct run_plan *plan)
{
    memory_free(plan->coverage);
    memory_free(plan->load_numbers);
    memory_free(plan->segments);
    *plan = (struct run_plan){.run_no = 0};
}

struct archive_range run_plan_range(const struct run_plan *plan, int32_t lane)
{
    struct archive_range range = {.load_numbers = plan->load_numbers, .load_count = plan->load_count};

    for (size_t i = 0; i < plan->coverage_count; i++) {
        const struct run_coverage *coverage = &plan->coverage[i];
        if (coverage->lane == lane && coverage->topic_no >= 0 && coverage->topic_no < ARCHIVE_TOPICS_MAX) {
            range.offset_next[coverage->topic_no] = coverage->offset_last + 1;
        }
    }
    return range;
}

static bool run_plan_holds(const struct run_plan *plan, const struct run_segment *segment)
{
    for (size_t i = 0; i < plan->segment_count; i++) {
        if (plan->segments[i].segment_no == segment->segment_no && plan->segments[i].version == segment->version) {
            return true;
        }
    }
    return false;
}

bool run_plan_same(const struct run_plan *a, const struct run_plan *b)
{
    if (a->coverage_count != b->coverage_count || a->load_count != b->load_count ||
        a->segment_count != b->segment_count) {
        return false;
    }
    for (size_t i = 0; i < a->coverage_count; i++) {
        const struct run_coverage *x = &a->coverage[i];
        const struct run_coverage *y = &b->coverage[i];
        if (x->topic_no != y->topic_no || x->lane != y->lane || x->offset_last != y->offset_last) {
            return false;
        }
    }
    for (size_t i = 0; i < a->load_count; i++) {
        if (a->load_numbers[i] != b->load_numbers[i]) {
            return false;
        }
    }
    for (size_t i = 0; i < a->segment_count; i++) {
        if (!run_plan_holds(b, &a->segments[i])) {
            return false;
        }
    }
    return true;
}

/* The lane's watermark, as the stream would have it after reading the same (watermark.h): the smallest over its
 * partitions that are not idle. TIMESTAMP_ALWAYS for a lane of which nothing has been read. */
static int64_t run_plan_watermark(const struct run_plan *plan, int32_t lane, bool clock_is_wall, int64_t bound_ms)
{
    int64_t smallest = TIMESTAMP_NEVER;
    int64_t idle = TIMESTAMP_ALWAYS; /* where a fully idle lane stands still */

    for (size_t i = 0; i < plan->coverage_count; i++) {
        const struct run_coverage *coverage = &plan->coverage[i];
        int64_t newest = coverage->event_time_max_ms;

        if (coverage->lane != lane) {
            continue;
        }
        if (coverage->at_end && clock_is_wall && coverage->read_at_ms > newest) {
            newest = coverage->read_at_ms;
        }
        if (newest == TIMESTAMP_ALWAYS) {
            continue; /* nothing read of it yet: it says nothing about time */
        }
        if (coverage->at_end && !clock_is_wall) {
            idle = newest - bound_ms > idle ? newest - bound_ms : idle;
        } else {
            smallest = newest - bound_ms < smallest ? newest - bound_ms : smallest;
        }
    }
    return smallest == TIMESTAMP_NEVER ? idle : smallest;
}

int64_t run_plan_as_of(const struct run_plan *plan, bool clock_is_wall, int64_t bound_ms)
{
    int64_t smallest = TIMESTAMP_NEVER;
    bool has_events = plan->load_time_max_ms != TIMESTAMP_ALWAYS;

    for (size_t i = 0; i < plan->coverage_count; i++) {
        int64_t watermark = run_plan_watermark(plan, plan->coverage[i].lane, clock_is_wall, bound_ms);

        has_events = has_events || plan->coverage[i].event_time_max_ms != TIMESTAMP_ALWAYS;
        if (watermark != TIMESTAMP_ALWAYS && watermark < smallest) {
            smallest = watermark;
        }
    }
    if (!has_events) {
        return TIMESTAMP_ALWAYS;
    }
    return smallest == TIMESTAMP_NEVER ? plan->load_time_max_ms : smallest;
}

static bool run_plan_read_coverage(struct pg *pg, struct run_plan *out, struct error *err)
{
    struct archive_progress *progress = NULL;
    size_t count = 0;

    if (!archive_progress_load(pg, &progress, &count, err)) {
        return false;
    }
    out->coverage = memory_allocate_zeroed(count, sizeof *out->coverage);
    if (out->coverage == NULL) {
        memory_free(progress);
        return error_no_memory(err, "coverage");
    }
    for (size_t i = 0; i < count; i++) {
        out->coverage[i] = (struct run_coverage){.topic_no = progress[i].topic_no,
                                                 .lane = progress[i].lane,
                                                 .offset_last = progress[i].offset_next - 1,
                                                 .event_time_max_ms = progress[i].event_time_max_ms,
                                                 .at_end = progress[i].at_end,
                                                 .read_at_ms = progress[i].read_at_ms};
    }
    out->coverage_count = count;
    memory_free(progress);
    return true;
}

/* `result` has load_no and, where there is a second column, event_time_max. Clears it. */
static bool run_plan_take_loads(PGresult *result, struct run_plan *out, struct error *err)
{
    size_t count = (size_t)PQntuples(result);

    out->load_time_max_ms = TIMESTAMP_ALWAYS;
    out->load_numbers = memory_allocate_zeroed(count, sizeof *out->load_numbers);
    if (out->load_numbers == NULL) {
        PQclear(result);
        return error_no_memory(err, "loads");
    }
    for (size_t i = 0; i < count; i++) {
        int64_t time_ms = PQnfields(result) > 1 ? pg_integer_at(result, (int)i, 1, TIMESTAMP_ALWAYS) : TIMESTAMP_ALWAYS;
        out->load_numbers[i] = (int32_t)pg_integer_at(result, (int)i, 0, 0);
        out->load_time_max_ms = time_ms > out->load_time_max_ms ? time_ms : out->load_time_max_ms;
    }
    out->load_count = count;
    PQclear(result);
    return true;
}

bool store_runs_input(struct pg *pg, struct run_plan *out, struct error *err)
{
    PGresult *result = NULL;

    if (!pg_query(pg, "SELECT control_no FROM control_head", NULL, 0, &result, err)) {
        return error_context(err, "control log");
    }
    out->control_no = PQntuples(result) == 1 ? pg_integer_at(result, 0, 0, 0) : 0;
    PQclear(result);
    if (!run_plan_read_coverage(pg, out, err)) {
        return false;
    }
    if (!pg_query(pg, sql_runs_input_loads, NULL, 0, &result, err)) {
        return error_context(err, "loads");
    }
    return run_plan_take_loads(result, out, err);
}

static bool run_plan_insert_segments(struct pg *pg, const struct run_plan *plan, struct error *err)
{
    for (size_t i = 0; i < plan->segment_count; i++) {
        const struct run_segment *segment = &plan->segments[i];
        struct pg_value values[5];
        pg_set_integer(&values[0], plan->run_no);
        pg_set_integer(&values[1], segment->segment_no);
        pg_set_integer(&values[2], segment->version);
        values[3] = pg_text(segment->failed ? SLICE_LITERAL("failed") : SLICE_LITERAL("planned"));
        values[4] = pg_text(slice_from(segment->reason));
        if (!pg_query(pg, sql_runs_insert_segment, values, 5, NULL, err)) {
            return error_context(err, "segment %s", segment->segment_id);
        }
    }
    return true;
}

bool store_runs_begin(struct pg *pg, struct run_plan *plan, struct error *err)
{
    struct pg_value values[4];
    PGresult *result = NULL;

    pg_set_integer(&values[0], plan->as_of_ms);
    pg_set_integer(&values[1], plan->control_no);
    values[2] = pg_text(SLICE_LITERAL("muster-batch " MUSTER_VERSION));
    values[3] = pg_text(slice_from(plan->tz_version));
    if (!pg_query(pg, sql_runs_begin, values, 4, &result, err)) {
        return error_context(err, "new run");
    }
    plan->run_no = pg_integer_at(result, 0, 0, 0);
    PQclear(result);
    pg_set_integer(&values[0], plan->run_no);
    if (!pg_query(pg, sql_runs_insert_coverage, values, 1, NULL, err) ||
        !pg_query(pg, sql_runs_insert_loads, values, 1, NULL, err) || !run_plan_insert_segments(pg, plan, err) ||
        !pg_query(pg, "SELECT batch_partition_create($1::bigint)", values, 1, NULL, err)) {
        return error_context(err, "new run");
    }
    return true;
}

static void run_segment_take_text(char *out, size_t size, struct slice text)
{
    size_t length = text.size < size - 1 ? text.size : size - 1;

    if (length > 0) {
        memcpy(out, text.data, length);
    }
    out[length] = '\0';
}

static bool run_plan_take_segments(PGresult *result, struct run_plan *out, struct error *err)
{
    size_t count = (size_t)PQntuples(result);

    out->segments = memory_allocate_zeroed(count, sizeof *out->segments);
    if (out->segments == NULL) {
        PQclear(result);
        return error_no_memory(err, "segments of a run");
    }
    for (size_t i = 0; i < count; i++) {
        struct run_segment *segment = &out->segments[i];
        segment->segment_no = (int32_t)pg_integer_at(result, (int)i, 0, 0);
        segment->version = (int32_t)pg_integer_at(result, (int)i, 1, 0);
        segment->failed = slice_equal_text(pg_text_at(result, (int)i, 2), "failed");
        segment->members = pg_integer_at(result, (int)i, 3, 0);
        segment->excluded = pg_integer_at(result, (int)i, 4, 0);
        run_segment_take_text(segment->reason, sizeof segment->reason, pg_text_at(result, (int)i, 5));
        run_segment_take_text(segment->segment_id, sizeof segment->segment_id, pg_text_at(result, (int)i, 6));
    }
    out->segment_count = count;
    PQclear(result);
    return true;
}

static bool run_plan_load_coverage(struct pg *pg, const struct pg_value *run_no, struct run_plan *out,
                                   struct error *err)
{
    PGresult *result = NULL;
    size_t count;

    if (!pg_query(pg, sql_runs_load_coverage, run_no, 1, &result, err)) {
        return false;
    }
    count = (size_t)PQntuples(result);
    out->coverage = memory_allocate_zeroed(count, sizeof *out->coverage);
    if (out->coverage == NULL) {
        PQclear(result);
        return error_no_memory(err, "coverage");
    }
    for (size_t i = 0; i < count; i++) {
        out->coverage[i].topic_no = (int16_t)pg_integer_at(result, (int)i, 0, 0);
        out->coverage[i].lane = (int32_t)pg_integer_at(result, (int)i, 1, 0);
        out->coverage[i].offset_last = pg_integer_at(result, (int)i, 2, -1);
        out->coverage[i].event_time_max_ms = TIMESTAMP_ALWAYS;
    }
    out->coverage_count = count;
    PQclear(result);
    return true;
}

bool store_runs_load(struct pg *pg, int64_t run_no, struct run_plan *out, struct error *err)
{
    struct pg_value value;
    PGresult *result = NULL;

    pg_set_integer(&value, run_no);
    if (!pg_query(pg, sql_runs_load, &value, 1, &result, err)) {
        return error_context(err, "run %" PRId64, run_no);
    }
    if (PQntuples(result) != 1) {
        PQclear(result);
        (void)error_set(err, ERROR_INPUT, "there is no run %" PRId64, run_no);
        return error_hint(err, "muster-batch runs lists them");
    }
    out->run_no = run_no;
    out->as_of_ms = pg_integer_at(result, 0, 1, 0);
    out->control_no = pg_integer_at(result, 0, 2, 0);
    run_segment_take_text(out->tz_version, sizeof out->tz_version, pg_text_at(result, 0, 3));
    PQclear(result);
    if (!run_plan_load_coverage(pg, &value, out, err) || !pg_query(pg, sql_runs_load_loads, &value, 1, &result, err) ||
        !run_plan_take_loads(result, out, err) || !pg_query(pg, sql_runs_load_segments, &value, 1, &result, err) ||
        !run_plan_take_segments(result, out, err)) {
        return error_context(err, "run %" PRId64, run_no);
    }
    return true;
}
