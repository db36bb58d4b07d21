#include "stream/stream.h"

#include "common/domain/ingest.h"

bool decode_item(struct stream *stream, const struct kafka_item *item, struct event *event,
                 enum quarantine_reason *reason, struct error *why, struct error *err)
{
    struct ingest_origin origin;

    arena_reset(&stream->arena);
    *why = (struct error)ERROR_INIT;
    if (!event_decode_projected(item->value, ruleset_projection(stream->ruleset), &stream->document, &stream->arena,
                                event, reason, why)) {
        *err = *why;
        return false;
    }
    if (*reason != QUARANTINE_NONE) {
        return true;
    }
    origin = (struct ingest_origin){
        .has_key = item->key.data != NULL,
        .key = item->key,
        .timestamp_ms = item->time_ms < 0 ? TIMESTAMP_ALWAYS : item->time_ms,
        .future_skew_ms = stream->future_skew_ms,
        .lane = item->partition,
        .lane_of_user = kafka_partition(event->user, stream->partition_count),
    };
    *reason = ingest_check(event, &origin, why);
    return true;
}
