/* COPY in PostgreSQL's binary format: an 11-byte signature, flags and extension (4 zero bytes each), rows of (column
 * count, then per column size and bytes), and -1 as the trailer. */
#include "common/io/pg.h"
#include "common/io/pg_internal.h"

#include <limits.h>

enum { COPY_HEADER_SIZE = 19, COPY_CELLS_MAX = 64, COPY_PIECE_SIZE = 1 << 20 };

/* ---- writing ----------------------------------------------------------------------------------------------------- */

bool pg_copy_in_begin(struct pg *pg, const char *sql, struct error *err)
{
    PGresult *result = pg_run(pg, sql, err);
    bool ok = result != NULL && PQresultStatus(result) == PGRES_COPY_IN;

    if (result != NULL && !ok) {
        pg_failure(pg, result, err);
    }
    PQclear(result);
    if (!ok) {
        return false;
    }
    buffer_reset(&pg->outgoing);
    buffer_append(&pg->outgoing, "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", COPY_HEADER_SIZE);
    return pg_copy_in_data(pg, buffer_slice(&pg->outgoing), err);
}

/* Sets the server's reason for breaking the COPY off, and leaves the connection usable. */
static bool copy_in_failure(struct pg *pg, struct error *err)
{
    PGresult *result = NULL;
    bool told = false;

    if (PQputCopyEnd(pg->connection, "given up") > 0) {
        result = PQgetResult(pg->connection);
    }
    if (result != NULL && PQresultStatus(result) == PGRES_FATAL_ERROR) {
        pg_failure(pg, result, err);
        told = true;
    }
    PQclear(result);
    if (!told) {
        pg_failure(pg, NULL, err);
    }
    pg_drain(pg);
    return false;
}

bool pg_copy_in_data(struct pg *pg, struct slice rows, struct error *err)
{
    while (rows.size > 0) {
        size_t size = rows.size < COPY_PIECE_SIZE ? rows.size : COPY_PIECE_SIZE;

        if (PQputCopyData(pg->connection, rows.data, (int)size) != 1) {
            return copy_in_failure(pg, err);
        }
        rows = slice_of(rows.data + size, rows.size - size);
    }
    return true;
}

bool pg_copy_in_end(struct pg *pg, int64_t *out_rows, struct error *err)
{
    PGresult *result;
    bool ok = false;

    if (PQputCopyData(pg->connection, "\377\377", 2) != 1 || PQputCopyEnd(pg->connection, NULL) != 1) {
        return copy_in_failure(pg, err);
    }
    result = PQgetResult(pg->connection);
    if (result == NULL || PQresultStatus(result) != PGRES_COMMAND_OK) {
        pg_failure(pg, result, err);
    } else {
        ok = true;
        if (out_rows != NULL) {
            *out_rows = pg_row_count(result);
        }
    }
    PQclear(result);
    pg_drain(pg);
    return ok;
}

void pg_row_begin(struct buffer *rows, int16_t column_count)
{
    buffer_append_int16(rows, column_count);
}

void pg_row_null(struct buffer *rows)
{
    buffer_append_int32(rows, -1);
}

void pg_row_int16(struct buffer *rows, int16_t number)
{
    buffer_append_int32(rows, 2);
    buffer_append_int16(rows, number);
}

void pg_row_int32(struct buffer *rows, int32_t number)
{
    buffer_append_int32(rows, 4);
    buffer_append_int32(rows, number);
}

void pg_row_int64(struct buffer *rows, int64_t number)
{
    buffer_append_int32(rows, 8);
    buffer_append_int64(rows, number);
}

void pg_row_boolean(struct buffer *rows, bool flag)
{
    buffer_append_int32(rows, 1);
    buffer_append_char(rows, flag ? 1 : 0);
}

void pg_row_text(struct buffer *rows, struct slice text)
{
    if (text.size > INT32_MAX) {
        rows->failed = true;
        return;
    }
    buffer_append_int32(rows, (int32_t)text.size);
    buffer_append_slice(rows, text);
}

void pg_row_bytes(struct buffer *rows, struct slice bytes)
{
    pg_row_text(rows, bytes);
}

void pg_array_begin(struct buffer *array, uint32_t element_type, size_t count)
{
    if (count > INT32_MAX) {
        array->failed = true;
        return;
    }
    buffer_append_int32(array, count == 0 ? 0 : 1); /* dimensions */
    buffer_append_int32(array, 1);                  /* NULLs may follow */
    buffer_append_int32(array, (int32_t)element_type);
    if (count > 0) {
        buffer_append_int32(array, (int32_t)count);
        buffer_append_int32(array, 1); /* lower bound */
    }
}

void pg_row_int64_array(struct buffer *rows, const int64_t *numbers, size_t count)
{
    if (count > INT32_MAX / 16) {
        rows->failed = true;
        return;
    }
    buffer_append_int32(rows, count == 0 ? 12 : (int32_t)(20 + 12 * count));
    pg_array_begin(rows, PG_INT64, count);
    for (size_t i = 0; i < count; i++) {
        pg_row_int64(rows, numbers[i]);
    }
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static int64_t big_endian(const char *bytes, size_t size)
{
    uint64_t number = 0;

    for (size_t i = 0; i < size; i++) {
        number = number << 8 | (unsigned char)bytes[i];
    }
    return (int64_t)number;
}

/* Splits one row of the wire into cells. libpq hands over exactly one row per message, the first with the header, the
 * trailer alone. */
static bool row_split(struct slice row, struct slice *cells, size_t *cell_count, bool *trailer, struct error *err)
{
    size_t at = 2;
    int count;

    if (row.size < 2) {
        return error_set(err, ERROR_INTERNAL, "the store sent a broken COPY row");
    }
    count = (int16_t)big_endian(row.data, 2);
    *trailer = count == -1;
    if (*trailer) {
        return true;
    }
    if (count < 0 || count > COPY_CELLS_MAX) {
        return error_set(err, ERROR_INTERNAL, "the store sent a COPY row of %d columns", count);
    }
    for (int i = 0; i < count; i++) {
        int32_t size;

        if (row.size - at < 4) {
            return error_set(err, ERROR_INTERNAL, "the store sent a broken COPY row");
        }
        size = (int32_t)big_endian(row.data + at, 4);
        at += 4;
        if (size < -1 || (size >= 0 && (size_t)size > row.size - at)) {
            return error_set(err, ERROR_INTERNAL, "the store sent a broken COPY row");
        }
        cells[i] = size < 0 ? (struct slice){.data = NULL, .size = 0} : slice_of(row.data + at, (size_t)size);
        at += size < 0 ? 0 : (size_t)size;
    }
    *cell_count = (size_t)count;
    return true;
}

static bool copy_out_rows(struct pg *pg, pg_row_visit *visit, void *context, struct error *err)
{
    struct slice cells[COPY_CELLS_MAX];
    bool first = true;
    char *data = NULL;
    int size;

    while ((size = PQgetCopyData(pg->connection, &data, 0)) > 0) {
        struct slice row = slice_of(data, (size_t)size);
        size_t cell_count = 0;
        bool trailer = false;
        bool ok;

        if (first) {
            first = false;
            if (row.size < COPY_HEADER_SIZE) {
                PQfreemem(data);
                return error_set(err, ERROR_INTERNAL, "the store sent a broken COPY header");
            }
            row = slice_of(row.data + COPY_HEADER_SIZE, row.size - COPY_HEADER_SIZE);
        }
        ok = row.size == 0 || row_split(row, cells, &cell_count, &trailer, err);
        if (ok && row.size > 0 && !trailer) {
            ok = visit(context, cells, cell_count, err);
        }
        PQfreemem(data);
        data = NULL;
        if (!ok) {
            return false;
        }
    }
    return size == -1 || pg_failure(pg, NULL, err);
}

bool pg_copy_out(struct pg *pg, const char *sql, pg_row_visit *visit, void *context, struct error *err)
{
    PGresult *result = pg_run(pg, sql, err);
    bool ok;

    if (result == NULL) {
        return false;
    }
    if (PQresultStatus(result) != PGRES_COPY_OUT) {
        pg_failure(pg, result, err);
        PQclear(result);
        return false;
    }
    PQclear(result);
    if (!copy_out_rows(pg, visit, context, err)) {
        pg_cancel(pg);
        return false;
    }
    result = PQgetResult(pg->connection);
    ok = result != NULL && PQresultStatus(result) == PGRES_COMMAND_OK;
    if (!ok) {
        pg_failure(pg, result, err);
    }
    PQclear(result);
    pg_drain(pg);
    return ok;
}

int64_t pg_cell_int64(struct slice cell, int64_t fallback)
{
    return cell.data == NULL || cell.size != 8 ? fallback : big_endian(cell.data, 8);
}

int32_t pg_cell_int32(struct slice cell, int32_t fallback)
{
    return cell.data == NULL || cell.size != 4 ? fallback : (int32_t)big_endian(cell.data, 4);
}

int16_t pg_cell_int16(struct slice cell, int16_t fallback)
{
    return cell.data == NULL || cell.size != 2 ? fallback : (int16_t)big_endian(cell.data, 2);
}

bool pg_cell_boolean(struct slice cell)
{
    return cell.data != NULL && cell.size == 1 && cell.data[0] != 0;
}
