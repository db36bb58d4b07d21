/* Records into the journal by COPY, in the step's transaction. The transaction begins when there is something to write,
 * so that an idle stream holds none open. */
#include "stream/stream.h"

#include "sql_text.h"

enum { ROWS_PIECE_SIZE = 1 << 20, COLUMN_COUNT = 17 };

static void append_instant(struct buffer *rows, int64_t instant, int64_t null_instant)
{
    if (instant == null_instant) {
        pg_row_null(rows);
    } else {
        pg_row_int64(rows, instant);
    }
}

static bool hand_over(struct stream *stream, struct error *err)
{
    if (!buffer_finish(&stream->rows, "stream records", err) || !publish_begin(stream, err)) {
        return false;
    }
    if (!stream->copying && !pg_copy_in_begin(stream->pg, sql_stream_journal_copy, err)) {
        return false;
    }
    stream->copying = true;
    if (!pg_copy_in_data(stream->pg, buffer_slice(&stream->rows), err)) {
        return false;
    }
    buffer_reset(&stream->rows);
    return true;
}

static bool publish_record(void *context, const struct lane_record *record, struct error *err)
{
    const struct publish_target *target = context;
    struct stream *stream = target->stream;
    struct stream_lane *lane = target->lane;
    const struct stored_definition *stored = &stream->stored[record->segment];
    struct buffer *rows = &stream->rows;

    if (lane->seq_next == INT32_MAX) {
        return error_set(err, ERROR_INTERNAL, "too many records in one step");
    }
    pg_row_begin(rows, COLUMN_COUNT);
    pg_row_int32(rows, lane->lane_no);
    pg_row_int64(rows, lane->step + 1);
    pg_row_int32(rows, lane->seq_next++);
    pg_row_int32(rows, stream->builds[record->segment].build_no);
    pg_row_int32(rows, stored->segment_no);
    pg_row_int32(rows, stored->version);
    pg_row_int64(rows, lane_user_no(record->user));
    pg_row_boolean(rows, record->member);
    if (record->member) {
        pg_row_int64(rows, record->entered_at);
    } else {
        pg_row_null(rows);
    }
    pg_row_int64(rows, record->effective_at);
    append_instant(rows, record->member ? record->valid_until : TIMESTAMP_NEVER, TIMESTAMP_NEVER);
    pg_row_int64_array(rows, record->positions, KAFKA_TOPIC_COUNT);
    pg_row_boolean(rows, record->certain);
    append_instant(rows, record->uncertain_until, TIMESTAMP_ALWAYS);
    if (stored->subject_to_consent) {
        pg_row_int16(rows, stored->purpose_no);
        pg_row_int64(rows, record->grant_no);
    } else {
        pg_row_null(rows);
        pg_row_null(rows);
    }
    pg_row_int64(rows, lane->epoch);
    stream->record_count++;
    stream->records_total++;
    return rows->size < ROWS_PIECE_SIZE || hand_over(stream, err);
}

struct lane_sink publish_sink(struct stream *stream, struct stream_lane *lane)
{
    lane->target = (struct publish_target){.stream = stream, .lane = lane};
    return (struct lane_sink){.emit = publish_record, .context = &lane->target};
}

bool publish_begin(struct stream *stream, struct error *err)
{
    if (stream->in_transaction) {
        return true;
    }
    if (!pg_begin(stream->pg, "", err)) {
        return false;
    }
    stream->in_transaction = true;
    return true;
}

bool publish_end(struct stream *stream, struct error *err)
{
    if (stream->rows.size > 0 || stream->rows.failed) {
        if (!hand_over(stream, err)) {
            return false;
        }
    }
    if (stream->copying) {
        stream->copying = false;
        return pg_copy_in_end(stream->pg, NULL, err);
    }
    return true;
}
