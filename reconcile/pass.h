/* One pass of the reconciler: what it read, in one snapshot, and what it did. The stages are one file each, in this
 * order:
 *
 *   align    what is in force and which run counts; what each lane has seen
 *   consent  which users the control log concerns, and what each of them allows
 *   merge    fold the new stream records, decide
 *   record   hand decided rows to the store, at most 1,000 a transaction
 *   seal     close the history rows of the pass with a block
 *   publish  bring the serving layer up to the sealed rows
 *
 * Divergence is measured after that, when it is time to.
 *
 * A pass reads everything in one REPEATABLE READ snapshot on one connection and writes on another, which also holds the
 * advisory lock: a reconciler that lost its lock has lost its connection and can write nothing. A crash anywhere leaves
 * a state from which the next pass comes to the same result: what a user's row has folded is written with the row,
 * verdicts are functions of the evidence, and cursors move last. */
#ifndef MUSTER_RECONCILE_PASS_H
#define MUSTER_RECONCILE_PASS_H

#include "common/base/buffer.h"
#include "common/base/config.h"
#include "common/base/error.h"
#include "common/base/memory.h"
#include "common/domain/merge.h"
#include "common/io/pg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PASS_TOPICS = 3, PASS_LANES_MAX = 4096, PASS_APPLY_MAX = 1000 };

/* PostgreSQL's binary timestamps count from 2000-01-01. */
#define PASS_EPOCH_2000_US INT64_C(946684800000000)

struct redis;

/* Settings and connections of the program. */
struct reconciler {
    const struct config *config;
    struct pg *read;
    struct pg *write;    /* holds the advisory lock; listens */
    struct redis *redis; /* NULL until first used */
    bool clock_event;
    int64_t grace_ms;
    int64_t freshness_ms;
    bool redis_down;     /* said once */
    bool redis_checked;  /* an alert of an earlier process has been looked at */
    bool forced;         /* a whole pass, whatever the markers say */
    bool stop_on_signal; /* a signal ends a pass between two users' groups; the next pass goes on */
    int64_t tick_ms;     /* when withdrawals were last looked for during a pass (monotonic) */
};

/* ---- what a pass read (align) ---- */

struct pass_lane {
    int32_t lane;
    int64_t epoch;
    int64_t step;
    int64_t watermark; /* TIMESTAMP_ALWAYS: nothing read yet */
    int64_t offset_next[PASS_TOPICS];
    int64_t step_merged;      /* cursor: journal rows up to this step are merged */
    int64_t watermark_merged; /* watermark the last pass used */
    int64_t ended_by;         /* memberships whose valid_until is not later have ended by themselves */
};

struct pass_run {
    int64_t run_no;
    int64_t as_of;
    int64_t snapshot_us;
    int64_t activated_us;
    int64_t control_no;
    bool has_coverage;
    int64_t *coverage;  /* [lane index * PASS_TOPICS + topic] */
    bool *loads_folded; /* [lane index] */
};

/* One build of a version of a segment. build_no 0: without any, as the batch alone puts it in force. */
struct pass_version {
    int32_t segment_no;
    int32_t version;
    int32_t build_no;
    enum evaluation_mode evaluation;
    enum merge_strategy strategy;
    int32_t purpose_no; /* 0: not subject to consent */
    bool retired;       /* still in force, and nobody's any more */
    struct slice segment_id;
    struct slice document;
    size_t run_index;       /* R of this version, or SIZE_MAX */
    bool *ready;            /* [lane index], of the build */
    int64_t *complete_from; /* [lane index] */
    int64_t *offsets_ready; /* [lane index * PASS_TOPICS + topic]: the lane's next offsets when it was ready */
    int64_t ready_us;       /* when its last lane became ready; 0: none is */
};

/* What a whole (segment, lane) was last decided for. */
struct pass_marker {
    int64_t run_no; /* 0: none */
    int32_t build_no;
    bool complete;
    bool covered;
};

struct pass_segment {
    int32_t segment_no;
    const struct pass_version *version; /* in force; NULL: none yet */
    int32_t build_no;                   /* in force; 0: none yet */
    int64_t run_no;                     /* R; 0: none */
    struct pass_marker *markers;        /* [lane index]; run_no -1: never decided */
};

struct pass_world {
    struct arena arena;
    struct pass_lane *lanes;
    size_t lane_count;
    struct pass_run *runs;
    size_t run_count;
    struct pass_version *versions; /* by segment, newest first; of one version the newest build first, none last */
    size_t version_count;
    struct pass_segment *segments;
    size_t segment_count;
    int64_t pass_no;
    int64_t control_no;      /* cursor */
    int64_t control_no_head; /* newest line of the snapshot */
    int64_t now_ms;
};

/* What a pass did, for the summary. */
struct pass_counts {
    int64_t records; /* stream records merged */
    int64_t decided; /* users looked at */
    int64_t entered;
    int64_t exited;
    int64_t renewed;
    int64_t confirmed;
    int64_t refused;   /* the grant had ended meanwhile */
    int64_t switched;  /* (version, build) that came into force */
    int64_t block_no;  /* sealed; 0: nothing to seal */
    int64_t published; /* users brought up to date in the serving layer */
    bool new_run;      /* a run became current, or a lane came to cover it */
    bool stopped;      /* a signal ended the pass early */
};

/* align: reads the world in the read connection's transaction. Everything hangs on the world's arena. */
void pass_world_init(struct pass_world *world);
void pass_world_clear(struct pass_world *world);
bool align_load(struct reconciler *reconciler, struct pass_world *world, struct error *err) MUST_CHECK;
/* Chooses what is in force and stores what changed. */
bool align_switch(struct reconciler *reconciler, struct pass_world *world, struct pass_counts *counts,
                  struct error *err) MUST_CHECK;
/* The lane as the merge sees it for a version's build. */
struct merge_lane align_lane(const struct pass_world *world, const struct pass_version *version, size_t lane_index);
/* R as the merge sees it from a lane; absent where there is none. */
struct merge_run align_run(const struct pass_world *world, const struct pass_version *version, size_t lane_index);
/* What the (segment, lane) would be decided for now. */
struct pass_marker align_marker(const struct pass_world *world, const struct pass_segment *segment, size_t lane_index);

/* ---- users to decide about (consent, merge) ---- */

/* A stream record as read from the journal. `next` chains the records of one user in journal order. */
struct pass_record {
    int64_t user_no;
    int64_t step;
    int32_t seq;
    int32_t segment_no;
    int32_t build_no;
    uint32_t next; /* index, or PASS_NO_RECORD */
    int64_t grant_no;
    struct merge_stream stream;
};
#define PASS_NO_RECORD UINT32_MAX

/* (segment, user) with the evidence and the verdict, stored and new. */
struct pass_item {
    int64_t user_no;
    bool stored; /* there is an audience row */
    bool batch_loaded;
    uint32_t record_first;
    uint32_t record_last;
    /* consent */
    bool allowed;
    int64_t grant_no;
    int64_t grant_control_no;
    int64_t grant_at;
    /* stream evidence */
    int32_t s_build_no;
    int32_t s_seq;
    int64_t s_step;
    int64_t s_grant_no;
    struct merge_stream stream;
    /* batch evidence */
    int64_t b_run_no;
    int64_t b_grant_no;
    struct merge_batch batch;
    struct merge_batch batch_stored;
    /* verdict */
    struct merge_verdict verdict;
    int32_t version;
    int32_t build_no;
    int64_t run_no;
    int32_t purpose_no;
    int64_t verdict_grant_no;
};

/* Users of one (segment, lane), found by number. */
struct pass_items {
    struct pass_item *items;
    size_t count;
    size_t capacity;
    uint32_t *slots; /* open addressing; index + 1, 0: free */
    size_t slot_count;
};
void pass_items_init(struct pass_items *items);
void pass_items_clear(struct pass_items *items);
/* Empties but keeps the memory. */
void pass_items_reset(struct pass_items *items);
/* The user's item, or NULL. */
struct pass_item *pass_items_find(const struct pass_items *items, int64_t user_no);
/* The user's item, made where there is none. Pointers to other items are invalid afterwards. */
bool pass_items_add(struct pass_items *items, int64_t user_no, struct pass_item **out, struct error *err) MUST_CHECK;

struct pass_records {
    struct pass_record *records;
    size_t count;
    size_t capacity;
    bool overflow; /* there were more than fit: read segment by segment */
};

/* journal: records of a lane with step_after < step <= step_last, in journal order, through the view. segment_no 0: of
 * all segments; build_no 0: of all builds. */
bool journal_read(struct pg *pg, int32_t lane, int64_t step_after, int64_t step_last, int32_t segment_no,
                  int32_t build_no, size_t count_max, struct pass_records *out, struct error *err) MUST_CHECK;
/* Adds the records of the segment's build to its users' items. */
bool journal_chain(struct pass_records *records, int32_t segment_no, int32_t build_no, struct pass_items *items,
                   struct error *err) MUST_CHECK;

/* consent: users that control lines after world->control_no concern, per (purpose, lane). */
struct pass_concerned {
    int64_t user_no;
    int32_t purpose_no;
    int32_t lane;
};
bool consent_concerned(struct reconciler *reconciler, const struct pass_world *world, struct pass_concerned **out,
                       size_t *out_count, struct error *err) MUST_CHECK;

/* Removes pipeline records that can no longer be read, since the grant they rest on has ended. */
bool consent_sweep(struct reconciler *reconciler, struct error *err) MUST_CHECK;

/* loads: evidence of users into items; `whole`: everyone of the (segment, lane), else those in items already. */
bool evidence_load(struct reconciler *reconciler, const struct pass_world *world, const struct pass_segment *segment,
                   size_t lane_index, bool whole, struct pass_items *items, struct error *err) MUST_CHECK;

/* ---- writing ---- */

/* record: rows on their way into audience_apply. */
struct record_batch {
    struct buffer rows;
    struct buffer history;
    size_t row_count;
    size_t history_count;
};
bool record_init(struct record_batch *batch, struct error *err) MUST_CHECK;
void record_clear(struct record_batch *batch);
/* Adds one row of history; the caller sees to it that there is room (record_room) and that the item's row follows. */
void record_history(struct record_batch *batch, const struct pass_segment *segment, const struct pass_world *world,
                    int32_t lane, const struct pass_item *item, const struct merge_verdict *verdict,
                    enum merge_change change);
void record_row(struct record_batch *batch, const struct pass_segment *segment, int32_t lane,
                const struct pass_item *item);
bool record_flush(struct reconciler *reconciler, struct record_batch *batch, struct pass_counts *counts,
                  struct error *err) MUST_CHECK;

/* merge: decides the users in `items`, which are of one (segment, lane), and writes what changed. each_record: every
 * record that decides has its row of history; false when a build takes over from another, where only the newest of each
 * user counts. */
bool merge_unit(struct reconciler *reconciler, const struct pass_world *world, struct pass_segment *segment,
                size_t lane_index, const struct pass_records *records, bool each_record, struct pass_items *items,
                struct record_batch *batch, struct pass_counts *counts, struct error *err) MUST_CHECK;

/* seal and publish */
bool seal_history(struct reconciler *reconciler, struct pass_counts *counts, struct error *err) MUST_CHECK;
bool publish_redis(struct reconciler *reconciler, struct pass_counts *counts, struct error *err) MUST_CHECK;
/* During a long pass: a few times a second, takes withdrawn users out of Redis and seals. What fails is left to
 * publish_redis. */
void publish_tick(struct reconciler *reconciler);

/* divergence and alerts */
bool divergence_measure(struct reconciler *reconciler, const struct pass_world *world, struct error *err) MUST_CHECK;
bool alert_raise(struct reconciler *reconciler, const char *kind, const char *subject, const char *message,
                 struct error *err) MUST_CHECK;
bool alert_resolve(struct reconciler *reconciler, const char *kind, const char *subject, const char *message,
                   struct error *err) MUST_CHECK;
bool freshness_check(struct reconciler *reconciler, struct error *err) MUST_CHECK;

/* run: opens store connections and takes the lock; one whole pass. */
bool reconciler_open(const struct config *config, int64_t lock_wait_ms, struct reconciler *out,
                     struct error *err) MUST_CHECK;
void reconciler_close(struct reconciler *reconciler);
bool pass_run(struct reconciler *reconciler, struct pass_counts *counts, struct error *err) MUST_CHECK;
/* Measures divergence in a snapshot of its own: after publication, which must not wait for it. */
bool pass_measure(struct reconciler *reconciler, struct error *err) MUST_CHECK;

#endif
