/* The merge (reconciliation, section 3): for one segment and one user, which side is right, and why. Streaming wins for
 * updates, batch wins for new members; a lane that has provably read all that the run read decides by its silence too.
 *
 * A pure function of the evidence: what each side recorded, what each side had seen, and how far the lane's time has
 * come. It reads no clock and keeps nothing, so a second decision over the same evidence is the same, and the order in
 * which the evidence arrived does not matter. Instants of writing are microseconds since 1970, as the store keeps them;
 * all others are event time in milliseconds. */
#ifndef MUSTER_DOMAIN_MERGE_H
#define MUSTER_DOMAIN_MERGE_H

#include "common/domain/rule.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MERGE_TOPICS_MAX = 4 };

/* Why the verdict is what it is; stored with it by name. */
enum merge_decision {
    DECISION_NONE = 0,
    DECISION_STREAM_ONLY,       /* row 1, or a segment evaluated by the stream alone */
    DECISION_AWAITING_BATCH,    /* row 1: the stream knows too little and there is no run yet */
    DECISION_STREAM_UNCERTAIN,  /* row 2 */
    DECISION_STREAM_COVERS,     /* row 3 */
    DECISION_STREAM_UPDATE,     /* row 4 */
    DECISION_BATCH_NEW_MEMBER,  /* row 5, no stream record, the run has the user */
    DECISION_BATCH_ABSENT,      /* row 5, no stream record, the run has not */
    DECISION_BATCH_OVER_STREAM, /* row 5, the stream's record is older than what the run saw */
    DECISION_BATCH_ONLY,        /* a segment evaluated by the batch alone */
    DECISION_LAST_WRITER_STREAM,
    DECISION_LAST_WRITER_BATCH,
    DECISION_UNION_BOTH,
    DECISION_UNION_STREAM,
    DECISION_UNION_BATCH,
    DECISION_UNION_NEITHER,
    DECISION_UNION_EXCLUDED,    /* the run excludes the user and the stream knows nothing newer */
    DECISION_CONSENT_WITHDRAWN, /* the purpose is not granted */
    DECISION_EXPIRED,           /* the winner's membership has ended by itself */
    DECISION_SEGMENT_RETIRED,   /* the segment is out of use */
    DECISION_COUNT,
};
/* "stream_only", ...; "none" for 0. */
const char *merge_decision_name(enum merge_decision decision);
/* DECISION_NONE for a name that is none. */
enum merge_decision merge_decision_find(struct slice name);
/* Whether the stream's record (or its silence) made the verdict: then each of its records has a row in the history. */
bool merge_decision_by_stream(enum merge_decision decision);
/* Whether the run made the verdict. */
bool merge_decision_by_batch(enum merge_decision decision);

enum batch_verdict { BATCH_NONE = 0, BATCH_NO, BATCH_MEMBER, BATCH_EXCLUDED };
/* "no", "member", "excluded"; "none" for 0. */
const char *batch_verdict_name(enum batch_verdict verdict);
enum batch_verdict batch_verdict_find(struct slice name);

/* `s`: the newest stream record of the build in force, written since the present grant. */
struct merge_stream {
    bool present;
    bool member;
    bool certain;
    int64_t entered_at;
    int64_t effective_at;
    int64_t valid_until;                 /* TIMESTAMP_NEVER: open */
    int64_t uncertain_until;             /* TIMESTAMP_ALWAYS: it is not uncertain; TIMESTAMP_NEVER: open */
    int64_t positions[MERGE_TOPICS_MAX]; /* newest folded offset per topic, -1: none */
    int64_t written_us;
};

/* `R`, as seen from one lane. A run that does not contain the user's present grant is passed as absent. */
struct merge_run {
    bool present;
    bool has_coverage;
    bool loads_folded; /* every file load the run read is folded in the lane */
    int64_t as_of;
    int64_t snapshot_us;
    int64_t written_us;                 /* when it was activated */
    int64_t coverage[MERGE_TOPICS_MAX]; /* greatest offset read of the lane per topic, -1: none */
};

/* `b`: R's record about the user. */
struct merge_batch {
    enum batch_verdict verdict; /* BATCH_NONE only where there is no run */
    int64_t entered_at;
    int64_t valid_until;
};

/* The user's lane, for the build in force. */
struct merge_lane {
    bool ready;            /* a build is in force and has caught up */
    int64_t complete_from; /* TIMESTAMP_ALWAYS: from the beginning; TIMESTAMP_NEVER: never */
    int64_t watermark;     /* TIMESTAMP_ALWAYS: nothing read yet */
    int64_t offset_next[MERGE_TOPICS_MAX];
};

struct merge_input {
    enum evaluation_mode evaluation;
    enum merge_strategy strategy;
    size_t topic_count;
    bool retired; /* the segment is out of use: nobody is a member */
    bool allowed; /* the purpose is granted, or none is needed */
    int64_t
        ended_by; /* a membership whose valid_until is at or before this instant has ended by itself (merge_ended_by) */
    struct merge_stream stream;
    struct merge_run run;
    struct merge_batch batch;
    struct merge_lane lane;
};

struct merge_verdict {
    bool member;
    int64_t entered_at;  /* of members; TIMESTAMP_ALWAYS otherwise */
    int64_t valid_until; /* of members; TIMESTAMP_NEVER: open, and for others */
    int64_t valid_from;  /* event time from which the verdict holds */
    enum merge_decision decision;
};

/* The build is complete in the lane: ready, and its watermark has passed complete_from. */
bool merge_complete(const struct merge_lane *lane);
/* The lane covers the run: complete, progress past the run's coverage in every topic and load, watermark past as_of. */
bool merge_covers(const struct merge_lane *lane, const struct merge_run *run, size_t topic_count);
/* The stream's record is an update since the run. */
bool merge_update_since(const struct merge_stream *stream, const struct merge_run *run, size_t topic_count);
/* The instant up to which memberships have ended by themselves: the lane's watermark, or the wall clock less the grace
 * where that is later. `wall_ms` is TIMESTAMP_ALWAYS where event time is the only clock. */
int64_t merge_ended_by(int64_t watermark, int64_t wall_ms, int64_t grace_ms);

/* Decides. */
struct merge_verdict merge_decide(const struct merge_input *input);
/* Decides without regard to expiry: what a record said when it was written (rows of the history in journal order). */
struct merge_verdict merge_decide_record(const struct merge_input *input);

/* Whether two verdicts say the same about the user (member, entered_at, valid_until). */
bool merge_verdict_equal(const struct merge_verdict *a, const struct merge_verdict *b);

enum merge_change { CHANGE_NONE = 0, CHANGE_ENTERED, CHANGE_EXITED, CHANGE_RENEWED, CHANGE_CONFIRMED };
/* What the step from `before` to `after` is called in the history. */
enum merge_change merge_change_between(const struct merge_verdict *before, const struct merge_verdict *after);
/* "entered", "exited", "renewed", "confirmed"; "none" for 0. */
const char *merge_change_name(enum merge_change change);

#endif
