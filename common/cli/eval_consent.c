#include "common/cli/eval_consent.h"

#include "common/base/memory.h"

#include <stdint.h>

enum { CHANGE_COUNT_MAX = 1 << 24 };

struct collector {
    struct consent_history *history;
    const struct event *event;
    struct arena *arena;
    struct error *err;
    bool failed;
};

void consent_history_clear(struct consent_history *history)
{
    memory_free(history->changes);
    *history = (struct consent_history){0};
}

static bool add_change(struct consent_history *history, const struct consent_change *change, struct error *err)
{
    if (!memory_grow(&history->changes, &history->capacity, history->count, CHANGE_COUNT_MAX, sizeof *history->changes,
                     "consent changes", err)) {
        return false;
    }
    history->changes[history->count++] = *change;
    return true;
}

static bool add_purpose(void *context, struct slice purpose, bool granted)
{
    struct collector *collector = context;
    struct consent_change change = {.time_ms = collector->event->time_ms, .granted = granted};

    if (!arena_copy(collector->arena, purpose, &change.purpose)) {
        collector->failed = true;
        return error_no_memory(collector->err, "consent");
    }
    collector->failed = !add_change(collector->history, &change, collector->err);
    return !collector->failed;
}

bool consent_history_fold(struct consent_history *history, const struct event *event, struct arena *arena,
                          struct error *err)
{
    struct collector collector = {.history = history, .event = event, .arena = arena, .err = err};

    if (event->kind == EVENT_DELETE) {
        return add_change(history, &(struct consent_change){.time_ms = event->time_ms}, err);
    }
    if (event->kind != EVENT_CONSENT) {
        return true;
    }
    if (!event_purposes(event, arena, add_purpose, &collector) && !collector.failed) {
        return error_no_memory(err, "consent");
    }
    return !collector.failed;
}

bool consent_concerns(const struct definition *definition)
{
    return definition->basis == BASIS_CONSENT || definition->basis == BASIS_LEGITIMATE_INTEREST;
}

static bool find_purpose(void *context, const char *key, const char *value, struct error *err)
{
    struct consent_change *wanted = context;

    (void)err;
    if (slice_equal_text(wanted->purpose, key)) {
        wanted->granted = strcmp(value, "opt_out") == 0;
    }
    return true;
}

bool consent_default(const struct definition *definition, const struct config *config)
{
    struct consent_change wanted = {.purpose = definition->purpose};
    struct error ignored = ERROR_INIT;

    if (definition->basis == BASIS_LEGITIMATE_INTEREST) {
        return true; /* until the user objects */
    }
    return config != NULL && config_each(config, "consent", find_purpose, &wanted, &ignored) && wanted.granted;
}

/* State after all changes of one instant: a tie between grant and withdrawal is a withdrawal. */
static bool allowed_at(const struct consent_history *history, struct slice purpose, bool allowed_default, int64_t at,
                       int64_t *since)
{
    bool allowed = allowed_default;
    int64_t latest = INT64_MIN;

    for (size_t i = 0; i < history->count; i++) {
        const struct consent_change *change = &history->changes[i];

        if (change->time_ms > at || change->time_ms < latest ||
            (change->purpose.size > 0 && !slice_equal(change->purpose, purpose))) {
            continue;
        }
        allowed = change->time_ms == latest ? allowed && change->granted : change->granted;
        latest = change->time_ms;
    }
    *since = latest;
    return allowed;
}

/* The first change of this purpose after `after`, or TIMESTAMP_NEVER. */
static int64_t next_change(const struct consent_history *history, struct slice purpose, int64_t after, int64_t at)
{
    int64_t next = TIMESTAMP_NEVER;

    for (size_t i = 0; i < history->count; i++) {
        const struct consent_change *change = &history->changes[i];

        if (change->time_ms > after && change->time_ms < next && change->time_ms <= at &&
            (change->purpose.size == 0 || slice_equal(change->purpose, purpose))) {
            next = change->time_ms;
        }
    }
    return next;
}

bool consent_narrow(const struct consent_history *history, const struct definition *definition, bool allowed_default,
                    int64_t at, struct interval *interval)
{
    int64_t begin = interval->entered_at;
    int64_t since;

    while (!allowed_at(history, definition->purpose, allowed_default, begin, &since)) {
        begin = next_change(history, definition->purpose, begin, at);
        if (begin >= interval->left_at) {
            return false;
        }
    }
    interval->entered_at = begin;
    for (int64_t next = begin; next < interval->left_at;) {
        next = next_change(history, definition->purpose, next, at);
        if (next < interval->left_at && !allowed_at(history, definition->purpose, allowed_default, next, &since)) {
            interval->left_at = next;
        }
    }
    return true;
}
