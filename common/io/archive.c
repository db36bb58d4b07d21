/* Archive rows out and in. COPY takes no parameters, so the SELECT that COPY runs is written with the numbers of the
 * range in it: integers only, formatted here, never text from outside. */
#include "common/io/archive.h"

#include "sql_text.h"

#include <inttypes.h>

enum { ARCHIVE_ROWS_BUFFER_SIZE = 1 << 20, ARCHIVE_ROW_OVERHEAD_MAX = 256, ARCHIVE_QUERY_SIZE_MAX = 4 << 20 };

/* ---- writing ---- */

void archive_batch_init(struct archive_batch *batch)
{
    *batch = (struct archive_batch){.rows = NULL};
    arena_init(&batch->texts, (size_t)ARCHIVE_BATCH_SIZE_MAX * 2);
}

void archive_batch_clear(struct archive_batch *batch)
{
    memory_free(batch->rows);
    arena_clear(&batch->texts);
    archive_batch_init(batch);
}

void archive_batch_reset(struct archive_batch *batch)
{
    batch->row_count = 0;
    arena_reset(&batch->texts);
}

bool archive_batch_full(const struct archive_batch *batch)
{
    return batch->row_count >= ARCHIVE_BATCH_ROWS_MAX || batch->texts.size_used >= ARCHIVE_BATCH_SIZE_MAX;
}

bool archive_batch_add(struct archive_batch *batch, const struct archive_row *row, struct error *err)
{
    struct archive_row *added;

    if (!memory_grow(&batch->rows, &batch->row_capacity, batch->row_count, ARCHIVE_BATCH_ROWS_MAX * 2,
                     sizeof *batch->rows, "rows on their way into the archive", err)) {
        return false;
    }
    added = &batch->rows[batch->row_count];
    *added = *row;
    if (!arena_copy(&batch->texts, row->user, &added->user) ||
        !arena_copy(&batch->texts, row->message, &added->message)) {
        return error_no_memory(err, "rows on their way into the archive");
    }
    batch->row_count++;
    return true;
}

static void archive_append_row(struct buffer *rows, const struct archive_row *row)
{
    pg_row_begin(rows, 8);
    pg_row_int32(rows, row->lane);
    pg_row_int64(rows, row->user_no);
    pg_row_int64(rows, row->event_time_ms);
    if (row->source.topic_no >= 0) {
        pg_row_int16(rows, row->source.topic_no);
        pg_row_int64(rows, row->source.position);
        pg_row_null(rows);
        pg_row_null(rows);
    } else {
        pg_row_null(rows);
        pg_row_null(rows);
        pg_row_int32(rows, row->source.load_no);
        pg_row_int64(rows, row->source.position);
    }
    pg_row_text(rows, row->message);
}

static bool archive_send(struct pg *pg, struct buffer *rows, struct error *err)
{
    if (!buffer_finish(rows, "archive rows", err) || !pg_copy_in_data(pg, buffer_slice(rows), err)) {
        return false;
    }
    buffer_reset(rows);
    return true;
}

bool archive_batch_write(struct archive_batch *batch, struct pg *pg, struct error *err)
{
    struct buffer rows;
    int64_t row_count = 0;
    bool done = false;

    if (batch->row_count == 0) {
        return true;
    }
    buffer_init(&rows, (size_t)ARCHIVE_BATCH_SIZE_MAX);
    if (!pg_copy_in_begin(pg, sql_archive_copy, err)) {
        goto out;
    }
    for (size_t i = 0; i < batch->row_count; i++) {
        archive_append_row(&rows, &batch->rows[i]);
        if (rows.size >= ARCHIVE_ROWS_BUFFER_SIZE && !archive_send(pg, &rows, err)) {
            goto out;
        }
    }
    if (!archive_send(pg, &rows, err) || !pg_copy_in_end(pg, &row_count, err)) {
        goto out;
    }
    if ((size_t)row_count != batch->row_count) {
        error_set(err, ERROR_INTERNAL, "the archive took %" PRId64 " of %zu rows", row_count, batch->row_count);
        goto out;
    }
    done = true;
out:
    buffer_clear(&rows);
    return done ? true : error_context(err, "archive");
}

/* ---- progress on the log ---- */

bool archive_progress_load(struct pg *pg, struct archive_progress **out, size_t *out_count, struct error *err)
{
    PGresult *result = NULL;
    struct archive_progress *progress = NULL;
    size_t count;

    if (!pg_query(pg, sql_archive_progress, NULL, 0, &result, err)) {
        return error_context(err, "archive progress");
    }
    count = (size_t)PQntuples(result);
    progress = memory_allocate_zeroed(count, sizeof *progress);
    if (progress == NULL) {
        PQclear(result);
        return error_no_memory(err, "archive progress");
    }
    for (size_t i = 0; i < count; i++) {
        progress[i].topic_no = (int16_t)pg_integer_at(result, (int)i, 0, 0);
        progress[i].lane = (int32_t)pg_integer_at(result, (int)i, 1, 0);
        progress[i].offset_begin = pg_integer_at(result, (int)i, 2, 0);
        progress[i].offset_next = pg_integer_at(result, (int)i, 3, 0);
        progress[i].event_time_max_ms = pg_integer_at(result, (int)i, 4, TIMESTAMP_ALWAYS);
        progress[i].at_end = pg_boolean_at(result, (int)i, 5);
        progress[i].read_at_ms = pg_integer_at(result, (int)i, 6, 0);
    }
    PQclear(result);
    *out = progress;
    *out_count = count;
    return true;
}

bool archive_progress_advance(struct pg *pg, const struct archive_progress *progress, int64_t offset_expected,
                              struct error *err)
{
    struct pg_value values[8];
    PGresult *result = NULL;
    bool advanced;

    pg_set_integer(&values[0], progress->topic_no);
    pg_set_integer(&values[1], progress->lane);
    pg_set_integer(&values[2], progress->offset_begin);
    pg_set_integer(&values[3], progress->offset_next);
    values[4] = pg_null();
    if (progress->event_time_max_ms != TIMESTAMP_ALWAYS) {
        pg_set_integer(&values[4], progress->event_time_max_ms);
    }
    pg_set_boolean(&values[5], progress->at_end);
    pg_set_integer(&values[6], progress->read_at_ms);
    pg_set_integer(&values[7], offset_expected);
    if (!pg_query(pg, offset_expected < 0 ? sql_archive_progress_begin : sql_archive_progress_advance, values,
                  offset_expected < 0 ? 7 : 8, &result, err)) {
        return error_context(err, "archive progress");
    }
    advanced = PQntuples(result) == 1;
    PQclear(result);
    if (!advanced) {
        error_set(err, ERROR_FOUND, "another process archives topic %d partition %" PRId32 " at the same time",
                  (int)progress->topic_no, progress->lane);
        return error_hint(err, "nothing of this step was written; run one load at a time");
    }
    return true;
}

/* ---- reading ---- */

static void archive_append_range(struct buffer *query, int32_t lane, const struct archive_range *range)
{
    buffer_append_format(query,
                         "SELECT user_no, event_time, topic_no, log_offset, load_no, line, message FROM archive"
                         " WHERE lane = %" PRId32 " AND (false",
                         lane);
    for (int topic_no = 0; topic_no < ARCHIVE_TOPICS_MAX; topic_no++) {
        if (range->offset_next[topic_no] > 0) {
            buffer_append_format(query, " OR (topic_no = %d AND log_offset < %" PRId64 ")", topic_no,
                                 range->offset_next[topic_no]);
        }
    }
    if (range->all_loads) {
        buffer_append_text(query, " OR load_no IN (SELECT l.load_no FROM loads l WHERE l.state = 'completed')");
    } else if (range->load_count > 0) {
        buffer_append_text(query, " OR load_no IN (");
        for (size_t i = 0; i < range->load_count; i++) {
            buffer_append_format(query, "%s%" PRId32, i == 0 ? "" : ", ", range->load_numbers[i]);
        }
        buffer_append_text(query, ")");
    }
    buffer_append_text(query, ")");
}

struct archive_reader {
    archive_visit *visit;
    void *context;
};

static bool archive_visit_row(void *context, const struct slice *cells, size_t cell_count, struct error *err)
{
    const struct archive_reader *reader = context;
    struct archive_message message = {.user_no = 0};

    if (cell_count != 7) {
        return error_set(err, ERROR_INTERNAL, "an archive row has %zu cells", cell_count);
    }
    message.user_no = pg_cell_int64(cells[0], 0);
    message.event_time_ms = pg_cell_int64(cells[1], 0);
    message.source.topic_no = pg_cell_int16(cells[2], -1);
    message.source.load_no = pg_cell_int32(cells[4], 0);
    message.source.position = message.source.topic_no >= 0 ? pg_cell_int64(cells[3], -1) : pg_cell_int64(cells[5], -1);
    message.text = cells[6];
    return reader->visit(reader->context, &message, err);
}

bool archive_read(struct pg *pg, int32_t lane, const struct archive_range *range, enum archive_order order,
                  archive_visit *visit, void *context, struct error *err)
{
    struct archive_reader reader = {.visit = visit, .context = context};
    struct buffer query;
    bool done;

    buffer_init(&query, ARCHIVE_QUERY_SIZE_MAX);
    buffer_append_text(&query, "COPY (");
    archive_append_range(&query, lane, range);
    if (order == ARCHIVE_ORDER_USER) {
        buffer_append_text(&query, " ORDER BY user_no, load_no NULLS LAST, line, topic_no, log_offset");
    } else if (order == ARCHIVE_ORDER_LOG) {
        buffer_append_text(&query, " ORDER BY load_no NULLS LAST, line, topic_no, log_offset");
    }
    buffer_append_text(&query, ") TO STDOUT (FORMAT binary)");
    done = buffer_finish(&query, "the archive query", err) &&
           pg_copy_out(pg, buffer_text(&query), archive_visit_row, &reader, err);
    buffer_clear(&query);
    return done ? true : error_context(err, "archive of lane %" PRId32, lane);
}
