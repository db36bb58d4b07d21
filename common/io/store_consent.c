#include "common/io/store_consent.h"

#include "common/base/memory.h"
#include "common/base/timestamp.h"
#include "common/domain/event.h"
#include "common/io/store_quarantine.h"
#include "sql_text.h"

/* ---- changes ----------------------------------------------------------------------------------------------------- */

static const char *const outcome_names[] = {
    [CONSENT_NONE] = "none",   [CONSENT_CHANGED] = "changed", [CONSENT_UNCHANGED] = "unchanged",
    [CONSENT_OLDER] = "older", [CONSENT_FUTURE] = "future",   [CONSENT_REFUSED] = "refused",
};

const char *consent_outcome_name(enum consent_outcome outcome)
{
    return outcome_names[outcome];
}

static bool outcome_parse(struct slice name, enum consent_outcome *out, struct error *err)
{
    for (int i = CONSENT_CHANGED; i <= CONSENT_REFUSED; i++) {
        if (slice_equal_text(name, outcome_names[i])) {
            *out = (enum consent_outcome)i;
            return true;
        }
    }
    return error_set(err, ERROR_INTERNAL, "the store answered a change of consent with an unknown outcome");
}

static void append_received(struct buffer *out, int64_t received_at_ms)
{
    if (received_at_ms == TIMESTAMP_ALWAYS) {
        pg_row_null(out);
    } else {
        pg_row_int64(out, received_at_ms);
    }
}

/* Applies changes[first..end), none of them a delete, in one call. */
static bool apply_grants(struct pg *pg, struct consent_change *changes, size_t count, const char *source,
                         struct error *err)
{
    enum { COLUMNS = 5 };
    static const uint32_t types[COLUMNS] = {PG_INT64, PG_TEXT, PG_BOOLEAN, PG_INT64, PG_INT64};
    struct buffer columns[COLUMNS];
    struct pg_value values[COLUMNS + 1];
    PGresult *result = NULL;
    bool ok = false;

    for (size_t i = 0; i < COLUMNS; i++) {
        buffer_init(&columns[i], 8 << 20);
        pg_array_begin(&columns[i], types[i], count);
    }
    for (size_t i = 0; i < count; i++) {
        pg_row_int64(&columns[0], changes[i].user_no);
        pg_row_text(&columns[1], changes[i].purpose);
        pg_row_boolean(&columns[2], changes[i].granted);
        pg_row_int64(&columns[3], changes[i].changed_at_ms);
        append_received(&columns[4], changes[i].received_at_ms);
    }
    for (size_t i = 0; i < COLUMNS; i++) {
        if (!buffer_finish(&columns[i], "changes of consent", err)) {
            goto out;
        }
        values[i] = pg_bytes(buffer_slice(&columns[i]));
    }
    values[COLUMNS] = pg_text(slice_from(source));
    if (!pg_query(
            pg, "SELECT unnest(consent_apply($1::bigint[], $2::text[], $3::boolean[], $4::bigint[], $5::bigint[], $6))",
            values, COLUMNS + 1, &result, err)) {
        goto out;
    }
    if ((size_t)PQntuples(result) != count) {
        error_set(err, ERROR_INTERNAL, "the store answered %d of %zu changes of consent", PQntuples(result), count);
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        if (!outcome_parse(pg_text_at(result, (int)i, 0), &changes[i].outcome, err)) {
            goto out;
        }
    }
    ok = true;

out:
    PQclear(result);
    for (size_t i = 0; i < COLUMNS; i++) {
        buffer_clear(&columns[i]);
    }
    return ok;
}

static bool apply_delete(struct pg *pg, struct consent_change *change, const char *source, struct error *err)
{
    struct pg_value values[4];
    PGresult *result = NULL;
    bool ok;

    pg_set_integer(&values[0], change->user_no);
    pg_set_integer(&values[1], change->changed_at_ms);
    values[2] = pg_null();
    if (change->received_at_ms != TIMESTAMP_ALWAYS) {
        pg_set_integer(&values[2], change->received_at_ms);
    }
    values[3] = pg_text(slice_from(source));
    if (!pg_query(pg, "SELECT consent_delete($1::bigint, $2::bigint, $3::bigint, $4)", values, 4, &result, err)) {
        return false;
    }
    ok = outcome_parse(pg_text_at(result, 0, 0), &change->outcome, err);
    PQclear(result);
    return ok;
}

/* Keeps what was refused, so that it is not lost without a word. */
static bool quarantine_refused(struct pg *pg, const struct consent_change *change, const char *source,
                               struct error *err)
{
    const struct consent_origin *origin = &change->origin;
    struct error why = ERROR_INIT;
    struct quarantine_row row = {.topic_no = -1,
                                 .lane = -1,
                                 .load_no = origin->load_no,
                                 .line = origin->position,
                                 .reason = quarantine_reason_name(QUARANTINE_PURPOSES),
                                 .message = change->purpose};

    if (!origin->from_log && origin->load_no == 0) {
        return true;
    }
    if (origin->from_log) {
        row = (struct quarantine_row){.topic_no = origin->topic_no,
                                      .lane = origin->lane,
                                      .log_offset = origin->position,
                                      .reason = row.reason,
                                      .message = row.message};
    }
    (void)error_set(&why, ERROR_INPUT, "there are too many purposes to take a new one from a message: %.*s",
                    (int)change->purpose.size, change->purpose.data);
    row.detail = slice_from(why.message);
    return store_quarantine_insert(pg, source, &row, 1, NULL, err);
}

bool store_consent_apply(struct pg *pg, struct consent_change *changes, size_t count, const char *source,
                         struct error *err)
{
    size_t first = 0;

    if (count > CONSENT_CHANGES_MAX) {
        return error_set(err, ERROR_INTERNAL, "more than %d changes of consent at once", CONSENT_CHANGES_MAX);
    }
    while (first < count) {
        size_t end = first;
        bool ok;

        while (end < count && !changes[end].is_delete) {
            end++;
        }
        ok = end > first ? apply_grants(pg, changes + first, end - first, source, err)
                         : apply_delete(pg, &changes[first], source, err);
        if (!ok) {
            return error_context(err, "consent");
        }
        first = end > first ? end : first + 1;
    }
    for (size_t i = 0; i < count; i++) {
        if (changes[i].outcome == CONSENT_REFUSED && !quarantine_refused(pg, &changes[i], source, err)) {
            return error_context(err, "consent");
        }
    }
    return true;
}

/* ---- map --------------------------------------------------------------------------------------------------------- */

/* Open addressing with linear probing over (user, purpose); entries are never removed (grant_no 0: not allowed). */
struct consent_entry {
    int64_t user_no; /* 0: the slot is empty */
    int64_t grant_no;
    int32_t purpose_no;
};

struct consent_map {
    struct consent_entry *entries;
    size_t slot_count; /* a power of two */
    size_t count;
};

#define CONSENT_ENTRIES_MAX ((size_t)1 << 32)

bool consent_map_new(struct consent_map **out, struct error *err)
{
    struct consent_map *map = memory_allocate_zeroed(1, sizeof *map);

    if (map != NULL) {
        map->slot_count = 1024;
        map->entries = memory_allocate_zeroed(map->slot_count, sizeof *map->entries);
    }
    if (map == NULL || map->entries == NULL) {
        memory_free(map);
        return error_no_memory(err, "the map of consent");
    }
    *out = map;
    return true;
}

void consent_map_free(struct consent_map *map)
{
    if (map != NULL) {
        memory_free(map->entries);
        memory_free(map);
    }
}

static struct consent_entry *entry_find(const struct consent_map *map, int64_t user_no, int32_t purpose_no)
{
    /* Numbers are dense and come from the store, so a multiplicative hash spreads them. */
    uint64_t hash = ((uint64_t)user_no * 64 + (uint64_t)purpose_no) * UINT64_C(0x9e3779b97f4a7c15);
    size_t index = (size_t)(hash >> 24) & (map->slot_count - 1);

    for (;;) {
        struct consent_entry *entry = &map->entries[index];

        if (entry->user_no == 0 || (entry->user_no == user_no && entry->purpose_no == purpose_no)) {
            return entry;
        }
        index = (index + 1) & (map->slot_count - 1);
    }
}

int64_t consent_map_grant(const struct consent_map *map, int64_t user_no, int32_t purpose_no)
{
    return entry_find(map, user_no, purpose_no)->grant_no;
}

static bool map_grow(struct consent_map *map, struct error *err)
{
    struct consent_map grown = {.slot_count = map->slot_count * 2, .count = map->count};

    if (grown.slot_count > CONSENT_ENTRIES_MAX) {
        return error_set(err, ERROR_INTERNAL, "too many grants of consent");
    }
    grown.entries = memory_allocate_zeroed(grown.slot_count, sizeof *grown.entries);
    if (grown.entries == NULL) {
        return error_no_memory(err, "the map of consent");
    }
    for (size_t i = 0; i < map->slot_count; i++) {
        if (map->entries[i].user_no != 0) {
            *entry_find(&grown, map->entries[i].user_no, map->entries[i].purpose_no) = map->entries[i];
        }
    }
    memory_free(map->entries);
    *map = grown;
    return true;
}

bool consent_map_set(struct consent_map *map, int64_t user_no, int32_t purpose_no, int64_t grant_no, struct error *err)
{
    struct consent_entry *entry = entry_find(map, user_no, purpose_no);

    if (entry->user_no == 0) {
        if (grant_no == 0) {
            return true;
        }
        if (map->count * 3 >= map->slot_count * 2) {
            if (!map_grow(map, err)) {
                return false;
            }
            entry = entry_find(map, user_no, purpose_no);
        }
        map->count++;
    }
    *entry = (struct consent_entry){.user_no = user_no, .purpose_no = purpose_no, .grant_no = grant_no};
    return true;
}

static bool visit_grant(void *context, const struct slice *cells, size_t cell_count, struct error *err)
{
    if (cell_count != 3) {
        return error_set(err, ERROR_INTERNAL, "the store sent %zu columns of consent", cell_count);
    }
    return consent_map_set(context, pg_cell_int64(cells[0], 0), pg_cell_int16(cells[1], 0), pg_cell_int64(cells[2], 0),
                           err);
}

static bool visit_row(void *context, const PGresult *row, struct error *err)
{
    return consent_map_set(context, pg_integer_at(row, 0, 0, 0), (int32_t)pg_integer_at(row, 0, 1, 0),
                           pg_integer_at(row, 0, 2, 0), err);
}

bool store_consent_load(struct pg *pg, int32_t lane, struct consent_map *map, struct error *err)
{
    struct pg_value value;
    bool ok;

    if (lane < 0) {
        ok = pg_copy_out(pg, sql_consent_copy, visit_grant, map, err);
    } else {
        pg_set_integer(&value, lane);
        ok = pg_each(pg, sql_consent_lane, &value, 1, visit_row, map, err);
    }
    return ok || error_context(err, "consent");
}

bool store_consent_load_users(struct pg *pg, const int64_t *user_nos, size_t count, struct consent_map *map,
                              struct error *err)
{
    struct buffer numbers;
    struct pg_value value;
    bool ok;

    buffer_init(&numbers, 256 << 20);
    pg_array_begin(&numbers, PG_INT64, count);
    for (size_t i = 0; i < count; i++) {
        pg_row_int64(&numbers, user_nos[i]);
    }
    ok = buffer_finish(&numbers, "users", err);
    if (ok) {
        value = pg_bytes(buffer_slice(&numbers));
        ok = pg_each(pg,
                     "SELECT user_no, purpose_no, grant_no FROM consent WHERE granted AND user_no = ANY ($1::bigint[])",
                     &value, 1, visit_row, map, err);
    }
    buffer_clear(&numbers);
    return ok;
}
