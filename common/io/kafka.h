/* Kafka through librdkafka: topics, a producer, and a reader of partitions that the caller names.
 *
 * The log's own offsets never decide anything here: the caller says where to begin, nothing is committed to a group,
 * and an offset that the log no longer holds is an error (a gap), never a jump. The section [kafka] of the
 * configuration passes to librdkafka; values never reach a message. Errors: ERROR_USAGE for settings, ERROR_UNREACHABLE
 * when no broker answers within KAFKA_TIMEOUT_MS, ERROR_INPUT for a gap, ERROR_INTERNAL otherwise. */
#ifndef MUSTER_IO_KAFKA_H
#define MUSTER_IO_KAFKA_H

#include "common/base/config.h"
#include "common/base/error.h"
#include "common/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KAFKA_TIMEOUT_MS = 10000, KAFKA_TOPIC_COUNT = 3, KAFKA_READ_SIZE_MAX = 8 << 20 };

/* Partition, and so the lane, of a user id: murmur2 as Java's default partitioner has it. `count` > 0. */
int32_t kafka_partition(struct slice key, int32_t count);

/* Names of the input topics in their order (topic_no 0 = events, 1 = profiles, 2 = consent), borrowed from `config`. */
void kafka_topics(const struct config *config, const char *names[KAFKA_TOPIC_COUNT]);

/* Creates what is missing of these topics with `partitions` partitions each, and waits until they can be used. A topic
 * with another count is ERROR_USAGE. */
bool kafka_topics_ensure(const struct config *config, const char *const *names, size_t name_count, int32_t partitions,
                         struct error *err) MUST_CHECK;

/* ---- producer ---- */

/* Idempotent, acks from all replicas, murmur2_random. Not thread-safe. */
struct kafka_producer;
bool kafka_producer_open(const struct config *config, struct kafka_producer **out, struct error *err) MUST_CHECK;
/* Puts one message in line; waits while the line is full. `key.data` NULL: no key. `time_ms` 0: now. Bytes are copied.
 * False also when an earlier message could not be delivered. */
bool kafka_producer_send(struct kafka_producer *producer, const char *topic, struct slice key, struct slice value,
                         int64_t time_ms, struct error *err) MUST_CHECK;
/* The same with headers. */
struct kafka_header {
    const char *name;
    struct slice value;
};
bool kafka_producer_send_with(struct kafka_producer *producer, const char *topic, struct slice key, struct slice value,
                              int64_t time_ms, const struct kafka_header *headers, size_t header_count,
                              struct error *err) MUST_CHECK;
/* Waits until everything sent is delivered, `timeout_ms` without any progress at most; false where something was not.
 */
bool kafka_producer_flush(struct kafka_producer *producer, int64_t timeout_ms, struct error *err) MUST_CHECK;
/* Messages whose delivery every replica confirmed. */
uint64_t kafka_producer_delivered(const struct kafka_producer *producer);
/* What is not delivered yet is dropped. NULL is fine. */
void kafka_producer_close(struct kafka_producer *producer);

/* ---- reader ---- */

struct kafka_position {
    int16_t topic_no; /* index into the names given to kafka_reader_open */
    int32_t partition;
    int64_t offset_next; /* the first offset to read */
};

enum kafka_item_kind {
    KAFKA_ITEM_NONE = 0,
    KAFKA_MESSAGE,
    KAFKA_END, /* the partition is read to its end as of now; `offset` is the one that comes next */
};

struct kafka_item {
    enum kafka_item_kind kind;
    int16_t topic_no;
    int32_t partition;
    int64_t offset;
    int64_t time_ms;    /* the message's own timestamp, or -1 where it has none */
    struct slice key;   /* data NULL: no key */
    struct slice value; /* data NULL: none (a tombstone) */
    void *handle;       /* owned by the reader */
};

/* A reader of these topics (names borrowed for its lifetime). `program` names the client. */
struct kafka_reader;
bool kafka_reader_open(const struct config *config, const char *program, const char *const *names, size_t name_count,
                       struct kafka_reader **out, struct error *err) MUST_CHECK;
void kafka_reader_close(struct kafka_reader *reader);
/* First offset the log still holds, and the offset behind the last. */
bool kafka_reader_offsets(struct kafka_reader *reader, int16_t topic_no, int32_t partition, int64_t *out_low,
                          int64_t *out_high, struct error *err) MUST_CHECK;
/* Reads exactly these partitions from these offsets on; replaces what was assigned (count 0: nothing is
 * read). ERROR_INPUT where the log no longer
 * (or not yet) holds an offset: a gap [a, b). */
bool kafka_reader_assign(struct kafka_reader *reader, const struct kafka_position *positions, size_t count,
                         struct error *err) MUST_CHECK;
/* Waits up to timeout_ms for the first item, then takes what is there, up to `max` items, and no more once these hold
 * KAFKA_READ_SIZE_MAX bytes. *out_count may be 0. The items are
 * valid until they are given back by kafka_reader_release. Order within a partition is the log's. */
bool kafka_reader_read(struct kafka_reader *reader, int64_t timeout_ms, struct kafka_item *items, size_t max,
                       size_t *out_count, struct error *err) MUST_CHECK;
void kafka_reader_release(struct kafka_item *items, size_t count);

#endif
