/* The cache maps an identifier to an index into an array of numbers, since the map's values are 32 bits wide. It never
 * forgets a user by itself: its size follows the number of users a program meets (about 60 bytes and the identifier
 * each). */
#include "common/io/store_users.h"

#include "common/base/hash.h"
#include "common/base/memory.h"

#include <string.h>

enum { USERS_MAX = 1 << 28, USERS_PIECE = 10000 };
#define USERS_TEXT_SIZE_MAX ((size_t)64 << 30)

struct store_users {
    struct hash_map map; /* identifier -> index into numbers */
    struct arena texts;
    int64_t *numbers;
    size_t count;
    size_t capacity;
    struct buffer ids; /* array parameter under way */
    struct buffer lanes;
    size_t *missing; /* indexes of the caller's identifiers that the cache lacks */
    size_t missing_capacity;
};

bool store_users_new(struct store_users **out, struct error *err)
{
    struct store_users *users = memory_allocate_zeroed(1, sizeof *users);

    if (users == NULL) {
        return error_no_memory(err, "the cache of users");
    }
    hash_map_init(&users->map, USERS_MAX);
    arena_init(&users->texts, USERS_TEXT_SIZE_MAX);
    buffer_init(&users->ids, 16 << 20);
    buffer_init(&users->lanes, 1 << 20);
    *out = users;
    return true;
}

void store_users_free(struct store_users *users)
{
    if (users == NULL) {
        return;
    }
    hash_map_clear(&users->map);
    arena_clear(&users->texts);
    buffer_clear(&users->ids);
    buffer_clear(&users->lanes);
    memory_free(users->numbers);
    memory_free(users->missing);
    memory_free(users);
}

void store_users_forget(struct store_users *users)
{
    hash_map_reset(&users->map);
    arena_reset(&users->texts);
    users->count = 0;
}

int64_t store_users_find(const struct store_users *users, struct slice user_id)
{
    uint32_t index;

    return hash_map_find(&users->map, user_id, &index) ? users->numbers[index] : 0;
}

static bool cache_add(struct store_users *users, struct slice user_id, int64_t user_no, struct error *err)
{
    uint32_t index;
    bool added;

    if (!memory_grow(&users->numbers, &users->capacity, users->count, USERS_MAX, sizeof *users->numbers, "users",
                     err) ||
        !hash_map_add(&users->map, &users->texts, user_id, (uint32_t)users->count, &index, &added, err)) {
        return false;
    }
    if (added) {
        users->numbers[users->count++] = user_no;
    }
    return true;
}

/* Asks for the identifiers at missing[0..count) and puts the answers into the cache and into user_nos. */
static bool intern_piece(struct store_users *users, struct pg *pg, const struct slice *user_ids, const int32_t *lanes,
                         const size_t *missing, size_t count, int64_t *user_nos, struct error *err)
{
    struct pg_value values[2];
    PGresult *result = NULL;
    bool ok = false;

    buffer_reset(&users->ids);
    buffer_reset(&users->lanes);
    pg_array_begin(&users->ids, PG_TEXT, count);
    pg_array_begin(&users->lanes, PG_INT32, count);
    for (size_t i = 0; i < count; i++) {
        pg_row_text(&users->ids, user_ids[missing[i]]);
        pg_row_int32(&users->lanes, lanes[missing[i]]);
    }
    if (!buffer_finish(&users->ids, "user identifiers", err) || !buffer_finish(&users->lanes, "lanes", err)) {
        return false;
    }
    values[0] = pg_bytes(buffer_slice(&users->ids));
    values[1] = pg_bytes(buffer_slice(&users->lanes));
    if (!pg_query(pg, "SELECT user_no FROM users_intern($1::text[], $2::integer[])", values, 2, &result, err)) {
        return error_context(err, "naming users");
    }
    if ((size_t)PQntuples(result) != count) {
        error_set(err, ERROR_INTERNAL, "the store named %d of %zu users", PQntuples(result), count);
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        user_nos[missing[i]] = pg_integer_at(result, (int)i, 0, 0);
        if (!cache_add(users, user_ids[missing[i]], user_nos[missing[i]], err)) {
            goto out;
        }
    }
    ok = true;

out:
    PQclear(result);
    return ok;
}

bool store_users_intern(struct store_users *users, struct pg *pg, const struct slice *user_ids, const int32_t *lanes,
                        size_t count, int64_t *user_nos, struct error *err)
{
    size_t missing_count = 0;

    for (size_t i = 0; i < count; i++) {
        user_nos[i] = store_users_find(users, user_ids[i]);
        if (user_nos[i] != 0) {
            continue;
        }
        if (!memory_grow(&users->missing, &users->missing_capacity, missing_count, USERS_MAX, sizeof *users->missing,
                         "users", err)) {
            return false;
        }
        users->missing[missing_count++] = i;
    }
    for (size_t at = 0; at < missing_count; at += USERS_PIECE) {
        size_t piece = missing_count - at < USERS_PIECE ? missing_count - at : USERS_PIECE;

        if (!intern_piece(users, pg, user_ids, lanes, users->missing + at, piece, user_nos, err)) {
            return false;
        }
    }
    return true;
}

bool store_users_look_up(struct pg *pg, struct slice user_id, int64_t *user_no, int32_t *lane, struct error *err)
{
    struct pg_value value = pg_text(user_id);
    PGresult *result = NULL;

    if (!pg_query(pg, "SELECT u.user_no, u.lane FROM user_ids k JOIN users u USING (user_no) WHERE k.user_id = $1",
                  &value, 1, &result, err)) {
        return false;
    }
    *user_no = PQntuples(result) == 0 ? 0 : pg_integer_at(result, 0, 0, 0);
    *lane = PQntuples(result) == 0 ? -1 : (int32_t)pg_integer_at(result, 0, 1, -1);
    PQclear(result);
    return true;
}
