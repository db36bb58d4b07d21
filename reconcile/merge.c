/* Deciding the users of one (segment, lane): either those with something new, or everyone there when what the lane has
 * seen, the run, the version or the build has changed.
 *
 * A user's new records are folded in journal order; each that decides has its row of history, even where a later one is
 * there already, so that the stream's part of the history does not depend on when passes ran. Then the verdict of now
 * is taken, with expiry. Records up to the stored (step, seq) of the same build have been folded before, perhaps by a
 * pass that did not live to move its cursor, and are passed over. */
#include "reconcile/pass.h"

#include "common/base/timestamp.h"

struct unit {
    struct reconciler *reconciler;
    const struct pass_world *world;
    const struct pass_segment *segment;
    const struct pass_records *records;
    struct record_batch *batch;
    struct pass_counts *counts;
    int32_t lane;
    bool subject;            /* to consent */
    bool each_record;        /* every record that decides has its row; else only the newest counts */
    struct merge_input base; /* what is the same for all users */
    int64_t run_control_no;
};

static void unit_begin(struct unit *unit, size_t lane_index)
{
    const struct pass_segment *segment = unit->segment;
    const struct pass_version *version = segment->version;

    unit->lane = unit->world->lanes[lane_index].lane;
    unit->subject = version->purpose_no != 0;
    unit->base = (struct merge_input){
        .evaluation = version->evaluation,
        .strategy = version->strategy,
        .topic_count = PASS_TOPICS,
        .retired = version->retired,
        .allowed = true,
        .ended_by = unit->world->lanes[lane_index].ended_by,
        .lane = align_lane(unit->world, version, lane_index),
        .run = align_run(unit->world, version, lane_index),
    };
    unit->run_control_no = segment->run_no == 0 ? 0 : unit->world->runs[version->run_index].control_no;
}

/* The event time from which a verdict holds. A membership begins with its interval, but not before the grant it rests
 * on; what a new version finds holds from the switch on; a renewal from the instant it speaks for. */
static int64_t verdict_valid_from(const struct unit *unit, const struct pass_item *item,
                                  const struct merge_verdict *before, const struct merge_verdict *after)
{
    int64_t from = after->valid_from;
    int64_t switched_at = unit->base.lane.watermark;

    if (after->member && before->member && after->entered_at == before->entered_at) {
        from = merge_decision_by_stream(after->decision) && item->stream.present ? item->stream.effective_at
                                                                                 : unit->base.run.as_of;
    } else if (after->member && unit->subject && item->grant_at > from) {
        from = item->grant_at;
    }
    if (item->version != 0 && item->version != unit->segment->version->version && after->decision != DECISION_EXPIRED) {
        if (switched_at == TIMESTAMP_ALWAYS && unit->base.run.present) {
            switched_at = unit->base.run.as_of;
        }
        from = switched_at > from ? switched_at : from;
    }
    if (after->decision == DECISION_SEGMENT_RETIRED) {
        if (from == TIMESTAMP_ALWAYS && unit->base.run.present) {
            from = unit->base.run.as_of;
        }
        from = before->valid_from > from ? before->valid_from : from;
    }
    if (from == TIMESTAMP_ALWAYS) {
        from = before->valid_from != TIMESTAMP_ALWAYS ? before->valid_from : 0;
    }
    return from;
}

/* One row of history and the new verdict. */
static void verdict_take(struct unit *unit, struct pass_item *item, struct merge_verdict after)
{
    enum merge_change change = merge_change_between(&item->verdict, &after);

    after.valid_from = verdict_valid_from(unit, item, &item->verdict, &after);
    record_history(unit->batch, unit->segment, unit->world, unit->lane, item, &after, change);
    item->verdict = after;
    item->version = unit->segment->version->version;
    unit->counts->entered += change == CHANGE_ENTERED;
    unit->counts->exited += change == CHANGE_EXITED;
    unit->counts->renewed += change == CHANGE_RENEWED;
    unit->counts->confirmed += change == CHANGE_CONFIRMED;
}

/* The evidence that counts under the user's present grant. */
static void input_evidence(const struct unit *unit, const struct pass_item *item, struct merge_input *input)
{
    *input = unit->base;
    if (unit->subject && item->grant_control_no > unit->run_control_no) {
        input->run.present = false; /* it does not contain the present grant: it says nothing about this user */
    }
    input->batch = item->batch;
    if (!input->run.present) {
        input->batch.verdict = BATCH_NONE;
    } else if (input->batch.verdict == BATCH_NONE || (unit->subject && item->b_grant_no != item->grant_no)) {
        input->batch.verdict = BATCH_NO;
    }
    input->stream = item->stream;
}

/* Puts the user's row into the batch and writes the batch: in the middle of a user with very many records. */
static bool split(struct unit *unit, const struct pass_item *item, struct error *err)
{
    record_row(unit->batch, unit->segment, unit->lane, item);
    return record_flush(unit->reconciler, unit->batch, unit->counts, err);
}

/* Folds the user's new records. *out_count: how many. */
static bool fold(struct unit *unit, struct pass_item *item, size_t *out_count, struct error *err)
{
    int32_t build_no = unit->segment->build_no;

    for (uint32_t index = item->record_first; index != PASS_NO_RECORD; index = unit->records->records[index].next) {
        const struct pass_record *record = &unit->records->records[index];
        struct merge_input input;
        struct merge_verdict verdict;

        if ((unit->subject && record->grant_no != item->grant_no) ||
            (item->stream.present &&
             (record->step < item->s_step || (record->step == item->s_step && record->seq <= item->s_seq)))) {
            continue;
        }
        item->stream = record->stream;
        item->s_build_no = build_no;
        item->s_step = record->step;
        item->s_seq = record->seq;
        item->s_grant_no = record->grant_no;
        ++*out_count;
        if (!unit->each_record) {
            continue;
        }
        input_evidence(unit, item, &input);
        verdict = merge_decide_record(&input);
        if (merge_decision_by_stream(verdict.decision)) {
            if (unit->batch->history_count >= PASS_APPLY_MAX && !split(unit, item, err)) {
                return false;
            }
            verdict_take(unit, item, verdict);
        }
    }
    return true;
}

static bool batch_differs(const struct pass_item *item)
{
    return item->batch.verdict != item->batch_stored.verdict ||
           (item->batch.verdict == BATCH_MEMBER && (item->batch.entered_at != item->batch_stored.entered_at ||
                                                    item->batch.valid_until != item->batch_stored.valid_until));
}

/* Writes the batch where another user might not fit into it. */
static bool room_make(struct unit *unit, struct error *err)
{
    return (unit->batch->row_count < PASS_APPLY_MAX && unit->batch->history_count + 2 < PASS_APPLY_MAX) ||
           record_flush(unit->reconciler, unit->batch, unit->counts, err);
}

/* A user who may not be a member. What a withdrawal ends, the store has ended in its transaction; but a version that
 * needs another purpose than the one before, or one at all, finds members who never granted it: they are out from the
 * switch on, and what was known of them under the other purpose does not count here. */
static bool end_not_allowed(struct unit *unit, struct pass_item *item, struct error *err)
{
    struct merge_input input = unit->base;

    if (!item->verdict.member) {
        return true;
    }
    if (!room_make(unit, err)) {
        return false;
    }
    input.allowed = false;
    item->stream.present = false;
    item->batch.verdict = BATCH_NONE;
    item->grant_no = 0;
    verdict_take(unit, item, merge_decide(&input));
    record_row(unit->batch, unit->segment, unit->lane, item);
    return true;
}

static bool decide(struct unit *unit, struct pass_item *item, struct error *err)
{
    const struct pass_segment *segment = unit->segment;
    struct merge_input input;
    struct merge_verdict verdict;
    bool changed;
    size_t folded = 0;

    if (!item->allowed) {
        return end_not_allowed(unit, item, err);
    }
    unit->counts->decided++;
    if (segment->build_no == 0 || item->s_build_no != segment->build_no ||
        (unit->subject && item->s_grant_no != item->grant_no)) {
        item->stream.present = false;
    }
    changed = item->version != segment->version->version || item->build_no != segment->build_no ||
              item->purpose_no != segment->version->purpose_no ||
              (unit->subject && item->verdict_grant_no != item->grant_no) || batch_differs(item);
    if (!room_make(unit, err)) {
        return false;
    }
    if (!fold(unit, item, &folded, err)) {
        return false;
    }
    unit->counts->records += (int64_t)folded;
    input_evidence(unit, item, &input);
    verdict = merge_decide(&input);
    if (!item->stored && folded == 0 && !verdict.member && item->batch.verdict != BATCH_EXCLUDED) {
        return true; /* nothing is known and nothing is said */
    }
    if (!merge_verdict_equal(&item->verdict, &verdict)) {
        if (unit->batch->history_count >= PASS_APPLY_MAX && !split(unit, item, err)) {
            return false;
        }
        verdict_take(unit, item, verdict);
        changed = true;
    } else {
        changed = changed || item->verdict.decision != verdict.decision;
        item->verdict.decision = verdict.decision;
    }
    if (changed || folded > 0) {
        record_row(unit->batch, segment, unit->lane, item);
    }
    return true;
}

bool merge_unit(struct reconciler *reconciler, const struct pass_world *world, struct pass_segment *segment,
                size_t lane_index, const struct pass_records *records, bool each_record, struct pass_items *items,
                struct record_batch *batch, struct pass_counts *counts, struct error *err)
{
    struct unit unit = {
        .reconciler = reconciler,
        .world = world,
        .segment = segment,
        .records = records,
        .batch = batch,
        .counts = counts,
        .each_record = each_record,
    };

    unit_begin(&unit, lane_index);
    for (size_t index = 0; index < items->count; index++) {
        if (!decide(&unit, &items->items[index], err)) {
            return false;
        }
    }
    return record_flush(reconciler, batch, counts, err);
}
