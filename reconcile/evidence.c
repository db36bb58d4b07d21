/* What the store holds about users of one (segment, lane): the audience row, the record of the current run, the
 * consent. Either of everyone there (a new run, a switch, a lane that has come to cover the run) or of named users;
 * both by COPY out, which is several times faster than single rows and lets the comparison happen here. */
#include "reconcile/pass.h"

#include "common/base/timestamp.h"

#include <inttypes.h>

enum { USERS_PER_QUERY = 4096, SQL_SIZE_MAX = 1 << 18 };

enum evidence_kind { EVIDENCE_NONE = 0, EVIDENCE_AUDIENCE, EVIDENCE_BATCH, EVIDENCE_CONSENT };

struct evidence_reading {
    struct pass_items *items;
    bool add; /* users that are not there yet become items */
};

/* NULL in *out for a user who is not concerned. */
static bool evidence_item(struct evidence_reading *reading, int64_t user_no, struct pass_item **out, struct error *err)
{
    if (reading->add) {
        return pass_items_add(reading->items, user_no, out, err);
    }
    *out = pass_items_find(reading->items, user_no);
    return true;
}

static const char audience_columns[] = "user_no, s_build_no, s_step, s_seq, s_member, s_entered_at, s_effective_at, "
                                       "s_valid_until, s_certain, s_uncertain_until, "
                                       "s_grant_no, s_written_at, s_positions[1], s_positions[2], s_positions[3], "
                                       "b_run_no, b_verdict, b_entered_at, b_valid_until, "
                                       "b_grant_no, member, entered_at, valid_until, valid_from, decision, version, "
                                       "build_no, run_no, purpose_no, grant_no";

static bool audience_row(void *context, const struct slice *cells, size_t cell_count, struct error *err)
{
    struct pass_item *item;

    if (cell_count != 30) {
        return error_set(err, ERROR_INTERNAL, "an audience row has %zu columns", cell_count);
    }
    if (!evidence_item(context, pg_cell_int64(cells[0], 0), &item, err)) {
        return false;
    }
    if (item == NULL) {
        return true;
    }
    item->stored = true;
    item->s_build_no = pg_cell_int32(cells[1], 0);
    item->s_step = pg_cell_int64(cells[2], 0);
    item->s_seq = pg_cell_int32(cells[3], 0);
    item->stream.present = item->s_build_no != 0;
    item->stream.member = pg_cell_boolean(cells[4]);
    item->stream.entered_at = pg_cell_int64(cells[5], TIMESTAMP_ALWAYS);
    item->stream.effective_at = pg_cell_int64(cells[6], 0);
    item->stream.valid_until = pg_cell_int64(cells[7], TIMESTAMP_NEVER);
    item->stream.certain = pg_cell_boolean(cells[8]);
    item->stream.uncertain_until = pg_cell_int64(cells[9], TIMESTAMP_ALWAYS);
    item->s_grant_no = pg_cell_int64(cells[10], 0);
    item->stream.written_us = pg_cell_int64(cells[11], 0) + PASS_EPOCH_2000_US;
    for (size_t topic = 0; topic < MERGE_TOPICS_MAX; topic++) {
        item->stream.positions[topic] = topic < PASS_TOPICS ? pg_cell_int64(cells[12 + topic], -1) : -1;
    }
    item->b_run_no = pg_cell_int64(cells[15], 0);
    item->batch_stored.verdict = cells[16].data == NULL ? BATCH_NONE : batch_verdict_find(cells[16]);
    item->batch_stored.entered_at = pg_cell_int64(cells[17], TIMESTAMP_ALWAYS);
    item->batch_stored.valid_until = pg_cell_int64(cells[18], TIMESTAMP_NEVER);
    item->b_grant_no = pg_cell_int64(cells[19], 0);
    item->verdict.member = pg_cell_boolean(cells[20]);
    item->verdict.entered_at = pg_cell_int64(cells[21], TIMESTAMP_ALWAYS);
    item->verdict.valid_until = pg_cell_int64(cells[22], TIMESTAMP_NEVER);
    item->verdict.valid_from = pg_cell_int64(cells[23], TIMESTAMP_ALWAYS);
    item->verdict.decision = merge_decision_find(cells[24]);
    item->version = pg_cell_int32(cells[25], 0);
    item->build_no = pg_cell_int32(cells[26], 0);
    item->run_no = pg_cell_int64(cells[27], 0);
    item->purpose_no = pg_cell_int16(cells[28], 0);
    item->verdict_grant_no = pg_cell_int64(cells[29], 0);
    return true;
}

static bool batch_row(void *context, const struct slice *cells, size_t cell_count, struct error *err)
{
    struct pass_item *item;

    if (cell_count != 6) {
        return error_set(err, ERROR_INTERNAL, "a batch record has %zu columns", cell_count);
    }
    if (!evidence_item(context, pg_cell_int64(cells[0], 0), &item, err)) {
        return false;
    }
    if (item != NULL) {
        item->batch_loaded = true;
        item->batch.verdict = pg_cell_boolean(cells[1]) ? BATCH_MEMBER : BATCH_EXCLUDED;
        item->batch.entered_at = pg_cell_int64(cells[2], TIMESTAMP_ALWAYS);
        item->batch.valid_until = pg_cell_int64(cells[3], TIMESTAMP_NEVER);
        item->b_grant_no = pg_cell_int64(cells[4], 0);
        item->b_run_no = pg_cell_int64(cells[5], 0);
    }
    return true;
}

static bool consent_row(void *context, const struct slice *cells, size_t cell_count, struct error *err)
{
    struct evidence_reading *reading = context;
    struct pass_item *item;

    if (cell_count != 5) {
        return error_set(err, ERROR_INTERNAL, "a consent row has %zu columns", cell_count);
    }
    item = pass_items_find(reading->items, pg_cell_int64(cells[0], 0));
    if (item != NULL) {
        item->allowed = pg_cell_boolean(cells[1]);
        item->grant_no = pg_cell_int64(cells[2], 0);
        item->grant_control_no = pg_cell_int64(cells[3], 0);
        item->grant_at = pg_cell_int64(cells[4], TIMESTAMP_ALWAYS);
    }
    return true;
}

/* The statement for one kind of evidence, up to and including a condition, without the restriction to named users. */
static void evidence_sql(struct buffer *sql, enum evidence_kind kind, const struct pass_world *world,
                         const struct pass_segment *segment, size_t lane_index)
{
    int32_t lane = world->lanes[lane_index].lane;

    switch (kind) {
    case EVIDENCE_AUDIENCE:
        buffer_append_format(sql, "COPY (SELECT %s FROM audience x WHERE segment_no = %" PRId32 " AND lane = %" PRId32,
                             audience_columns, segment->segment_no, lane);
        break;
    case EVIDENCE_BATCH:
        buffer_append_format(
            sql,
            "COPY (SELECT user_no, member, entered_at, valid_until, grant_no, run_no FROM batch_records x "
            "WHERE run_no = %" PRId64 " AND segment_no = %" PRId32 " AND lane = %" PRId32,
            segment->run_no, segment->segment_no, lane);
        break;
    case EVIDENCE_CONSENT:
        buffer_append_format(
            sql,
            "COPY (SELECT x.user_no, x.granted, x.grant_no, x.grant_control_no, x.changed_at FROM consent x "
            "JOIN users u ON u.user_no = x.user_no WHERE x.purpose_no = %" PRId32 " AND u.lane = %" PRId32,
            segment->version->purpose_no, lane);
        break;
    case EVIDENCE_NONE:
        break;
    }
}

static bool evidence_query(struct reconciler *reconciler, const struct pass_world *world,
                           const struct pass_segment *segment, size_t lane_index, enum evidence_kind kind, bool whole,
                           struct pass_items *items, struct error *err)
{
    static pg_row_visit *const visits[] = {
        [EVIDENCE_AUDIENCE] = audience_row, [EVIDENCE_BATCH] = batch_row, [EVIDENCE_CONSENT] = consent_row};
    struct evidence_reading reading = {.items = items, .add = whole};
    struct buffer sql;
    size_t begin = 0;
    bool ok = true;

    buffer_init(&sql, SQL_SIZE_MAX);
    while (ok && (whole ? begin == 0 : begin < items->count)) {
        size_t end = items->count - begin > USERS_PER_QUERY ? begin + USERS_PER_QUERY : items->count;

        buffer_reset(&sql);
        evidence_sql(&sql, kind, world, segment, lane_index);
        if (!whole) {
            buffer_append_text(&sql, " AND x.user_no = ANY ('{");
            for (size_t index = begin; index < end; index++) {
                buffer_append_text(&sql, index == begin ? "" : ",");
                buffer_append_integer(&sql, items->items[index].user_no);
            }
            buffer_append_text(&sql, "}'::bigint[])");
        }
        buffer_append_text(&sql, ") TO STDOUT (FORMAT binary)");
        ok = buffer_finish(&sql, "a statement", err) &&
             pg_copy_out(reconciler->read, buffer_text(&sql), visits[kind], &reading, err);
        begin = whole ? 1 : end;
    }
    buffer_clear(&sql);
    return ok;
}

bool evidence_load(struct reconciler *reconciler, const struct pass_world *world, const struct pass_segment *segment,
                   size_t lane_index, bool whole, struct pass_items *items, struct error *err)
{
    bool subject = segment->version->purpose_no != 0;

    if (!evidence_query(reconciler, world, segment, lane_index, EVIDENCE_AUDIENCE, whole, items, err)) {
        return false;
    }
    if (whole && segment->run_no != 0) {
        if (!evidence_query(reconciler, world, segment, lane_index, EVIDENCE_BATCH, true, items, err)) {
            return false;
        }
        for (size_t index = 0; index < items->count; index++) {
            if (!items->items[index].batch_loaded) {
                items->items[index].batch.verdict = BATCH_NO;
                items->items[index].b_grant_no = 0;
            }
        }
    } else {
        for (size_t index = 0; index < items->count; index++) {
            struct pass_item *item = &items->items[index];

            item->batch = item->batch_stored;
            if (segment->run_no != 0 && item->batch.verdict == BATCH_NONE) {
                item->batch.verdict = BATCH_NO;
            }
        }
    }
    if (subject) {
        return evidence_query(reconciler, world, segment, lane_index, EVIDENCE_CONSENT, whole, items, err);
    }
    for (size_t index = 0; index < items->count; index++) {
        items->items[index].allowed = true;
    }
    return true;
}
