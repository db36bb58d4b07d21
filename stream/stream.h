/* What the stages of muster-stream share: consume > decode > divert > evaluate > expire > publish > settle, one file
 * each.
 *
 * A step reads some messages, lets the lanes judge them, and writes everything in one transaction of the store:
 * records, offsets, watermarks, quarantine, consent. Only then does the next step begin. So what is in the store is
 * always a prefix of the log with all its consequences; a process that is killed leaves either a whole step or nothing.
 */
#ifndef MUSTER_STREAM_STREAM_H
#define MUSTER_STREAM_STREAM_H

#include "common/base/buffer.h"
#include "common/base/config.h"
#include "common/base/error.h"
#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/domain/lane.h"
#include "common/domain/rule_parse.h"
#include "common/domain/watermark.h"
#include "common/io/kafka.h"
#include "common/io/store_consent.h"
#include "common/io/store_definitions.h"
#include "common/io/store_quarantine.h"
#include "common/io/store_users.h"
#include "common/io/zone_version.h"

enum { STREAM_LANES_MAX = 1024 };

/* The build that one segment's records belong to: the newest of its version. */
struct stream_build {
    int32_t build_no;
    int32_t life; /* 1 is the version's first */
    bool archive; /* its history began with the archive */
};

struct stream;
struct stream_lane;

/* What the lane's records are written with (the context of its sink). */
struct publish_target {
    struct stream *stream;
    struct stream_lane *lane;
};

/* One partition of all topics. */
struct stream_lane {
    int32_t lane_no;
    struct lane *lane;
    struct watermark watermark;
    int64_t epoch;
    int64_t step;                           /* durable */
    int64_t control_no;                     /* as of the last start */
    int64_t offset_next[KAFKA_TOPIC_COUNT]; /* behind what was judged; durable after the step */
    int64_t offset_end[KAFKA_TOPIC_COUNT];  /* the log's end seen at start */
    int64_t offset_low[KAFKA_TOPIC_COUNT];  /* the first one the log held at start */
    bool fresh;                             /* the store knows no progress: this is the lane's first start */
    int64_t
        archive_begin[KAFKA_TOPIC_COUNT]; /* what the archive holds, [begin, next); -1: nothing, or it is not asked */
    int64_t archive_next[KAFKA_TOPIC_COUNT];
    int64_t first_time_ms[KAFKA_TOPIC_COUNT]; /* event time of the first message known; TIMESTAMP_NEVER: none */
    int64_t time_max_ms;                      /* greatest event time caught up with */
    int64_t *complete_from;                   /* per segment */
    bool *ready;                              /* per segment: build_lanes says so */
    int64_t *history_begin;                   /* per segment and topic: where the history of the ready build began */
    int32_t seq_next;                         /* of the step under way */
    struct publish_target target;
};

/* How a user is found by number. */
struct stream_numbered {
    struct stream_lane *lane;
    struct lane_user *user;
};

struct stream {
    const struct config *config;
    struct pg *pg;
    struct kafka_reader *reader;
    const char *topics[KAFKA_TOPIC_COUNT];
    int32_t partition_count;
    bool clock_event;
    bool history_archive;
    int64_t until_ms; /* TIMESTAMP_NEVER: run on */
    int64_t future_skew_ms;

    /* what is evaluated; fixed from start to start */
    struct segment_set set;
    struct stored_definition *stored; /* parallel to set.definitions */
    struct zone_files zones;
    char tz_version[ZONE_VERSION_SIZE];
    bool *zoned;         /* per segment: it depends on a time zone */
    bool zones_to_write; /* build_lanes does not say tz_version yet */
    struct ruleset *ruleset;
    struct lane_segment *segments; /* complete_from is filled per lane */
    struct stream_build *builds;
    size_t segment_count;
    int32_t purposes[LANE_PURPOSES_MAX]; /* purpose_no of each purpose index of the lanes */
    size_t purpose_count;

    struct stream_lane *lanes;
    size_t lane_count;
    struct stream_lane **lane_of; /* by partition; NULL where another process has it */

    struct store_users *users;
    struct consent_map *consent; /* as of control_no */
    struct stream_numbered *numbered;
    size_t numbered_count;
    size_t numbered_capacity;
    struct hash_map by_number; /* 8 bytes of user_no -> index into numbered */
    struct arena number_keys;
    int64_t control_no;     /* lines up to it are taken in */
    int64_t definitions_no; /* definitions as of this line are loaded */
    bool must_restart;      /* definitions or builds have changed: begin anew with them */

    /* loads that belong to the history */
    int32_t *load_numbers;
    size_t load_count;
    int64_t load_time_max_ms;
    bool loads_to_write; /* lane_loads does not name them yet */
    uint64_t folded_total;

    /* consume */
    struct kafka_item *items;
    struct lane_user **item_users; /* parallel: found when the items were looked through; NULL: none with that key */
    size_t item_count;
    size_t item_next; /* items before it are judged */
    size_t item_max;
    bool items_known; /* all their users are interned */
    int64_t step_ms;

    /* decode */
    struct json_document document;
    struct arena arena;

    /* divert: what is quarantined in this step. Texts point into the items and `diverted_texts`. */
    struct quarantine_row *diverted;
    size_t diverted_count;
    size_t diverted_capacity;
    struct arena diverted_texts;

    /* late: NULL until the first one; events of this step */
    struct kafka_producer *late_producer;
    size_t late_count;

    /* consent messages of this step */
    struct consent_change *changes;
    struct stream_numbered *changed_users; /* parallel */
    size_t change_count;
    size_t change_capacity;
    size_t released_count; /* users of the step before, held until its consent is followed */

    /* publish */
    struct buffer rows;
    bool in_transaction;
    bool copying;
    int64_t record_count; /* of this step */
    bool moved;           /* offsets, watermarks or builds have changed since the last commit */
    int64_t committed_ms; /* monotonic */
    uint64_t messages_total;
    uint64_t records_total;
    uint64_t diverted_total;
    uint64_t late_total;
};

/* ---- start.c: from the store and the log to a stream that is caught up ---- */

/* Raises the lanes' epochs, loads definitions, rebuilds all states, restores what was announced. What new builds have
 * to say is in the open step afterwards. `stream` was filled by run.c. */
bool start_begin(struct stream *stream, struct error *err) MUST_CHECK;
/* Frees what start_begin made, which also begins with it. */
void start_clear(struct stream *stream);

/* ---- builds.c: definitions and builds ---- */

bool builds_load(struct stream *stream, struct error *err) MUST_CHECK;
/* Finds or creates a build row for each segment that writes records. */
bool builds_ensure(struct stream *stream, struct error *err) MUST_CHECK;
/* Creates the next build of the segment's version, in the open transaction, or finds the one that another process
 * created first. Writes the control log: late in the transaction. */
bool builds_begin_next(struct stream *stream, size_t segment, struct error *err) MUST_CHECK;
/* What the store says of the lane's builds; ready[] and complete_from[] of the others are false and NEVER. */
bool builds_load_lane(struct stream *stream, struct stream_lane *lane, struct error *err) MUST_CHECK;
/* Says with which version of the time zone database the lanes' builds are evaluated, in the open transaction. */
bool builds_write_zones(struct stream *stream, struct error *err) MUST_CHECK;
/* Marks what is not ready yet as ready, in the open transaction; control lines included: late in the transaction. */
bool builds_write_ready(struct stream *stream, struct error *err) MUST_CHECK;

/* ---- catch_up.c: a lane's state from the archive and the log ---- */

/* Folds what the archive holds of the lane. A fresh lane's offsets are set to where the archive ends. */
bool catch_up_archive(struct stream *stream, struct stream_lane *lane, struct error *err) MUST_CHECK;
/* Folds the log of all lanes from there up to their progress. Ends early when the program is to stop. */
bool catch_up_log(struct stream *stream, struct error *err) MUST_CHECK;
/* The first offset of what archive and log hold of the topic without a gap up to the lane's progress. */
int64_t catch_up_begin(const struct stream_lane *lane, size_t topic);
/* From which watermark on a new build of the segment is complete in the lane. */
int64_t catch_up_complete_from(const struct stream *stream, const struct stream_lane *lane, size_t segment);

/* ---- history.c: what builds have read and nobody can read again ---- */

/* After catching up. A build whose history began before what can be read now goes on where the messages that are gone
 * can no longer matter to it. Else a next build begins for the segment (*begun: the caller catches up anew), or, where
 * a setting would bring them back, ERROR_USAGE with their offsets. */
bool history_check(struct stream *stream, bool *begun, struct error *err) MUST_CHECK;

/* ---- users.c: numbers and grants ---- */

bool users_load_lane(struct stream *stream, struct stream_lane *lane, struct error *err) MUST_CHECK;
/* Gives the user a number and makes it findable by it. */
bool users_number(struct stream *stream, struct stream_lane *lane, struct lane_user *user, int64_t user_no,
                  struct error *err) MUST_CHECK;
struct stream_numbered *users_by_number(struct stream *stream, int64_t user_no);
/* Copies the grants in force from the consent map. */
void users_restore_grants(struct stream *stream, struct lane_user *user);
/* Creates the users that the items not judged yet bring for the first time. Outside the step's transaction. */
bool users_intern_new(struct stream *stream, struct error *err) MUST_CHECK;
/* Before live reading: what the control log says of grants since the lanes' last step is undone, so that following it
 * announces what the step after it would have announced. In the snapshot. */
bool users_rewind_control(struct stream *stream, struct error *err) MUST_CHECK;
/* Takes in the control log since the last time: grants, definitions. What follows from them is part of the step. */
bool users_follow_control(struct stream *stream, struct error *err) MUST_CHECK;

/* ---- the stages ---- */

/* consume.c: fills `items` when all are judged; waits at most step_ms. */
bool consume_items(struct stream *stream, struct error *err) MUST_CHECK;
bool consume_at_ends(const struct stream *stream);

/* decode.c: one message, judged as ingest demands. *reason QUARANTINE_NONE: `event` is filled. */
bool decode_item(struct stream *stream, const struct kafka_item *item, struct event *event,
                 enum quarantine_reason *reason, struct error *why, struct error *err) MUST_CHECK;

/* divert.c */
bool divert_item(struct stream *stream, const struct kafka_item *item, enum quarantine_reason reason,
                 const struct error *why, struct error *err) MUST_CHECK;
bool divert_write(struct stream *stream, struct error *err) MUST_CHECK;

/* late.c: an event that came for state that was gone; all of the step are delivered by late_flush. */
bool late_send(struct stream *stream, const struct kafka_item *item, struct slice user, struct error *err) MUST_CHECK;
bool late_flush(struct stream *stream, struct error *err) MUST_CHECK;

/* evaluate.c: judges items in order until they are used up, or one must wait for the step's commit. */
bool evaluate_items(struct stream *stream, struct error *err) MUST_CHECK;

/* expire.c: moves watermarks and fires timers. */
bool expire_timers(struct stream *stream, struct error *err) MUST_CHECK;
/* Moves all watermarks to `until_ms` for good, and lets every membership announce its true end. */
bool expire_until(struct stream *stream, struct error *err) MUST_CHECK;

/* publish.c: records into the journal. */
struct lane_sink publish_sink(struct stream *stream, struct stream_lane *lane);
/* Hands over all rows and ends the COPY, so that other statements may follow. */
bool publish_end(struct stream *stream, struct error *err) MUST_CHECK;
/* Begins the step's transaction if it has not begun. */
bool publish_begin(struct stream *stream, struct error *err) MUST_CHECK;

/* settle.c: progress by compare-and-set, consent, COMMIT. Does nothing when there is nothing to write and the last
 * heartbeat is recent. */
bool settle_step(struct stream *stream, bool heartbeat, struct error *err) MUST_CHECK;

/* run.c */
struct run_options {
    int64_t until_ms;   /* TIMESTAMP_NEVER */
    int32_t lane_first; /* -1: all */
    int32_t lane_last;
};
bool run_stream(const struct config *config, const struct run_options *options, struct error *err) MUST_CHECK;

/* lag.c */
bool lag_print(const struct config *config, const char *format, struct error *err) MUST_CHECK;

#endif
