/* The run ledger of the batch pipeline: runs, what they read, their steps and segments, and the partition their records
 * go to. A run is planned in one snapshot, worked off in steps that each end with a row of the ledger, and activated
 * whole or not at all. */
#ifndef MUSTER_IO_STORE_RUNS_H
#define MUSTER_IO_STORE_RUNS_H

#include "common/base/output.h"
#include "common/io/archive.h"
#include "common/io/pg.h"
#include "common/io/zone_version.h"

#include <stdint.h>

enum { RUN_REASON_SIZE = 160, RUN_LANE_WHOLE = -1 };

enum run_step {
    RUN_STEP_NONE = 0,
    RUN_STEP_PLAN,
    RUN_STEP_COLLECT,
    RUN_STEP_VALIDATE,
    RUN_STEP_EVALUATE,
    RUN_STEP_RANK,
    RUN_STEP_PUBLISH,
    RUN_STEP_ACTIVATE,
};
const char *run_step_name(enum run_step step);

/* Of one partition: everything at or below offset_last was in the input; -1 for nothing. */
struct run_coverage {
    int16_t topic_no;
    int32_t lane;
    int64_t offset_last;
    int64_t event_time_max_ms; /* only in a new plan */
    bool at_end;               /* only in a new plan: read to the end it had at read_at_ms */
    int64_t read_at_ms;        /* only in a new plan: wall clock */
};

struct run_segment {
    int32_t segment_no;
    int32_t version;
    bool failed;
    int64_t members;
    int64_t excluded;
    char segment_id[64];
    char reason[RUN_REASON_SIZE]; /* where it failed */
};

/* What a run reads and computes. Owns its arrays. */
struct run_plan {
    int64_t run_no; /* 0: not in the store yet */
    int64_t as_of_ms;
    int64_t control_no;
    struct run_coverage *coverage; /* by (topic_no, lane) */
    size_t coverage_count;
    int32_t *load_numbers; /* ascending */
    size_t load_count;
    int64_t load_time_max_ms; /* greatest event time of the loads, TIMESTAMP_ALWAYS for none; only in a new plan */
    struct run_segment *segments;
    size_t segment_count;
    bool zoned; /* some segment depends on a time zone; only in a new plan */
    char tz_version[ZONE_VERSION_SIZE];
};
void run_plan_clear(struct run_plan *plan);
/* The archive rows of a lane that the plan covers; borrows the plan's loads. */
struct archive_range run_plan_range(const struct run_plan *plan, int32_t lane);
/* Same coverage, loads and (segment, version) set; as_of is not compared. */
bool run_plan_same(const struct run_plan *a, const struct run_plan *b);

/* as_of by the input and the clock (reconciliation, section 1, "Run"): the smallest lane watermark of the input, where
 * a partition that was read to its end is idle as in the stream: with clock = wall it counts as advanced to the instant
 * of that reading (what came later is not in the input), with clock = event it is left out and a fully idle lane stands
 * still. Without lanes the greatest event time of the files; TIMESTAMP_ALWAYS when there is no event at all. */
int64_t run_plan_as_of(const struct run_plan *plan, bool clock_is_wall, int64_t bound_ms);

/* Takes the lock that one batch run at a time holds for the life of the session; waits a few seconds. ERROR_USAGE when
 * another run has it. */
bool store_runs_lock(struct pg *pg, struct error *err) MUST_CHECK;
/* The run that a vanished process left in state running, or 0. Only meaningful under the lock. */
bool store_runs_crashed(struct pg *pg, int64_t *out_run_no, struct error *err) MUST_CHECK;
/* Reads what there is to read now: coverage, completed loads, head of the control log, in the caller's snapshot. */
bool store_runs_input(struct pg *pg, struct run_plan *out, struct error *err) MUST_CHECK;
/* Writes the plan as a new run with its partition; fills run_no. In the caller's transaction. */
bool store_runs_begin(struct pg *pg, struct run_plan *plan, struct error *err) MUST_CHECK;
/* Reads a run's plan back. */
bool store_runs_load(struct pg *pg, int64_t run_no, struct run_plan *out, struct error *err) MUST_CHECK;
/* Ends every run that is running, up to run_no. state: "failed" or "abandoned". Their records go with the next prune.
 */
bool store_runs_end(struct pg *pg, int64_t run_no, const char *state, struct error *err) MUST_CHECK;

/* A step begins: *done says that it is finished already (a resumed run). */
bool store_runs_step_begin(struct pg *pg, int64_t run_no, enum run_step step, int32_t lane, bool *done,
                           struct error *err) MUST_CHECK;
/* A step ends; in the caller's transaction where there is one. */
bool store_runs_step_end(struct pg *pg, int64_t run_no, enum run_step step, int32_t lane, bool failed,
                         int64_t row_count, const char *detail, struct error *err) MUST_CHECK;

/* Prepares a session for a lane's reading or writing: as long as it takes, and memory for the sort. */
bool store_runs_session(struct pg *pg, struct error *err) MUST_CHECK;
/* Begins the transaction that writes a lane, and locks the lane's step. *done as above (then no transaction is open).
 * An attempt that did not commit left nothing. */
bool store_runs_lane_begin(struct pg *pg, int64_t run_no, enum run_step step, int32_t lane, bool *done,
                           struct error *err) MUST_CHECK;
/* Notes that a segment failed, in the transaction of the lane where it did, so that a resumed run knows. */
bool store_runs_fail_segment(struct pg *pg, int64_t run_no, const struct run_segment *segment, const char *reason,
                             struct error *err) MUST_CHECK;
/* Adds what a lane wrote of a segment to the run's counts, in the lane's transaction. */
bool store_runs_count_segment(struct pg *pg, int64_t run_no, const struct run_segment *segment, int64_t members,
                              int64_t excluded, struct error *err) MUST_CHECK;
/* COPY into the run's records: a row is (run_no, segment_no, version, user_no, lane, member, entered_at, valid_until,
 * purpose_no, grant_no). */
bool store_runs_records_begin(struct pg *pg, struct error *err) MUST_CHECK;

/* Archived rows of a lane within the plan, and how many of them per load, which must be what the loads say they
 * archived. ERROR_INTERNAL names the load that does not fit. */
bool store_runs_count_lane(struct pg *pg, const struct run_plan *plan, int32_t lane, int64_t *out_rows,
                           struct error *err) MUST_CHECK;
bool store_runs_check_loads(struct pg *pg, const struct run_plan *plan, struct error *err) MUST_CHECK;

/* Publish: failed segments' records are removed, the others are done; fills members and excluded. */
bool store_runs_publish(struct pg *pg, struct run_plan *plan, struct error *err) MUST_CHECK;
/* One transaction: state activated, and the control line that announces it. */
bool store_runs_activate(struct pg *pg, const struct run_plan *plan, struct error *err) MUST_CHECK;
/* Says in a warning which purposes the run's segments need and no user has granted: nobody can be a member of these. */
bool store_runs_warn_ungranted(struct pg *pg, int64_t run_no, struct error *err) MUST_CHECK;
/* Drops the partitions of all but the newest `keep` activated runs; what is being read now is left for the next time.
 */
bool store_runs_prune(struct pg *pg, int32_t keep, struct error *err) MUST_CHECK;

/* The list of runs, newest first, or the steps of one run. */
bool store_runs_print(struct pg *pg, enum output_format format, int64_t limit, struct error *err) MUST_CHECK;
bool store_runs_print_steps(struct pg *pg, int64_t run_no, enum output_format format, struct error *err) MUST_CHECK;

#endif
