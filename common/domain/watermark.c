#include "common/domain/watermark.h"

void watermark_init(struct watermark *watermark, size_t topic_count, int64_t bound_ms, int64_t value_ms)
{
    *watermark = (struct watermark){
        .topic_count = topic_count,
        .bound_ms = bound_ms,
        .ceiling_ms = TIMESTAMP_NEVER,
        .value_ms = value_ms,
    };
    for (size_t i = 0; i < WATERMARK_TOPICS_MAX; i++) {
        watermark->topics[i].time_max_ms = TIMESTAMP_ALWAYS;
    }
}

static int64_t minus_bound(const struct watermark *watermark, int64_t time_ms)
{
    /* Event times lie far from the ends of int64_t, so only the two special values need care. */
    return time_ms == TIMESTAMP_ALWAYS ? TIMESTAMP_ALWAYS : time_ms - watermark->bound_ms;
}

/* The smallest of the topics; idle ones count as `idle_ms` (TIMESTAMP_NEVER: left out). */
static void recompute(struct watermark *watermark, int64_t idle_ms)
{
    int64_t smallest = TIMESTAMP_NEVER;

    for (size_t i = 0; i < watermark->topic_count; i++) {
        int64_t reached = minus_bound(watermark, watermark->topics[i].time_max_ms);
        if (watermark->topics[i].idle) {
            reached = reached > idle_ms ? reached : idle_ms;
        }
        smallest = reached < smallest ? reached : smallest;
    }
    if (smallest != TIMESTAMP_NEVER) {
        watermark_move(watermark, smallest);
    }
}

void watermark_restore(struct watermark *watermark, size_t topic, int64_t time_max_ms)
{
    if (time_max_ms > watermark->topics[topic].time_max_ms) {
        watermark->topics[topic].time_max_ms = time_max_ms;
    }
}

void watermark_event(struct watermark *watermark, size_t topic, int64_t time_ms)
{
    if (time_ms <= watermark->topics[topic].time_max_ms && !watermark->topics[topic].idle) {
        return;
    }
    watermark_restore(watermark, topic, time_ms);
    watermark->topics[topic].idle = false;
    recompute(watermark, TIMESTAMP_NEVER);
}

void watermark_idle(struct watermark *watermark, size_t topic)
{
    watermark->topics[topic].idle = true;
    recompute(watermark, TIMESTAMP_NEVER);
}

void watermark_wall(struct watermark *watermark, int64_t now_ms)
{
    recompute(watermark, minus_bound(watermark, now_ms));
}

void watermark_move(struct watermark *watermark, int64_t value_ms)
{
    if (value_ms > watermark->ceiling_ms) {
        value_ms = watermark->ceiling_ms;
    }
    if (value_ms > watermark->value_ms) {
        watermark->value_ms = value_ms;
    }
}
