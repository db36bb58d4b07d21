/* The program's settings and connections. The writing connection holds the advisory lock, so that whoever has lost the
 * lock cannot write any more. */
#include "reconcile/pass.h"

#include "common/base/timestamp.h"
#include "common/io/redis.h"
#include "common/io/store.h"

#include <string.h>
#include <time.h>

enum { LOCK_PAUSE_MS = 50 };

static bool lock_try(struct pg *pg, bool *out, struct error *err)
{
    struct pg_value values[2];
    PGresult *result = NULL;

    pg_set_integer(&values[0], STORE_LOCK_CLASS);
    pg_set_integer(&values[1], STORE_LOCK_PASS);
    if (!pg_query(pg, "SELECT pg_try_advisory_lock($1::integer, $2::integer)", values, 2, &result, err)) {
        return false;
    }
    *out = pg_boolean_at(result, 0, 0);
    PQclear(result);
    return true;
}

static bool lock_take(struct pg *pg, int64_t wait_ms, struct error *err)
{
    int64_t begun_ms = timestamp_monotonic_ms();
    bool held = false;

    for (;;) {
        if (!lock_try(pg, &held, err)) {
            return false;
        }
        if (held) {
            return true;
        }
        if (timestamp_monotonic_ms() - begun_ms >= wait_ms) {
            (void)error_set(err, ERROR_FOUND, "another reconciler is at work on this store");
            return error_hint(err, "one pass runs at a time: stop \"muster-reconcile watch\", or let it do the work");
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE_MS * 1000000L}, NULL);
    }
}

bool reconciler_open(const struct config *config, int64_t lock_wait_ms, struct reconciler *out, struct error *err)
{
    out->config = config;
    out->clock_event = strcmp(config_text(config, "time.clock"), "event") == 0;
    out->grace_ms = config_duration_ms(config, "reconcile.grace");
    out->freshness_ms = config_duration_ms(config, "reconcile.freshness");
    if (store_open(config, STORE_ROLE_RECONCILE, &out->write, err) && lock_take(out->write, lock_wait_ms, err) &&
        store_open(config, STORE_ROLE_RECONCILE, &out->read, err)) {
        return true;
    }
    reconciler_close(out);
    return false;
}

void reconciler_close(struct reconciler *reconciler)
{
    if (reconciler->read != NULL) {
        pg_close(reconciler->read);
    }
    if (reconciler->write != NULL) {
        pg_close(reconciler->write);
    }
    redis_close(reconciler->redis);
    reconciler->read = NULL;
    reconciler->write = NULL;
    reconciler->redis = NULL;
}
