/* The end of a step: one transaction that advances progress by compare-and-set on (epoch, step). Written, durable and
 * judged positions are one here, because nothing is acknowledged anywhere before COMMIT; a crash before it leaves the
 * step before, a crash after it this one. */
#include "stream/stream.h"

#include "common/base/log.h"

#include "sql_text.h"

enum { HEARTBEAT_MS = 1000, ARRAY_SIZE_MAX = 1 << 20 };

static void array_begin(struct buffer *array)
{
    buffer_init(array, ARRAY_SIZE_MAX);
    buffer_append_char(array, '{');
}

static void array_append(struct buffer *array, int64_t number, int64_t null_number)
{
    if (array->size > 1) {
        buffer_append_char(array, ',');
    }
    if (number == null_number) {
        buffer_append_text(array, "NULL");
    } else {
        buffer_append_integer(array, number);
    }
}

enum { NO_NULL = -1 }; /* no lane, epoch, step or offset is negative */

static bool arrays_end(struct buffer *arrays, size_t count, struct pg_value *values, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        buffer_append_char(&arrays[i], '}');
        if (!buffer_finish(&arrays[i], "an array", err)) {
            return false;
        }
        values[i] = pg_text(buffer_slice(&arrays[i]));
    }
    return true;
}

static void arrays_clear(struct buffer *arrays, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buffer_clear(&arrays[i]);
    }
}

/* Compare-and-set, offsets and notification in one round trip. */
static bool advance_lanes(struct stream *stream, struct error *err)
{
    enum { LANES, EPOCHS, STEPS, WATERMARKS, MOVED_LANES, MOVED_TOPICS, OFFSETS, TIMES, ARRAYS };
    struct buffer arrays[ARRAYS];
    struct pg_value values[ARRAYS + 2];
    PGresult *result = NULL;
    bool done = false;

    for (size_t i = 0; i < ARRAYS; i++) {
        array_begin(&arrays[i]);
    }
    for (size_t i = 0; i < stream->lane_count; i++) {
        const struct stream_lane *lane = &stream->lanes[i];
        array_append(&arrays[LANES], lane->lane_no, NO_NULL);
        array_append(&arrays[EPOCHS], lane->epoch, NO_NULL);
        array_append(&arrays[STEPS], lane->step, NO_NULL);
        array_append(&arrays[WATERMARKS], lane->watermark.value_ms, TIMESTAMP_ALWAYS);
        for (size_t topic = 0; stream->moved && topic < KAFKA_TOPIC_COUNT; topic++) {
            array_append(&arrays[MOVED_LANES], lane->lane_no, NO_NULL);
            array_append(&arrays[MOVED_TOPICS], (int64_t)topic, NO_NULL);
            array_append(&arrays[OFFSETS], lane->offset_next[topic], NO_NULL);
            array_append(&arrays[TIMES], lane->watermark.topics[topic].time_max_ms, TIMESTAMP_ALWAYS);
        }
    }
    if (!arrays_end(arrays, ARRAYS, values, err)) {
        goto out;
    }
    pg_set_integer(&values[ARRAYS], stream->control_no);
    pg_set_boolean(&values[ARRAYS + 1], stream->record_count > 0);
    if (!pg_query(stream->pg, sql_stream_settle, values, ARRAYS + 2, &result, err)) {
        goto out;
    }
    if ((size_t)PQntuples(result) != stream->lane_count) {
        error_set(err, ERROR_FOUND, "another muster-stream has taken over lanes of this one: nothing was written");
        error_hint(err, "run one process for each lane, or give each its own with --lanes");
        goto out;
    }
    done = true;
out:
    PQclear(result);
    arrays_clear(arrays, ARRAYS);
    return done;
}

static bool write_loads(struct stream *stream, struct error *err)
{
    struct buffer arrays[2];
    struct pg_value values[2];
    bool done = false;

    array_begin(&arrays[0]);
    array_begin(&arrays[1]);
    for (size_t i = 0; i < stream->lane_count; i++) {
        array_append(&arrays[0], stream->lanes[i].lane_no, NO_NULL);
    }
    for (size_t i = 0; i < stream->load_count; i++) {
        array_append(&arrays[1], stream->load_numbers[i], NO_NULL);
    }
    done = arrays_end(arrays, 2, values, err) && pg_query(stream->pg, sql_stream_lane_loads, values, 2, NULL, err);
    arrays_clear(arrays, 2);
    return done;
}

static bool apply_consent(struct stream *stream, struct error *err)
{
    for (size_t begin = 0; begin < stream->change_count; begin += CONSENT_CHANGES_MAX) {
        size_t left = stream->change_count - begin;
        size_t count = left < CONSENT_CHANGES_MAX ? left : CONSENT_CHANGES_MAX;

        if (!store_consent_apply(stream->pg, stream->changes + begin, count, "stream", err)) {
            return error_context(err, "applying consent messages");
        }
    }
    for (size_t i = 0; i < stream->change_count; i++) {
        if (stream->changes[i].outcome == CONSENT_FUTURE) {
            log_warning("a consent message is dated too far ahead of its receipt and was refused");
        } else if (stream->changes[i].outcome == CONSENT_REFUSED) {
            log_warning("a consent message names a new purpose where there are too many, and was refused");
        }
    }
    return true;
}

/* What control lines announce comes last: they share a lock with all other writers until COMMIT. */
static bool write_step(struct stream *stream, struct error *err)
{
    if (!publish_begin(stream, err) || !publish_end(stream, err) || !advance_lanes(stream, err)) {
        return false;
    }
    if (stream->loads_to_write && !write_loads(stream, err)) {
        return false;
    }
    if ((stream->zones_to_write && !builds_write_zones(stream, err)) || !divert_write(stream, err)) {
        return false;
    }
    return apply_consent(stream, err) && builds_write_ready(stream, err) && late_flush(stream, err) &&
           pg_commit(stream->pg, err);
}

bool settle_step(struct stream *stream, bool heartbeat, struct error *err)
{
    int64_t now_ms = timestamp_monotonic_ms();
    bool anything = stream->moved || stream->in_transaction || stream->record_count > 0 || stream->diverted_count > 0 ||
                    stream->change_count > 0 || stream->loads_to_write;

    if (!anything && !heartbeat && now_ms - stream->committed_ms < HEARTBEAT_MS) {
        return true;
    }
    if (!write_step(stream, err)) {
        return false;
    }
    for (size_t i = 0; i < stream->lane_count; i++) {
        stream->lanes[i].step++;
        stream->lanes[i].seq_next = 0;
    }
    stream->in_transaction = false;
    stream->record_count = 0;
    stream->moved = false;
    stream->loads_to_write = false;
    stream->zones_to_write = false;
    stream->released_count = stream->change_count;
    stream->change_count = 0;
    stream->diverted_count = 0;
    arena_reset(&stream->diverted_texts);
    stream->committed_ms = now_ms;
    return true;
}
