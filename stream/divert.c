/* Messages that cannot be used: kept with reason and position, written with the step that passes them. */
#include "stream/stream.h"

#include "common/base/log.h"

bool divert_item(struct stream *stream, const struct kafka_item *item, enum quarantine_reason reason,
                 const struct error *why, struct error *err)
{
    struct quarantine_row row = {
        .topic_no = item->topic_no,
        .lane = item->partition,
        .log_offset = item->offset,
        .reason = quarantine_reason_name(reason),
    };
    size_t size = item->value.size < QUARANTINE_MESSAGE_SIZE_MAX ? item->value.size : QUARANTINE_MESSAGE_SIZE_MAX;

    if (!memory_grow(&stream->diverted, &stream->diverted_capacity, stream->diverted_count, stream->item_max,
                     sizeof *stream->diverted, "quarantined messages", err)) {
        return false;
    }
    if (!arena_copy(&stream->diverted_texts, slice_from(why->message), &row.detail) ||
        !arena_copy(&stream->diverted_texts, slice_of(item->value.data, size), &row.message)) {
        return error_no_memory(err, "keeping a quarantined message");
    }
    stream->diverted[stream->diverted_count++] = row;
    stream->diverted_total++;
    return true;
}

bool divert_write(struct stream *stream, struct error *err)
{
    int64_t inserted = 0;

    if (stream->diverted_count == 0) {
        return true;
    }
    if (!store_quarantine_insert(stream->pg, "stream", stream->diverted, stream->diverted_count, &inserted, err)) {
        return false;
    }
    log_warning("quarantined %zu messages, the first for \"%s\"", stream->diverted_count, stream->diverted[0].reason);
    return true;
}
