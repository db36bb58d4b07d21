#include "common/domain/divergence.h"

#include "common/base/int128.h"

enum { MICROS = 1000000 };

static const char *const cause_names[CAUSE_COUNT] = {
    [CAUSE_NONE] = "none",
    [CAUSE_CONSENT] = "consent",
    [CAUSE_VERSION_SKEW] = "version_skew",
    [CAUSE_STREAM_UNCERTAIN] = "stream_uncertain",
    [CAUSE_UNSEEN_BY_BATCH] = "unseen_by_batch",
    [CAUSE_STREAM_BEHIND] = "stream_behind",
    [CAUSE_EXPIRY_PENDING] = "expiry_pending",
    [CAUSE_IN_FLIGHT] = "in_flight",
    [CAUSE_UNEXPLAINED] = "unexplained",
};

const char *divergence_cause_name(enum divergence_cause cause)
{
    return cause_names[cause < CAUSE_COUNT ? cause : CAUSE_NONE];
}

enum divergence_cause divergence_cause_of(const struct divergence_facts *facts)
{
    if (facts->granted_since) {
        return CAUSE_CONSENT;
    }
    if (facts->other_version) {
        return CAUSE_VERSION_SKEW;
    }
    if (facts->uncertain) {
        return CAUSE_STREAM_UNCERTAIN;
    }
    if (facts->unseen_by_batch) {
        return CAUSE_UNSEEN_BY_BATCH;
    }
    if (facts->stream_behind) {
        return CAUSE_STREAM_BEHIND;
    }
    if (facts->expired_since) {
        return CAUSE_EXPIRY_PENDING;
    }
    return facts->newer_record ? CAUSE_IN_FLIGHT : CAUSE_UNEXPLAINED;
}

bool divergence_count(struct divergence_tally *tally, bool batch_member, bool stream_member)
{
    tally->batch_members += batch_member;
    tally->stream_members += stream_member;
    tally->only_batch += batch_member && !stream_member;
    tally->only_stream += stream_member && !batch_member;
    return batch_member != stream_member;
}

void divergence_explain(struct divergence_tally *tally, int64_t user_no, enum divergence_cause cause)
{
    if (tally->causes[cause] < DIVERGENCE_EXAMPLES) {
        tally->examples[cause][tally->causes[cause]] = user_no;
    }
    tally->causes[cause]++;
}

static int64_t share(int64_t part, int64_t whole)
{
    return whole == 0 ? 0 : (int64_t)((int128)part * MICROS / whole);
}

int64_t divergence_jaccard_micros(const struct divergence_tally *tally)
{
    int64_t either = tally->batch_members + tally->only_stream;

    return either == 0 ? MICROS : share(tally->batch_members - tally->only_batch, either);
}

int64_t divergence_gap_micros(int64_t batch_members, int64_t stream_members)
{
    return batch_members > stream_members ? share(batch_members - stream_members, batch_members)
                                          : share(stream_members - batch_members, stream_members);
}

int64_t divergence_difference_micros(int64_t batch_members, int64_t only_batch, int64_t only_stream)
{
    return share(only_batch + only_stream, batch_members + only_stream);
}

void divergence_causes_append(struct buffer *out, const struct divergence_tally *tally)
{
    bool first = true;

    buffer_append_char(out, '{');
    for (unsigned cause = CAUSE_NONE + 1; cause < CAUSE_COUNT; cause++) {
        if (tally->causes[cause] == 0) {
            continue;
        }
        buffer_append_format(out, "%s\"%s\":{\"count\":%lld,\"users\":[", first ? "" : ",", cause_names[cause],
                             (long long)tally->causes[cause]);
        for (size_t index = 0; index < DIVERGENCE_EXAMPLES && tally->examples[cause][index] != 0; index++) {
            buffer_append_text(out, index == 0 ? "" : ",");
            buffer_append_integer(out, tally->examples[cause][index]);
        }
        buffer_append_text(out, "]}");
        first = false;
    }
    buffer_append_char(out, '}');
}

bool divergence_member_at(bool before, const struct merge_stream *record, int64_t at)
{
    if (record->effective_at <= at) {
        return record->member && record->entered_at <= at && record->valid_until > at;
    }
    /* It speaks for a later instant: of `at` it says only that a membership that began by then was there. */
    return before || (record->member && record->entered_at <= at);
}

enum divergence_move divergence_alert(bool raised, const int64_t *shares_micros, size_t count, size_t passes,
                                      int64_t threshold_micros)
{
    size_t exceeding = 0;

    if (raised) {
        return count > 0 && shares_micros[0] < threshold_micros / 2 ? MOVE_RESOLVE : MOVE_NONE;
    }
    while (exceeding < count && shares_micros[exceeding] > threshold_micros) {
        exceeding++;
    }
    return passes > 0 && exceeding >= passes ? MOVE_RAISE : MOVE_NONE;
}
