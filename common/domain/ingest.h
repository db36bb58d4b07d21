/* What a message from the log must satisfy beyond being well formed; one rule for both pipelines, because a message
 * that one of them took and the other refused would be a difference between them that nobody could explain. */
#ifndef MUSTER_DOMAIN_INGEST_H
#define MUSTER_DOMAIN_INGEST_H

#include "common/domain/event.h"

#include <stdint.h>

/* How the message came. */
struct ingest_origin {
    bool has_key;
    struct slice key;
    int64_t timestamp_ms;   /* Kafka's own, TIMESTAMP_ALWAYS where it has none (then the future is not judged) */
    int64_t future_skew_ms; /* time.future_skew */
    int32_t lane;           /* the partition it was in */
    int32_t lane_of_user;   /* the partition that the configured partitioner gives for event->user */
};

/* QUARANTINE_NONE, or QUARANTINE_KEY (null or foreign key, or not the user's partition) or QUARANTINE_FUTURE (event
 * time ahead of the Kafka timestamp by more than the skew), with the reason in words in `why`. */
enum quarantine_reason ingest_check(const struct event *event, const struct ingest_origin *origin, struct error *why);

#endif
