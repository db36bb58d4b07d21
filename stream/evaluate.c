/* Judges messages in their order. A consent message changes what may be written for its user, but only the store knows
 * the number of the new grant: the user is held, and the step is cut before the user's next event, which so is judged
 * after the consent has been committed. */
#include "stream/stream.h"

struct purposes_of {
    struct stream *stream;
    struct stream_numbered user;
    const struct event *event;
    const struct kafka_item *item;
    struct error *err;
};

static bool add_change(struct purposes_of *of, struct slice purpose, bool granted, bool is_delete)
{
    struct stream *stream = of->stream;
    size_t capacity = stream->change_capacity;
    struct consent_change change = {
        .user_no = lane_user_no(of->user.user),
        .is_delete = is_delete,
        .granted = granted,
        .changed_at_ms = of->event->time_ms,
        .received_at_ms = of->item->time_ms < 0 ? TIMESTAMP_ALWAYS : of->item->time_ms,
        .origin = {.from_log = true,
                   .topic_no = of->item->topic_no,
                   .lane = of->item->partition,
                   .position = of->item->offset},
    };

    if (!arena_copy(&stream->diverted_texts, purpose, &change.purpose)) {
        return error_no_memory(of->err, "keeping a consent message");
    }
    /* Two arrays of the same capacity. */
    if (!memory_grow(&stream->changes, &capacity, stream->change_count, SIZE_MAX / sizeof change, sizeof change,
                     "consent messages", of->err) ||
        !memory_grow(&stream->changed_users, &stream->change_capacity, stream->change_count,
                     SIZE_MAX / sizeof *stream->changed_users, sizeof *stream->changed_users, "consent messages",
                     of->err)) {
        return false;
    }
    stream->changes[stream->change_count] = change;
    stream->changed_users[stream->change_count++] = of->user;
    return true;
}

static bool visit_purpose(void *context, struct slice purpose, bool granted)
{
    return add_change(context, purpose, granted, false);
}

static bool take_consent(struct stream *stream, struct stream_lane *lane, struct lane_user *user,
                         const struct event *event, const struct kafka_item *item, struct error *err)
{
    struct purposes_of of = {
        .stream = stream,
        .user = {.lane = lane, .user = user},
        .event = event,
        .item = item,
        .err = err,
    };
    struct lane_sink sink = publish_sink(stream, lane);

    if (!lane_hold(lane->lane, user, lane->watermark.value_ms, &sink, err)) {
        return false;
    }
    if (event->kind == EVENT_DELETE) {
        return add_change(&of, slice_of("", 0), false, true);
    }
    if (event_purposes(event, &stream->arena, visit_purpose, &of)) {
        return true;
    }
    return err->code == ERROR_NONE ? error_no_memory(err, "reading a consent message") : false;
}

/* One message that could be decoded; its key is its user. *waits: it must be judged after the step's commit. */
static bool take_event(struct stream *stream, struct stream_lane *lane, struct lane_user *user,
                       const struct event *event, const struct kafka_item *item, bool *waits, struct error *err)
{
    struct lane_sink sink = publish_sink(stream, lane);
    bool is_consent = event->kind == EVENT_CONSENT || event->kind == EVENT_DELETE;

    if (user == NULL || lane_user_no(user) == 0) {
        return error_set(err, ERROR_INTERNAL, "a user was not interned before its message");
    }
    if (lane_held(user) && !is_consent) {
        *waits = true;
        return true;
    }
    if (is_consent) {
        if (!take_consent(stream, lane, user, event, item, err)) {
            return false;
        }
    } else if (event->time_ms <= stream->until_ms) {
        uint64_t late = lane_late_count(lane->lane);

        if (!lane_event(lane->lane, user, event, item->topic_no, item->offset, lane->watermark.value_ms, &sink, err) ||
            (lane_late_count(lane->lane) != late && !late_send(stream, item, event->user, err))) {
            return false;
        }
    }
    watermark_event(&lane->watermark, (size_t)item->topic_no, event->time_ms);
    return true;
}

static bool take_message(struct stream *stream, struct stream_lane *lane, const struct kafka_item *item, bool *waits,
                         struct error *err)
{
    enum quarantine_reason reason = QUARANTINE_NONE;
    struct error why = ERROR_INIT;
    struct event event;

    if (!decode_item(stream, item, &event, &reason, &why, err)) {
        return false;
    }
    if (reason != QUARANTINE_NONE) {
        return divert_item(stream, item, reason, &why, err);
    }
    return take_event(stream, lane, stream->item_users[stream->item_next], &event, item, waits, err);
}

static void prefetch_item(const struct stream *stream, size_t index, enum lane_nearness nearness)
{
    if (index < stream->item_count && stream->item_users[index] != NULL) {
        lane_prefetch(stream->lane_of[stream->items[index].partition]->lane, stream->item_users[index], nearness);
    }
}

/* The memory of the users of the items to come is on its way while others are judged. */
static void prefetch_ahead(const struct stream *stream)
{
    prefetch_item(stream, stream->item_next + 9, LANE_FAR);
    prefetch_item(stream, stream->item_next + 6, LANE_NEAR);
    prefetch_item(stream, stream->item_next + 3, LANE_NEXT);
}

bool evaluate_items(struct stream *stream, struct error *err)
{
    bool waits = false;

    for (; stream->item_next < stream->item_count; stream->item_next++) {
        const struct kafka_item *item = &stream->items[stream->item_next];
        struct stream_lane *lane = stream->lane_of[item->partition];
        int64_t *offset_next = &lane->offset_next[item->topic_no];

        prefetch_ahead(stream);
        if (item->kind == KAFKA_END) {
            /* The end may lie behind the last message: transaction markers and compacted messages have offsets, too. */
            if (item->offset > *offset_next) {
                *offset_next = item->offset;
                stream->moved = true;
            }
            watermark_idle(&lane->watermark, (size_t)item->topic_no);
            continue;
        }
        if (item->offset < *offset_next) {
            continue;
        }
        if (!take_message(stream, lane, item, &waits, err)) {
            return error_context(err, "%s/%d@%lld", stream->topics[item->topic_no], (int)item->partition,
                                 (long long)item->offset);
        }
        if (waits) {
            return true;
        }
        *offset_next = item->offset + 1;
        stream->moved = true;
        stream->messages_total++;
    }
    return true;
}
