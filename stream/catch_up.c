/* A lane's state from its history: rows of the archive, then the log up to the lane's progress. Nothing is written:
 * what followed from these events is in the journal already.
 *
 * How far back the history goes decides from which instant on a new build is complete: from the beginning of time where
 * nothing can be missing, else from the start of the history plus the definition's reach. */
#include "stream/stream.h"

#include "common/base/command.h"
#include "common/base/log.h"
#include "common/io/archive.h"

#include "sql_text.h"

/* ---- folding ---- */

static bool fold(struct stream *stream, struct stream_lane *lane, const struct event *event, int64_t user_no,
                 int16_t topic_no, int64_t offset, struct error *err)
{
    struct lane_user *user = NULL;

    if (event->time_ms > lane->time_max_ms) {
        lane->time_max_ms = event->time_ms;
    }
    if (topic_no >= 0) {
        watermark_restore(&lane->watermark, (size_t)topic_no, event->time_ms);
        if (lane->first_time_ms[topic_no] == TIMESTAMP_NEVER) {
            lane->first_time_ms[topic_no] = event->time_ms;
        }
    }
    if (event->kind == EVENT_CONSENT || event->kind == EVENT_DELETE || event->time_ms > stream->until_ms) {
        return true;
    }
    if (!lane_add(lane->lane, event->user, &user, err)) {
        return false;
    }
    if (lane_user_no(user) == 0 && user_no != 0) {
        if (!users_number(stream, lane, user, user_no, err)) {
            return false;
        }
        users_restore_grants(stream, user);
    }
    return lane_fold(lane->lane, user, event, topic_no, offset, err);
}

/* ---- the archive ---- */

struct archive_target {
    struct stream *stream;
    struct stream_lane *lane;
};

static bool fold_archived(void *context, const struct archive_message *message, struct error *err)
{
    const struct archive_target *target = context;
    struct stream *stream = target->stream;
    enum quarantine_reason reason = QUARANTINE_NONE;
    struct error why = ERROR_INIT;
    struct event event;

    arena_reset(&stream->arena);
    if (!event_decode_projected(message->text, ruleset_projection(stream->ruleset), &stream->document, &stream->arena,
                                &event, &reason, &why)) {
        *err = why;
        return false;
    }
    if (reason != QUARANTINE_NONE) {
        return error_set(err, ERROR_INTERNAL, "the archive of lane %d holds a message that is refused: %s",
                         (int)target->lane->lane_no, why.message);
    }
    stream->folded_total++;
    return fold(stream, target->lane, &event, message->user_no, message->source.topic_no, message->source.position,
                err);
}

static bool find_archive(struct stream *stream, struct stream_lane *lane, struct error *err)
{
    struct archive_progress *progress = NULL;
    size_t count = 0;

    for (size_t topic = 0; topic < KAFKA_TOPIC_COUNT; topic++) {
        lane->archive_begin[topic] = -1;
        lane->archive_next[topic] = -1;
    }
    if (!stream->history_archive) {
        return true;
    }
    if (!archive_progress_load(stream->pg, &progress, &count, err)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (progress[i].lane == lane->lane_no && progress[i].topic_no >= 0 &&
            progress[i].topic_no < KAFKA_TOPIC_COUNT) {
            lane->archive_begin[progress[i].topic_no] = progress[i].offset_begin;
            lane->archive_next[progress[i].topic_no] = progress[i].offset_next;
        }
    }
    memory_free(progress);
    return true;
}

static bool load_numbers(struct stream *stream, struct error *err)
{
    PGresult *result = NULL;
    int32_t *numbers;

    if (!pg_query(stream->pg, sql_stream_loads, NULL, 0, &result, err)) {
        return false;
    }
    stream->load_time_max_ms = TIMESTAMP_ALWAYS;
    numbers = memory_allocate_zeroed((size_t)PQntuples(result), sizeof *numbers);
    if (numbers == NULL) {
        PQclear(result);
        return error_no_memory(err, "reading loads");
    }
    for (int row = 0; row < PQntuples(result); row++) {
        int64_t time_max_ms = pg_integer_at(result, row, 1, TIMESTAMP_ALWAYS);
        numbers[row] = (int32_t)pg_integer_at(result, row, 0, 0);
        stream->load_time_max_ms = time_max_ms > stream->load_time_max_ms ? time_max_ms : stream->load_time_max_ms;
    }
    memory_free(stream->load_numbers); /* of the lane before */
    stream->load_numbers = numbers;
    stream->load_count = (size_t)PQntuples(result);
    PQclear(result);
    return true;
}

bool catch_up_archive(struct stream *stream, struct stream_lane *lane, struct error *err)
{
    struct archive_target target = {.stream = stream, .lane = lane};
    struct archive_range range = {.load_numbers = NULL};

    lane->time_max_ms = TIMESTAMP_ALWAYS;
    for (size_t topic = 0; topic < KAFKA_TOPIC_COUNT; topic++) {
        lane->first_time_ms[topic] = TIMESTAMP_NEVER;
    }
    if (!load_numbers(stream, err) || !find_archive(stream, lane, err)) {
        return false;
    }
    if (!stream->history_archive) {
        return true;
    }
    for (size_t topic = 0; topic < KAFKA_TOPIC_COUNT; topic++) {
        /* A fresh lane goes on where the archive ends. */
        if (lane->fresh && lane->archive_next[topic] >= 0) {
            lane->offset_next[topic] = lane->archive_next[topic];
        }
        range.offset_next[topic] = lane->offset_next[topic] < 0 ? 0 : lane->offset_next[topic];
    }
    range.load_numbers = stream->load_numbers;
    range.load_count = stream->load_count;
    return archive_read(stream->pg, lane->lane_no, &range, ARCHIVE_ORDER_LOG, fold_archived, &target, err);
}

/* ---- the log ---- */

/* What is read of one partition: [from, until). */
struct log_range {
    int64_t from;
    int64_t until;
    int64_t reached;
    bool peek; /* only the first message's event time is wanted */
};

/* Whether the log has lost what comes behind the archive. What the archive holds is folded, but it is not the history
 * that reaches up to now. */
static bool is_behind_gap(const struct stream_lane *lane, size_t topic)
{
    return lane->archive_next[topic] < lane->offset_low[topic];
}

int64_t catch_up_begin(const struct stream_lane *lane, size_t topic)
{
    return is_behind_gap(lane, topic) ? lane->offset_low[topic] : lane->archive_begin[topic];
}

/* Whether events of the topic from before what can be read are missing. */
static bool is_cut(const struct stream_lane *lane, size_t topic)
{
    return catch_up_begin(lane, topic) > 0;
}

static struct log_range find_range(const struct stream_lane *lane, size_t topic)
{
    int64_t from = is_behind_gap(lane, topic) ? lane->offset_low[topic] : lane->archive_next[topic];
    struct log_range range = {.from = from, .until = lane->offset_next[topic], .reached = from};

    if (from >= range.until && is_cut(lane, topic) && lane->first_time_ms[topic] == TIMESTAMP_NEVER &&
        lane->offset_low[topic] < lane->offset_end[topic]) {
        range = (struct log_range){.from = lane->offset_low[topic],
                                   .until = lane->offset_low[topic] + 1,
                                   .reached = lane->offset_low[topic],
                                   .peek = true};
    }
    return range;
}

static bool fold_item(struct stream *stream, const struct kafka_item *item, const struct log_range *range,
                      struct error *err)
{
    struct stream_lane *lane = stream->lane_of[item->partition];
    enum quarantine_reason reason = QUARANTINE_NONE;
    struct error why = ERROR_INIT;
    struct event event;

    if (!decode_item(stream, item, &event, &reason, &why, err)) {
        return false;
    }
    if (reason != QUARANTINE_NONE) {
        return true;
    }
    if (range->peek) {
        lane->first_time_ms[item->topic_no] = event.time_ms;
        return true;
    }
    stream->folded_total++;
    return fold(stream, lane, &event, 0, item->topic_no, item->offset, err);
}

/* Folds what was read, and counts the partitions that have come to their end. */
static bool fold_items(struct stream *stream, struct log_range *ranges, size_t *left, struct error *err)
{
    for (size_t i = 0; i < stream->item_count; i++) {
        const struct kafka_item *item = &stream->items[i];
        size_t lane_index = (size_t)(stream->lane_of[item->partition] - stream->lanes);
        struct log_range *range = &ranges[lane_index * KAFKA_TOPIC_COUNT + (size_t)item->topic_no];
        bool before = range->reached < range->until;

        if (item->kind == KAFKA_MESSAGE && item->offset >= range->reached && before &&
            (item->offset < range->until || range->peek) && !fold_item(stream, item, range, err)) {
            return error_context(err, "%s/%d@%lld", stream->topics[item->topic_no], (int)item->partition,
                                 (long long)item->offset);
        }
        range->reached = item->kind == KAFKA_MESSAGE ? item->offset + 1 : item->offset;
        *left -= before && range->reached >= range->until;
    }
    return true;
}

static bool read_ranges(struct stream *stream, struct log_range *ranges, size_t left, struct error *err)
{
    enum { WAIT_MS = 100 };

    while (left > 0 && !command_stopping()) {
        bool fine;

        if (!kafka_reader_read(stream->reader, WAIT_MS, stream->items, stream->item_max, &stream->item_count, err)) {
            return false;
        }
        fine = fold_items(stream, ranges, &left, err);
        kafka_reader_release(stream->items, stream->item_count);
        stream->item_count = 0;
        if (!fine) {
            return false;
        }
    }
    return true;
}

/* All lanes' ranges of one topic. */
static bool catch_up_topic(struct stream *stream, size_t topic, struct log_range *ranges,
                           struct kafka_position *positions, struct error *err)
{
    size_t left = 0;

    for (size_t i = 0; i < stream->lane_count; i++) {
        struct stream_lane *lane = &stream->lanes[i];
        struct log_range *range = &ranges[i * KAFKA_TOPIC_COUNT + topic];

        if (is_behind_gap(lane, topic)) {
            lane->first_time_ms[topic] = TIMESTAMP_NEVER;
        }
        *range = find_range(lane, topic);
        if (range->from < range->until) {
            positions[left++] = (struct kafka_position){.topic_no = (int16_t)topic,
                                                        .partition = lane->lane_no,
                                                        .offset_next = range->from};
        }
    }
    return left == 0 ||
           (kafka_reader_assign(stream->reader, positions, left, err) && read_ranges(stream, ranges, left, err));
}

bool catch_up_log(struct stream *stream, struct error *err)
{
    struct kafka_position *positions = memory_allocate_zeroed(stream->lane_count, sizeof *positions);
    struct log_range *ranges = memory_allocate_zeroed(stream->lane_count * KAFKA_TOPIC_COUNT, sizeof *ranges);
    bool done = false;

    if (positions == NULL || ranges == NULL) {
        error_no_memory(err, "catching up");
        goto out;
    }
    /* Topic by topic: of copies that differ the one from the topic that comes first counts. */
    for (size_t topic = 0; topic < KAFKA_TOPIC_COUNT && !command_stopping(); topic++) {
        if (!catch_up_topic(stream, topic, ranges, positions, err)) {
            error_context(err, "catching up");
            goto out;
        }
    }
    done = true;
out:
    memory_free(positions);
    memory_free(ranges);
    return done;
}

/* ---- completeness ---- */

int64_t catch_up_complete_from(const struct stream *stream, const struct stream_lane *lane, size_t segment)
{
    int64_t reach_ms = ruleset_reach_ms(stream->ruleset, segment);
    int64_t begin_ms = TIMESTAMP_ALWAYS;

    for (size_t topic = 0; topic < KAFKA_TOPIC_COUNT; topic++) {
        if (is_cut(lane, topic)) {
            /* Of a topic that was cut and is empty, what is missing may be as new as anything the lane has seen. */
            int64_t first_ms =
                lane->first_time_ms[topic] == TIMESTAMP_NEVER ? lane->time_max_ms : lane->first_time_ms[topic];
            begin_ms = first_ms > begin_ms ? first_ms : begin_ms;
            if (first_ms == TIMESTAMP_ALWAYS) {
                return TIMESTAMP_NEVER;
            }
        }
    }
    /* Files that a history of the log alone leaves out: what is missing is no newer than they are. */
    if (!stream->history_archive && stream->load_count > 0) {
        begin_ms = stream->load_time_max_ms > begin_ms ? stream->load_time_max_ms : begin_ms;
    }
    if (begin_ms == TIMESTAMP_ALWAYS) {
        return TIMESTAMP_ALWAYS;
    }
    return reach_ms == TIMESTAMP_NEVER ? TIMESTAMP_NEVER : begin_ms + lane->watermark.bound_ms + reach_ms;
}
