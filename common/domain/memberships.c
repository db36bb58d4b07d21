/* All segments of one user at one instant: what batch asks.
 *
 * Most users are in few segments, and to see that somebody is in none takes no more than the criteria's truth at that
 * one instant, and mostly no more than that what it takes has not happened lately. So that is looked at first. Only the
 * segments that hold then, and those where the past decides (a duration, an exclusion window), are evaluated from the
 * beginning, for since when and until when they hold. */
#include "common/domain/evaluation_parts.h"
#include "common/domain/optimisation.h"
#include "common/domain/ruleset_needs.h"

enum verdict {
    VERDICT_NONE = 0,
    VERDICT_OUT,
    VERDICT_IN,
    VERDICT_OPEN, /* the past decides */
};

/* What a reference to a segment that holds sees; never written. */
static struct interval always = {.entered_at = INT64_MIN, .left_at = TIMESTAMP_NEVER};

/* The verdict at evaluation->at, which is F as well. Leaves the answer for those that refer to it. */
static enum verdict look(struct evaluation *evaluation, size_t segment, const int64_t *newest_ms,
                         const unsigned char *verdicts)
{
    const struct segment_plan *plan = &evaluation->ruleset->segments[segment];
    const struct definition *definition = plan->definition;
    struct answer *answer = &evaluation->answers[segment];
    struct timeline holds;

    *answer = (struct answer){0};
    if (evaluation->known_since == TIMESTAMP_NEVER ||
        (optimisation_on(OPTIMISATION_NEEDS) && evaluation->state->base == NULL &&
         !ruleset_needs_met(plan, evaluation->at, newest_ms))) {
        return VERDICT_OUT;
    }
    if (definition->mode == MODE_STICKY || evaluation->state->base != NULL || !optimisation_on(OPTIMISATION_VERDICTS)) {
        return VERDICT_OPEN;
    }
    for (size_t i = 0; i < definition->reference_count; i++) {
        if (verdicts[definition->references[i]] == VERDICT_OPEN) {
            return VERDICT_OPEN;
        }
    }
    evaluation->marking_turned = false;
    evaluate_children(evaluation, plan->criteria, definition->criterion_count, true, false, &holds);
    if (!holds.initial) {
        return VERDICT_OUT;
    }
    if (definition->duration_ms > 0) {
        return VERDICT_OPEN;
    }
    evaluate_children(evaluation, plan->exclude, definition->exclude_count, false, false, &holds);
    if (holds.initial) {
        answer->excluded = true;
        return VERDICT_OUT;
    }
    if (definition->exclusion_window_ms > 0) {
        return VERDICT_OPEN;
    }
    *answer = (struct answer){.intervals = &always, .count = 1};
    return VERDICT_IN;
}

/* Evaluates from the beginning what is not out, and what that refers to. */
static void evaluate_rest(struct evaluation *evaluation, const unsigned char *verdicts, unsigned char *wanted,
                          struct membership *out)
{
    const struct ruleset *ruleset = evaluation->ruleset;

    evaluation->from = user_base_at(evaluation->state);
    for (size_t i = 0; i < ruleset->segment_count; i++) {
        const struct segment_plan *plan = &ruleset->segments[i];

        for (size_t k = 0; verdicts[i] != VERDICT_OUT && k < plan->closure_count; k++) {
            wanted[plan->closure[k]] = 1;
        }
    }
    for (size_t i = 0; i < ruleset->segment_count; i++) {
        size_t segment = ruleset->set->evaluation_order[i];

        if (wanted[segment]) {
            evaluate_segment_anew(evaluation, segment);
            out[segment] = membership_of(&evaluation->answers[segment], evaluation->at);
        }
    }
}

/* By selector the time of its newest event. Times ascend in the log. */
static int64_t *find_newest(struct evaluation *evaluation)
{
    const struct ruleset *ruleset = evaluation->ruleset;
    int64_t *newest_ms = evaluation_allocate(evaluation, ruleset->selector_count, sizeof *newest_ms);

    for (size_t i = 0; newest_ms != NULL && i < ruleset->selector_count; i++) {
        newest_ms[i] = INT64_MIN;
    }
    for (size_t i = 0; newest_ms != NULL && i < evaluation->entry_count; i++) {
        const struct entry *entry = evaluation_entry(evaluation, i);

        for (size_t word = 0; word < ruleset->selector_words; word++) {
            for (uint64_t bits = entry->mask[word]; bits != 0; bits &= bits - 1) {
                newest_ms[word * 64 + (size_t)__builtin_ctzll(bits)] = entry->time_ms;
            }
        }
    }
    return newest_ms;
}

bool user_state_memberships(const struct ruleset *ruleset, const struct user_state *state, int64_t at,
                            struct evaluation *evaluation, struct membership *out, struct error *err)
{
    unsigned char *verdicts;
    unsigned char *wanted;
    int64_t *newest_ms;
    size_t out_count = 0;

    evaluation_begin(evaluation, state, at, at);
    newest_ms = find_newest(evaluation);
    verdicts = evaluation_allocate(evaluation, 2 * ruleset->segment_count, 1);
    if (newest_ms == NULL || verdicts == NULL) {
        return evaluation_finish(evaluation, err);
    }
    wanted = verdicts + ruleset->segment_count;
    for (size_t i = 0; i < ruleset->segment_count; i++) {
        size_t segment = ruleset->set->evaluation_order[i];

        verdicts[segment] = (unsigned char)look(evaluation, segment, newest_ms, verdicts);
        out_count += verdicts[segment] == VERDICT_OUT;
        out[segment] =
            (struct membership){.excluded = evaluation->answers[segment].excluded, .valid_until = TIMESTAMP_NEVER};
    }
    if (out_count < ruleset->segment_count) {
        evaluate_rest(evaluation, verdicts, wanted, out);
    }
    return evaluation_finish(evaluation, err);
}

bool user_state_membership(const struct ruleset *ruleset, struct user_state *state, size_t segment, int64_t at,
                           struct evaluation *evaluation, struct membership *out, struct error *err)
{
    const struct segment_plan *plan = &ruleset->segments[segment];

    evaluation_begin(evaluation, state, at, TIMESTAMP_ALWAYS);
    for (size_t i = 0; i < plan->closure_count; i++) {
        evaluate_segment_anew(evaluation, plan->closure[i]);
    }
    *out = membership_of(&evaluation->answers[segment], at);
    return evaluation_finish(evaluation, err);
}
