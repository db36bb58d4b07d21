/* One user's state: absorbs events in any order and answers "member now?, since when?, when would that change by
 * itself?" (segment-language, sections 1, 2, 6). The one evaluator of both pipelines.
 *
 * The answer at T depends only on the set of events held whose time is <= T. */
#ifndef MUSTER_DOMAIN_USER_STATE_H
#define MUSTER_DOMAIN_USER_STATE_H

#include "common/base/error.h"
#include "common/base/timestamp.h"
#include "common/domain/event.h"
#include "common/domain/ruleset.h"

#include <stdbool.h>
#include <stdint.h>

struct user_state;

enum fold_result {
    FOLD_NONE = 0,
    FOLD_APPLIED,
    FOLD_COPY,           /* a copy of an event that is held: ignored */
    FOLD_COPY_DIFFERENT, /* a copy with other content: ignored, to be reported */
    FOLD_COPY_EARLIER,   /* the same, but the log has it before the one that is held, which should not be */
    FOLD_IGNORED,        /* consent, delete: nothing for the rules */
    FOLD_LATE,           /* the state that it would change is gone: ignored, and the user no longer certain */
};

struct membership {
    bool member;
    bool excluded;       /* the criteria (with lifetime) hold and an exclusion does too */
    int64_t entered_at;  /* of the interval that holds now */
    int64_t valid_until; /* TIMESTAMP_NEVER if never; meaningful for members only */
};

/* [entered_at, left_at); left_at is TIMESTAMP_NEVER where it has no end. */
struct interval {
    int64_t entered_at;
    int64_t left_at;
};

/* Working memory for evaluation, reused from call to call; one per thread. */
struct evaluation;
bool evaluation_new(const struct ruleset *ruleset, struct evaluation **out, struct error *err) MUST_CHECK;
void evaluation_free(struct evaluation *evaluation);

bool user_state_new(const struct ruleset *ruleset, struct user_state **out, struct error *err) MUST_CHECK;
/* Says that the state is soon packed or emptied (user_state_pack.h), so that evaluation spares itself what pays with
 * the events to come only. */
void user_state_transient(struct user_state *state, bool transient);
void user_state_free(struct user_state *state);

/* Absorbs one event of the user. Content is copied as far as the rules need it. `touched`, where not NULL, is an array
 * of bits, one per segment ((segment_count + 63) / 64 words), in which the segments that this event can change
 * (referring ones included) are set; other bits are left alone. With FOLD_LATE (user_state_prune) these are the
 * segments that it would change. */
bool user_state_fold(const struct ruleset *ruleset, struct user_state *state, const struct event *event,
                     struct evaluation *evaluation, enum fold_result *result, uint64_t *touched,
                     struct error *err) MUST_CHECK;

/* Where an event was read: in the log file rows, 0, come before the topics in the order of configuration, 1, 2, 3. What
 * is of one source must be folded in its order; user_state_fold takes all events to be of one. */
enum { USER_STATE_SOURCES_MAX = 4 };
/* The same for an event of one of several sources that may be read side by side. With FOLD_COPY_EARLIER the segments
 * that either copy can change are set in `touched`. */
bool user_state_fold_from(const struct ruleset *ruleset, struct user_state *state, const struct event *event,
                          unsigned source, struct evaluation *evaluation, enum fold_result *result, uint64_t *touched,
                          struct error *err) MUST_CHECK;

/* Segments that depend on a percentile need ranks first (percentile.h), and have a membership at `at` only: no
 * intervals. */

/* Membership of one segment at `at` from the events with time <= at. */
bool user_state_membership(const struct ruleset *ruleset, struct user_state *state, size_t segment, int64_t at,
                           struct evaluation *evaluation, struct membership *out, struct error *err) MUST_CHECK;

/* The intervals of M that end after `from` (TIMESTAMP_ALWAYS: all), given all events held (also those later than
 * `from`) and no further one: what the future brings by time alone is included, so the last left_at is the valid_until
 * of a state that holds nothing newer. Borrowed from `evaluation` until the next call. This is what the stream uses to
 * find transitions and timers. */
bool user_state_intervals(const struct ruleset *ruleset, struct user_state *state, size_t segment, int64_t from,
                          struct evaluation *evaluation, const struct interval **out, size_t *out_count,
                          struct error *err) MUST_CHECK;
/* False: without further events the segment holds at no instant after `from`. Cheap; true says nothing. */
bool user_state_may_hold(const struct user_state *state, size_t segment, int64_t from, struct evaluation *evaluation);

/* A segment that the user is in, or only an exclusion keeps out of. */
struct segment_membership {
    size_t segment;
    struct membership membership;
};

/* The same for all segments at once, which costs less: those with a member or an exclusion, in the order of evaluation,
 * borrowed from `evaluation` until the next call. The user is out of all others. What batch uses. */
bool user_state_standing(const struct ruleset *ruleset, const struct user_state *state, int64_t at,
                         struct evaluation *evaluation, const struct segment_membership **out, size_t *out_count,
                         struct error *err) MUST_CHECK;
/* The same as one element per segment of the ruleset. */
bool user_state_memberships(const struct ruleset *ruleset, const struct user_state *state, int64_t at,
                            struct evaluation *evaluation, struct membership *out, struct error *err) MUST_CHECK;

/* The intervals of M that begin at or before `at`, from the events with time <= at. An end beyond `at` is what would
 * come without further events. Borrowed from `evaluation` until the next call. */
bool user_state_history(const struct ruleset *ruleset, const struct user_state *state, size_t segment, int64_t at,
                        struct evaluation *evaluation, const struct interval **out, size_t *out_count,
                        struct error *err) MUST_CHECK;

/* Ends that events at or before `final_ms` are absorbed, sums up what they mean for later instants, and drops what
 * nothing can need any more: a state does not grow with the time it has been kept. From then on an event at or before
 * that instant is late (FOLD_LATE) unless it is a copy of one whose id is held (as its own is then, while a copy may
 * come that is not late), and what the state says of instants at or before it is not to be asked: intervals are exact
 * where they end after it. Does nothing where no event held lies at or before it, or it is not later than that of the
 * last time. Segments that depend on a percentile have no answer afterwards. On an error (no memory) the state is as
 * before. */
bool user_state_prune(const struct ruleset *ruleset, struct user_state *state, int64_t final_ms,
                      struct evaluation *evaluation, struct error *err) MUST_CHECK;
/* Whether pruning is worth its cost: the log has doubled since, and half of it is final. Answers at once. */
bool user_state_prune_due(const struct ruleset *ruleset, const struct user_state *state, int64_t final_ms);
/* The instant up to which the state was pruned, or TIMESTAMP_ALWAYS. */
int64_t user_state_final(const struct user_state *state);

/* Asks for the memory that folding and evaluating the next event will look at. */
void user_state_prefetch(const struct ruleset *ruleset, const struct user_state *state);

/* Empties the state for another user, and keeps its memory. */
void user_state_clear(const struct ruleset *ruleset, struct user_state *state);

/* Smallest event time that made the user known, or TIMESTAMP_NEVER; newest event time held, or TIMESTAMP_ALWAYS. */
int64_t user_state_known_since(const struct user_state *state);
int64_t user_state_newest(const struct user_state *state);
/* Bytes held, for status and limits; events held. */
size_t user_state_size(const struct user_state *state);
size_t user_state_event_count(const struct user_state *state);

#endif
