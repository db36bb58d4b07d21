/* Shared by lane.c (users, folding, timers), lane_rest.c (the user in hand, all others at rest) and lane_record.c (when
 * a record is written). */
#ifndef MUSTER_DOMAIN_LANE_INTERNAL_H
#define MUSTER_DOMAIN_LANE_INTERNAL_H

#include "common/domain/lane.h"
#include "common/domain/timer.h"
#include "common/domain/user_state_pack.h"

/* What was last written for a (user, segment), and when it must be looked at again. */
struct lane_announced {
    bool present; /* false: nothing is announced, which reads as "not a member" */
    bool member;  /* only where it is present */
    bool certain;
    bool listed; /* in the list of the user in hand */
    int64_t entered_at;
    int64_t effective_at;
    int64_t valid_until;
    int64_t uncertain_until;
    int64_t end_known;  /* where the announced membership truly ended when last looked at */
    int64_t due;        /* TIMESTAMP_NEVER: no timer */
    int64_t late_until; /* until then a late event may matter; TIMESTAMP_ALWAYS: none came */
};

/* At rest: what its next message needs lies in `rest`, packed: the state's base and entries (log_size bytes), then the
 * state's numbers, the positions, and what is announced. A user with many events keeps its state unpacked instead. */
struct lane_user {
    struct user_state *state; /* NULL: packed */
    unsigned char *rest;
    uint32_t log_size;
    uint32_t rest_size;
    uint32_t rest_capacity;
    uint32_t state_size; /* of `state`, when it was put down last */
    uint16_t id_size;
    uint16_t purpose_count;
    bool held;
    bool capped;
    int64_t user_no;
    int64_t due;      /* smallest of the segments' */
    int64_t in_heap;  /* instant of the entry in the heap that counts; TIMESTAMP_NEVER: none */
    int64_t grants[]; /* one per purpose; 0: none. Behind them the id. */
};

/* The user in hand. There is one at a time; taking up another puts it down. */
struct lane_hand {
    struct lane_user *user;           /* NULL: nobody */
    struct user_state *state;         /* the user's, or `spare` with it unpacked; NULL: not looked at yet */
    struct user_state *spare;         /* for those at rest */
    struct user_state_head head;      /* of what is packed */
    int64_t final_ms;                 /* of the base that is packed */
    bool changed;                     /* something is not as it is packed */
    bool reordered;                   /* so are the entries, other than by new ones behind them */
    struct lane_announced *announced; /* by segment */
    uint32_t *listed;                 /* segments about which anything may be said, ascending */
    size_t listed_count;
    int64_t positions[LANE_TOPICS_MAX];
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
    int64_t lateness_ms;
    uint64_t *touched;
    size_t touched_words;
    uint64_t seed;
    struct lane_slot *slots;
    size_t slot_count; /* a power of two, at least twice the users */
    struct lane_user **users;
    size_t user_count;
    size_t user_capacity;
    uint64_t user_size; /* bytes of all users */
    struct lane_hand hand;
    struct buffer packed; /* while a user is put down */
    struct timer_heap timers;
    struct lane_counts counts;
};

/* ---- lane_rest.c ---- */

bool lane_hand_init(struct lane *lane, struct error *err) MUST_CHECK;
void lane_hand_clear(struct lane *lane);
/* A new user at rest, about whom nothing is known; NULL: no memory. */
struct lane_user *lane_user_new(struct lane *lane, struct slice id);
void lane_user_free(struct lane_user *user);
/* Takes the user up, so that positions and announcements are in hand; puts down whoever was. */
bool lane_take(struct lane *lane, struct lane_user *user, struct error *err) MUST_CHECK;
/* Unpacks the state of the user in hand, where that has not been done. */
bool lane_take_state(struct lane *lane, struct error *err) MUST_CHECK;
/* Makes the state in hand the user's own where it is large enough to stay unpacked. */
bool lane_keep_state(struct lane *lane, struct error *err) MUST_CHECK;
/* What is announced of a segment of the user in hand, to be changed. */
struct lane_announced *lane_announced_of(struct lane *lane, size_t segment);
/* Newest event time of the user in hand, or TIMESTAMP_ALWAYS. */
int64_t lane_newest(const struct lane *lane);

/* ---- lane_record.c ---- */

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

/* Compares what is announced of a segment of the user in hand with the truth, writes what must be written now, and sets
 * the next instant. */
bool lane_judge(struct lane *lane, size_t segment, const struct lane_judgement *judgement, const struct lane_sink *sink,
                struct error *err) MUST_CHECK;
/* Writes that the segment of the user in hand has become uncertain for good. */
bool lane_judge_capped(struct lane *lane, size_t segment, const struct lane_judgement *judgement,
                       const struct lane_sink *sink, struct error *err) MUST_CHECK;

#endif
