/* muster-batch: what its stages share. One file per stage, in the order of a run: plan, collect, validate, evaluate, rank,
 * publish, activate; load_file.c and load_log.c fill the archive before it. */
#ifndef MUSTER_BATCH_BATCH_H
#define MUSTER_BATCH_BATCH_H

#include "common/base/command.h"
#include "common/base/log.h"
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

/* A run under way. */
struct batch_run {
    const struct config *config;
    struct pg *pg; /* holds the run lock */
    struct run_request request;
    struct run_plan plan;
    bool resumed;
    int32_t lane_count;

    struct segment_set set; /* what is evaluated: the planned segments and what they refer to */
    struct stored_definition *stored; /* parallel to set.definitions */
    struct zone_files zones;
    struct ruleset *ruleset;          /* NULL when no planned segment can be evaluated */
    size_t *plan_index;               /* per definition of the set: index into plan.segments, or SIZE_MAX */

    int64_t *lane_rows; /* per lane: archived rows that the plan covers */
    atomic_int_fast64_t rows_read;
    atomic_bool *segment_failed; /* per plan segment: while lanes are evaluated by several threads */
};

/* Plans a new run, or takes up the one a crash left if it is the same; compiles its rules. */
bool plan_make(struct batch_run *run, struct error *err) MUST_CHECK;
/* Counts what each lane holds. */
bool collect_input(struct batch_run *run, struct error *err) MUST_CHECK;
/* The archive holds what the loads say they wrote. */
bool validate_input(struct batch_run *run, struct error *err) MUST_CHECK;
/* Evaluates all lanes, several at a time. *stopped: a signal asked to end; the run can be resumed. */
bool evaluate_lanes(struct batch_run *run, bool *stopped, struct error *err) MUST_CHECK;
/* Segments that need all users at once. */
bool rank_segments(struct batch_run *run, struct error *err) MUST_CHECK;
/* Counts, index, ledger. */
bool publish_run(struct batch_run *run, struct error *err) MUST_CHECK;
/* Makes the run visible, then drops old ones. */
bool activate_run(struct batch_run *run, struct error *err) MUST_CHECK;

#endif
