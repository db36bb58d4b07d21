/* One pass, from snapshot to published rows. */
#include "reconcile/pass.h"

#include "common/base/command.h"
#include "common/base/log.h"
#include "common/base/timestamp.h"
#include "sql_text.h"

enum { RECORDS_PER_LANE_MAX = 2 << 20, RECORDS_PER_SEGMENT_MAX = 64 << 20 };

/* (segment, user) that time concerns, of one lane. */
struct due {
    int32_t segment_no;
    int64_t user_no;
};

/* What lives as long as a pass and is used lane after lane. */
struct pass {
    struct reconciler *reconciler;
    struct pass_world world;
    struct pass_counts *counts;
    struct pass_records records;       /* new ones of the lane */
    struct pass_records build_records; /* of a build that takes over */
    struct pass_items items;
    struct record_batch batch;
    struct pass_concerned *concerned;
    size_t concerned_count;
    struct due *due;
    size_t due_count;
    struct progress progress;
    uint64_t units_done;
};

static bool load_due(struct pass *pass, const struct pass_lane *lane, struct error *err)
{
    struct pg_value values[4];
    PGresult *result = NULL;

    memory_free(pass->due);
    pass->due = NULL;
    pass->due_count = 0;
    pg_set_integer(&values[0], lane->lane);
    pg_set_integer(&values[1], lane->ended_by);
    pg_set_integer(&values[2], lane->watermark_merged);
    pg_set_integer(&values[3], lane->watermark);
    if (!pg_query(pass->reconciler->read, sql_reconcile_due, values, 4, &result, err)) {
        return false;
    }
    pass->due = memory_allocate_zeroed((size_t)PQntuples(result), sizeof *pass->due);
    if (pass->due == NULL) {
        PQclear(result);
        return error_no_memory(err, "users whose time has come");
    }
    pass->due_count = (size_t)PQntuples(result);
    for (size_t index = 0; index < pass->due_count; index++) {
        pass->due[index].segment_no = (int32_t)pg_integer_at(result, (int)index, 0, 0);
        pass->due[index].user_no = pg_integer_at(result, (int)index, 1, 0);
    }
    PQclear(result);
    return true;
}

/* The users of one (segment, lane) that something new concerns. */
static bool gather(struct pass *pass, const struct pass_segment *segment, const struct pass_lane *lane,
                   struct error *err)
{
    struct pass_item *item;

    for (size_t index = 0; index < pass->due_count; index++) {
        if (pass->due[index].segment_no == segment->segment_no &&
            !pass_items_add(&pass->items, pass->due[index].user_no, &item, err)) {
            return false;
        }
    }
    for (size_t index = 0; index < pass->concerned_count; index++) {
        if (pass->concerned[index].lane == lane->lane &&
            pass->concerned[index].purpose_no == segment->version->purpose_no &&
            !pass_items_add(&pass->items, pass->concerned[index].user_no, &item, err)) {
            return false;
        }
    }
    return true;
}

static bool marker_equal(const struct pass_marker *a, const struct pass_marker *b)
{
    return a->run_no == b->run_no && a->build_no == b->build_no && a->complete == b->complete &&
           a->covered == b->covered;
}

static bool store_marker(struct pass *pass, const struct pass_segment *segment, const struct pass_lane *lane,
                         const struct pass_marker *marker, struct error *err)
{
    struct pg_value values[6];

    pg_set_integer(&values[0], segment->segment_no);
    pg_set_integer(&values[1], lane->lane);
    pg_set_integer(&values[2], marker->run_no);
    pg_set_integer(&values[3], marker->build_no);
    pg_set_boolean(&values[4], marker->complete);
    pg_set_boolean(&values[5], marker->covered);
    return pg_query(pass->reconciler->write, sql_reconcile_covered, values, 6, NULL, err);
}

/* One (segment, lane): everyone there when what it was decided for has changed, else those with something new. */
static bool unit_run(struct pass *pass, struct pass_segment *segment, size_t lane_index, struct error *err)
{
    const struct pass_lane *lane = &pass->world.lanes[lane_index];
    struct pass_marker *marker_before = &segment->markers[lane_index];
    struct pass_marker marker = align_marker(&pass->world, segment, lane_index);
    bool whole = pass->reconciler->forced || !marker_equal(marker_before, &marker);
    bool new_build = marker.build_no != 0 && marker_before->build_no != marker.build_no;
    struct pass_records *records = new_build ? &pass->build_records : &pass->records;

    pass_items_reset(&pass->items);
    if (new_build) {
        if (!journal_read(pass->reconciler->read, lane->lane, -1, lane->step, segment->segment_no, marker.build_no,
                          RECORDS_PER_SEGMENT_MAX, records, err)) {
            return false;
        }
    } else if (pass->records.overflow && marker.build_no != 0) {
        records = &pass->build_records;
        if (!journal_read(pass->reconciler->read, lane->lane, lane->step_merged, lane->step, segment->segment_no,
                          marker.build_no, RECORDS_PER_SEGMENT_MAX, records, err)) {
            return false;
        }
    }
    if (records == &pass->build_records && records->overflow) {
        return error_set(err, ERROR_INTERNAL, "lane %d holds more than %d new records of one segment", lane->lane,
                         RECORDS_PER_SEGMENT_MAX);
    }
    if (marker.build_no != 0 && !journal_chain(records, segment->segment_no, marker.build_no, &pass->items, err)) {
        return false;
    }
    if (!whole && !gather(pass, segment, lane, err)) {
        return false;
    }
    if (!whole && pass->items.count == 0) {
        return true;
    }
    if (!evidence_load(pass->reconciler, &pass->world, segment, lane_index, whole, &pass->items, err) ||
        !merge_unit(pass->reconciler, &pass->world, segment, lane_index, records,
                    !new_build || marker_before->build_no == 0, &pass->items, &pass->batch, pass->counts, err)) {
        return false;
    }
    pass->counts->new_run = pass->counts->new_run || (whole && marker.run_no != 0);
    return !whole || store_marker(pass, segment, lane, &marker, err);
}

/* Moves the lane's cursor, if it still stands where this pass found it. */
static bool cursor_move(struct pass *pass, const struct pass_lane *lane, struct error *err)
{
    struct pg_value values[4];
    PGresult *result = NULL;
    bool moved;

    if (lane->step == lane->step_merged && lane->watermark == lane->watermark_merged) {
        return true;
    }
    pg_set_integer(&values[0], lane->lane);
    pg_set_integer(&values[1], lane->step);
    pg_set_integer(&values[2], lane->step_merged);
    pg_set_integer(&values[3], lane->watermark);
    if (!pg_query(pass->reconciler->write,
                  "UPDATE reconcile_lanes SET step = $2::bigint, watermark = nullif($4::bigint, -9223372036854775808) "
                  "WHERE lane = $1::integer AND step = $3::bigint RETURNING lane",
                  values, 4, &result, err)) {
        return false;
    }
    moved = PQntuples(result) == 1;
    PQclear(result);
    if (!moved) {
        return error_set(err, ERROR_INTERNAL,
                         "the cursor of lane %d moved under this pass: another reconciler is at work", lane->lane);
    }
    return true;
}

static bool lane_run(struct pass *pass, size_t lane_index, struct error *err)
{
    const struct pass_lane *lane = &pass->world.lanes[lane_index];

    pass->records.count = 0;
    pass->records.overflow = false;
    if (lane->step != lane->step_merged && !journal_read(pass->reconciler->read, lane->lane, lane->step_merged,
                                                         lane->step, 0, 0, RECORDS_PER_LANE_MAX, &pass->records, err)) {
        return error_context(err, "could not read the records of lane %d", lane->lane);
    }
    if (!load_due(pass, lane, err)) {
        return false;
    }
    for (size_t index = 0; index < pass->world.segment_count; index++) {
        struct pass_segment *segment = &pass->world.segments[index];

        if (pass->reconciler->stop_on_signal && command_stopping()) {
            pass->counts->stopped = true;
            return true;
        }
        if (segment->version != NULL && !unit_run(pass, segment, lane_index, err)) {
            return error_context(err, "segment %.*s, lane %d", (int)segment->version->segment_id.size,
                                 segment->version->segment_id.data, lane->lane);
        }
        progress_update(&pass->progress, ++pass->units_done);
    }
    return cursor_move(pass, lane, err);
}

static bool state_move(struct pass *pass, struct error *err)
{
    struct pg_value values[2];
    PGresult *result = NULL;
    bool moved;

    pg_set_integer(&values[0], pass->world.control_no_head);
    pg_set_integer(&values[1], pass->world.control_no);
    if (!pg_query(
            pass->reconciler->write,
            "UPDATE reconcile_state SET pass_no = pass_no + 1, control_no = $1::bigint, passed_at = clock_timestamp() "
            "WHERE control_no = $2::bigint RETURNING pass_no",
            values, 2, &result, err)) {
        return false;
    }
    moved = PQntuples(result) == 1;
    PQclear(result);
    return moved ||
           error_set(err, ERROR_INTERNAL, "the control cursor moved under this pass: another reconciler is at work");
}

static bool pass_merge(struct pass *pass, struct error *err)
{
    struct reconciler *reconciler = pass->reconciler;

    if (!align_load(reconciler, &pass->world, err) || !align_switch(reconciler, &pass->world, pass->counts, err) ||
        !consent_concerned(reconciler, &pass->world, &pass->concerned, &pass->concerned_count, err)) {
        return false;
    }
    progress_begin(&pass->progress, "reconcile", pass->world.lane_count * pass->world.segment_count);
    for (size_t index = 0; index < pass->world.lane_count && !pass->counts->stopped; index++) {
        if (!lane_run(pass, index, err)) {
            progress_end(&pass->progress);
            return false;
        }
    }
    progress_end(&pass->progress);
    return pass->counts->stopped || state_move(pass, err);
}

bool pass_run(struct reconciler *reconciler, struct pass_counts *counts, struct error *err)
{
    struct pass pass = {.reconciler = reconciler, .counts = counts};
    bool ok = false;

    *counts = (struct pass_counts){.records = 0};
    pass_world_init(&pass.world);
    pass_items_init(&pass.items);
    if (!record_init(&pass.batch, err) ||
        !pg_begin(reconciler->read, "ISOLATION LEVEL REPEATABLE READ READ ONLY", err)) {
        goto out;
    }
    ok = pass_merge(&pass, err);
    pg_abort(reconciler->read);
    ok = ok && seal_history(reconciler, counts, err);
out:
    memory_free(pass.due);
    memory_free(pass.concerned);
    memory_free(pass.records.records);
    memory_free(pass.build_records.records);
    record_clear(&pass.batch);
    pass_items_clear(&pass.items);
    pass_world_clear(&pass.world);
    return ok;
}

bool pass_measure(struct reconciler *reconciler, struct error *err)
{
    struct pass_world world;
    bool ok;

    pass_world_init(&world);
    ok = pg_begin(reconciler->read, "ISOLATION LEVEL REPEATABLE READ READ ONLY", err) &&
         align_load(reconciler, &world, err) && divergence_measure(reconciler, &world, err);
    pg_abort(reconciler->read);
    pass_world_clear(&world);
    return ok;
}
