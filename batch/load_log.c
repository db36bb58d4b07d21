/* The log into the archive: every partition from where the archive ends to the end it had when the load began, so the
 * archive knows its coverage. What was read and how far are committed together, by compare-and-set on the offset. */
#include "batch/load.h"

#include "common/domain/ingest.h"
#include "common/io/kafka.h"

#include <inttypes.h>
#include <stdio.h>

enum { LOAD_LOG_ITEMS_MAX = 1000, LOAD_LOG_WAIT_MS = 1000, LOAD_LOG_SILENCE_MAX_MS = 60000, LOAD_LOG_TRIES = 5 };

struct log_partition {
    struct archive_progress progress; /* read so far */
    int64_t offset_durable;           /* in the store; -1: no row yet */
    int64_t offset_end;               /* read up to here */
    bool changed;                     /* since the last write */
};

struct log_loader {
    struct loader loader;
    struct kafka_reader *reader;
    const char *names[KAFKA_TOPIC_COUNT];
    struct log_partition *partitions; /* by topic_no * lane_count + partition */
    size_t partition_count;
    int64_t future_skew_ms;
    int64_t begun_at_ms; /* wall clock when the ends were asked for */
    int64_t message_count;
    int64_t message_count_max;
    int64_t archived;
    int64_t quarantined;
    struct event_projection envelope; /* the archive keeps the text; no more is looked at */
    struct json_document document;
    struct arena arena;
};

static struct log_partition *log_loader_at(struct log_loader *log, int16_t topic_no, int32_t partition)
{
    return &log->partitions[(size_t)topic_no * (size_t)log->loader.lane_count + (size_t)partition];
}

static bool log_partition_done(const struct log_partition *partition)
{
    return partition->progress.offset_next >= partition->offset_end;
}

/* ---- where to begin, where to end ---- */

static bool log_loader_gap(const struct log_loader *log, const struct log_partition *partition, int64_t low,
                           int64_t high, struct error *err)
{
    const struct archive_progress *progress = &partition->progress;

    if (progress->offset_next < low) {
        error_set(err, ERROR_INPUT,
                  "topic %s partition %" PRId32 ": offsets [%" PRId64 ", %" PRId64
                  ") are gone from the log before they were archived",
                  log->names[progress->topic_no], progress->lane, progress->offset_next, low);
        return error_hint(err, "nothing was skipped; restore them, or rebuild the archive from what is left");
    }
    error_set(err, ERROR_INPUT,
              "topic %s partition %" PRId32 " ends at offset %" PRId64 ", but %" PRId64
              " are archived: this is another log",
              log->names[progress->topic_no], progress->lane, high, progress->offset_next);
    return error_hint(err, "check kafka.bootstrap.servers and the topics' names");
}

static bool log_loader_bound(struct log_loader *log, struct log_partition *partition, struct error *err)
{
    int64_t low = 0;
    int64_t high = 0;

    if (!kafka_reader_offsets(log->reader, partition->progress.topic_no, partition->progress.lane, &low, &high, err)) {
        return false;
    }
    if (partition->offset_durable < 0) {
        partition->progress.offset_begin = low;
        partition->progress.offset_next = low;
    } else if (partition->progress.offset_next < low || partition->progress.offset_next > high) {
        return log_loader_gap(log, partition, low, high, err);
    }
    partition->offset_end = high;
    partition->changed = true; /* at_end and the instant are written even where nothing is new */
    return true;
}

static bool log_loader_positions(struct log_loader *log, struct error *err)
{
    struct archive_progress *progress = NULL;
    size_t progress_count = 0;
    bool done = false;

    if (!archive_progress_load(log->loader.pg, &progress, &progress_count, err)) {
        return false;
    }
    for (size_t i = 0; i < log->partition_count; i++) {
        struct log_partition *partition = &log->partitions[i];
        partition->progress.topic_no = (int16_t)(i / (size_t)log->loader.lane_count);
        partition->progress.lane = (int32_t)(i % (size_t)log->loader.lane_count);
        partition->progress.event_time_max_ms = TIMESTAMP_ALWAYS;
        partition->offset_durable = -1;
    }
    for (size_t i = 0; i < progress_count; i++) {
        struct log_partition *partition;
        if (progress[i].topic_no >= KAFKA_TOPIC_COUNT || progress[i].lane >= log->loader.lane_count) {
            error_set(err, ERROR_USAGE, "the archive holds topic %d partition %" PRId32 ", which is not configured",
                      (int)progress[i].topic_no, progress[i].lane);
            goto out;
        }
        partition = log_loader_at(log, progress[i].topic_no, progress[i].lane);
        partition->progress = progress[i];
        partition->offset_durable = progress[i].offset_next;
    }
    log->begun_at_ms = timestamp_now();
    for (size_t i = 0; i < log->partition_count; i++) {
        if (!log_loader_bound(log, &log->partitions[i], err)) {
            goto out;
        }
    }
    done = true;
out:
    memory_free(progress);
    return done;
}

static bool log_loader_assign(struct log_loader *log, size_t *assigned, uint64_t *message_count, struct error *err)
{
    struct kafka_position *positions = memory_allocate_zeroed(log->partition_count, sizeof *positions);
    size_t count = 0;
    bool done;

    if (positions == NULL) {
        return error_no_memory(err, "positions");
    }
    *message_count = 0;
    for (size_t i = 0; i < log->partition_count; i++) {
        const struct log_partition *partition = &log->partitions[i];
        if (!log_partition_done(partition)) {
            positions[count++] = (struct kafka_position){.topic_no = partition->progress.topic_no,
                                                         .partition = partition->progress.lane,
                                                         .offset_next = partition->progress.offset_next};
            *message_count += (uint64_t)(partition->offset_end - partition->progress.offset_next);
        }
    }
    *assigned = count;
    done = count == 0 || kafka_reader_assign(log->reader, positions, count, err);
    memory_free(positions);
    return done;
}

/* ---- messages ---- */

static bool log_loader_judge(struct log_loader *log, const struct kafka_item *item, struct event *event,
                             enum quarantine_reason *reason, struct error *why)
{
    struct ingest_origin origin = {.has_key = item->key.data != NULL,
                                   .key = item->key,
                                   .timestamp_ms = item->time_ms < 0 ? TIMESTAMP_ALWAYS : item->time_ms,
                                   .future_skew_ms = log->future_skew_ms,
                                   .lane = item->partition};

    arena_reset(&log->arena);
    if (!event_decode_projected(item->value, &log->envelope, &log->document, &log->arena, event, reason, why)) {
        return false;
    }
    if (*reason == QUARANTINE_NONE) {
        origin.lane_of_user = kafka_partition(event->user, log->loader.lane_count);
        *reason = ingest_check(event, &origin, why);
    }
    return true;
}

static bool log_loader_message(struct log_loader *log, const struct kafka_item *item, struct error *err)
{
    struct log_partition *partition = log_loader_at(log, item->topic_no, item->partition);
    struct archive_source source = {.topic_no = item->topic_no, .load_no = 0, .position = item->offset};
    enum quarantine_reason reason = QUARANTINE_NONE;
    struct error why = ERROR_INIT;
    struct event event;

    if (item->offset >= partition->offset_end || item->offset < partition->progress.offset_next) {
        return true; /* it came after the load began, and is the next one's */
    }
    if (!log_loader_judge(log, item, &event, &reason, &why)) {
        *err = why;
        return false;
    }
    partition->progress.offset_next = item->offset + 1;
    partition->changed = true;
    log->message_count++;
    if (reason != QUARANTINE_NONE) {
        struct quarantine_row refused = {.topic_no = item->topic_no, .lane = item->partition};
        refused.log_offset = item->offset;
        refused.message = item->value;
        log->quarantined++;
        return loader_refuse(&log->loader, &refused, reason, why.message, err);
    }
    if (event.time_ms > partition->progress.event_time_max_ms) {
        partition->progress.event_time_max_ms = event.time_ms;
    }
    log->archived++;
    return loader_add(&log->loader, &event, item->value, source, item->partition,
                      item->time_ms < 0 ? TIMESTAMP_ALWAYS : item->time_ms, err);
}

static bool log_loader_item(struct log_loader *log, const struct kafka_item *item, struct error *err)
{
    struct log_partition *partition;

    if (item->kind == KAFKA_MESSAGE) {
        return log_loader_message(log, item, err);
    }
    partition = log_loader_at(log, item->topic_no, item->partition);
    if (item->kind == KAFKA_END && item->offset > partition->progress.offset_next) {
        /* The last offsets hold no message for readers (a transaction's marker, a compacted record). */
        partition->progress.offset_next = item->offset < partition->offset_end ? item->offset : partition->offset_end;
        partition->changed = true;
    }
    return true;
}

/* ---- writing ---- */

static bool log_loader_advance(void *context, struct error *err)
{
    struct log_loader *log = context;

    for (size_t i = 0; i < log->partition_count; i++) {
        struct log_partition *partition = &log->partitions[i];
        if (!partition->changed) {
            continue;
        }
        partition->progress.at_end = log_partition_done(partition);
        partition->progress.read_at_ms = log->begun_at_ms;
        if (!archive_progress_advance(log->loader.pg, &partition->progress, partition->offset_durable, err)) {
            return false;
        }
    }
    return true;
}

/* A stream that applies the same changes of consent at the same time may be in the way (a deadlock, a lock held for
 * long): nothing of the step was written, so it is done again. */
static bool log_loader_write(struct log_loader *log, struct error *err)
{
    int attempt = 1;

    while (!loader_write(&log->loader, log_loader_advance, NULL, log, err)) {
        if (err->action != ERROR_RETRY || err->code == ERROR_UNREACHABLE || attempt++ == LOAD_LOG_TRIES) {
            return false;
        }
        log_warning("%s; trying again", err->message);
        *err = (struct error)ERROR_INIT;
    }
    for (size_t i = 0; i < log->partition_count; i++) {
        log->partitions[i].changed = false;
        log->partitions[i].offset_durable = log->partitions[i].progress.offset_next;
    }
    return true;
}

static bool log_loader_unfinished(const struct log_loader *log)
{
    for (size_t i = 0; i < log->partition_count; i++) {
        if (!log_partition_done(&log->partitions[i])) {
            return log->message_count < log->message_count_max && !command_stopping();
        }
    }
    return false;
}

static bool log_loader_read(struct log_loader *log, struct progress *progress, struct error *err)
{
    struct kafka_item items[LOAD_LOG_ITEMS_MAX];
    int64_t heard_ms = timestamp_monotonic_ms();

    while (log_loader_unfinished(log)) {
        int64_t left = log->message_count_max - log->message_count;
        size_t count = 0;
        bool taken = true;
        if (!kafka_reader_read(log->reader, LOAD_LOG_WAIT_MS, items,
                               left < LOAD_LOG_ITEMS_MAX ? (size_t)left : LOAD_LOG_ITEMS_MAX, &count, err)) {
            return false;
        }
        for (size_t i = 0; taken && i < count; i++) {
            taken = log_loader_item(log, &items[i], err);
        }
        kafka_reader_release(items, count);
        if (!taken || (loader_full(&log->loader) && !log_loader_write(log, err))) {
            return false;
        }
        if (count > 0) {
            heard_ms = timestamp_monotonic_ms();
        } else if (timestamp_monotonic_ms() - heard_ms > LOAD_LOG_SILENCE_MAX_MS) {
            return error_set(err, ERROR_UNREACHABLE,
                             "no message came for %d s, though the topics are not read to their ends",
                             LOAD_LOG_SILENCE_MAX_MS / 1000);
        }
        progress_update(progress, (uint64_t)log->message_count);
    }
    return true;
}

static bool log_loader_open(struct log_loader *log, struct error *err)
{
    const struct config *config = log->loader.config;

    log->future_skew_ms = config_duration_ms(config, "time.future_skew");
    log->partition_count = (size_t)KAFKA_TOPIC_COUNT * (size_t)log->loader.lane_count;
    log->partitions = memory_allocate_zeroed(log->partition_count, sizeof *log->partitions);
    if (log->partitions == NULL) {
        return error_no_memory(err, "partitions");
    }
    kafka_topics(config, log->names);
    return kafka_topics_ensure(config, log->names, KAFKA_TOPIC_COUNT, log->loader.lane_count, err) &&
           kafka_reader_open(config, "muster-batch", log->names, KAFKA_TOPIC_COUNT, &log->reader, err) &&
           log_loader_positions(log, err);
}

bool load_log(const struct config *config, int64_t message_count_max, struct error *err)
{
    struct log_loader log = {.message_count_max = message_count_max};
    struct progress progress;
    uint64_t message_count = 0;
    size_t assigned = 0;
    bool done = false;

    json_document_init(&log.document);
    arena_init(&log.arena, (size_t)2 * EVENT_SIZE_MAX);
    if (!event_projection_init(&log.envelope, 0, err) || !loader_open(&log.loader, config, "archive", err) ||
        !log_loader_open(&log, err) || !log_loader_assign(&log, &assigned, &message_count, err)) {
        goto out;
    }
    progress_begin(&progress, "load", message_count);
    done = (assigned == 0 || log_loader_read(&log, &progress, err)) && log_loader_write(&log, err);
    progress_end(&progress);
    if (done) {
        printf("log: %" PRId64 " messages archived, %" PRId64 " quarantined, %s\n", log.archived, log.quarantined,
               log_loader_unfinished(&log) || command_stopping() || log.message_count >= message_count_max
                   ? "not read to the end"
                   : "read to the end");
    }
out:
    kafka_reader_close(log.reader);
    loader_close(&log.loader);
    memory_free(log.partitions);
    event_projection_clear(&log.envelope);
    json_document_clear(&log.document);
    arena_clear(&log.arena);
    return done;
}
