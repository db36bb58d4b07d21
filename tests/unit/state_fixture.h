/* One user's state under some definitions, with what it takes to fold events into it. */
#ifndef MUSTER_TESTS_STATE_FIXTURE_H
#define MUSTER_TESTS_STATE_FIXTURE_H

#include "common/domain/rule_parse.h"
#include "common/domain/user_state.h"

struct state_fixture {
    struct segment_set set;
    struct ruleset *ruleset;
    struct evaluation *evaluation;
    struct user_state *state;
    struct json_document document;
    struct arena arena; /* of the event in hand */
    uint64_t touched;
    unsigned random;
};

/* Fails the test where the definitions (borrowed) cannot be used. */
void state_fixture_open(struct state_fixture *fixture, const char *definitions);
void state_fixture_close(struct state_fixture *fixture);

/* A number below `end`, the same ones in every run. */
unsigned state_fixture_below(struct state_fixture *fixture, unsigned end);
/* Folds the message into the state; `touched` are the segments it touches. Fails the test where it is no event. */
enum fold_result state_fixture_fold(struct state_fixture *fixture, const char *message);

#endif
