/* A lane: all users of one partition, their states, what was announced of each of their segments, and their timers. It
 * decides when a stream record is written (reconciliation, section 2, "Stream record", 1 to 5). Pure: no clock, no I/O;
 * records leave through a callback.
 *
 * What is announced of a (user, segment) A, the events held, and the watermark W before an event decide together:
 *
 * - A user's instant is T = the greater of W and the user's newest event time.
 * - M true at T where A says otherwise (or has another entered_at) is written at once, after the transitions between.
 * - The end of the announced membership is written at once where the event brought it about, else when the watermark
 * has passed it. So is an entry that time brings about. Both are timers at the instant itself.
 * - What changes only at or before W, or before the instant A speaks for, is past and writes nothing.
 * - A later end than announced is written (renewal) once half of the announced validity has passed, an earlier one at
 * once.
 * - An event for state that is gone leaves M as it is known, but uncertain until the watermark is where that event can
 * no longer matter: a record says so, and another when that is over. To M and its end, that is: a membership that holds
 * on from before may keep another entered_at than the truth's until the state is rebuilt.
 *
 * - Of two copies of a message with other content the one that the log has first counts: files, then the topics in
 * their order. Topics are read side by side; where the one held turns out to be the second, the user is uncertain
 * until a start has folded what is read in that order.
 *
 * All of it is a function of (A, events, W): timers of a user that are due fire before the user's next event is folded,
 * and at their own instant; states are pruned as of a timer's instant or of W before an event, never of where a step
 * ends. So records do not depend on where the caller cuts steps, and a restart that restores A from the journal and the
 * events from the log goes on with the records that would have come; except for late events, which the rebuilt state
 * holds: it says so, and what is true. Events of one millisecond are each judged by themselves: the second may take
 * back at once what the first one brought. */
#ifndef MUSTER_DOMAIN_LANE_H
#define MUSTER_DOMAIN_LANE_H

#include "common/base/error.h"
#include "common/base/timestamp.h"
#include "common/domain/event.h"
#include "common/domain/ruleset.h"
#include "common/domain/user_state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LANE_TOPICS_MAX = 3, LANE_PURPOSES_MAX = 64, LANE_NO_PURPOSE = -1, LANE_CATCH_UP_TIMES = 8 };

struct lane;
struct lane_user;

/* How one segment of the ruleset is announced. */
struct lane_segment {
    bool silent; /* evaluated only because another refers to it: no records */
    int purpose; /* index of the purpose (0 .. LANE_PURPOSES_MAX - 1) its records need, or LANE_NO_PURPOSE */
    bool is_new; /* its build has announced nothing yet: lane_start announces members */
    int64_t complete_from_ms; /* the build is complete once the watermark is here; TIMESTAMP_ALWAYS, _NEVER */
};

struct lane_options {
    const struct ruleset *ruleset;       /* borrowed */
    const struct lane_segment *segments; /* one per segment of the ruleset; copied */
    size_t purpose_count;
    /* Cap on events kept per user; 0: none. Who has so many, of which pruning does not drop an eighth, turns uncertain.
     * While catching up, when nothing is final yet, LANE_CATCH_UP_TIMES as many are kept. */
    size_t user_events_max;
    /* Events this far behind the watermark are final: states are pruned up to there, and an event that comes later
     * still for state that is gone makes its user uncertain. 0: no event is ever late, and nothing is pruned. */
    int64_t lateness_ms;
};

/* One stream record. */
struct lane_record {
    const struct lane_user *user;
    size_t segment;
    bool member;
    int64_t entered_at; /* members only */
    int64_t effective_at;
    int64_t valid_until;                /* members only; TIMESTAMP_NEVER */
    int64_t positions[LANE_TOPICS_MAX]; /* the user's newest folded offset per topic; -1: none */
    bool certain;
    int64_t uncertain_until; /* TIMESTAMP_ALWAYS: not uncertain; TIMESTAMP_NEVER: open */
    int64_t grant_no;        /* 0 without a purpose */
};

/* Takes one record; false stops and fails the call. */
typedef bool lane_emit(void *context, const struct lane_record *record, struct error *err);

struct lane_sink {
    lane_emit *emit;
    void *context;
};

/* A lane without users. All functions below that can fail do so with ERROR_INTERNAL (no memory) or what the sink says;
 * the lane must then only be freed. */
bool lane_new(const struct lane_options *options, struct lane **out, struct error *err) MUST_CHECK;
void lane_free(struct lane *lane);

/* ---- users ---- */

/* The user with that id, or NULL. Valid as long as the lane. */
struct lane_user *lane_find(const struct lane *lane, struct slice user_id);
/* The same in two steps: lane_hash also asks for the memory that lane_find_hashed will look at, so that the time until
 * it arrives can be used for other messages. */
uint64_t lane_hash(const struct lane *lane, struct slice user_id);
struct lane_user *lane_find_hashed(const struct lane *lane, struct slice user_id, uint64_t hash);
/* Asks for the memory of a user whose event comes soon: far ahead, nearer and next, in this order. Users lie all over
 * the memory, and each of these finds its addresses in what the one before asked for. */
enum lane_nearness { LANE_NEARNESS_NONE = 0, LANE_FAR, LANE_NEAR, LANE_NEXT };
void lane_prefetch(const struct lane *lane, const struct lane_user *user, enum lane_nearness nearness);
/* Finds or adds. A new user has number 0 and no grants. The id is copied. */
bool lane_add(struct lane *lane, struct slice user_id, struct lane_user **out, struct error *err) MUST_CHECK;
struct slice lane_user_id(const struct lane_user *user);
int64_t lane_user_no(const struct lane_user *user);
void lane_user_number(struct lane_user *user, int64_t user_no);
/* The user's state, borrowed until the next call about another user; to ask it anything. */
bool lane_user_state(struct lane *lane, struct lane_user *user, struct user_state **out, struct error *err) MUST_CHECK;
/* Visits all users, in the order they were added. */
typedef bool lane_visit(void *context, struct lane_user *user, struct error *err);
bool lane_each(const struct lane *lane, lane_visit *visit, void *context, struct error *err) MUST_CHECK;

/* ---- catching up, before lane_start ---- */

/* Folds an event without looking at it further. topic_no -1: no position (a file row). Where a file or a topic comes
 * before another, its events should be folded before the other's. */
bool lane_fold(struct lane *lane, struct lane_user *user, const struct event *event, int16_t topic_no, int64_t offset,
               struct error *err) MUST_CHECK;
/* The newest record in the journal for a user and segment (user and positions are not looked at). */
bool lane_announced_set(struct lane *lane, struct lane_user *user, const struct lane_record *record,
                        struct error *err) MUST_CHECK;
/* Sets a grant without announcing anything: 0 for none. */
void lane_grant_restore(struct lane_user *user, int purpose, int64_t grant_no);

/* Sets a segment's is_new and complete_from_ms, once the history is known. */
void lane_build(struct lane *lane, size_t segment, bool is_new, int64_t complete_from_ms);

/* Ends the catching up: announces the members of new builds, corrects what was announced wrongly, and sets all timers.
 */
bool lane_start(struct lane *lane, int64_t watermark, const struct lane_sink *sink, struct error *err) MUST_CHECK;

/* ---- live ---- */

/* One event from the log, in its order. `watermark` is the lane's before this event. */
bool lane_event(struct lane *lane, struct lane_user *user, const struct event *event, int16_t topic_no, int64_t offset,
                int64_t watermark, const struct lane_sink *sink, struct error *err) MUST_CHECK;
/* Fires all timers that are due. */
bool lane_advance(struct lane *lane, int64_t watermark, const struct lane_sink *sink, struct error *err) MUST_CHECK;

/* Fires all timers that are due, and writes every end that is later than announced, although half of what was announced
 * has not passed: nobody will be there to renew it. */
bool lane_end(struct lane *lane, int64_t watermark, const struct lane_sink *sink, struct error *err) MUST_CHECK;

/* A consent message was read and is being written to the store: fires the user's timers that are due, then keeps the
 * user's timers from firing until lane_release, so that nothing is written on a grant that is about to end. */
bool lane_hold(struct lane *lane, struct lane_user *user, int64_t watermark, const struct lane_sink *sink,
               struct error *err) MUST_CHECK;
bool lane_release(struct lane *lane, struct lane_user *user, struct error *err) MUST_CHECK;
bool lane_held(const struct lane_user *user);
/* The grant in force (0: none) has become another one. None: nothing counts as announced. A new one: the user's
 * memberships that need it are announced again. */
bool lane_grant_set(struct lane *lane, struct lane_user *user, int purpose, int64_t grant_no, int64_t watermark,
                    const struct lane_sink *sink, struct error *err) MUST_CHECK;

struct lane_counts {
    uint64_t users;
    uint64_t folded;
    uint64_t copies;
    uint64_t copies_different;
    uint64_t users_capped;
    uint64_t late; /* events for state that was gone */
    uint64_t timers_fired;
    uint64_t size; /* bytes of all users: what is known of them, tables, timers */
};
struct lane_counts lane_counts(const struct lane *lane);
/* Its `late`, at once: grows with each event that came for state that was gone. */
uint64_t lane_late_count(const struct lane *lane);

#endif
