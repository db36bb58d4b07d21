#include "common/io/serving.h"

#include "common/base/memory.h"
#include "common/base/timestamp.h"
#include "sql_text.h"

enum { USERS_PER_QUERY = 2000, LIST_SIZE_MAX = USERS_PER_QUERY * 24, SEGMENTS_MAX = 100000, TEXTS_SIZE_MAX = 64 << 20 };

/* One user's rows, gathered until the next user begins. */
struct gathering {
    struct redis *redis;
    int64_t rebuild_no;
    struct arena texts; /* of the present user */
    struct slice user_id;
    int64_t version;
    struct redis_membership *memberships;
    size_t count;
    size_t capacity;
};

static bool user_end(struct gathering *gathering, struct error *err)
{
    bool ok = gathering->user_id.data == NULL ||
              redis_put_user(gathering->redis, gathering->user_id, gathering->version, gathering->rebuild_no,
                             gathering->memberships, gathering->count, err);

    arena_reset(&gathering->texts);
    gathering->user_id = slice_of(NULL, 0);
    gathering->count = 0;
    return ok;
}

static bool membership_take(struct gathering *gathering, struct slice user_id, int64_t version, struct slice segment_id,
                            int64_t valid_until, struct error *err)
{
    struct redis_membership *membership;

    if (gathering->user_id.data == NULL || !slice_equal(gathering->user_id, user_id)) {
        if (!user_end(gathering, err)) {
            return false;
        }
        if (!arena_copy(&gathering->texts, user_id, &gathering->user_id)) {
            return error_no_memory(err, "a membership");
        }
        gathering->version = version;
    }
    if (segment_id.data == NULL) {
        return true;
    }
    if (!memory_grow(&gathering->memberships, &gathering->capacity, gathering->count, SEGMENTS_MAX,
                     sizeof *gathering->memberships, "memberships", err)) {
        return false;
    }
    membership = &gathering->memberships[gathering->count++];
    membership->valid_until = valid_until;
    return arena_copy(&gathering->texts, segment_id, &membership->segment_id) || error_no_memory(err, "a membership");
}

static void gathering_begin(struct gathering *gathering, struct redis *redis, int64_t rebuild_no)
{
    *gathering = (struct gathering){.redis = redis, .rebuild_no = rebuild_no};
    arena_init(&gathering->texts, TEXTS_SIZE_MAX);
}

/* Writes the last user, waits for the answers, and frees. */
static bool gathering_end(struct gathering *gathering, bool ok, struct redis_written *written, struct error *err)
{
    struct redis_written part = {.applied = 0};

    ok = ok && user_end(gathering, err) && redis_flush(gathering->redis, &part, err);
    written->applied += part.applied;
    written->stale += part.stale;
    written->foreign += part.foreign;
    arena_clear(&gathering->texts);
    memory_free(gathering->memberships);
    return ok;
}

static bool publish_piece(struct pg *pg, struct gathering *gathering, const int64_t *user_nos, size_t count,
                          struct error *err)
{
    struct pg_value values[1];
    struct buffer list;
    PGresult *result = NULL;
    bool ok;

    buffer_init(&list, LIST_SIZE_MAX);
    for (size_t index = 0; index < count; index++) {
        buffer_append_char(&list, index == 0 ? '{' : ',');
        buffer_append_integer(&list, user_nos[index]);
    }
    buffer_append_char(&list, '}');
    values[0] = pg_text(buffer_slice(&list));
    ok = buffer_finish(&list, "a list of users", err) && pg_query(pg, sql_serving_users, values, 1, &result, err);
    for (int row = 0; ok && row < PQntuples(result); row++) {
        ok = membership_take(gathering, pg_text_at(result, row, 0), pg_integer_at(result, row, 1, 0),
                             pg_text_at(result, row, 2), pg_integer_at(result, row, 3, TIMESTAMP_NEVER), err);
    }
    PQclear(result);
    buffer_clear(&list);
    return ok;
}

bool serving_publish(struct pg *pg, struct redis *redis, int64_t rebuild_no, const int64_t *user_nos, size_t count,
                     struct redis_written *written, struct error *err)
{
    struct gathering gathering;
    bool ok = true;

    gathering_begin(&gathering, redis, rebuild_no);
    for (size_t begin = 0; ok && begin < count; begin += USERS_PER_QUERY) {
        size_t piece = count - begin < USERS_PER_QUERY ? count - begin : USERS_PER_QUERY;

        ok = publish_piece(pg, &gathering, user_nos + begin, piece, err);
    }
    return gathering_end(&gathering, ok, written, err);
}

static bool fill_row(void *context, const struct slice *cells, size_t cell_count, struct error *err)
{
    if (cell_count != 4) {
        return error_set(err, ERROR_INTERNAL, "a membership has %zu columns", cell_count);
    }
    return membership_take(context, cells[0], pg_cell_int64(cells[1], 0), cells[2],
                           pg_cell_int64(cells[3], TIMESTAMP_NEVER), err);
}

bool serving_fill(struct pg *pg, struct redis *redis, int64_t rebuild_no, struct redis_written *written,
                  struct error *err)
{
    struct gathering gathering;
    bool ok;

    gathering_begin(&gathering, redis, rebuild_no);
    ok = pg_copy_out(pg, sql_serving_all, fill_row, &gathering, err);
    return gathering_end(&gathering, ok, written, err);
}
