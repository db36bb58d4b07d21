/* Why a user is, or is not, a member at an instant: the truth of every criterion with what it found and the bound, the
 * events that decided it, and what would change it next.
 *
 * Nothing is evaluated a second way: truths and the instants of change are the evaluator's timelines, values its
 * sweeps, chains and links. So it needs a state that holds all of the user's events: one that was never pruned. */
#ifndef MUSTER_DOMAIN_EXPLANATION_H
#define MUSTER_DOMAIN_EXPLANATION_H

#include "common/base/buffer.h"
#include "common/domain/comparison.h"
#include "common/domain/user_state.h"

/* What an event does for a criterion at the instant. */
enum explanation_role {
    EXPLANATION_ROLE_NONE = 0,
    EXPLANATION_COUNTS,  /* counts, until `until_ms` */
    EXPLANATION_WAITS,   /* happened, and begins to count at `from_ms` */
    EXPLANATION_HOLDS,   /* an absence: mature since `from_ms`, until `until_ms` */
    EXPLANATION_PENDING, /* an absence: mature at `from_ms` unless it is broken */
    EXPLANATION_BROKEN,  /* an absence: ended at `until_ms` by what must not follow */
    EXPLANATION_STEP,    /* took step `step` of a sequence */
    EXPLANATION_SETS,    /* set the trait */
};
const char *explanation_role_name(enum explanation_role role);

/* Names of a user's events. The log keeps those that rules mention; what "*" takes may have any. */
struct explanation_name {
    int64_t time_ms;
    bool has_id;
    struct slice message_id;
    struct slice name;
};

struct explanation_names {
    struct arena arena;
    struct explanation_name *items;
    size_t count;
    size_t capacity;
};

void explanation_names_init(struct explanation_names *names);
void explanation_names_clear(struct explanation_names *names);
/* Events are added in the order in which they are folded. */
bool explanation_names_add(struct explanation_names *names, const struct event *event, struct error *err) MUST_CHECK;

struct explanation_event {
    enum explanation_role role;
    int64_t time_ms;
    int64_t from_ms;  /* begins to count or hold; meaningful where the role says so */
    int64_t until_ms; /* ceases to; TIMESTAMP_NEVER where it does not by time alone */
    bool has_id;
    struct slice message_id;
    struct slice name;  /* data NULL where it is not known */
    bool valued;        /* something is read of it: */
    struct value value; /* a missing one where it has none */
    size_t step;        /* of a sequence, from 1 */
};

enum explanation_found { EXPLANATION_FOUND_NONE = 0, EXPLANATION_NUMBER, EXPLANATION_VALUE, EXPLANATION_LENGTH };

struct explanation_segment;

/* One criterion, or a side of `compare`. */
struct explanation_node {
    const struct criterion *criterion;
    bool side;             /* of `compare`: neither holds nor changes by itself */
    bool holds;            /* at the instant */
    bool depends_on_users; /* on a percentile: then `changes_at` says nothing */
    int64_t changes_at;    /* the next instant at which time alone changes it; TIMESTAMP_NEVER */
    struct slice rule;     /* in words */
    struct slice bound;    /* as written: ">= 3"; empty where there is none */
    struct slice text;     /* what was found, in words */
    struct slice next;     /* the event that would change it, in words; empty: no single one can */

    enum explanation_found found;
    struct quotient number; /* NUMBER: count, sum, avg ...; the left side's of `compare` is in its child */
    struct value value;     /* VALUE: of latest, earliest, a trait; of age and until too */
    bool exists;            /* LENGTH: there is one */
    int64_t length_ms;      /* LENGTH */

    struct explanation_event *events; /* those that decided it, newest first, EXPLANATION_EVENTS_MAX at most */
    size_t event_count;
    size_t event_total; /* how many there are */

    struct explanation_node *children; /* of all, any, not, compare */
    size_t child_count;
    const struct explanation_segment *segment; /* of a reference */
};

enum { EXPLANATION_EVENTS_MAX = 10 };

/* Why the verdict is what it is. */
enum explanation_reason {
    EXPLANATION_REASON_NONE = 0,
    EXPLANATION_MEMBER,
    EXPLANATION_UNKNOWN,     /* no event of the user makes it known yet */
    EXPLANATION_CRITERIA,    /* not all criteria hold */
    EXPLANATION_UNQUALIFIED, /* sticky: there was no qualifying instant */
    EXPLANATION_EXPIRED,     /* membershipDuration has passed since the last qualifying instant */
    EXPLANATION_EXCLUDED,    /* an exclusion holds */
    EXPLANATION_BLOCKED,     /* exclusionWindow */
};
const char *explanation_reason_name(enum explanation_reason reason);

struct explanation_segment {
    const struct definition *definition;
    bool repeated; /* explained above: what follows here is empty */
    int64_t at;
    int64_t known_since; /* TIMESTAMP_NEVER: not known at the instant */
    struct membership membership;
    enum explanation_reason reason;
    int64_t changes_at;    /* when time alone ends the membership, or begins one; TIMESTAMP_NEVER */
    int64_t qualified_at;  /* with a duration: the last qualifying instant; TIMESTAMP_ALWAYS: none */
    int64_t expires_at;    /* qualified_at + membershipDuration, where there is one */
    int64_t blocked_until; /* by exclusionWindow; TIMESTAMP_ALWAYS where it blocks nothing at the instant */
    struct explanation_node *criteria;
    size_t criterion_count;
    struct explanation_node *exclude;
    size_t exclude_count;
};

struct explanation {
    struct arena arena;
    struct explanation_segment segment;
};

void explanation_init(struct explanation *explanation);
void explanation_clear(struct explanation *explanation);

/* Explains one segment of a state that was never pruned, from its events with time <= at. A segment that needs a
 * percentile needs the evaluation's ranks (percentile.h). `names` (borrowed, may be NULL) name events that no rule
 * mentions. All text belongs to the explanation, but what the definitions own. What was explained before is
 * forgotten. */
bool explanation_make(const struct ruleset *ruleset, const struct user_state *state, size_t segment, int64_t at,
                      const struct explanation_names *names, struct evaluation *evaluation, struct explanation *out,
                      struct error *err) MUST_CHECK;

/* As an indented tree for people; control characters are written as \xNN. The caller finishes the buffer. */
void explanation_append_text(struct buffer *out, struct slice user, const struct explanation_segment *segment);
/* As one JSON object on one line (schemas/explanation.schema.json), without a line end. */
void explanation_append_json(struct buffer *out, struct slice user, const struct explanation_segment *segment);

#endif
