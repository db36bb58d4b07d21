/* All segments of one user at one instant: what batch asks.
 *
 * Most users are in few segments. So only those segments are looked at that the user's events lead to (each by
 * something that must have happened for it to hold), and the few that need no event. Of these it is mostly enough to
 * see that what it takes has not happened lately, and else the criteria's truth at that one instant. Only the segments
 * that hold then, and those where the past decides (a duration, an exclusion window), are evaluated from the beginning,
 * for since when and until when they hold. */
#include "common/domain/evaluation_parts.h"
#include "common/domain/optimisation.h"
#include "common/domain/ruleset_needs.h"

enum verdict {
    VERDICT_NONE = 0, /* no candidate */
    VERDICT_OUT,
    VERDICT_EXCLUDED, /* out, by an exclusion alone */
    VERDICT_IN,
    VERDICT_OPEN, /* the past decides */
};

/* What a reference to a segment that holds sees; never written. */
static struct interval always = {.entered_at = INT64_MIN, .left_at = TIMESTAMP_NEVER};

/* The verdict at evaluation->at, which is F as well. Leaves the answer for those that refer to it, where some may. */
static enum verdict look(struct evaluation *evaluation, size_t segment)
{
    const struct segment_plan *plan = &evaluation->ruleset->segments[segment];
    struct timeline holds;

    if (!plan->alone) {
        evaluation->answers[segment] = (struct answer){0};
    }
    if (plan->sticky || evaluation->state->base != NULL || !optimisation_on(OPTIMISATION_VERDICTS)) {
        return VERDICT_OPEN;
    }
    for (size_t i = 0; i < plan->reference_count; i++) {
        size_t other = plan->definition->references[i];

        if (evaluation->verdicts[other] == VERDICT_OPEN) {
            return VERDICT_OPEN;
        }
        if (evaluation->verdicts[other] == VERDICT_NONE) {
            evaluation->answers[other] = (struct answer){0};
        }
    }
    evaluation->marking_turned = false;
    for (size_t i = 0; i < plan->criterion_count; i++) {
        evaluate_node(evaluation, plan->easiest[i], false, &holds);
        if (!holds.initial) {
            return VERDICT_OUT;
        }
    }
    if (plan->lasting) {
        return VERDICT_OPEN;
    }
    evaluate_children(evaluation, plan->exclude, plan->exclude_count, false, false, &holds);
    if (holds.initial) {
        return VERDICT_EXCLUDED;
    }
    if (plan->barring) {
        return VERDICT_OPEN;
    }
    if (!plan->alone) {
        evaluation->answers[segment] = (struct answer){.intervals = &always, .count = 1};
    }
    return VERDICT_IN;
}

/* Adds the segments that are found by this selector, of which something was seen. */
static void find_needing(struct evaluation *evaluation, size_t selector)
{
    const struct ruleset *ruleset = evaluation->ruleset;
    const struct needing *needing = &ruleset->needings[ruleset->needings_begin[selector]];
    const struct needing *end = &ruleset->needings[ruleset->needings_begin[selector + 1]];
    const struct selector_seen *seen = &evaluation->seen[selector];
    uint64_t *candidates = evaluation->candidates;
    int64_t at = evaluation->at;

    for (; needing < end && needing->count_min <= seen->count; needing++) {
        uint64_t late = seen_after(seen, at, needing->reach_ms);

        /* Without a branch, which would go either way. */
        candidates[needing->rank / 64] |= late << (needing->rank % 64);
    }
}

/* Which segments what was seen leads to; whether there are any. */
static bool find_candidates(struct evaluation *evaluation)
{
    const struct ruleset *ruleset = evaluation->ruleset;
    const uint64_t *needful = ruleset->needful;
    uint64_t *candidates = evaluation->candidates;
    uint64_t any = 0;

    memcpy(candidates, ruleset->needless, ruleset->segment_words * sizeof *candidates);
    for (size_t word = 0; word < ruleset->selector_words; word++) {
        for (uint64_t bits = evaluation->present[word]; bits != 0; bits &= bits - 1) {
            find_needing(evaluation, word * 64 + (size_t)__builtin_ctzll(bits));
        }
    }
    for (size_t rank = 0; !evaluation_sees(evaluation) && rank < ruleset->segment_count; rank++) {
        bit_set(candidates, rank);
    }
    for (size_t word = 0; word < ruleset->segment_words; word++) {
        for (uint64_t bits = candidates[word] & needful[word]; evaluation_sees(evaluation) && bits != 0;
             bits &= bits - 1) {
            size_t rank = word * 64 + (size_t)__builtin_ctzll(bits);

            if (!ruleset_needs_met(&ruleset->segments[ruleset->set->evaluation_order[rank]], evaluation->at,
                                   evaluation->seen)) {
                candidates[word] &= ~(bits & -bits);
            }
        }
        any |= candidates[word];
    }
    return any != 0;
}

/* Fills `found` with all that is not plainly out, and returns their number. */
static size_t look_at_candidates(struct evaluation *evaluation)
{
    const struct ruleset *ruleset = evaluation->ruleset;
    size_t count = 0;

    for (size_t word = 0; word < ruleset->segment_words; word++) {
        for (uint64_t bits = evaluation->candidates[word]; bits != 0; bits &= bits - 1) {
            size_t segment = ruleset->set->evaluation_order[word * 64 + (size_t)__builtin_ctzll(bits)];
            enum verdict verdict = look(evaluation, segment);

            evaluation->verdicts[segment] = (unsigned char)verdict;
            if (verdict != VERDICT_OUT) {
                evaluation->found[count++] =
                    (struct segment_membership){.segment = segment,
                                                .membership = {.excluded = verdict == VERDICT_EXCLUDED,
                                                               .valid_until = TIMESTAMP_NEVER}};
            }
        }
    }
    return count;
}

/* Evaluates a segment that holds at `at` and stands alone, for the one membership that it holds by. Of a long log only
 * the newer half is gone through for when it began, and all of it only where it held before that already. */
static void evaluate_alone(struct evaluation *evaluation, size_t segment)
{
    enum { LONG = 8 };
    size_t count = evaluation->entry_count;

    if (count >= LONG) {
        evaluation->from = evaluation_entry(evaluation, count - 1 - count / 2)->time_ms - 1;
        evaluation->standing_only = true;
        evaluate_segment_anew(evaluation, segment);
        if (membership_of(&evaluation->answers[segment], evaluation->at).entered_at != carry_none.entered_at) {
            return;
        }
    }
    evaluation->from = user_base_at(evaluation->state);
    evaluation->standing_only = true;
    evaluate_segment_anew(evaluation, segment);
    evaluation->standing_only = false;
}

/* Evaluates from the beginning what was found not to be out, and what that refers to; drops what is out after all. */
static size_t evaluate_found(struct evaluation *evaluation, size_t found_count)
{
    const struct ruleset *ruleset = evaluation->ruleset;
    uint64_t *wanted = evaluation_allocate(evaluation, ruleset->segment_words, sizeof *wanted);
    size_t kept = 0;

    for (size_t i = 0; wanted != NULL && i < found_count; i++) {
        size_t segment = evaluation->found[i].segment;
        const struct segment_plan *plan = &ruleset->segments[segment];

        if (plan->alone && evaluation->verdicts[segment] == VERDICT_IN && optimisation_on(OPTIMISATION_STANDING)) {
            evaluate_alone(evaluation, segment);
            continue;
        }
        for (size_t k = 0; evaluation->verdicts[segment] != VERDICT_EXCLUDED && k < plan->closure_count; k++) {
            bit_set(wanted, ruleset->rank_of[plan->closure[k]]);
        }
    }
    evaluation->from = user_base_at(evaluation->state);
    evaluation->standing_only = false;
    for (size_t word = 0; wanted != NULL && word < ruleset->segment_words; word++) {
        for (uint64_t bits = wanted[word]; bits != 0; bits &= bits - 1) {
            evaluate_segment_anew(evaluation,
                                  ruleset->set->evaluation_order[word * 64 + (size_t)__builtin_ctzll(bits)]);
        }
    }
    for (size_t i = 0; i < found_count; i++) {
        struct segment_membership *found = &evaluation->found[i];

        if (evaluation->verdicts[found->segment] != VERDICT_EXCLUDED) {
            found->membership = membership_of(&evaluation->answers[found->segment], evaluation->at);
        }
        if (found->membership.member || found->membership.excluded) {
            evaluation->found[kept++] = *found;
        }
    }
    return kept;
}

static bool may_stand(struct evaluation *evaluation, const struct user_state *state, int64_t at, bool seen)
{
    evaluation_begin(evaluation, state, at, at);
    if (evaluation->known_since == TIMESTAMP_NEVER) {
        return false;
    }
    if (!seen) {
        evaluation_see(evaluation);
    }
    return find_candidates(evaluation);
}

bool evaluation_may_stand(struct evaluation *evaluation, const struct user_state *state, int64_t at)
{
    evaluation->candidates_found = may_stand(evaluation, state, at, true);
    return evaluation->candidates_found;
}

bool user_state_standing(const struct ruleset *ruleset, const struct user_state *state, int64_t at,
                         struct evaluation *evaluation, const struct segment_membership **out, size_t *out_count,
                         struct error *err)
{
    *out = evaluation->found;
    *out_count = 0;
    if ((evaluation->candidates_found && evaluation->state == state && evaluation->at == at) ||
        may_stand(evaluation, state, at, false)) {
        evaluation->candidates_found = false;
        evaluation->at_once = optimisation_on(OPTIMISATION_AT_ONCE) && at <= TIMESTAMP_MAX;
        *out_count = look_at_candidates(evaluation);
        evaluation->at_once = false;
        if (*out_count > 0) {
            *out_count = evaluate_found(evaluation, *out_count);
        }
        memset(evaluation->verdicts, 0, ruleset->segment_count * sizeof *evaluation->verdicts);
    }
    return evaluation_finish(evaluation, err);
}

bool user_state_memberships(const struct ruleset *ruleset, const struct user_state *state, int64_t at,
                            struct evaluation *evaluation, struct membership *out, struct error *err)
{
    const struct segment_membership *found;
    size_t count;

    if (!user_state_standing(ruleset, state, at, evaluation, &found, &count, err)) {
        return false;
    }
    for (size_t i = 0; i < ruleset->segment_count; i++) {
        out[i] = (struct membership){.valid_until = TIMESTAMP_NEVER};
    }
    for (size_t i = 0; i < count; i++) {
        out[found[i].segment] = found[i].membership;
    }
    return true;
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
