#include "stream/stream.h"

#include "common/base/command.h"
#include "common/base/log.h"
#include "common/base/timestamp.h"
#include "common/io/store.h"

#include <time.h>

enum {
    NUMBER_KEYS_SIZE_MAX = INT32_MAX,
    ROWS_SIZE_MAX = 64 << 20,
    TEXTS_SIZE_MAX = 1 << 30,
    EVENT_ARENA_SIZE = 64 << 20
};

static bool choose_lanes(struct stream *stream, const struct run_options *options, struct error *err)
{
    int32_t first = options->lane_first < 0 ? 0 : options->lane_first;
    int32_t last = options->lane_first < 0 ? stream->partition_count - 1 : options->lane_last;

    if (last < first || last >= stream->partition_count) {
        error_set(err, ERROR_USAGE, "there are no lanes %d to %d", (int)first, (int)last);
        return error_hint(err, "topics.partitions is %d: lanes are 0 to %d", (int)stream->partition_count,
                          (int)stream->partition_count - 1);
    }
    stream->lanes = memory_allocate_zeroed((size_t)(last - first + 1), sizeof *stream->lanes);
    stream->lane_of = memory_allocate_zeroed((size_t)stream->partition_count, sizeof(struct stream_lane *));
    if (stream->lanes == NULL || stream->lane_of == NULL) {
        return error_no_memory(err, "starting the lanes");
    }
    for (int32_t lane_no = first; lane_no <= last; lane_no++) {
        struct stream_lane *lane = &stream->lanes[stream->lane_count++];
        lane->lane_no = lane_no;
        stream->lane_of[lane_no] = lane;
    }
    return true;
}

static bool open_stream(struct stream *stream, const struct config *config, const struct run_options *options,
                        struct error *err)
{
    stream->config = config;
    stream->until_ms = options->until_ms;
    stream->partition_count = (int32_t)config_integer(config, "topics.partitions");
    stream->clock_event = strcmp(config_text(config, "time.clock"), "event") == 0;
    stream->history_archive = strcmp(config_text(config, "stream.history"), "archive") == 0;
    stream->future_skew_ms = config_duration_ms(config, "time.future_skew");
    stream->item_max = (size_t)config_integer(config, "stream.step_rows");
    stream->step_ms = config_integer(config, "stream.step_ms");
    buffer_init(&stream->rows, ROWS_SIZE_MAX);
    arena_init(&stream->arena, EVENT_ARENA_SIZE);
    arena_init(&stream->diverted_texts, TEXTS_SIZE_MAX);
    arena_init(&stream->number_keys, NUMBER_KEYS_SIZE_MAX);
    hash_map_init(&stream->by_number, INT32_MAX);
    json_document_init(&stream->document);
    segment_set_init(&stream->set);
    kafka_topics(config, stream->topics);

    if (stream->until_ms != TIMESTAMP_NEVER && !stream->clock_event) {
        error_set(err, ERROR_USAGE, "--until needs time.clock = event");
        return error_hint(err, "with the wall clock the watermark is not the caller's to move");
    }
    if (!choose_lanes(stream, options, err)) {
        return false;
    }
    stream->items = memory_allocate_zeroed(stream->item_max, sizeof *stream->items);
    stream->item_users = memory_allocate_zeroed(stream->item_max, sizeof(struct lane_user *));
    if (stream->items == NULL || stream->item_users == NULL) {
        return error_no_memory(err, "starting to read");
    }
    return store_open(config, STORE_ROLE_STREAM, &stream->pg, err) &&
           kafka_topics_ensure(config, stream->topics, KAFKA_TOPIC_COUNT, stream->partition_count, err) &&
           kafka_reader_open(config, "muster-stream", stream->topics, KAFKA_TOPIC_COUNT, &stream->reader, err) &&
           store_users_new(&stream->users, err) && consent_map_new(&stream->consent, err);
}

static void close_stream(struct stream *stream)
{
    start_clear(stream);
    kafka_reader_release(stream->items, stream->item_count);
    kafka_reader_close(stream->reader);
    if (stream->pg != NULL) {
        pg_close(stream->pg); /* an open transaction ends with it */
    }
    kafka_producer_close(stream->late_producer);
    if (stream->users != NULL) {
        store_users_free(stream->users);
    }
    if (stream->consent != NULL) {
        consent_map_free(stream->consent);
    }
    hash_map_clear(&stream->by_number);
    arena_clear(&stream->number_keys);
    arena_clear(&stream->diverted_texts);
    arena_clear(&stream->arena);
    json_document_clear(&stream->document);
    buffer_clear(&stream->rows);
    memory_free(stream->numbered);
    memory_free(stream->diverted);
    memory_free(stream->changes);
    memory_free(stream->changed_users);
    memory_free(stream->items);
    memory_free(stream->item_users);
    memory_free(stream->lane_of);
    memory_free(stream->lanes);
}

/* One step. The order matters: new users are named in a transaction of their own before the step's may begin, and the
 * control log is followed before messages are judged, so that what the step before consented to is in force. */
static bool run_step(struct stream *stream, struct error *err)
{
    return consume_items(stream, err) && users_intern_new(stream, err) && users_follow_control(stream, err) &&
           (stream->must_restart || evaluate_items(stream, err)) && expire_timers(stream, err) &&
           settle_step(stream, false, err);
}

/* `--until`: all is read; time itself is moved on. */
static bool finish(struct stream *stream, struct error *err)
{
    return expire_until(stream, err) && settle_step(stream, true, err);
}

static bool run_live(struct stream *stream, struct error *err)
{
    while (!command_stopping() && !stream->must_restart) {
        if (!run_step(stream, err)) {
            return false;
        }
        if (stream->until_ms != TIMESTAMP_NEVER && consume_at_ends(stream) && stream->released_count == 0) {
            return finish(stream, err);
        }
    }
    return true;
}

/* From connecting to the end or the first error. *begun: it had read its lanes' states, so all that it needs is right.
 */
static bool run_once(const struct config *config, const struct run_options *options, bool *begun, struct error *err)
{
    struct stream stream = {.config = NULL};
    bool done = false;

    if (!open_stream(&stream, config, options, err)) {
        goto out;
    }
    do {
        stream.must_restart = false;
        if (!start_begin(&stream, err)) {
            goto out;
        }
        if (command_stopping()) {
            break;
        }
        *begun = true;
        if (!settle_step(&stream, true, err) || !run_live(&stream, err)) {
            goto out;
        }
        if (stream.must_restart) {
            log_info("definitions or builds have changed: beginning anew with them");
            kafka_reader_release(stream.items, stream.item_count);
            stream.item_count = 0;
            stream.item_next = 0;
        }
    } while (stream.must_restart && !command_stopping());
    log_info("stopped after %llu messages, %llu records, %llu quarantined, %llu too late",
             (unsigned long long)stream.messages_total, (unsigned long long)stream.records_total,
             (unsigned long long)stream.diverted_total, (unsigned long long)stream.late_total);
    done = true;
out:
    close_stream(&stream);
    return done;
}

/* Waits for the signal to stop, so long at most. */
static void pause_ms(int64_t duration_ms)
{
    int64_t end_ms = timestamp_monotonic_ms() + duration_ms;

    while (!command_stopping() && timestamp_monotonic_ms() < end_ms) {
        const struct timespec slice = {.tv_nsec = 20 * 1000000};
        (void)nanosleep(&slice, NULL);
    }
}

/* A server that goes away under a running stream comes back: nothing of the step under way was written, so the stream
 * begins anew from the store's progress. At the start, and with an end that somebody waits for, it is the caller's
 * business. */
bool run_stream(const struct config *config, const struct run_options *options, struct error *err)
{
    enum { PAUSE_MIN_MS = 250, PAUSE_MAX_MS = 5000 };
    int64_t next_pause_ms = PAUSE_MIN_MS;
    bool begun = false;
    bool said = false;

    command_catch_signals();
    for (;;) {
        struct error lost = ERROR_INIT;
        bool again = false;

        if (run_once(config, options, &again, &lost)) {
            return true;
        }
        if (command_stopping() && lost.code == ERROR_UNREACHABLE) {
            return true; /* asked to stop while it waited for a server */
        }
        begun = begun || again;
        if (!begun || options->until_ms != TIMESTAMP_NEVER ||
            (lost.code != ERROR_UNREACHABLE && lost.action != ERROR_RETRY)) {
            *err = lost;
            return false;
        }
        if (again || !said) {
            log_warning("%s; trying again", lost.message);
            said = true;
            next_pause_ms = PAUSE_MIN_MS;
        }
        pause_ms(next_pause_ms);
        if (command_stopping()) {
            return true;
        }
        next_pause_ms = next_pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : next_pause_ms * 2;
    }
}
