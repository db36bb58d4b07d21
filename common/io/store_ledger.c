/* Sealing. Identifiers of history become visible out of order, so sealing up to max(history_id) would miss rows that
 * commit later below it. Writers hold a shared lock from before their first identifier until they commit;
 * history_boundary takes it alone, so what it returns is a boundary below which nothing more appears. It is released at
 * once, and the rows are read and hashed in a later snapshot, beside the writers. */
#include "common/io/store_ledger.h"

#include "common/base/sha256.h"
#include "sql_text.h"

#include <string.h>

static bool hash_parse(struct slice hex, unsigned char hash[LEDGER_HASH_SIZE], struct error *err)
{
    if (hex.size != 2 * (size_t)LEDGER_HASH_SIZE) {
        return error_set(err, ERROR_INTERNAL, "a block of the ledger has a hash of %zu digits", hex.size);
    }
    for (size_t i = 0; i < LEDGER_HASH_SIZE; i++) {
        unsigned value = 0;

        for (size_t k = 0; k < 2; k++) {
            char digit = hex.data[2 * i + k];

            value = value * 16 + (unsigned)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
        }
        hash[i] = (unsigned char)value;
    }
    return true;
}

bool store_ledger_head(struct pg *pg, struct ledger_block *out, struct error *err)
{
    PGresult *result = NULL;
    bool ok = true;

    *out = (struct ledger_block){0};
    if (!pg_query(pg, sql_ledger_head, NULL, 0, &result, err)) {
        return error_context(err, "ledger");
    }
    if (PQntuples(result) > 0) {
        out->block_no = pg_integer_at(result, 0, 0, 0);
        out->last_id = pg_integer_at(result, 0, 1, 0);
        out->row_count = pg_integer_at(result, 0, 2, 0);
        ok = hash_parse(pg_text_at(result, 0, 3), out->hash, err);
    }
    PQclear(result);
    return ok;
}

struct sealing {
    struct sha256 rows;
    int64_t row_count;
    int64_t last_id;
};

static bool visit_row(void *context, const PGresult *row, struct error *err)
{
    struct sealing *sealing = context;

    sealing->last_id = pg_integer_at(row, 0, 0, 0);
    sealing->row_count++;
    return sha256_add(&sealing->rows, pg_text_at(row, 0, 1), err) &&
           sha256_add(&sealing->rows, SLICE_LITERAL("\n"), err);
}

/* Hashes the rows behind `previous` up to `boundary` into `out`. */
static bool rows_hash(struct pg *pg, const struct ledger_block *previous, int64_t boundary, struct ledger_block *out,
                      struct error *err)
{
    struct sealing sealing = {0};
    unsigned char parts[2 * LEDGER_HASH_SIZE];
    struct pg_value values[2];

    pg_set_integer(&values[0], previous->last_id);
    pg_set_integer(&values[1], boundary);
    if (!sha256_begin(&sealing.rows, err)) {
        return false;
    }
    if (!pg_each(pg, sql_history_rows, values, 2, visit_row, &sealing, err)) {
        sha256_clear(&sealing.rows);
        return false;
    }
    memcpy(parts, previous->hash, LEDGER_HASH_SIZE);
    if (!sha256_end(&sealing.rows, parts + LEDGER_HASH_SIZE, err)) {
        return false;
    }
    *out = (struct ledger_block){.block_no = previous->block_no + 1,
                                 .last_id = sealing.last_id,
                                 .row_count = sealing.row_count};
    return sha256_of(slice_of((const char *)parts, sizeof parts), out->hash, err);
}

static bool block_append(struct pg *pg, const struct ledger_block *previous, const struct ledger_block *block,
                         struct error *err)
{
    struct pg_value values[5];
    PGresult *result = NULL;
    bool appended;

    pg_set_integer(&values[0], previous->block_no);
    pg_set_integer(&values[1], block->last_id);
    pg_set_integer(&values[2], block->row_count);
    values[3] = pg_bytes(slice_of((const char *)previous->hash, LEDGER_HASH_SIZE));
    values[4] = pg_bytes(slice_of((const char *)block->hash, LEDGER_HASH_SIZE));
    if (!pg_query(pg, "SELECT block_append($1::bigint, $2::bigint, $3::bigint, $4::bytea, $5::bytea)", values, 5,
                  &result, err)) {
        return false;
    }
    appended = pg_boolean_at(result, 0, 0);
    PQclear(result);
    if (!appended) {
        error_set(err, ERROR_INTERNAL, "another process sealed block %lld", (long long)block->block_no);
        return error_action(err, ERROR_RETRY);
    }
    return true;
}

bool store_ledger_seal(struct pg *pg, struct ledger_block *out, struct error *err)
{
    struct ledger_block previous;
    PGresult *result = NULL;
    int64_t boundary;

    if (!store_ledger_head(pg, &previous, err) || !pg_query(pg, "SELECT history_boundary()", NULL, 0, &result, err)) {
        return error_context(err, "sealing history");
    }
    boundary = pg_integer_at(result, 0, 0, 0);
    PQclear(result);
    if (boundary <= previous.last_id) {
        *out = previous;
        out->row_count = 0;
        return true;
    }
    if (!rows_hash(pg, &previous, boundary, out, err) || !block_append(pg, &previous, out, err)) {
        return error_context(err, "sealing history");
    }
    return true;
}
