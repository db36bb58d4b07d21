/* What the rule module says and keeps of one case, in bytes: to be compared between two ways to run it. */
#ifndef MUSTER_TESTS_EQUIVALENCE_OUTCOME_H
#define MUSTER_TESTS_EQUIVALENCE_OUTCOME_H

#include "common/io/zone_files.h"
#include "tests/oracle/generator.h"

enum outcome_part {
    OUTCOME_NONE = 0,
    OUTCOME_RECORDS, /* what a lane announces, in its order */
    OUTCOME_ANSWERS, /* batch: memberships and histories at the case's instants and at the newest event */
    OUTCOME_STATES,  /* the users' states after the last event, written out */
    OUTCOME_PRUNED,  /* intervals of states that are pruned at every opportunity */
    OUTCOME_KEPT,    /* these states, written out */
    OUTCOME_PARTS,   /* how many there are */
};
const char *outcome_part_name(enum outcome_part part);

struct outcome {
    bool refused; /* the definitions, or memory: `said` has the reason */
    struct buffer parts[OUTCOME_PARTS];
    struct buffer said;
    size_t event_count;
};

/* Runs the case with the optimisations as they are. The outcome must be cleared. */
void outcome_run(struct zone_files *zones, const struct oracle_case *test, struct outcome *out);
void outcome_clear(struct outcome *outcome);

/* The first part in which they differ, up to `last`. */
enum outcome_part outcome_difference(const struct outcome *a, const struct outcome *b, enum outcome_part last);

#endif
