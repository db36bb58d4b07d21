/* Section 5 of the segment language: whether a criterion holds for a user at an instant. */
#ifndef MUSTER_TESTS_ORACLE_CRITERIA_H
#define MUSTER_TESTS_ORACLE_CRITERIA_H

#include "tests/oracle/interpreter.h"

/* A user, as far as the messages up to the instant asked about go. */
struct subject {
    struct world *world;
    size_t person;
    const struct message *messages;
    size_t count;
    int64_t known_since;
    int64_t asked;
};

struct subject subject_of(struct world *world, size_t person, int64_t asked);

/* Finds for each of the user's messages when it counts; before anything is asked. */
void criterion_prepare(const struct subject *subject, struct rule *rule);
bool criterion_holds(const struct subject *subject, const struct rule *rule, int64_t at);

bool span_counts(const struct span *span, int64_t at);
/* Whether a `b` other than event `a` comes from a.t up to `until`. */
bool absence_ended(const struct subject *subject, const struct rule *rule, size_t a, int64_t until);
/* Whether the absence that begins with event `a` holds. */
bool absence_holds(const struct subject *subject, const struct rule *rule, size_t a, int64_t at);
/* The trait's value at an instant, as an instant itself; false where it is none. */
bool trait_instant(const struct subject *subject, const struct rule *rule, int64_t at, int64_t *ms);

/* Of a segment that is referred to (interpreter.c). */
const struct stays *segment_stays(const struct subject *subject, struct slice id);

#endif
