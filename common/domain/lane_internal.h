/* Shared by lane.c (users, folding, timers) and lane_record.c (when a record is written). */
#ifndef MUSTER_DOMAIN_LANE_INTERNAL_H
#define MUSTER_DOMAIN_LANE_INTERNAL_H

#include "common/domain/lane.h"
#include "common/domain/timer.h"

/* What was last written for a (user, segment), and when it must be looked at again. */
struct lane_announced {
    bool present; /* false: nothing is announced, which reads as "not a member" */
    bool member;
    bool certain;
    int64_t entered_at;
    int64_t effective_at;
    int64_t valid_until;
    int64_t uncertain_until;
    int64_t end_known; /* where the announced membership truly ended when last looked at */
    int64_t due;       /* TIMESTAMP_NEVER: no timer */
};

/* What every message of the user needs lies together. */
struct lane_user {
    uint32_t id_size;
    bool held;
    bool capped;
    char *id;
    struct user_state *state;
    int64_t user_no;
    int64_t due;     /* smallest of the segments' */
    int64_t in_heap; /* instant of the entry in the heap that counts; TIMESTAMP_NEVER: none */
    int64_t positions[LANE_TOPICS_MAX];
    int64_t *grants;                  /* one per purpose; 0: none */
    struct lane_announced *announced; /* one per segment */
};

/* Open addressing: a slot without a user is empty. */
struct lane_slot {
    uint64_t hash;
    struct lane_user *user;
};

struct lane {
    const struct ruleset *ruleset;
    struct evaluation *evaluation;
    struct lane_segment *segments;
    size_t segment_count;
    size_t purpose_count;
    size_t user_events_max;
    uint64_t *touched;
    size_t touched_words;
    uint64_t seed;
    struct lane_slot *slots;
    size_t slot_count; /* a power of two, at least twice the users */
    struct lane_user **users;
    size_t user_count;
    size_t user_capacity;
    struct timer_heap timers;
    struct lane_counts counts;
};

enum lane_occasion {
    LANE_OCCASION_NONE = 0,
    LANE_EVENT,    /* an event was folded */
    LANE_TIMER,    /* an instant has come */
    LANE_START,    /* after catching up */
    LANE_ANNOUNCE, /* nothing counts as announced: a new build, a new grant */
    LANE_END,      /* nobody will look again: renewals do not wait */
};

struct lane_judgement {
    enum lane_occasion occasion;
    int64_t watermark;  /* before the event; the timer's own instant */
    int64_t event_time; /* LANE_EVENT */
};

/* Compares what is announced of a segment with the truth, writes what must be written now, and sets the next instant.
 */
bool lane_judge(struct lane *lane, struct lane_user *user, size_t segment, const struct lane_judgement *judgement,
                const struct lane_sink *sink, struct error *err) MUST_CHECK;
/* Writes that the user's segment has become uncertain for good. */
bool lane_judge_capped(struct lane *lane, struct lane_user *user, size_t segment,
                       const struct lane_judgement *judgement, const struct lane_sink *sink,
                       struct error *err) MUST_CHECK;
/* Whether records of the segment may be written for the user. */
bool lane_allowed(const struct lane *lane, const struct lane_user *user, size_t segment);

#endif
