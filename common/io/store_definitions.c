#include "common/io/store_definitions.h"

#include "sql_text.h"

#include <stdio.h>

enum { COLUMN_SEGMENT_NO = 0, COLUMN_SEGMENT_ID, COLUMN_VERSION, COLUMN_PURPOSE_NO, COLUMN_SHA256, COLUMN_DOCUMENT };
enum { NUMBERS_SIZE_MAX = 4 << 20 };

static bool hex_digit(char digit, unsigned *out)
{
    if (digit >= '0' && digit <= '9') {
        *out = (unsigned)(digit - '0');
    } else if (digit >= 'a' && digit <= 'f') {
        *out = (unsigned)(digit - 'a') + 10U;
    } else {
        return false;
    }
    return true;
}

static bool read_digest(struct slice hex, unsigned char digest[STORED_SHA256_SIZE])
{
    unsigned high;
    unsigned low;

    if (hex.size != 2 * (size_t)STORED_SHA256_SIZE) {
        return false;
    }
    for (size_t i = 0; i < STORED_SHA256_SIZE; i++) {
        if (!hex_digit(hex.data[2 * i], &high) || !hex_digit(hex.data[2 * i + 1], &low)) {
            return false;
        }
        digest[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

static bool add_row(const PGresult *result, int row, struct segment_set *set, struct stored_definition *stored,
                    struct error *err)
{
    struct slice id = pg_text_at(result, row, COLUMN_SEGMENT_ID);
    int64_t purpose_no = pg_integer_at(result, row, COLUMN_PURPOSE_NO, -1);
    size_t count = set->definition_count;
    char name[128];

    stored->segment_no = (int32_t)pg_integer_at(result, row, COLUMN_SEGMENT_NO, 0);
    stored->version = (int32_t)pg_integer_at(result, row, COLUMN_VERSION, 0);
    stored->subject_to_consent = purpose_no >= 0;
    stored->purpose_no = (int16_t)purpose_no;
    (void)snprintf(name, sizeof(name), "%.*s@%d", (int)id.size, id.data, (int)stored->version);
    if (!read_digest(pg_text_at(result, row, COLUMN_SHA256), stored->sha256)) {
        return error_set(err, ERROR_INTERNAL, "%s: its SHA-256 in the store is broken", name);
    }
    if (!segment_set_add(set, slice_from(name), pg_text_at(result, row, COLUMN_DOCUMENT), stored->version, err)) {
        return error_context(err, "definition in the store");
    }
    if (set->definition_count != count + 1 || !slice_equal(set->definitions[count].segment_id, id)) {
        return error_set(err, ERROR_INTERNAL, "%s: the document in the store is not that segment's", name);
    }
    return true;
}

static bool add_rows(const PGresult *result, struct segment_set *set, struct stored_definition **out, struct error *err)
{
    int count = PQntuples(result);

    *out = arena_allocate_zeroed(&set->arena, (size_t)count, sizeof(**out));
    if (*out == NULL) {
        return error_no_memory(err, "loading definitions from the store");
    }
    for (int row = 0; row < count; row++) {
        if (!add_row(result, row, set, &(*out)[row], err)) {
            return false;
        }
        if (row > 0 && (*out)[row].segment_no == (*out)[row - 1].segment_no) {
            return error_set(err, ERROR_INTERNAL, "two versions of one segment are needed at once: %.*s@%d and @%d",
                             (int)set->definitions[row].segment_id.size, set->definitions[row].segment_id.data,
                             (int)(*out)[row - 1].version, (int)(*out)[row].version);
        }
    }
    return segment_set_check(set, err) || error_context(err, "definition in the store");
}

bool store_definitions_load(struct pg *pg, struct segment_set *set, struct stored_definition **out, struct error *err)
{
    PGresult *result = NULL;
    bool done = pg_query(pg, sql_definitions_newest, NULL, 0, &result, err) && add_rows(result, set, out, err);

    PQclear(result);
    return done;
}

/* "{1,2,3}" */
static bool append_numbers(struct buffer *out, const int32_t *numbers, size_t count, struct error *err)
{
    buffer_append_char(out, '{');
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            buffer_append_char(out, ',');
        }
        buffer_append_integer(out, numbers[i]);
    }
    buffer_append_char(out, '}');
    return buffer_finish(out, "a list of segments", err);
}

bool store_definitions_load_versions(struct pg *pg, const int32_t *segment_nos, const int32_t *versions, size_t count,
                                     struct segment_set *set, struct stored_definition **out, struct error *err)
{
    struct buffer nos;
    struct buffer numbers;
    PGresult *result = NULL;
    bool done = false;

    buffer_init(&nos, NUMBERS_SIZE_MAX);
    buffer_init(&numbers, NUMBERS_SIZE_MAX);
    if (append_numbers(&nos, segment_nos, count, err) && append_numbers(&numbers, versions, count, err)) {
        struct pg_value values[] = {pg_text(buffer_slice(&nos)), pg_text(buffer_slice(&numbers))};

        done = pg_query(pg, sql_definitions_versions, values, 2, &result, err) && add_rows(result, set, out, err);
    }
    PQclear(result);
    buffer_clear(&nos);
    buffer_clear(&numbers);
    return done;
}
