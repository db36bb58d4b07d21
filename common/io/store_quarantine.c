#include "common/io/store_quarantine.h"

#include "sql_text.h"

enum { COLUMN_COUNT = 8, PIECE_SIZE_MAX = 8 << 20 };

/* Details come from decoders of bytes that may be anything: what is not printable ASCII or part of a UTF-8 sequence
 * would make the store refuse the row. Only ASCII is kept as it is. */
static void append_detail(struct buffer *out, struct slice detail)
{
    size_t size = detail.size < QUARANTINE_DETAIL_SIZE_MAX ? detail.size : QUARANTINE_DETAIL_SIZE_MAX;
    char text[QUARANTINE_DETAIL_SIZE_MAX];

    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)detail.data[i];

        text[i] = byte < 0x20 || byte > 0x7e ? '?' : (char)byte;
    }
    pg_row_text(out, slice_of(text, size));
}

static void append_row(struct buffer *columns, const struct quarantine_row *row)
{
    if (row->topic_no >= 0) {
        pg_row_int16(&columns[0], row->topic_no);
        pg_row_int32(&columns[1], row->lane);
        pg_row_int64(&columns[2], row->log_offset);
        pg_row_null(&columns[3]);
        pg_row_null(&columns[4]);
    } else {
        pg_row_null(&columns[0]);
        pg_row_null(&columns[1]);
        pg_row_null(&columns[2]);
        pg_row_int32(&columns[3], row->load_no);
        pg_row_int64(&columns[4], row->line);
    }
    pg_row_text(&columns[5], slice_from(row->reason));
    append_detail(&columns[6], row->detail);
    pg_row_bytes(&columns[7], slice_of(row->message.data, row->message.size < QUARANTINE_MESSAGE_SIZE_MAX
                                                              ? row->message.size
                                                              : QUARANTINE_MESSAGE_SIZE_MAX));
}

static bool insert_piece(struct pg *pg, const char *source, const struct quarantine_row *rows, size_t count,
                         int64_t *inserted, struct error *err)
{
    static const uint32_t types[COLUMN_COUNT] = {PG_INT16, PG_INT32, PG_INT64, PG_INT32,
                                                 PG_INT64, PG_TEXT,  PG_TEXT,  PG_BYTEA};
    struct buffer columns[COLUMN_COUNT];
    struct pg_value values[COLUMN_COUNT + 1];
    PGresult *result = NULL;
    bool ok = false;

    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        buffer_init(&columns[i], (size_t)PIECE_SIZE_MAX * 2);
        pg_array_begin(&columns[i], types[i], count);
    }
    for (size_t i = 0; i < count; i++) {
        append_row(columns, &rows[i]);
    }
    values[0] = pg_text(slice_from(source));
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        if (!buffer_finish(&columns[i], "quarantined messages", err)) {
            goto out;
        }
        values[i + 1] = pg_bytes(buffer_slice(&columns[i]));
    }
    ok = pg_query(pg, sql_quarantine_insert, values, COLUMN_COUNT + 1, &result, err);
    if (ok && inserted != NULL) {
        *inserted += pg_row_count(result);
    }

out:
    PQclear(result);
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        buffer_clear(&columns[i]);
    }
    return ok;
}

bool store_quarantine_insert(struct pg *pg, const char *source, const struct quarantine_row *rows, size_t count,
                             int64_t *inserted, struct error *err)
{
    size_t begin = 0;

    if (inserted != NULL) {
        *inserted = 0;
    }
    while (begin < count) {
        size_t size = 0;
        size_t end = begin;

        while (end < count && size < PIECE_SIZE_MAX) {
            size += rows[end].message.size < QUARANTINE_MESSAGE_SIZE_MAX ? rows[end].message.size
                                                                         : QUARANTINE_MESSAGE_SIZE_MAX;
            size += QUARANTINE_DETAIL_SIZE_MAX;
            end++;
        }
        if (!insert_piece(pg, source, rows + begin, end - begin, inserted, err)) {
            return error_context(err, "quarantine");
        }
        begin = end;
    }
    return true;
}
