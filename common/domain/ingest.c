#include "common/domain/ingest.h"

#include "common/base/timestamp.h"

#include <inttypes.h>

enum quarantine_reason ingest_check(const struct event *event, const struct ingest_origin *origin, struct error *why)
{
    int64_t limit_ms;

    if (!origin->has_key) {
        (void)error_set(why, ERROR_INPUT, "the message has no key; its key must be the user id");
        return QUARANTINE_KEY;
    }
    if (!slice_equal(origin->key, event->user)) {
        (void)error_set(why, ERROR_INPUT, "the message's key is not its user id");
        return QUARANTINE_KEY;
    }
    if (origin->lane != origin->lane_of_user) {
        (void)error_set(why, ERROR_INPUT,
                        "in partition %" PRId32 ", but its user belongs to %" PRId32
                        "; the producer must use partitioner murmur2_random",
                        origin->lane, origin->lane_of_user);
        return QUARANTINE_KEY;
    }
    if (origin->timestamp_ms == TIMESTAMP_ALWAYS) {
        return QUARANTINE_NONE;
    }
    if (__builtin_add_overflow(origin->timestamp_ms, origin->future_skew_ms, &limit_ms)) {
        limit_ms = INT64_MAX;
    }
    if (event->time_ms > limit_ms) {
        (void)error_set(why, ERROR_INPUT,
                        "the event time is more than %" PRId64 " ms ahead of the message's own timestamp",
                        origin->future_skew_ms);
        return QUARANTINE_FUTURE;
    }
    return QUARANTINE_NONE;
}
