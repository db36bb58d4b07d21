/* From the store and the log to a stream that is caught up.
 *
 * The epoch is raised first: from then on an earlier owner of the lanes can commit nothing, so what is read afterwards
 * stays true. Then one snapshot gives the control log's number, users, grants, the archive and what was announced. The
 * log between the archive's end and the progress is read after the snapshot is closed; it does not change. */
#include "stream/stream.h"

#include "common/base/command.h"
#include "common/base/log.h"
#include "common/io/store_control.h"

#include "sql_text.h"

enum { QUERY_SIZE = 1024, LANES_TEXT_SIZE = 16384 };

/* ---- the lanes' rows ---- */

static struct stream_lane *lane_with_number(struct stream *stream, int64_t lane_no)
{
    return lane_no >= 0 && lane_no < stream->partition_count ? stream->lane_of[lane_no] : NULL;
}

static bool read_lanes(struct stream *stream, const struct pg_value *lanes, struct error *err)
{
    int64_t bound_ms = config_duration_ms(stream->config, "time.watermark_bound");
    PGresult *result = NULL;
    bool done = false;

    if (!pg_query(stream->pg, sql_stream_epoch, lanes, 1, &result, err)) {
        return false;
    }
    if ((size_t)PQntuples(result) != stream->lane_count) {
        error_set(err, ERROR_USAGE, "the store does not have all lanes that are asked for");
        error_hint(err, "run muster-reconcile migrate; --lanes counts from 0");
        goto out;
    }
    for (int row = 0; row < PQntuples(result); row++) {
        struct stream_lane *lane = lane_with_number(stream, pg_integer_at(result, row, 0, -1));
        if (lane == NULL) {
            error_set(err, ERROR_INTERNAL, "the store has a lane that was not asked for");
            goto out;
        }
        lane->epoch = pg_integer_at(result, row, 1, 0);
        lane->step = pg_integer_at(result, row, 2, 0);
        lane->control_no = pg_integer_at(result, row, 4, 0);
        lane->seq_next = 0;
        watermark_init(&lane->watermark, KAFKA_TOPIC_COUNT, bound_ms, pg_integer_at(result, row, 3, TIMESTAMP_ALWAYS));
        lane->watermark.ceiling_ms = stream->until_ms;
    }
    done = true;
out:
    PQclear(result);
    return done;
}

static bool read_progress(struct stream *stream, const struct pg_value *lanes, struct error *err)
{
    PGresult *result = NULL;

    if (!pg_query(stream->pg, sql_stream_progress, lanes, 1, &result, err)) {
        return false;
    }
    for (int row = 0; row < PQntuples(result); row++) {
        struct stream_lane *lane = lane_with_number(stream, pg_integer_at(result, row, 0, -1));
        int64_t topic = pg_integer_at(result, row, 1, -1);
        if (lane != NULL && topic >= 0 && topic < KAFKA_TOPIC_COUNT) {
            lane->fresh = false;
            lane->offset_next[topic] = pg_integer_at(result, row, 2, 0);
            watermark_restore(&lane->watermark, (size_t)topic, pg_integer_at(result, row, 3, TIMESTAMP_ALWAYS));
        }
    }
    PQclear(result);
    return true;
}

/* Fences earlier owners and reads how far they came. */
static bool take_lanes(struct stream *stream, struct error *err)
{
    struct pg_value lanes;
    struct buffer text;
    bool done = false;

    buffer_init(&text, LANES_TEXT_SIZE);
    for (size_t i = 0; i < stream->lane_count; i++) {
        buffer_append_char(&text, i == 0 ? '{' : ',');
        buffer_append_integer(&text, stream->lanes[i].lane_no);
        stream->lanes[i].fresh = true;
        for (size_t topic = 0; topic < KAFKA_TOPIC_COUNT; topic++) {
            stream->lanes[i].offset_next[topic] = -1;
        }
    }
    buffer_append_char(&text, '}');
    if (buffer_finish(&text, "the list of lanes", err)) {
        lanes = pg_text(buffer_slice(&text));
        done = read_lanes(stream, &lanes, err) && read_progress(stream, &lanes, err);
    }
    buffer_clear(&text);
    return done;
}

static bool read_offsets(struct stream *stream, struct error *err)
{
    for (size_t i = 0; i < stream->lane_count; i++) {
        struct stream_lane *lane = &stream->lanes[i];
        for (size_t topic = 0; topic < KAFKA_TOPIC_COUNT; topic++) {
            if (!kafka_reader_offsets(stream->reader, (int16_t)topic, lane->lane_no, &lane->offset_low[topic],
                                      &lane->offset_end[topic], err)) {
                return false;
            }
            if (lane->offset_next[topic] > lane->offset_end[topic]) {
                error_set(err, ERROR_INPUT,
                          "topic %s, partition %d: offsets [%lld, %lld) were read before and are gone",
                          stream->topics[topic], (int)lane->lane_no, (long long)lane->offset_end[topic],
                          (long long)lane->offset_next[topic]);
                return error_hint(err,
                                  "the topic was made anew, or another cluster answers: the store belongs to the log "
                                  "it has read");
            }
        }
    }
    return true;
}

/* ---- what was announced ---- */

struct announced_target {
    struct stream *stream;
    struct lane *lane;
    uint64_t count;
};

static bool restore_announced(void *context, const struct slice *cells, size_t cell_count, struct error *err)
{
    struct announced_target *target = context;
    struct stream *stream = target->stream;
    struct stream_numbered *numbered = users_by_number(stream, pg_cell_int64(cells[1], 0));
    int32_t build_no = pg_cell_int32(cells[0], 0);

    (void)cell_count;
    if (numbered == NULL) {
        return error_set(err, ERROR_INTERNAL, "the journal names a user that the store does not have");
    }
    for (size_t i = 0; i < stream->segment_count; i++) {
        if (!stream->segments[i].silent && stream->builds[i].build_no == build_no) {
            const struct lane_record record = {
                .segment = i,
                .member = pg_cell_boolean(cells[2]),
                .entered_at = pg_cell_int64(cells[3], TIMESTAMP_ALWAYS),
                .effective_at = pg_cell_int64(cells[4], TIMESTAMP_ALWAYS),
                .valid_until = pg_cell_int64(cells[5], TIMESTAMP_NEVER),
                .certain = pg_cell_boolean(cells[6]),
                .uncertain_until = pg_cell_int64(cells[7], TIMESTAMP_ALWAYS),
            };
            target->count++;
            return lane_announced_set(target->lane, numbered->user, &record, err);
        }
    }
    return true;
}

static bool read_announced(struct stream *stream, struct stream_lane *lane, struct error *err)
{
    struct announced_target target = {.stream = stream, .lane = lane->lane};
    struct buffer query; /* COPY takes no parameters; the only value is an integer */
    bool done = false;

    buffer_init(&query, QUERY_SIZE);
    buffer_append_format(
        &query,
        "COPY (SELECT DISTINCT ON (build_no, user_no) build_no, user_no, member, entered_at, effective_at, "
        "valid_until, certain, uncertain_until FROM stream_records WHERE lane = %d "
        "ORDER BY build_no, user_no, step DESC, seq DESC) TO STDOUT (FORMAT binary)",
        (int)lane->lane_no);
    done = buffer_finish(&query, "a query", err) &&
           pg_copy_out(stream->pg, buffer_text(&query), restore_announced, &target, err);
    buffer_clear(&query);
    return done;
}

/* ---- states ---- */

static bool make_lane(struct stream *stream, struct stream_lane *lane, struct error *err)
{
    int64_t lateness_ms = config_duration_ms(stream->config, "time.allowed_lateness");
    struct lane_options options = {
        .ruleset = stream->ruleset,
        .segments = stream->segments,
        .purpose_count = stream->purpose_count,
        .user_events_max = (size_t)config_integer(stream->config, "stream.user_events_max"),
        .lateness_ms = lateness_ms > 0 ? lateness_ms : 1, /* 0 would mean that nothing is ever late */
    };

    lane->complete_from = memory_allocate_zeroed(stream->segment_count, sizeof *lane->complete_from);
    lane->ready = memory_allocate_zeroed(stream->segment_count, sizeof *lane->ready);
    lane->history_begin =
        memory_allocate_zeroed(stream->segment_count * KAFKA_TOPIC_COUNT, sizeof *lane->history_begin);
    if (lane->complete_from == NULL || lane->ready == NULL || lane->history_begin == NULL) {
        return error_no_memory(err, "starting a lane");
    }
    return lane_new(&options, &lane->lane, err);
}

static bool read_snapshot_of(struct stream *stream, struct stream_lane *lane, struct error *err)
{
    return users_load_lane(stream, lane, err) && builds_load_lane(stream, lane, err) &&
           catch_up_archive(stream, lane, err) && read_announced(stream, lane, err);
}

static bool read_snapshot(struct stream *stream, struct error *err)
{
    if (!pg_begin(stream->pg, "ISOLATION LEVEL REPEATABLE READ READ ONLY", err)) {
        return false;
    }
    for (size_t i = 0; i < stream->lane_count; i++) {
        if (!read_snapshot_of(stream, &stream->lanes[i], err)) {
            pg_abort(stream->pg);
            return error_context(err, "lane %d", (int)stream->lanes[i].lane_no);
        }
    }
    if (!users_rewind_control(stream, err)) {
        pg_abort(stream->pg);
        return false;
    }
    return pg_commit(stream->pg, err);
}

/* Where a fresh lane begins that the archive says nothing of, and its first watermark: what it has caught up with. */
static void begin_fresh(struct stream_lane *lane)
{
    for (size_t topic = 0; topic < KAFKA_TOPIC_COUNT; topic++) {
        if (lane->offset_next[topic] < 0) {
            lane->offset_next[topic] = lane->offset_low[topic];
        }
    }
    if (lane->fresh && lane->time_max_ms != TIMESTAMP_ALWAYS) {
        watermark_move(&lane->watermark, lane->time_max_ms - lane->watermark.bound_ms);
    }
}

/* Lets the lane announce what is new, and marks partitions without anything to read as idle. */
static bool begin_live(struct stream *stream, struct stream_lane *lane, struct error *err)
{
    struct lane_sink sink = publish_sink(stream, lane);

    for (size_t topic = 0; topic < KAFKA_TOPIC_COUNT; topic++) {
        if (lane->offset_next[topic] >= lane->offset_end[topic]) {
            watermark_idle(&lane->watermark, topic);
        }
    }
    for (size_t i = 0; i < stream->segment_count; i++) {
        if (!stream->segments[i].silent && !lane->ready[i]) {
            lane->complete_from[i] = catch_up_complete_from(stream, lane, i);
        }
        lane_build(lane->lane, i, !lane->ready[i], lane->complete_from[i]);
    }
    return lane_start(lane->lane, lane->watermark.value_ms, &sink, err);
}

static bool assign_live(struct stream *stream, struct error *err)
{
    struct kafka_position *positions =
        memory_allocate_zeroed(stream->lane_count * KAFKA_TOPIC_COUNT, sizeof *positions);
    size_t count = 0;
    bool done;

    if (positions == NULL) {
        return error_no_memory(err, "starting to read");
    }
    for (size_t i = 0; i < stream->lane_count; i++) {
        for (size_t topic = 0; topic < KAFKA_TOPIC_COUNT; topic++) {
            positions[count++] = (struct kafka_position){.topic_no = (int16_t)topic,
                                                         .partition = stream->lanes[i].lane_no,
                                                         .offset_next = stream->lanes[i].offset_next[topic]};
        }
    }
    done = kafka_reader_assign(stream->reader, positions, count, err);
    memory_free(positions);
    return done;
}

/* Everything that is read before the lanes may announce anything. */
static bool catch_up(struct stream *stream, struct error *err)
{
    if (!kafka_reader_assign(stream->reader, NULL, 0, err) || !take_lanes(stream, err) || !read_offsets(stream, err) ||
        !builds_load(stream, err) || !builds_ensure(stream, err)) {
        return false;
    }
    for (size_t i = 0; i < stream->lane_count; i++) {
        if (!make_lane(stream, &stream->lanes[i], err)) {
            return false;
        }
    }
    if (!read_snapshot(stream, err)) {
        return false;
    }
    for (size_t i = 0; i < stream->lane_count; i++) {
        begin_fresh(&stream->lanes[i]);
    }
    return catch_up_log(stream, err);
}

bool start_begin(struct stream *stream, struct error *err)
{
    int64_t begun_ms = timestamp_monotonic_ms();
    uint64_t users = 0;
    bool again = true;

    while (again) {
        start_clear(stream);
        if (!catch_up(stream, err)) {
            return false;
        }
        if (command_stopping()) {
            return true;
        }
        if (!history_check(stream, &again, err)) {
            return false;
        }
    }
    for (size_t i = 0; i < stream->lane_count; i++) {
        if (!begin_live(stream, &stream->lanes[i], err)) {
            return false;
        }
        users += lane_counts(stream->lanes[i].lane).users;
    }
    stream->moved = true;
    stream->zones_to_write = true;
    stream->loads_to_write = stream->history_archive && stream->load_count > 0;
    log_info("%zu lanes caught up in %lld ms: %zu segments, %llu users, %llu events; %lld records to announce",
             stream->lane_count, (long long)(timestamp_monotonic_ms() - begun_ms), stream->segment_count,
             (unsigned long long)users, (unsigned long long)stream->folded_total, (long long)stream->record_count);
    return assign_live(stream, err);
}

void start_clear(struct stream *stream)
{
    for (size_t i = 0; i < stream->lane_count; i++) {
        lane_free(stream->lanes[i].lane);
        stream->lanes[i].lane = NULL;
        memory_free(stream->lanes[i].complete_from);
        memory_free(stream->lanes[i].ready);
        memory_free(stream->lanes[i].history_begin);
        stream->lanes[i].complete_from = NULL;
        stream->lanes[i].ready = NULL;
        stream->lanes[i].history_begin = NULL;
    }
    hash_map_reset(&stream->by_number);
    arena_reset(&stream->number_keys);
    stream->numbered_count = 0;
    ruleset_free(stream->ruleset);
    stream->ruleset = NULL;
    zone_files_clear(&stream->zones);
    segment_set_clear(&stream->set);
    stream->stored = NULL;
    memory_free(stream->segments);
    memory_free(stream->builds);
    memory_free(stream->zoned);
    memory_free(stream->load_numbers);
    stream->segments = NULL;
    stream->builds = NULL;
    stream->zoned = NULL;
    stream->load_numbers = NULL;
    stream->load_count = 0;
    stream->segment_count = 0;
    stream->folded_total = 0;
    stream->released_count = 0;
    stream->change_count = 0;
}
