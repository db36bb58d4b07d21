#include "stream/stream.h"

bool expire_timers(struct stream *stream, struct error *err)
{
    int64_t now_ms = stream->clock_event ? TIMESTAMP_ALWAYS : timestamp_now();

    for (size_t i = 0; i < stream->lane_count; i++) {
        struct stream_lane *lane = &stream->lanes[i];
        struct lane_sink sink = publish_sink(stream, lane);

        if (!stream->clock_event) {
            watermark_wall(&lane->watermark, now_ms);
        }
        if (!lane_advance(lane->lane, lane->watermark.value_ms, &sink, err)) {
            return error_context(err, "lane %d", (int)lane->lane_no);
        }
    }
    return true;
}

bool expire_until(struct stream *stream, struct error *err)
{
    for (size_t i = 0; i < stream->lane_count; i++) {
        struct stream_lane *lane = &stream->lanes[i];
        struct lane_sink sink = publish_sink(stream, lane);

        watermark_move(&lane->watermark, stream->until_ms);
        if (!lane_end(lane->lane, lane->watermark.value_ms, &sink, err)) {
            return error_context(err, "lane %d", (int)lane->lane_no);
        }
    }
    return true;
}
