#include "common/domain/merge.h"

#include "common/base/timestamp.h"

static const char *const decision_names[DECISION_COUNT] = {
    [DECISION_NONE] = "none",
    [DECISION_STREAM_ONLY] = "stream_only",
    [DECISION_AWAITING_BATCH] = "awaiting_batch",
    [DECISION_STREAM_UNCERTAIN] = "stream_uncertain",
    [DECISION_STREAM_COVERS] = "stream_covers",
    [DECISION_STREAM_UPDATE] = "stream_update",
    [DECISION_BATCH_NEW_MEMBER] = "batch_new_member",
    [DECISION_BATCH_ABSENT] = "batch_absent",
    [DECISION_BATCH_OVER_STREAM] = "batch_over_stream",
    [DECISION_BATCH_ONLY] = "batch_only",
    [DECISION_LAST_WRITER_STREAM] = "last_writer_stream",
    [DECISION_LAST_WRITER_BATCH] = "last_writer_batch",
    [DECISION_UNION_BOTH] = "union_both",
    [DECISION_UNION_STREAM] = "union_stream",
    [DECISION_UNION_BATCH] = "union_batch",
    [DECISION_UNION_NEITHER] = "union_neither",
    [DECISION_UNION_EXCLUDED] = "union_excluded",
    [DECISION_CONSENT_WITHDRAWN] = "consent_withdrawn",
    [DECISION_EXPIRED] = "expired",
    [DECISION_SEGMENT_RETIRED] = "segment_retired",
};

const char *merge_decision_name(enum merge_decision decision)
{
    return decision_names[decision < DECISION_COUNT ? decision : DECISION_NONE];
}

enum merge_decision merge_decision_find(struct slice name)
{
    for (unsigned index = DECISION_NONE + 1; index < DECISION_COUNT; index++) {
        if (slice_equal_text(name, decision_names[index])) {
            return (enum merge_decision)index;
        }
    }
    return DECISION_NONE;
}

bool merge_decision_by_stream(enum merge_decision decision)
{
    return decision == DECISION_STREAM_ONLY || decision == DECISION_STREAM_COVERS ||
           decision == DECISION_STREAM_UPDATE || decision == DECISION_LAST_WRITER_STREAM ||
           decision == DECISION_UNION_STREAM || decision == DECISION_UNION_BOTH || decision == DECISION_UNION_NEITHER;
}

bool merge_decision_by_batch(enum merge_decision decision)
{
    return decision == DECISION_STREAM_UNCERTAIN || decision == DECISION_BATCH_NEW_MEMBER ||
           decision == DECISION_BATCH_ABSENT || decision == DECISION_BATCH_OVER_STREAM ||
           decision == DECISION_BATCH_ONLY || decision == DECISION_LAST_WRITER_BATCH ||
           decision == DECISION_UNION_BATCH || decision == DECISION_UNION_BOTH || decision == DECISION_UNION_EXCLUDED;
}

static const char *const verdict_names[] = {
    [BATCH_NONE] = "none",
    [BATCH_NO] = "no",
    [BATCH_MEMBER] = "member",
    [BATCH_EXCLUDED] = "excluded",
};

const char *batch_verdict_name(enum batch_verdict verdict)
{
    return verdict_names[verdict <= BATCH_EXCLUDED ? verdict : BATCH_NONE];
}

enum batch_verdict batch_verdict_find(struct slice name)
{
    for (unsigned index = BATCH_NO; index <= BATCH_EXCLUDED; index++) {
        if (slice_equal_text(name, verdict_names[index])) {
            return (enum batch_verdict)index;
        }
    }
    return BATCH_NONE;
}

bool merge_complete(const struct merge_lane *lane)
{
    return lane->ready && lane->watermark >= lane->complete_from;
}

bool merge_covers(const struct merge_lane *lane, const struct merge_run *run, size_t topic_count)
{
    if (!run->present || !run->has_coverage || !run->loads_folded || !merge_complete(lane) ||
        lane->watermark < run->as_of) {
        return false;
    }
    for (size_t topic = 0; topic < topic_count; topic++) {
        if (lane->offset_next[topic] <= run->coverage[topic]) {
            return false;
        }
    }
    return true;
}

bool merge_update_since(const struct merge_stream *stream, const struct merge_run *run, size_t topic_count)
{
    if (!stream->present || !run->present) {
        return false;
    }
    if (stream->effective_at > run->as_of) {
        return true;
    }
    if (!run->has_coverage) {
        return stream->written_us > run->snapshot_us;
    }
    for (size_t topic = 0; topic < topic_count; topic++) {
        if (stream->positions[topic] > run->coverage[topic]) {
            return true;
        }
    }
    return false;
}

int64_t merge_ended_by(int64_t watermark, int64_t wall_ms, int64_t grace_ms)
{
    int64_t wall_end;

    if (wall_ms == TIMESTAMP_ALWAYS || __builtin_sub_overflow(wall_ms, grace_ms, &wall_end)) {
        return watermark;
    }
    return wall_end > watermark ? wall_end : watermark;
}

/* "Not a member" from an instant on. */
static struct merge_verdict verdict_out(int64_t valid_from, enum merge_decision decision)
{
    return (struct merge_verdict){
        .member = false,
        .entered_at = TIMESTAMP_ALWAYS,
        .valid_until = TIMESTAMP_NEVER,
        .valid_from = valid_from,
        .decision = decision,
    };
}

/* The stream's word: its record, or silence, which says "not a member". A renewal holds from the instant it speaks for,
 * every other membership from its beginning. */
static struct merge_verdict verdict_stream(const struct merge_input *input, enum merge_decision decision)
{
    const struct merge_stream *stream = &input->stream;

    if (!stream->present) {
        return verdict_out(input->run.present ? input->run.as_of : input->lane.watermark, decision);
    }
    if (!stream->member) {
        return verdict_out(stream->effective_at, decision);
    }
    return (struct merge_verdict){
        .member = true,
        .entered_at = stream->entered_at,
        .valid_until = stream->valid_until,
        .valid_from = stream->entered_at,
        .decision = decision,
    };
}

static struct merge_verdict verdict_batch(const struct merge_input *input, enum merge_decision decision)
{
    if (input->batch.verdict != BATCH_MEMBER) {
        return verdict_out(input->run.as_of, decision);
    }
    return (struct merge_verdict){
        .member = true,
        .entered_at = input->batch.entered_at,
        .valid_until = input->batch.valid_until,
        .valid_from = input->batch.entered_at,
        .decision = decision,
    };
}

static struct merge_verdict decide_row_5(const struct merge_input *input)
{
    if (input->stream.present) {
        return verdict_batch(input, DECISION_BATCH_OVER_STREAM);
    }
    return verdict_batch(input,
                         input->batch.verdict == BATCH_MEMBER ? DECISION_BATCH_NEW_MEMBER : DECISION_BATCH_ABSENT);
}

/* Rows 3 and 4 as conditions, for the strategy that needs them without their verdict. */
static bool row_3(const struct merge_input *input)
{
    return merge_covers(&input->lane, &input->run, input->topic_count);
}

static bool row_4(const struct merge_input *input)
{
    return input->stream.present && (input->stream.certain || merge_complete(&input->lane)) &&
           merge_update_since(&input->stream, &input->run, input->topic_count);
}

static bool row_2(const struct merge_input *input)
{
    return input->stream.present && input->stream.uncertain_until > input->lane.watermark;
}

static struct merge_verdict decide_table(const struct merge_input *input, bool silence_decides)
{
    if (row_2(input)) {
        return verdict_batch(input, DECISION_STREAM_UNCERTAIN);
    }
    if (silence_decides && row_3(input)) {
        return verdict_stream(input, DECISION_STREAM_COVERS);
    }
    if (row_4(input)) {
        return verdict_stream(input, DECISION_STREAM_UPDATE);
    }
    return decide_row_5(input);
}

static struct merge_verdict decide_last_writer(const struct merge_input *input)
{
    if (input->stream.present && input->stream.written_us > input->run.written_us) {
        return verdict_stream(input, DECISION_LAST_WRITER_STREAM);
    }
    return verdict_batch(input, DECISION_LAST_WRITER_BATCH);
}

/* Where both say member, the interval is the wider one: that is what "either" comes to over time. */
static struct merge_verdict decide_union(const struct merge_input *input)
{
    bool by_stream = input->stream.present && input->stream.member;
    bool by_batch = input->batch.verdict == BATCH_MEMBER;
    bool stream_newer = !row_2(input) && (row_3(input) || row_4(input));
    struct merge_verdict verdict;

    if (input->batch.verdict == BATCH_EXCLUDED && !stream_newer) {
        return verdict_batch(input, DECISION_UNION_EXCLUDED);
    }
    if (by_stream && by_batch) {
        verdict = verdict_stream(input, DECISION_UNION_BOTH);
        if (input->batch.entered_at < verdict.entered_at) {
            verdict.entered_at = input->batch.entered_at;
            verdict.valid_from = input->batch.entered_at;
        }
        if (input->batch.valid_until > verdict.valid_until) {
            verdict.valid_until = input->batch.valid_until;
        }
        return verdict;
    }
    if (by_stream) {
        return verdict_stream(input, DECISION_UNION_STREAM);
    }
    if (by_batch) {
        return verdict_batch(input, DECISION_UNION_BATCH);
    }
    return verdict_out(input->stream.present && input->stream.effective_at > input->run.as_of
                           ? input->stream.effective_at
                           : input->run.as_of,
                       DECISION_UNION_NEITHER);
}

struct merge_verdict merge_decide_record(const struct merge_input *input)
{
    if (input->retired) {
        return verdict_out(input->lane.watermark, DECISION_SEGMENT_RETIRED);
    }
    if (!input->allowed) {
        return verdict_out(input->lane.watermark, DECISION_CONSENT_WITHDRAWN);
    }
    if (input->evaluation == EVALUATION_STREAM) {
        return verdict_stream(input, DECISION_STREAM_ONLY);
    }
    if (input->evaluation == EVALUATION_BATCH) {
        return input->run.present ? verdict_batch(input, DECISION_BATCH_ONLY)
                                  : verdict_out(input->lane.watermark, DECISION_AWAITING_BATCH);
    }
    if (!input->run.present) {
        if (merge_complete(&input->lane) || (input->stream.present && input->stream.certain)) {
            return verdict_stream(input, DECISION_STREAM_ONLY);
        }
        return verdict_out(input->lane.watermark, DECISION_AWAITING_BATCH);
    }
    switch (input->strategy) {
    case MERGE_STREAMING_UPDATES:
        return decide_table(input, false);
    case MERGE_LAST_WRITER_WINS:
        return decide_last_writer(input);
    case MERGE_UNION_WITH_BATCH_EXCLUSIONS:
        return decide_union(input);
    case MERGE_NONE:
    case MERGE_STREAMING_FIRST:
        break;
    }
    return decide_table(input, true);
}

struct merge_verdict merge_decide(const struct merge_input *input)
{
    struct merge_verdict verdict = merge_decide_record(input);

    if (verdict.member && verdict.valid_until <= input->ended_by) {
        return verdict_out(verdict.valid_until, DECISION_EXPIRED);
    }
    return verdict;
}

bool merge_verdict_equal(const struct merge_verdict *a, const struct merge_verdict *b)
{
    return a->member == b->member &&
           (!a->member || (a->entered_at == b->entered_at && a->valid_until == b->valid_until));
}

enum merge_change merge_change_between(const struct merge_verdict *before, const struct merge_verdict *after)
{
    if (before->member != after->member) {
        return after->member ? CHANGE_ENTERED : CHANGE_EXITED;
    }
    return merge_verdict_equal(before, after) ? CHANGE_CONFIRMED : CHANGE_RENEWED;
}

const char *merge_change_name(enum merge_change change)
{
    static const char *const names[] = {
        [CHANGE_NONE] = "none",       [CHANGE_ENTERED] = "entered",     [CHANGE_EXITED] = "exited",
        [CHANGE_RENEWED] = "renewed", [CHANGE_CONFIRMED] = "confirmed",
    };

    return names[change <= CHANGE_CONFIRMED ? change : CHANGE_NONE];
}
