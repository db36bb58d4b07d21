/* Evaluation from event to event, from what is carried (see evaluate.c).
 *
 * What is carried of a segment serves it and whatever refers to it: a segment is evaluated from its own F, and what it
 * refers to must have been evaluated from there or before. So what is carried moves on with events that touch the
 * segment only: they touch all that refer to it as well, which are asked about too and move along. Timers leave it
 * where it is. Where it has moved too far nevertheless (nobody asked), the segments concerned are evaluated from the
 * beginning.
 *
 * What is carried is never before the state's base, which takes the place of the beginning where there is one.
 *
 * Until the next event each segment is evaluated once, whether it is asked about or referred to. */
#include "common/domain/evaluation_parts.h"
#include "common/domain/optimisation.h"
#include "common/domain/ruleset_needs.h"

enum {
    LINE_SIZE = 64,
    SEEN_MAX = 64, /* entries: longer logs are not read through for each event */
};

static bool reserve_carries(const struct ruleset *ruleset, struct user_state *state, struct error *err)
{
    size_t summaries_size = ruleset->summary_count * sizeof *state->summaries;
    size_t carries_size = ruleset->segment_count * sizeof *state->carries;
    char *block;

    if (state->summaries != NULL) {
        return true;
    }
    block = memory_allocate(summaries_size + carries_size + ruleset->segment_count * sizeof *state->carried_until);
    if (block == NULL) {
        return error_no_memory(err, "a user's state");
    }
    state->summaries = (struct summary *)(void *)block;
    state->carries = (struct carry *)(void *)(block + summaries_size);
    state->carried_until = (int64_t *)(void *)(block + summaries_size + carries_size);
    for (size_t i = 0; i < ruleset->segment_count; i++) {
        state->carried_until[i] = TIMESTAMP_ALWAYS;
    }
    return true;
}

static void prefetch(const void *memory, size_t size)
{
    for (size_t i = 0; i < size; i += LINE_SIZE) {
        __builtin_prefetch((const char *)memory + i, 1);
    }
}

void user_state_prefetch(const struct ruleset *ruleset, const struct user_state *state)
{
    size_t stride = entry_stride(ruleset);
    size_t end = state->entry_count * stride;

    if (end > 0) {
        prefetch(state->entries + (end - stride), 2 * stride);
        prefetch(state->heap + state->heap_size, 3 * LINE_SIZE);
    }
    if (state->summaries != NULL) {
        prefetch(state->summaries, ruleset->summary_count * sizeof *state->summaries +
                                       ruleset->segment_count * (sizeof *state->carries + sizeof(int64_t)));
    }
}

/* Keeps the answers of the call before where they are this state's, and nothing was folded since. */
static void begin(struct evaluation *evaluation, const struct user_state *state)
{
    if (optimisation_on(OPTIMISATION_ANSWERS) && evaluation->answered_state == state &&
        evaluation->answered_cleared_count == state->cleared_count && evaluation->entry_count == state->entry_count &&
        evaluation->known_since == state->known_since && !evaluation->failed) {
        return;
    }
    evaluation_begin(evaluation, state, TIMESTAMP_NEVER, TIMESTAMP_ALWAYS);
    evaluation->answered_state = state;
    evaluation->answered_cleared_count = state->cleared_count;
    evaluation->answers_no++;
    evaluation->seen_now = evaluation->entry_count <= SEEN_MAX && evaluation_sees(evaluation);
    if (evaluation->seen_now) {
        evaluation_see(evaluation);
    }
}

/* False where something that it takes has not happened, or too long ago: time alone does not change that. */
static bool may_hold(const struct evaluation *evaluation, size_t segment, int64_t from)
{
    return !evaluation->seen_now || ruleset_needs_met(&evaluation->ruleset->segments[segment], from, evaluation->seen);
}

bool user_state_may_hold(const struct user_state *state, size_t segment, int64_t from, struct evaluation *evaluation)
{
    begin(evaluation, state);
    return may_hold(evaluation, segment, from);
}

static bool is_answered(const struct evaluation *evaluation, size_t segment, int64_t from)
{
    const struct answer *answer = &evaluation->answers[segment];

    return answer->answers == evaluation->answers_no && answer->from <= from;
}

/* From which F on the segment is evaluated, so that `wanted` lies behind. */
static int64_t first_instant(const struct user_state *state, size_t segment, int64_t wanted)
{
    int64_t base = user_base_at(state);

    if (!optimisation_on(OPTIMISATION_CARRY)) {
        return base;
    }
    return state->carried_until[segment] <= wanted && state->carried_until[segment] > base
               ? state->carried_until[segment]
               : base;
}

static void evaluate_from(struct evaluation *evaluation, struct user_state *state, size_t segment, int64_t from)
{
    const struct segment_plan *plan = &evaluation->ruleset->segments[segment];
    struct summary *summaries = &state->summaries[plan->summary_index];
    int64_t carry_at = state->newest == TIMESTAMP_ALWAYS ? TIMESTAMP_ALWAYS : state->newest - 1;
    int64_t *carried_until = &state->carried_until[segment];
    bool fresh = evaluation->fresh_state == state && evaluation->fresh_cleared_count == state->cleared_count &&
                 bit_is_set(evaluation->fresh, segment);
    bool anew = from == user_base_at(state);
    bool moves = !state->transient && carry_at > *carried_until && carry_at > user_base_at(state) &&
                 (fresh || *carried_until == TIMESTAMP_ALWAYS);
    struct carry carry = state->base == NULL ? carry_none : state->base->carries[segment];
    struct carry carried;

    if (!anew) {
        carry = state->carries[segment];
    }
    evaluation->from = from;
    evaluation->carry_at = carry_at;
    evaluation->summed = anew ? NULL : summaries;
    evaluation->summing = moves ? summaries : NULL;
    /* Criteria that are not looked at this time keep what they have: older, but true. */
    for (uint32_t i = 0; moves && anew && i < plan->summary_count; i++) {
        summaries[i] = (struct summary){.at_ms = INT64_MIN};
    }
    evaluate_segment(evaluation, segment, &carry, carry_at, &carried);
    evaluation->answers[segment].answers = evaluation->answers_no;
    if (moves) {
        state->carries[segment] = carried;
        *carried_until = carry_at;
    }
}

/* Evaluates a segment and what it refers to, so that its answer holds after `from`. */
static void evaluate_closure(struct evaluation *evaluation, struct user_state *state, size_t segment, int64_t from)
{
    const struct segment_plan *plan = &evaluation->ruleset->segments[segment];

    if (plan->closure_count == 1) {
        evaluate_from(evaluation, state, segment, first_instant(state, segment, from));
        return;
    }
    for (size_t i = 0; i + 1 < plan->closure_count; i++) {
        evaluation->answers[plan->closure[i]].wanted = TIMESTAMP_NEVER;
    }
    evaluation->answers[segment].wanted = from;
    for (size_t i = plan->closure_count; i-- > 0;) {
        uint32_t member = plan->closure[i];
        const struct definition *definition = evaluation->ruleset->segments[member].definition;
        int64_t wanted = evaluation->answers[member].wanted;
        int64_t first = first_instant(state, member, wanted);

        for (size_t k = 0; !is_answered(evaluation, member, wanted) && k < definition->reference_count; k++) {
            struct answer *other = &evaluation->answers[definition->references[k]];

            other->wanted = first < other->wanted ? first : other->wanted;
        }
    }
    for (size_t i = 0; i < plan->closure_count; i++) {
        uint32_t member = plan->closure[i];
        int64_t wanted = evaluation->answers[member].wanted;

        if (wanted != TIMESTAMP_NEVER && !is_answered(evaluation, member, wanted)) {
            evaluate_from(evaluation, state, member, first_instant(state, member, wanted));
        }
    }
}

bool user_state_intervals(const struct ruleset *ruleset, struct user_state *state, size_t segment, int64_t from,
                          struct evaluation *evaluation, const struct interval **out, size_t *out_count,
                          struct error *err)
{
    const struct answer *answer = &evaluation->answers[segment];
    size_t first = 0;

    if (ruleset->segments[segment].definition->needs_percentile) {
        *out = NULL;
        *out_count = 0;
        return true;
    }
    if (!reserve_carries(ruleset, state, err)) {
        return false;
    }
    from = from > user_base_at(state) ? from : user_base_at(state);
    begin(evaluation, state);
    if (!may_hold(evaluation, segment, from)) {
        *out = NULL;
        *out_count = 0;
        return true;
    }
    if (!is_answered(evaluation, segment, from)) {
        evaluate_closure(evaluation, state, segment, from);
    }
    if (!evaluation_finish(evaluation, err)) {
        for (size_t i = 0; i < ruleset->segment_count; i++) {
            state->carried_until[i] = TIMESTAMP_ALWAYS;
        }
        return false;
    }
    while (first < answer->count && answer->intervals[first].left_at <= from) {
        first++;
    }
    *out = answer->count == 0 ? NULL : answer->intervals + first;
    *out_count = answer->count - first;
    return true;
}
