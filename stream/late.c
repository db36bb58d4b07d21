/* Events for state that is gone: their users are uncertain, and whoever cares finds them in the late topic. They are
 * delivered before the step that passes them is committed: at least once, for after a kill the step comes again. */
#include "stream/stream.h"

#include "common/base/log.h"

#include <inttypes.h>
#include <stdio.h>

enum { DELIVERY_TIMEOUT_MS = 30000, NUMBER_SIZE = 24 };

static bool open_producer(struct stream *stream, struct error *err)
{
    const char *topic = config_text(stream->config, "topics.late");

    return kafka_topics_ensure(stream->config, &topic, 1, stream->partition_count, err) &&
           kafka_producer_open(stream->config, &stream->late_producer, err);
}

static struct slice number_text(int64_t number, char text[NUMBER_SIZE])
{
    int size = snprintf(text, NUMBER_SIZE, "%" PRId64, number);

    return slice_of(text, size > 0 ? (size_t)size : 0);
}

bool late_send(struct stream *stream, const struct kafka_item *item, struct slice user, struct error *err)
{
    char partition[NUMBER_SIZE];
    char offset[NUMBER_SIZE];
    const struct kafka_header headers[] = {
        {"reason", SLICE_LITERAL("late beyond state")},
        {"topic", slice_from(stream->topics[item->topic_no])},
        {"partition", number_text(item->partition, partition)},
        {"offset", number_text(item->offset, offset)},
    };

    if (stream->late_producer == NULL && !open_producer(stream, err)) {
        return error_context(err, "opening the topic of late events");
    }
    stream->late_count++;
    stream->late_total++;
    return kafka_producer_send_with(stream->late_producer, config_text(stream->config, "topics.late"), user,
                                    item->value, item->time_ms > 0 ? item->time_ms : 0, headers,
                                    sizeof headers / sizeof headers[0], err);
}

bool late_flush(struct stream *stream, struct error *err)
{
    if (stream->late_count == 0) {
        return true;
    }
    if (!kafka_producer_flush(stream->late_producer, DELIVERY_TIMEOUT_MS, err)) {
        return error_context(err, "writing late events");
    }
    log_warning("%zu events came too late to be applied: their users are left to the batch", stream->late_count);
    stream->late_count = 0;
    return true;
}
