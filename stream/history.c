/* What builds have read and nobody can read again.
 *
 * States are rebuilt at each start, from the archive and what the log still holds. Where the log has been cut behind
 * the beginning of a build's history, the state that comes out is another than the one that announced the build's
 * records: users would leave because their events are gone, and the records would say that this is certain. So the
 * beginning is stored with the build, and where the cut can still matter to the definition, the build ends here: it
 * keeps what it has announced, and the next one begins beside it, complete only from where the history that is left
 * says so. */
#include "stream/stream.h"

#include "common/base/log.h"
#include "common/io/archive.h"

struct history {
    struct stream *stream;
    struct archive_progress *archived; /* all of it, whether or not the setting lets the stream read it */
    size_t archived_count;
    bool *ends; /* per segment: its build cannot go on */
};

static int64_t history_begin(const struct stream_lane *lane, size_t segment, size_t topic)
{
    return lane->history_begin[segment * KAFKA_TOPIC_COUNT + topic];
}

/* Whether the lane has read messages of the topic for the segment's build that cannot be read now. */
static bool is_lost(const struct stream_lane *lane, size_t segment, size_t topic)
{
    int64_t begin = history_begin(lane, segment, topic);

    return lane->ready[segment] && begin < catch_up_begin(lane, topic) && begin < lane->offset_next[topic];
}

/* Files that the build was caught up from and the setting now leaves out. */
static bool loads_are_left_out(const struct stream *stream, const struct stream_lane *lane, size_t segment)
{
    return lane->ready[segment] && stream->builds[segment].archive && !stream->history_archive &&
           stream->load_count > 0;
}

/* Whether what is gone is too old to matter: the watermark has passed the instant from which on a build that begins
 * with what is left would be complete. A copy of a message that is gone counts as its first, so it must be old too. */
static bool is_out_of_reach(const struct stream *stream, const struct stream_lane *lane, size_t segment)
{
    int64_t complete_ms = catch_up_complete_from(stream, lane, segment);
    int64_t dedup_ms = config_duration_ms(stream->config, "time.dedup");

    return complete_ms == TIMESTAMP_ALWAYS ||
           (complete_ms < TIMESTAMP_NEVER - dedup_ms && complete_ms + dedup_ms <= lane->watermark.value_ms);
}

/* Whether the archive holds what the lane's build has read of the topic, and all that came behind it. */
static bool archive_holds(const struct history *history, const struct stream_lane *lane, size_t segment, size_t topic)
{
    for (size_t i = 0; i < history->archived_count; i++) {
        const struct archive_progress *progress = &history->archived[i];

        if (progress->lane == lane->lane_no && progress->topic_no == (int16_t)topic) {
            return progress->offset_begin <= history_begin(lane, segment, topic) &&
                   progress->offset_next >= lane->offset_low[topic];
        }
    }
    return false;
}

static struct slice segment_id(const struct stream *stream, size_t segment)
{
    return stream->set.definitions[segment].segment_id;
}

static bool refuse_setting(struct error *err)
{
    return error_hint(err, "stream.history = log leaves out the archive, which holds them: set it to archive");
}

/* One segment in one lane whose build has read more than can be read now: refused where a setting is the reason. */
static bool judge_lost(struct history *history, const struct stream_lane *lane, size_t segment, struct error *err)
{
    struct stream *stream = history->stream;
    struct slice id = segment_id(stream, segment);
    int version = (int)stream->stored[segment].version;

    if (loads_are_left_out(stream, lane, segment)) {
        error_set(err, ERROR_USAGE, "segment %.*s@%d rests on files that the stream has read, and cannot read now",
                  (int)id.size, id.data, version);
        return refuse_setting(err);
    }
    for (size_t topic = 0; topic < KAFKA_TOPIC_COUNT; topic++) {
        if (!is_lost(lane, segment, topic)) {
            continue;
        }
        if (!stream->history_archive && archive_holds(history, lane, segment, topic)) {
            error_set(err, ERROR_USAGE,
                      "segment %.*s@%d rests on offsets [%lld, %lld) of topic %s, partition %d, which the log no "
                      "longer holds",
                      (int)id.size, id.data, version, (long long)history_begin(lane, segment, topic),
                      (long long)catch_up_begin(lane, topic), stream->topics[topic], (int)lane->lane_no);
            return refuse_setting(err);
        }
        if (!history->ends[segment]) {
            log_warning("segment %.*s@%d: offsets [%lld, %lld) of topic %s, partition %d, were read and are gone, and "
                        "still matter to it",
                        (int)id.size, id.data, version, (long long)history_begin(lane, segment, topic),
                        (long long)catch_up_begin(lane, topic), stream->topics[topic], (int)lane->lane_no);
        }
    }
    history->ends[segment] = true;
    return true;
}

static bool judge_lane(struct history *history, const struct stream_lane *lane, struct error *err)
{
    struct stream *stream = history->stream;

    for (size_t segment = 0; segment < stream->segment_count; segment++) {
        bool lost = loads_are_left_out(stream, lane, segment);

        for (size_t topic = 0; topic < KAFKA_TOPIC_COUNT; topic++) {
            lost = lost || is_lost(lane, segment, topic);
        }
        if (lost && !stream->segments[segment].silent && !is_out_of_reach(stream, lane, segment) &&
            !judge_lost(history, lane, segment, err)) {
            return false;
        }
    }
    return true;
}

static bool begin_builds(struct history *history, bool *begun, struct error *err)
{
    struct stream *stream = history->stream;

    *begun = false;
    for (size_t segment = 0; segment < stream->segment_count; segment++) {
        struct slice id = segment_id(stream, segment);
        int before = (int)stream->builds[segment].build_no;

        if (!history->ends[segment]) {
            continue;
        }
        if (!*begun && !pg_begin(stream->pg, "", err)) {
            return false;
        }
        *begun = true;
        if (!builds_begin_next(stream, segment, err)) {
            pg_abort(stream->pg);
            return false;
        }
        log_warning("segment %.*s@%d: build %d begins; build %d stands still, and stays in force until the new one is "
                    "complete or a run that has read as much is activated",
                    (int)id.size, id.data, (int)stream->stored[segment].version, (int)stream->builds[segment].build_no,
                    before);
    }
    if (*begun && !pg_commit(stream->pg, err)) {
        pg_abort(stream->pg);
        return false;
    }
    return true;
}

bool history_check(struct stream *stream, bool *begun, struct error *err)
{
    struct history history = {.stream = stream};
    bool done = false;

    history.ends = memory_allocate_zeroed(stream->segment_count, sizeof *history.ends);
    if (history.ends == NULL) {
        return error_no_memory(err, "judging the history");
    }
    if (!archive_progress_load(stream->pg, &history.archived, &history.archived_count, err)) {
        goto out;
    }
    for (size_t i = 0; i < stream->lane_count; i++) {
        if (!judge_lane(&history, &stream->lanes[i], err)) {
            goto out;
        }
    }
    done = begin_builds(&history, begun, err);
out:
    memory_free(history.archived);
    memory_free(history.ends);
    return done;
}
