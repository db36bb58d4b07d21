/* Reading the stream's records: per lane, by step and sequence within it, never by a global number, in which a slow
 * transaction appears late; and through the view, which yields a record only while the grant it rests on is in force.
 */
#include "reconcile/pass.h"

#include "common/base/timestamp.h"

#include <inttypes.h>

enum { RECORDS_MAX = 1 << 30, JOURNAL_SQL_SIZE_MAX = 4096, JOURNAL_CELLS = 13 + PASS_TOPICS };

struct journal_reading {
    struct pass_records *out;
    size_t count_max;
};

static bool journal_row(void *context, const struct slice *cells, size_t cell_count, struct error *err)
{
    struct journal_reading *reading = context;
    struct pass_records *out = reading->out;
    struct pass_record *record;
    struct merge_stream *stream;

    if (cell_count != JOURNAL_CELLS) {
        return error_set(err, ERROR_INTERNAL, "a journal row has %zu columns", cell_count);
    }
    if (out->count >= reading->count_max) {
        out->overflow = true;
        return true;
    }
    if (!memory_grow(&out->records, &out->capacity, out->count, RECORDS_MAX, sizeof *out->records, "stream records",
                     err)) {
        return false;
    }
    record = &out->records[out->count++];
    *record = (struct pass_record){.next = PASS_NO_RECORD};
    stream = &record->stream;
    record->user_no = pg_cell_int64(cells[0], 0);
    record->step = pg_cell_int64(cells[1], 0);
    record->seq = pg_cell_int32(cells[2], 0);
    record->segment_no = pg_cell_int32(cells[3], 0);
    record->build_no = pg_cell_int32(cells[4], 0);
    record->grant_no = pg_cell_int64(cells[5], 0);
    stream->present = true;
    stream->member = pg_cell_boolean(cells[6]);
    stream->entered_at = pg_cell_int64(cells[7], TIMESTAMP_ALWAYS);
    stream->effective_at = pg_cell_int64(cells[8], 0);
    stream->valid_until = pg_cell_int64(cells[9], TIMESTAMP_NEVER);
    stream->certain = pg_cell_boolean(cells[10]);
    stream->uncertain_until = pg_cell_int64(cells[11], TIMESTAMP_ALWAYS);
    stream->written_us = pg_cell_int64(cells[12], 0) + PASS_EPOCH_2000_US;
    for (size_t topic = 0; topic < MERGE_TOPICS_MAX; topic++) {
        stream->positions[topic] = topic < PASS_TOPICS ? pg_cell_int64(cells[13 + topic], -1) : -1;
    }
    return true;
}

bool journal_read(struct pg *pg, int32_t lane, int64_t step_after, int64_t step_last, int32_t segment_no,
                  int32_t build_no, size_t count_max, struct pass_records *out, struct error *err)
{
    struct journal_reading reading = {.out = out, .count_max = count_max};
    struct buffer sql;
    bool ok;

    buffer_init(&sql, JOURNAL_SQL_SIZE_MAX);
    buffer_append_format(
        &sql,
        "COPY (SELECT user_no, step, seq, segment_no, build_no, grant_no, member, entered_at, effective_at, "
        "valid_until, certain, uncertain_until, written_at, positions[1], positions[2], positions[3] "
        "FROM stream_records WHERE lane = %" PRId32 " AND step > %" PRId64 " AND step <= %" PRId64,
        lane, step_after, step_last);
    if (segment_no != 0) {
        buffer_append_format(&sql, " AND segment_no = %" PRId32, segment_no);
    }
    if (build_no != 0) {
        buffer_append_format(&sql, " AND build_no = %" PRId32, build_no);
    }
    buffer_append_text(&sql, " ORDER BY step, seq) TO STDOUT (FORMAT binary)");
    out->count = 0;
    out->overflow = false;
    ok = buffer_finish(&sql, "a statement", err) && pg_copy_out(pg, buffer_text(&sql), journal_row, &reading, err);
    buffer_clear(&sql);
    return ok;
}

bool journal_chain(struct pass_records *records, int32_t segment_no, int32_t build_no, struct pass_items *items,
                   struct error *err)
{
    for (size_t index = 0; index < records->count; index++) {
        struct pass_record *record = &records->records[index];
        struct pass_item *item;

        if (record->segment_no != segment_no || record->build_no != build_no) {
            continue;
        }
        if (!pass_items_add(items, record->user_no, &item, err)) {
            return false;
        }
        record->next = PASS_NO_RECORD;
        if (item->record_last == PASS_NO_RECORD) {
            item->record_first = (uint32_t)index;
        } else {
            records->records[item->record_last].next = (uint32_t)index;
        }
        item->record_last = (uint32_t)index;
    }
    return true;
}
