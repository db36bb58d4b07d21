/* muster-batch: what its stages share. One file per stage, in the order of a run: plan, collect, validate, evaluate,
 * rank, publish, activate; load_file.c and load_log.c fill the archive before it. */
#ifndef MUSTER_BATCH_BATCH_H
#define MUSTER_BATCH_BATCH_H

#include "common/base/command.h"
#include "common/base/log.h"
#include "common/domain/percentile.h"
#include "common/domain/user_state.h"
#include "common/io/pg.h"
#include "common/io/store_definitions.h"
#include "common/io/store_runs.h"
#include "common/io/zone_files.h"

#include <stdatomic.h>
#include <stdint.h>

extern const struct command batch_command_load;
extern const struct command batch_command_run;
extern const struct command batch_command_runs;

/* What the command line asked for. */
struct run_request {
    int64_t as_of_ms;     /* TIMESTAMP_NEVER: decide by the input */
    const char *segments; /* comma-separated ids; NULL: all */
    bool resume;          /* only continue what a crash left */
};

/* Compiled rules of some of the planned segments, with what they refer to. */
struct batch_rules {
    struct segment_set set;
    struct stored_definition *stored; /* parallel to set.definitions */
    struct ruleset *ruleset;          /* NULL: none of the segments */
    size_t *plan_index;               /* per definition of the set: index into plan.segments, or SIZE_MAX */
};

/* A run under way. */
struct batch_run {
    const struct config *config;
    struct pg *pg; /* holds the run lock */
    struct run_request request;
    struct run_plan plan;
    bool resumed;
    int32_t lane_count;

    struct zone_files zones;
    struct batch_rules plain;  /* segments whose members depend on the user alone */
    struct batch_rules ranked; /* and on everybody: a percentile, also by reference */
    struct ranks *ranks;       /* of `ranked`, where all lanes have added theirs */

    int64_t *lane_rows; /* per lane: archived rows that the plan covers */
    atomic_int_fast64_t rows_read;
    atomic_bool *segment_failed; /* per plan segment: while lanes are evaluated by several threads */
    bool stopped;                /* a signal asked to end; the run can be resumed */
};

/* Plans a new run, or takes up the one a crash left if it is the same; compiles its rules. */
bool plan_make(struct batch_run *run, struct error *err) MUST_CHECK;
/* Frees the rules; they are empty then. */
void plan_forget_rules(struct batch_rules *rules);
/* Counts what each lane holds. */
bool collect_input(struct batch_run *run, struct error *err) MUST_CHECK;
/* The archive holds what the loads say they wrote. */
bool validate_input(struct batch_run *run, struct error *err) MUST_CHECK;
/* Evaluates all lanes, several at a time. */
bool evaluate_lanes(struct batch_run *run, struct error *err) MUST_CHECK;
/* Segments that need all users at once: finds the thresholds, evaluates all lanes for these. */
bool rank_segments(struct batch_run *run, struct error *err) MUST_CHECK;
/* Takes out what failed, counts the rest. */
bool publish_run(struct batch_run *run, struct error *err) MUST_CHECK;
/* Makes the run visible, then drops old ones. */
bool activate_run(struct batch_run *run, struct error *err) MUST_CHECK;

#endif
