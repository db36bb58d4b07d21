/* `muster eval --engine stream`: event by event in the order of the lines, through a lane with its timers and
 * watermark, as muster-stream does. */
#ifndef MUSTER_CLI_EVAL_STREAM_H
#define MUSTER_CLI_EVAL_STREAM_H

#include "common/cli/eval_rows.h"
#include "common/domain/lane.h"
#include "common/domain/watermark.h"

/* What the newest record of a user and segment says. */
struct eval_announced {
    bool member;
    struct interval interval;
};

struct eval_stream_user {
    struct lane_user *user;
    struct eval_announced *announced; /* by segment */
    struct consent_history consent;
};

struct eval_stream {
    const struct ruleset *ruleset;
    struct eval_options options;
    struct lane *lane;
    struct watermark watermark; /* without a bound: of the greatest event time */
    struct evaluation *evaluation;
    struct ranks *ranks;            /* where a definition has a percentile */
    struct arena arena;             /* purposes, what is announced */
    struct eval_stream_user *users; /* by the lane's user number - 1 */
    size_t count;
    size_t capacity;
    int64_t offset; /* of the next event */
};

/* Borrows the ruleset and the configuration. */
bool eval_stream_init(struct eval_stream *stream, const struct ruleset *ruleset, const struct eval_options *options,
                      struct error *err) MUST_CHECK;
void eval_stream_clear(struct eval_stream *stream);

/* Judges one event. *different: a copy with other content than the one kept. */
bool eval_stream_take(struct eval_stream *stream, const struct event *event, bool *different,
                      struct error *err) MUST_CHECK;

/* Moves time on to rows->at, and adds all rows. No event may be taken afterwards. */
bool eval_stream_rows(struct eval_stream *stream, struct eval_rows *rows, struct error *err) MUST_CHECK;

/* Bytes of all states. */
size_t eval_stream_size(const struct eval_stream *stream);

#endif
