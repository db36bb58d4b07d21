/* Members are what the records say at the end; the lane promises that this is the truth, whatever came late. Records
 * say nothing about the past that late events change, so intervals are asked of the states, and so is an instant that a
 * user's events have passed. */
#include "common/cli/eval_stream.h"

#include "common/base/memory.h"

enum { USER_COUNT_MAX = INT32_MAX };

#define ANNOUNCED_SIZE_MAX ((size_t)1 << 36)

bool eval_stream_init(struct eval_stream *stream, const struct ruleset *ruleset, const struct eval_options *options,
                      struct error *err)
{
    size_t segment_count = ruleset_segment_count(ruleset);
    struct lane_segment *segments = memory_allocate_zeroed(segment_count, sizeof *segments);
    struct lane_options lane_options = {.ruleset = ruleset, .segments = segments};
    bool done = false;

    *stream = (struct eval_stream){.ruleset = ruleset, .options = *options};
    arena_init(&stream->arena, ANNOUNCED_SIZE_MAX);
    watermark_init(&stream->watermark, 1, 0, TIMESTAMP_ALWAYS);
    if (segments == NULL) {
        return error_no_memory(err, "segments");
    }
    for (size_t i = 0; i < segment_count; i++) {
        segments[i] = (struct lane_segment){
            .silent = ruleset_definition(ruleset, i)->needs_percentile,
            .purpose = LANE_NO_PURPOSE,
            .complete_from_ms = TIMESTAMP_ALWAYS,
        };
    }
    done = lane_new(&lane_options, &stream->lane, err) && evaluation_new(ruleset, &stream->evaluation, err);
    memory_free(segments);
    return done;
}

void eval_stream_clear(struct eval_stream *stream)
{
    for (size_t i = 0; i < stream->count; i++) {
        consent_history_clear(&stream->users[i].consent);
    }
    memory_free(stream->users);
    lane_free(stream->lane);
    evaluation_free(stream->evaluation);
    ranks_free(stream->ranks);
    arena_clear(&stream->arena);
}

/* The user of an event, known to the lane by number. */
static bool find_user(struct eval_stream *stream, struct slice id, struct eval_stream_user **out, struct error *err)
{
    struct lane_user *user = NULL;
    struct eval_announced *announced;

    if (!lane_add(stream->lane, id, &user, err)) {
        return false;
    }
    if (lane_user_no(user) == 0) {
        announced = arena_allocate_zeroed(&stream->arena, ruleset_segment_count(stream->ruleset), sizeof *announced);
        if (announced == NULL) {
            return error_no_memory(err, "users");
        }
        if (!memory_grow(&stream->users, &stream->capacity, stream->count, USER_COUNT_MAX, sizeof *stream->users,
                         "users", err)) {
            return false;
        }
        stream->users[stream->count++] = (struct eval_stream_user){.user = user, .announced = announced};
        lane_user_number(user, (int64_t)stream->count);
    }
    *out = &stream->users[lane_user_no(user) - 1];
    return true;
}

static bool take_record(void *context, const struct lane_record *record, struct error *err)
{
    struct eval_stream *stream = context;

    (void)err;
    stream->users[lane_user_no(record->user) - 1].announced[record->segment] = (struct eval_announced){
        .member = record->member,
        .interval = {.entered_at = record->entered_at, .left_at = record->valid_until},
    };
    return true;
}

bool eval_stream_take(struct eval_stream *stream, const struct event *event, bool *different, struct error *err)
{
    const struct lane_sink sink = {.emit = take_record, .context = stream};
    uint64_t different_before = lane_counts(stream->lane).copies_different;
    int64_t offset = stream->offset++;
    struct eval_stream_user *user = NULL;

    *different = false;
    if (!find_user(stream, event->user, &user, err)) {
        return false;
    }
    if (event->kind == EVENT_CONSENT || event->kind == EVENT_DELETE) {
        return !stream->options.consent || consent_history_fold(&user->consent, event, &stream->arena, err);
    }
    if (!lane_event(stream->lane, user->user, event, 0, offset, stream->watermark.value_ms, &sink, err)) {
        return false;
    }
    watermark_event(&stream->watermark, 0, event->time_ms);
    *different = lane_counts(stream->lane).copies_different != different_before;
    return lane_advance(stream->lane, stream->watermark.value_ms, &sink, err);
}

/* ---- rows ---- */

/* Segments that depend on other users exist at one instant only. */
static bool rows_ranked(struct eval_stream *stream, struct user_state *state, struct eval_rows *rows, struct error *err)
{
    struct interval interval = {.entered_at = rows->at, .left_at = TIMESTAMP_NEVER};

    for (size_t segment = 0; segment < ruleset_segment_count(stream->ruleset); segment++) {
        struct membership membership;

        if (!ruleset_definition(stream->ruleset, segment)->needs_percentile) {
            continue;
        }
        if (!user_state_membership(stream->ruleset, state, segment, rows->at, stream->evaluation, &membership, err) ||
            (membership.member && !eval_rows_add(rows, segment, interval, err))) {
            return false;
        }
    }
    return true;
}

static bool rows_announced(const struct eval_stream *stream, const struct eval_stream_user *user,
                           struct eval_rows *rows, struct error *err)
{
    for (size_t segment = 0; segment < ruleset_segment_count(stream->ruleset); segment++) {
        const struct eval_announced *announced = &user->announced[segment];

        if (announced->member && !eval_rows_add(rows, segment, announced->interval, err)) {
            return false;
        }
    }
    return true;
}

/* From what the state carries, where the user's events allow it. */
static bool rows_intervals(struct eval_stream *stream, struct user_state *state, struct eval_rows *rows,
                           struct error *err)
{
    for (size_t segment = 0; segment < ruleset_segment_count(stream->ruleset); segment++) {
        const struct interval *intervals;
        size_t count;

        if (!user_state_intervals(stream->ruleset, state, segment, TIMESTAMP_ALWAYS, stream->evaluation, &intervals,
                                  &count, err)) {
            return false;
        }
        for (size_t i = 0; i < count; i++) {
            if (!eval_rows_add(rows, segment, intervals[i], err)) {
                return false;
            }
        }
    }
    return true;
}

static bool rank(struct eval_stream *stream, int64_t at, struct error *err)
{
    if (ruleset_percentile_count(stream->ruleset) == 0) {
        return true;
    }
    if (!ranks_new(stream->ruleset, &stream->ranks, err)) {
        return false;
    }
    for (size_t i = 0; i < stream->count; i++) {
        struct user_state *state = NULL;

        if (!lane_user_state(stream->lane, stream->users[i].user, &state, err) ||
            !ranks_add(stream->ranks, state, at, stream->evaluation, err)) {
            return false;
        }
    }
    evaluation_ranks(stream->evaluation, stream->ranks);
    return ranks_finish(stream->ranks, err);
}

bool eval_stream_rows(struct eval_stream *stream, struct eval_rows *rows, struct error *err)
{
    const struct lane_sink sink = {.emit = take_record, .context = stream};

    watermark_move(&stream->watermark, rows->at);
    if (!lane_end(stream->lane, stream->watermark.value_ms, &sink, err) || !rank(stream, rows->at, err)) {
        return false;
    }
    for (size_t i = 0; i < stream->count; i++) {
        const struct eval_stream_user *user = &stream->users[i];
        struct user_state *state = NULL;
        bool done;

        if (!lane_user_state(stream->lane, user->user, &state, err)) {
            return false;
        }

        eval_rows_user(rows, lane_user_id(user->user), &user->consent);
        if (stream->watermark.value_ms > rows->at) {
            done = eval_rows_compute(rows, state, stream->evaluation, err);
        } else if (stream->options.intervals) {
            done = rows_intervals(stream, state, rows, err) && rows_ranked(stream, state, rows, err);
        } else {
            done = rows_announced(stream, user, rows, err) && rows_ranked(stream, state, rows, err);
        }
        if (!done) {
            return false;
        }
    }
    return true;
}

size_t eval_stream_size(const struct eval_stream *stream)
{
    return lane_counts(stream->lane).size;
}
