/* How far the two pipelines disagree about a segment, and why (reconciliation, section 6). Membership sets are
 * compared, not only counts: equal counts can hide different people. Shares are micros (millionths). Pure: facts in,
 * figures out. */
#ifndef MUSTER_DOMAIN_DIVERGENCE_H
#define MUSTER_DOMAIN_DIVERGENCE_H

#include "common/base/buffer.h"
#include "common/domain/merge.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Why the sides differ about a user; the first that applies, in this order. */
enum divergence_cause {
    CAUSE_NONE = 0,
    CAUSE_CONSENT,          /* granted since the run: it could not know the user */
    CAUSE_VERSION_SKEW,     /* decided for another version than the run's */
    CAUSE_STREAM_UNCERTAIN, /* the stream itself says so */
    CAUSE_UNSEEN_BY_BATCH,  /* the archive by now holds events of the user that the run did not read */
    CAUSE_STREAM_BEHIND,    /* the stream has not read all that the run read */
    CAUSE_EXPIRY_PENDING,   /* the membership the run saw has ended by itself since */
    CAUSE_IN_FLIGHT,        /* the stream's record is newer than the run */
    CAUSE_UNEXPLAINED,
    CAUSE_COUNT,
};
const char *divergence_cause_name(enum divergence_cause cause);

/* What is known about a user about whom the sides differ. */
struct divergence_facts {
    bool granted_since;
    bool other_version;
    bool uncertain;
    bool unseen_by_batch;
    bool stream_behind;
    bool expired_since;
    bool newer_record;
};
enum divergence_cause divergence_cause_of(const struct divergence_facts *facts);

enum { DIVERGENCE_EXAMPLES = 3 };

struct divergence_tally {
    int64_t batch_members;
    int64_t stream_members;
    int64_t only_batch;
    int64_t only_stream;
    int64_t causes[CAUSE_COUNT];
    int64_t examples[CAUSE_COUNT][DIVERGENCE_EXAMPLES]; /* user numbers; 0: none */
};

/* Counts one user of either side. True where the sides differ: then divergence_explain must follow for the user. */
bool divergence_count(struct divergence_tally *tally, bool batch_member, bool stream_member);
void divergence_explain(struct divergence_tally *tally, int64_t user_no, enum divergence_cause cause);

/* |both| / |either|; equal sets, also empty ones, are 1,000,000. */
int64_t divergence_jaccard_micros(const struct divergence_tally *tally);
/* Difference of the counts, relative to the greater one. */
int64_t divergence_gap_micros(int64_t batch_members, int64_t stream_members);
/* Users on one side only, relative to the users on either. */
int64_t divergence_difference_micros(int64_t batch_members, int64_t only_batch, int64_t only_stream);
/* {"in_flight":{"count":2,"users":[17,18]}}: causes that occur, with examples. */
void divergence_causes_append(struct buffer *out, const struct divergence_tally *tally);

/* Whether the user was a member at `at`, given what the records before said (in journal order) and the next one. */
bool divergence_member_at(bool before, const struct merge_stream *record, int64_t at);

enum divergence_move { MOVE_NONE = 0, MOVE_RAISE, MOVE_RESOLVE };
/* What becomes of an alert. `shares`: the newest first; it is raised when the last `passes` of them all exceed the
 * threshold, and over when the newest is below half of it, so that it does not flap. Fewer measurements than `passes`
 * raise nothing. */
enum divergence_move divergence_alert(bool raised, const int64_t *shares_micros, size_t count, size_t passes,
                                      int64_t threshold_micros);

#endif
