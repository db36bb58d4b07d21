#include "stream/stream.h"

#include "common/base/timestamp.h"

/* A step holds its messages until it has committed: so many bytes, or one read more, wherever many of them are big. */
enum { STEP_SIZE_MAX = 32 << 20 };

static size_t items_size(const struct kafka_item *items, size_t count)
{
    size_t size = 0;

    for (size_t i = 0; i < count; i++) {
        size += items[i].key.size + items[i].value.size;
    }
    return size;
}

bool consume_items(struct stream *stream, struct error *err)
{
    int64_t begun_ms = timestamp_monotonic_ms();
    size_t size = 0;

    if (stream->item_next < stream->item_count) {
        return true;
    }
    kafka_reader_release(stream->items, stream->item_count);
    stream->item_count = 0;
    stream->item_next = 0;
    stream->items_known = false;
    for (;;) {
        int64_t left_ms = stream->step_ms - (timestamp_monotonic_ms() - begun_ms);
        size_t count = 0;

        if (left_ms < 0 || stream->item_count == stream->item_max || size >= STEP_SIZE_MAX) {
            return true;
        }
        if (!kafka_reader_read(stream->reader, left_ms, stream->items + stream->item_count,
                               stream->item_max - stream->item_count, &count, err)) {
            return false;
        }
        size += items_size(stream->items + stream->item_count, count);
        stream->item_count += count;
        if (count == 0) {
            return true;
        }
    }
}

bool consume_at_ends(const struct stream *stream)
{
    for (size_t i = 0; i < stream->lane_count; i++) {
        for (size_t topic = 0; topic < KAFKA_TOPIC_COUNT; topic++) {
            if (stream->lanes[i].offset_next[topic] < stream->lanes[i].offset_end[topic]) {
                return false;
            }
        }
    }
    return stream->item_next == stream->item_count;
}
