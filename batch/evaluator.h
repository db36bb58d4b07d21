/* One thread's work of evaluate and rank: takes lanes one after another, folds their messages user by user, writes
 * records. */
#ifndef MUSTER_BATCH_EVALUATOR_H
#define MUSTER_BATCH_EVALUATOR_H

#include "batch/batch.h"
#include "common/io/store_consent.h"

#include <pthread.h>

/* What one pass over all lanes does; shared by its threads. */
struct evaluator_pass {
    struct batch_run *run;
    enum run_step step;                /* whose ledger rows the lanes are */
    const struct batch_rules *write;   /* whose records are written; NULL: only collects, without ledger */
    const struct ranks *ranks;         /* thresholds for `write`, NULL where it needs none */
    const struct batch_rules *collect; /* whose values are collected for ranks; NULL: nothing is */
    atomic_int lane_next;              /* lanes are handed out by this counter */
    atomic_int lanes_collected;
};

/* A user's state under one set of rules. */
struct evaluator_rules {
    const struct batch_rules *rules; /* NULL: not used in this pass */
    struct user_state *state;
    struct evaluation *evaluation;
};

struct evaluator {
    struct evaluator_pass *pass;
    struct pg *reader;
    struct pg *writer;
    struct consent_map *grants; /* in force for the lane's users. A grant younger than the plan does no harm: where the
                                 * run's snapshot lacks a grant's control line, the run says nothing about that user */
    struct evaluator_rules write;
    struct evaluator_rules collect;
    struct ranks *ranks;            /* what this thread collected */
    struct membership *memberships; /* per segment of write's ruleset */
    int64_t *counts;                /* of the lane, per plan segment: members, excluded */
    struct json_document document;
    struct arena arena;
    struct buffer records;
    int32_t lane;
    int64_t user_no; /* whose messages are being folded; 0: nobody's */
    int64_t record_count;
    pthread_t thread;
    bool failed;
    bool stopped; /* a signal asked to end */
    struct error err;
};

bool evaluator_open(struct evaluator *evaluator, struct evaluator_pass *pass, struct error *err) MUST_CHECK;
void evaluator_close(struct evaluator *evaluator);
/* Thread function: works until no lane is left; sets failed and err. */
void *evaluator_work(void *context);

/* Runs the pass with as many threads as are configured, shows progress; where it collects, *out_ranks gets what all
 * lanes gave, or NULL when a lane was left out (done by an earlier process). */
bool evaluate_pass(struct evaluator_pass *pass, struct ranks **out_ranks, struct error *err) MUST_CHECK;

#endif
