/* Bringing Redis up to the sealed history, by a durable cursor that moves after Redis has answered: at least once, and
 * harmless again. Withdrawals come first, sealed or not. A Redis that does not hold the number of the store's rebuild
 * (it lost its content, or is another one) is rebuilt from a snapshot, and the cursor goes on from there. */
#include "reconcile/pass.h"

#include "common/base/log.h"
#include "common/base/timestamp.h"
#include "common/io/redis.h"
#include "common/io/serving.h"

#include <inttypes.h>

enum { REMOVALS_PER_PIECE = 1000, HISTORY_PER_PIECE = 5000, TICK_MS = 300 };

struct cursor {
    int64_t history_id;
    int64_t rebuild_no;
    int64_t sealed_id;
};

static bool cursor_read(struct pg *pg, struct cursor *out, struct error *err)
{
    PGresult *result = NULL;
    bool found;

    if (!pg_query(pg,
                  "SELECT history_id, rebuild_no, coalesce((SELECT max(last_id) FROM blocks), 0) FROM publication "
                  "WHERE target = 'redis'",
                  NULL, 0, &result, err)) {
        return false;
    }
    found = PQntuples(result) == 1;
    if (found) {
        out->history_id = pg_integer_at(result, 0, 0, 0);
        out->rebuild_no = pg_integer_at(result, 0, 1, 0);
        out->sealed_id = pg_integer_at(result, 0, 2, 0);
    }
    PQclear(result);
    return found || error_set(err, ERROR_INTERNAL, "the store has no publication row for redis");
}

static bool cursor_move(struct pg *pg, struct cursor *cursor, int64_t history_id, struct error *err)
{
    struct pg_value values[3];
    PGresult *result = NULL;
    bool moved;

    pg_set_integer(&values[0], cursor->history_id);
    pg_set_integer(&values[1], history_id);
    pg_set_integer(&values[2], cursor->rebuild_no);
    if (!pg_query(pg,
                  "UPDATE publication SET history_id = $2::bigint, updated_at = clock_timestamp() "
                  "WHERE target = 'redis' AND history_id = $1::bigint AND rebuild_no = $3::bigint RETURNING history_id",
                  values, 3, &result, err)) {
        return false;
    }
    moved = PQntuples(result) == 1;
    PQclear(result);
    if (!moved) {
        return error_set(err, ERROR_INTERNAL, "the cursor of the publication moved under this pass");
    }
    cursor->history_id = history_id;
    return true;
}

/* Numbers of the first column as an array owned by the caller. */
static bool numbers_take(PGresult *result, int column, int64_t **out, size_t *out_count, struct error *err)
{
    size_t count = (size_t)PQntuples(result);
    int64_t *numbers = memory_allocate_zeroed(count, sizeof *numbers);

    if (numbers == NULL) {
        return error_no_memory(err, "users to publish");
    }
    for (size_t index = 0; index < count; index++) {
        numbers[index] = pg_integer_at(result, (int)index, column, 0);
    }
    *out = numbers;
    *out_count = count;
    return true;
}

/* Writes the users; a Redis that has meanwhile taken another number is an error that a later pass mends. */
static bool put_users(struct reconciler *reconciler, int64_t rebuild_no, PGresult *result, int column,
                      struct pass_counts *counts, struct error *err)
{
    struct redis_written written = {.applied = 0};
    int64_t *user_nos = NULL;
    size_t count = 0;
    bool ok = numbers_take(result, column, &user_nos, &count, err) &&
              serving_publish(reconciler->write, reconciler->redis, rebuild_no, user_nos, count, &written, err);

    memory_free(user_nos);
    counts->published += written.applied;
    if (ok && written.foreign > 0) {
        (void)error_set(err, ERROR_UNREACHABLE, "Redis has lost its content, or another store fills it");
        return error_action(err, ERROR_RETRY);
    }
    return ok;
}

/* The queue of withdrawals, in order; a row is deleted once Redis has answered. */
static bool publish_removals(struct reconciler *reconciler, int64_t rebuild_no, struct pass_counts *counts,
                             struct error *err)
{
    for (;;) {
        struct pg_value values[1];
        PGresult *result = NULL;
        int64_t last_no;
        int rows;
        bool ok;

        pg_set_integer(&values[0], REMOVALS_PER_PIECE);
        if (!pg_query(reconciler->write,
                      "SELECT removal_no, user_no FROM removals ORDER BY removal_no LIMIT $1::bigint", values, 1,
                      &result, err)) {
            return false;
        }
        rows = PQntuples(result);
        if (rows == 0) {
            PQclear(result);
            return true;
        }
        last_no = pg_integer_at(result, rows - 1, 0, 0);
        ok = put_users(reconciler, rebuild_no, result, 1, counts, err);
        /* Only rows that were read: a lower number may become visible later. */
        for (int row = 0; ok && row < rows; row++) {
            pg_set_integer(&values[0], pg_integer_at(result, row, 0, 0));
            ok =
                pg_query(reconciler->write, "DELETE FROM removals WHERE removal_no = $1::bigint", values, 1, NULL, err);
        }
        PQclear(result);
        if (!ok) {
            return error_context(err, "removal %" PRId64, last_no);
        }
    }
}

static bool publish_history(struct reconciler *reconciler, struct cursor *cursor, struct pass_counts *counts,
                            struct error *err)
{
    while (cursor->history_id < cursor->sealed_id) {
        int64_t upper = cursor->sealed_id - cursor->history_id > HISTORY_PER_PIECE
                            ? cursor->history_id + HISTORY_PER_PIECE
                            : cursor->sealed_id;
        struct pg_value values[2];
        PGresult *result = NULL;
        bool ok;

        pg_set_integer(&values[0], cursor->history_id);
        pg_set_integer(&values[1], upper);
        if (!pg_query(reconciler->write,
                      "SELECT DISTINCT user_no FROM history WHERE history_id > $1::bigint AND history_id <= $2::bigint "
                      "AND change <> 'confirmed'",
                      values, 2, &result, err)) {
            return false;
        }
        ok = put_users(reconciler, cursor->rebuild_no, result, 0, counts, err);
        PQclear(result);
        if (!ok || !cursor_move(reconciler->write, cursor, upper, err)) {
            return false;
        }
    }
    return true;
}

/* Takes the next rebuild number for this store and sets the cursor to what the snapshot contains. */
static bool rebuild_announce(struct reconciler *reconciler, int64_t number, struct cursor *cursor, struct error *err)
{
    struct pg_value values[1];
    PGresult *result = NULL;
    bool ok;

    pg_set_integer(&values[0], number);
    ok = pg_query(reconciler->write,
                  "UPDATE publication SET rebuild_no = greatest(rebuild_no, $1::bigint) + 1 WHERE target = 'redis' "
                  "RETURNING rebuild_no",
                  values, 1, &result, err);
    if (ok && PQntuples(result) == 1) {
        cursor->rebuild_no = pg_integer_at(result, 0, 0, 0);
    }
    PQclear(result);
    return ok;
}

static bool rebuild(struct reconciler *reconciler, int64_t number, struct cursor *cursor, struct pass_counts *counts,
                    struct error *err)
{
    struct redis_written written = {.applied = 0};
    struct cursor snapshot;
    bool ok;

    if (!rebuild_announce(reconciler, number, cursor, err) ||
        !redis_rebuild_begin(reconciler->redis, cursor->rebuild_no, err) ||
        !pg_begin(reconciler->read, "ISOLATION LEVEL REPEATABLE READ READ ONLY", err)) {
        return false;
    }
    log_info("rebuilding Redis, rebuild %" PRId64, cursor->rebuild_no);
    ok = cursor_read(reconciler->read, &snapshot, err) &&
         serving_fill(reconciler->read, reconciler->redis, cursor->rebuild_no, &written, err);
    pg_abort(reconciler->read);
    if (!ok || !redis_rebuild_end(reconciler->redis, cursor->rebuild_no, err)) {
        return false;
    }
    counts->published += written.applied;
    return cursor_move(reconciler->write, cursor, snapshot.sealed_id, err);
}

static bool publish(struct reconciler *reconciler, struct pass_counts *counts, struct error *err)
{
    struct cursor cursor = {.history_id = 0};
    int64_t number = 0;

    if (reconciler->redis == NULL &&
        !redis_open(config_text(reconciler->config, "redis.url"), &reconciler->redis, err)) {
        return false;
    }
    if (!cursor_read(reconciler->write, &cursor, err) || !redis_rebuild_number(reconciler->redis, &number, err)) {
        return false;
    }
    if ((number == 0 || number != cursor.rebuild_no) && !rebuild(reconciler, number, &cursor, counts, err)) {
        return false;
    }
    return publish_removals(reconciler, cursor.rebuild_no, counts, err) &&
           publish_history(reconciler, &cursor, counts, err);
}

bool publish_redis(struct reconciler *reconciler, struct pass_counts *counts, struct error *err)
{
    struct error alert_err = ERROR_INIT;

    if (publish(reconciler, counts, err)) {
        bool open = reconciler->redis_down || !reconciler->redis_checked;

        reconciler->redis_down = false;
        reconciler->redis_checked = true;
        return !open || alert_resolve(reconciler, "publication", "redis", "Redis is up to date again", err);
    }
    redis_close(reconciler->redis);
    reconciler->redis = NULL;
    (void)error_context(err, "could not publish to Redis");
    if (!reconciler->redis_down) {
        reconciler->redis_down = true;
        if (!alert_raise(reconciler, "publication", "redis", err->message, &alert_err)) {
            log_warning("%s", alert_err.message);
        }
    }
    return false;
}

void publish_tick(struct reconciler *reconciler)
{
    int64_t now_ms = timestamp_monotonic_ms();
    struct pass_counts counts = {.records = 0};
    struct cursor cursor = {.history_id = 0};
    struct error err = ERROR_INIT;
    int64_t number = 0;

    if (reconciler->redis == NULL || now_ms - reconciler->tick_ms < TICK_MS) {
        return;
    }
    reconciler->tick_ms = now_ms;
    if (cursor_read(reconciler->write, &cursor, &err) && redis_rebuild_number(reconciler->redis, &number, &err) &&
        number == cursor.rebuild_no && publish_removals(reconciler, number, &counts, &err) && counts.published > 0 &&
        seal_history(reconciler, &counts, &err)) {
        log_debug("%lld withdrawn users taken out of Redis during the pass", (long long)counts.published);
    }
    if (err.code != ERROR_NONE) {
        log_debug("withdrawals wait for the end of the pass: %s", err.message);
    }
}
