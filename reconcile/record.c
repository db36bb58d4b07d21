/* Decided rows on their way to the store: two array literals of composite values, handed to audience_apply, at most
 * 1,000 rows a call. Each call is a transaction of its own: what a row has folded and the history it made become
 * durable together, or not at all. Only numbers, booleans and our own words are in the literals, so nothing needs
 * escaping but the array of positions. */
#include "reconcile/pass.h"

#include "common/base/log.h"
#include "common/base/timestamp.h"

enum { RECORD_SIZE_MAX = 16 << 20, RECORD_TRIES = 5 };

bool record_init(struct record_batch *batch, struct error *err)
{
    (void)err;
    *batch = (struct record_batch){.row_count = 0};
    buffer_init(&batch->rows, RECORD_SIZE_MAX);
    buffer_init(&batch->history, RECORD_SIZE_MAX);
    return true;
}

void record_clear(struct record_batch *batch)
{
    buffer_clear(&batch->rows);
    buffer_clear(&batch->history);
}

/* ---- fields of a composite value: an empty field is NULL --------------------------------------------------------- */

static void field_integer(struct buffer *out, int64_t number)
{
    buffer_append_integer(out, number);
    buffer_append_char(out, ',');
}

static void field_unless(struct buffer *out, int64_t number, int64_t null)
{
    if (number != null) {
        buffer_append_integer(out, number);
    }
    buffer_append_char(out, ',');
}

static void field_boolean(struct buffer *out, bool flag)
{
    buffer_append_text(out, flag ? "t," : "f,");
}

static void field_word(struct buffer *out, const char *word)
{
    buffer_append_text(out, word);
    buffer_append_char(out, ',');
}

static void field_positions(struct buffer *out, const int64_t *positions)
{
    buffer_append_text(out, "\\\"{");
    for (size_t topic = 0; topic < PASS_TOPICS; topic++) {
        buffer_append_text(out, topic == 0 ? "" : ",");
        buffer_append_integer(out, positions[topic]);
    }
    buffer_append_text(out, "}\\\",");
}

/* Microseconds since 1970 as PostgreSQL reads them. */
static void field_instant(struct buffer *out, int64_t us)
{
    int64_t seconds = us / 1000000;
    int64_t year;
    unsigned month;
    unsigned day;

    timestamp_civil_from_days(seconds / 86400, &year, &month, &day);
    buffer_append_format(out, "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ,", (int)year, month, day,
                         (int)(seconds % 86400 / 3600), (int)(seconds % 3600 / 60), (int)(seconds % 60),
                         (int)(us % 1000000));
}

static void composite_begin(struct buffer *out, size_t count)
{
    if (count == 0) {
        buffer_reset(out);
    }
    buffer_append_text(out, count == 0 ? "{\"(" : ",\"(");
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

void record_history(struct record_batch *batch, const struct pass_segment *segment, const struct pass_world *world,
                    int32_t lane, const struct pass_item *item, const struct merge_verdict *verdict,
                    enum merge_change change)
{
    struct buffer *out = &batch->history;
    const struct merge_stream *stream = &item->stream;
    bool by_batch = merge_decision_by_batch(verdict->decision) || verdict->decision == DECISION_EXPIRED;

    composite_begin(out, batch->history_count);
    field_integer(out, segment->segment_no);
    field_integer(out, item->user_no);
    field_word(out, merge_change_name(change));
    field_boolean(out, verdict->member);
    field_integer(out, verdict->valid_from);
    field_unless(out, verdict->member ? verdict->entered_at : TIMESTAMP_ALWAYS, TIMESTAMP_ALWAYS);
    field_unless(out, verdict->member ? verdict->valid_until : TIMESTAMP_NEVER, TIMESTAMP_NEVER);
    field_word(out, merge_decision_name(verdict->decision));
    field_integer(out, segment->version->version);
    field_unless(out, segment->build_no, 0);
    field_unless(out, segment->run_no, 0);
    field_integer(out, lane);
    if (stream->present) {
        field_integer(out, item->s_step);
        field_integer(out, item->s_seq);
        field_positions(out, stream->positions);
    } else {
        buffer_append_text(out, ",,,");
    }
    field_unless(out, segment->version->purpose_no, 0);
    field_unless(out, segment->version->purpose_no == 0 ? 0 : item->grant_no, 0);
    field_unless(out,
                 by_batch && segment->run_no != 0 ? world->runs[segment->version->run_index].as_of : TIMESTAMP_ALWAYS,
                 TIMESTAMP_ALWAYS);
    buffer_append_text(out, ")\"");
    batch->history_count++;
}

void record_row(struct record_batch *batch, const struct pass_segment *segment, int32_t lane,
                const struct pass_item *item)
{
    struct buffer *out = &batch->rows;
    const struct merge_stream *stream = &item->stream;
    const struct merge_verdict *verdict = &item->verdict;

    composite_begin(out, batch->row_count);
    field_integer(out, segment->segment_no);
    field_integer(out, item->user_no);
    field_integer(out, lane);
    if (stream->present) {
        field_integer(out, item->s_build_no);
        field_integer(out, item->s_step);
        field_integer(out, item->s_seq);
        field_boolean(out, stream->member);
        field_unless(out, stream->entered_at, TIMESTAMP_ALWAYS);
        field_integer(out, stream->effective_at);
        field_unless(out, stream->valid_until, TIMESTAMP_NEVER);
        field_positions(out, stream->positions);
        field_boolean(out, stream->certain);
        field_unless(out, stream->uncertain_until, TIMESTAMP_ALWAYS);
        field_unless(out, item->s_grant_no, 0);
        field_instant(out, stream->written_us);
    } else {
        buffer_append_text(out, ",,,,,,,,,,,,");
    }
    if (item->batch.verdict == BATCH_NONE) {
        buffer_append_text(out, ",,,,,");
    } else {
        field_unless(out, segment->run_no, 0);
        field_word(out, batch_verdict_name(item->batch.verdict));
        field_unless(out, item->batch.entered_at, TIMESTAMP_ALWAYS);
        field_unless(out, item->batch.valid_until, TIMESTAMP_NEVER);
        field_unless(out, item->b_grant_no, 0);
    }
    field_boolean(out, verdict->member);
    field_unless(out, verdict->member ? verdict->entered_at : TIMESTAMP_ALWAYS, TIMESTAMP_ALWAYS);
    field_unless(out, verdict->member ? verdict->valid_until : TIMESTAMP_NEVER, TIMESTAMP_NEVER);
    field_unless(out, verdict->valid_from, TIMESTAMP_ALWAYS);
    field_word(out, merge_decision_name(verdict->decision));
    field_integer(out, segment->version->version);
    field_unless(out, segment->build_no, 0);
    field_unless(out, segment->run_no, 0);
    field_unless(out, segment->version->purpose_no, 0);
    if (segment->version->purpose_no != 0 && item->grant_no != 0) {
        buffer_append_integer(out, item->grant_no);
    }
    buffer_append_text(out, ")\"");
    batch->row_count++;
}

/* ---- handing over ------------------------------------------------------------------------------------------------ */

/* A deadlock or a broken statement of somebody else's making may pass: try again a few times, a little later each time.
 */
static bool apply(struct reconciler *reconciler, struct record_batch *batch, int64_t *out_refused, struct error *err)
{
    struct pg_value values[2] = {pg_text(buffer_slice(&batch->rows)), pg_text(slice_from("{}"))};
    PGresult *result = NULL;

    if (batch->history_count > 0) {
        values[1] = pg_text(buffer_slice(&batch->history));
    }
    for (int attempt = 1;; attempt++) {
        if (pg_query(reconciler->write,
                     "SELECT rows_refused FROM audience_apply($1::audience_row[], $2::history_row[])", values, 2,
                     &result, err)) {
            *out_refused = pg_integer_at(result, 0, 0, 0);
            PQclear(result);
            return true;
        }
        if (err->action != ERROR_RETRY || err->code == ERROR_UNREACHABLE || attempt == RECORD_TRIES) {
            return false;
        }
        log_warning("could not write decided rows: %s; trying again", err->message);
    }
}

bool record_flush(struct reconciler *reconciler, struct record_batch *batch, struct pass_counts *counts,
                  struct error *err)
{
    int64_t refused = 0;

    if (batch->row_count == 0) {
        return true;
    }
    buffer_append_char(&batch->rows, '}');
    if (batch->history_count > 0) {
        buffer_append_char(&batch->history, '}');
    }
    if (!buffer_finish(&batch->rows, "decided rows", err) || !buffer_finish(&batch->history, "rows of history", err) ||
        !apply(reconciler, batch, &refused, err)) {
        return error_context(err, "could not write the audience");
    }
    counts->refused += refused;
    publish_tick(reconciler);
    batch->row_count = 0;
    batch->history_count = 0;
    buffer_reset(&batch->rows);
    buffer_reset(&batch->history);
    return true;
}
