/* muster-reconcile watch: passes as soon as there is something new, until a signal.
 *
 * A pass begins when the store notifies (new stream records, a line of the control log), when a look at the cursors
 * finds something, and at least once a second, since time by itself ends memberships. Withdrawals are in the control
 * log, so they wake it up too. What cannot be reached is said once and tried again, a little later each time. */
#include "reconcile/commands.h"
#include "reconcile/pass.h"

#include "common/base/log.h"
#include "common/base/timestamp.h"

#include <inttypes.h>
#include <time.h>

enum {
    LOCK_WAIT_MS = 2000,
    PASS_PAUSE_MAX_MS = 1000,
    MEASURE_PAUSE_MS = 60000,
    SWEEP_PAUSE_MS = 3600000,
    FRESHNESS_PAUSE_MS = 1000,
    REDIS_PAUSE_MS = 1000,
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 5000,
};

struct watch {
    struct reconciler reconciler;
    const struct config *config;
    int64_t interval_ms;
    bool connected;
    bool down_said;
    int64_t backoff_ms;
    int64_t passed_ms; /* monotonic instants */
    int64_t measured_ms;
    int64_t measure_pause_ms;
    int64_t swept_ms;
    int64_t freshness_ms;
    int64_t redis_tried_ms;
    int64_t probe; /* what the cursors looked like at the last pass */
};

static void pause_ms(int64_t ms)
{
    (void)nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static void disconnect(struct watch *watch)
{
    reconciler_close(&watch->reconciler);
    watch->connected = false;
}

/* Connects and listens. On false nothing is held. */
static bool connect_store(struct watch *watch, struct error *err)
{
    if (!reconciler_open(watch->config, LOCK_WAIT_MS, &watch->reconciler, err)) {
        return false;
    }
    watch->reconciler.stop_on_signal = true;
    if (!pg_listen(watch->reconciler.write, "muster_journal", err) ||
        !pg_listen(watch->reconciler.write, "muster_control", err)) {
        disconnect(watch);
        return false;
    }
    watch->connected = true;
    watch->passed_ms = 0;
    watch->backoff_ms = BACKOFF_MIN_MS;
    if (watch->down_said) {
        log_info("the store is there again");
        watch->down_said = false;
    }
    return true;
}

/* A lost connection, a deadlock, another reconciler in between: wait and try again. Everything else ends the program.
 */
static bool recover(struct watch *watch, const struct error *err)
{
    if (err->code != ERROR_UNREACHABLE && err->action != ERROR_RETRY && err->code != ERROR_FOUND) {
        return false;
    }
    disconnect(watch);
    if (!watch->down_said) {
        log_warning("%s; trying again", err->message);
        watch->down_said = true;
    }
    pause_ms(watch->backoff_ms);
    watch->backoff_ms = watch->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : watch->backoff_ms * 2;
    return true;
}

/* One number that changes with every step of a lane, every line of the control log and every queued removal. */
static bool probe(struct watch *watch, int64_t *out, struct error *err)
{
    PGresult *result = NULL;

    if (!pg_query(watch->reconciler.write,
                  "SELECT (SELECT coalesce(sum(step), 0) FROM lanes) + (SELECT control_no FROM control_head) * 1000003 "
                  "+ (SELECT coalesce(max(removal_no), 0) FROM removals) * 7",
                  NULL, 0, &result, err)) {
        return false;
    }
    *out = pg_integer_at(result, 0, 0, 0);
    PQclear(result);
    return true;
}

static void pass_log(const struct pass_counts *counts)
{
    if (counts->entered + counts->exited + counts->renewed + counts->refused + counts->published > 0) {
        log_info("%" PRId64 " records merged, %" PRId64 " entered, %" PRId64 " exited, %" PRId64 " renewed, %" PRId64
                 " refused, block %" PRId64 ", %" PRId64 " users published",
                 counts->records, counts->entered, counts->exited, counts->renewed, counts->refused, counts->block_no,
                 counts->published);
    }
}

/* Redis may be down for long: the passes go on, and it is tried once a second. */
static bool publish(struct watch *watch, struct pass_counts *counts, int64_t now_ms, struct error *err)
{
    struct error publish_err = ERROR_INIT;

    if (watch->reconciler.redis_down && now_ms - watch->redis_tried_ms < REDIS_PAUSE_MS) {
        return true;
    }
    watch->redis_tried_ms = now_ms;
    if (publish_redis(&watch->reconciler, counts, &publish_err)) {
        return true;
    }
    if (PQstatus(pg_connection(watch->reconciler.write)) != CONNECTION_OK) {
        *err = publish_err;
        return false;
    }
    log_debug("%s", publish_err.message);
    return true;
}

/* Reads both sides whole: it may take a twentieth of the time at most, but for what an activation asks for. */
static bool measure(struct watch *watch, struct error *err)
{
    int64_t begun_ms = timestamp_monotonic_ms();
    int64_t took_ms;

    if (!pass_measure(&watch->reconciler, err)) {
        return false;
    }
    took_ms = timestamp_monotonic_ms() - begun_ms;
    watch->measured_ms = begun_ms;
    watch->measure_pause_ms = took_ms * 20 > MEASURE_PAUSE_MS ? took_ms * 20 : MEASURE_PAUSE_MS;
    return true;
}

/* Once an hour; what cannot be removed now is unreadable all the same, and waits for the next time. */
static bool sweep(struct watch *watch, int64_t now_ms, struct error *err)
{
    struct error sweep_err = ERROR_INIT;

    if (watch->swept_ms != 0 && now_ms - watch->swept_ms < SWEEP_PAUSE_MS) {
        return true;
    }
    watch->swept_ms = now_ms;
    if (consent_sweep(&watch->reconciler, &sweep_err)) {
        return true;
    }
    if (sweep_err.code == ERROR_UNREACHABLE) {
        *err = sweep_err;
        return false;
    }
    log_warning("%s", sweep_err.message);
    return true;
}

static bool pass(struct watch *watch, int64_t now_ms, struct error *err)
{
    struct pass_counts counts;
    bool due = watch->measured_ms == 0 || now_ms - watch->measured_ms >= watch->measure_pause_ms;

    if (!pass_run(&watch->reconciler, &counts, err) || !publish(watch, &counts, now_ms, err)) {
        return false;
    }
    watch->passed_ms = now_ms;
    pass_log(&counts);
    if (!counts.stopped && (due || counts.new_run) && !measure(watch, err)) {
        return false;
    }
    return counts.stopped || sweep(watch, now_ms, err);
}

/* One turn: a pass where there is cause for one, then wait for the store to say something. */
static bool turn(struct watch *watch, bool *notified, struct error *err)
{
    int64_t now_ms = timestamp_monotonic_ms();
    int64_t seen = 0;

    if (!probe(watch, &seen, err)) {
        return false;
    }
    if (*notified || seen != watch->probe || watch->passed_ms == 0 || now_ms - watch->passed_ms >= PASS_PAUSE_MAX_MS) {
        if (!pass(watch, now_ms, err)) {
            return false;
        }
        watch->probe = seen;
    }
    if (now_ms - watch->freshness_ms >= FRESHNESS_PAUSE_MS) {
        watch->freshness_ms = now_ms;
        if (!freshness_check(&watch->reconciler, err)) {
            return false;
        }
    }
    return pg_wait(watch->reconciler.write, watch->interval_ms, notified, err);
}

static bool run_watch(const struct command_line *line, struct error *err)
{
    struct watch watch = {.backoff_ms = BACKOFF_MIN_MS};
    bool notified = false;
    bool begun = false;
    bool ok = true;

    if (!command_config(line, &watch.config, err)) {
        return false;
    }
    command_catch_signals();
    watch.interval_ms = config_duration_ms(watch.config, "reconcile.interval");
    while (ok && !command_stopping()) {
        struct error turn_err = ERROR_INIT;

        if (!watch.connected && connect_store(&watch, &turn_err)) {
            if (!begun) {
                log_info("watching");
            }
            begun = true;
        }
        if (!watch.connected || !turn(&watch, &notified, &turn_err)) {
            /* A second reconciler, or a wrong setting, at the start is the caller's business. */
            ok = (begun || turn_err.code == ERROR_UNREACHABLE) && recover(&watch, &turn_err);
            if (!ok) {
                *err = turn_err;
            }
        }
    }
    reconciler_close(&watch.reconciler);
    return ok;
}

const struct command command_watch = {
    .name = "watch",
    .arguments = "",
    .summary = "passes whenever there is something new, until a signal",
    .help = "Listens to the store and begins a pass within 200 ms of new records, runs, grants and withdrawals; keeps "
            "Redis up to\n"
            "date, measures divergence every minute and raises alerts. It survives the loss of the store or of Redis "
            "and goes on\n"
            "when they are back. SIGTERM ends it with exit status 0. Exit status 1: another reconciler is at work.",
    .run = run_watch,
};
