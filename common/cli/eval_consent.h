/* `muster eval --consent`: what the store would let be read. A membership of a segment that is subject to consent
 * exists only while its purpose is granted; grants, withdrawals and deletes count by their timestamps. */
#ifndef MUSTER_CLI_EVAL_CONSENT_H
#define MUSTER_CLI_EVAL_CONSENT_H

#include "common/base/config.h"
#include "common/domain/event.h"
#include "common/domain/rule.h"
#include "common/domain/user_state.h"

struct consent_change {
    int64_t time_ms;
    struct slice purpose; /* of a delete: empty, all purposes */
    bool granted;
};

struct consent_history {
    struct consent_change *changes;
    size_t count;
    size_t capacity;
};

void consent_history_clear(struct consent_history *history);
/* Takes a consent or delete event; others change nothing. Purposes are copied into the arena. */
bool consent_history_fold(struct consent_history *history, const struct event *event, struct arena *arena,
                          struct error *err) MUST_CHECK;

/* Whether reading the segment's members depends on the purpose, and how it is where nothing was said. */
bool consent_concerns(const struct definition *definition);
bool consent_default(const struct definition *definition, const struct config *config);

/* The part of [*begin, end) that is allowed and begins first: narrows the interval and returns true, or false where
 * there is none. `at` bounds the changes looked at. */
bool consent_narrow(const struct consent_history *history, const struct definition *definition, bool allowed_default,
                    int64_t at, struct interval *interval);

#endif
