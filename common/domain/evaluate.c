/* From the log to memberships: criteria become timelines, lifetimes and exclusions walk over them (section 6).
 *
 * An event at t changes M from t on only. So for each segment a little is carried at an instant F just before the
 * newest event (the last qualifying instant, the interval open then, the exclusion window), and the next evaluation
 * looks at (F, infinity) alone: events reach into it through their windows. An event at or before F drops what was
 * carried, and everything is found from the beginning: the same code with F = minus infinity, which is also what batch
 * runs. A state that was pruned begins at its base instead (user_state_prune.c). */
#include "common/domain/at_once.h"
#include "common/domain/evaluation_parts.h"
#include "common/domain/optimisation.h"
#include "common/domain/rule_operators.h"
#include "common/domain/tally.h"

#include <stdlib.h>

enum { EVALUATION_SIZE_MAX = 1 << 30, KEY_SIZE_MAX = 2 << 20 };

const struct summary summary_none = {.at_ms = INT64_MIN};
static const struct selector_seen seen_nothing = {.newest_ms = INT64_MIN};
const struct carry carry_none = {.qualified_at = INT64_MIN, .entered_at = INT64_MIN, .blocked_until = INT64_MIN};

bool evaluation_new(const struct ruleset *ruleset, struct evaluation **out, struct error *err)
{
    struct evaluation *evaluation = memory_allocate_zeroed(1, sizeof *evaluation);

    if (evaluation == NULL) {
        return error_no_memory(err, "evaluation");
    }
    evaluation->ruleset = ruleset;
    arena_init(&evaluation->arena, EVALUATION_SIZE_MAX);
    comparison_scratch_init(&evaluation->scratch);
    buffer_init(&evaluation->key, KEY_SIZE_MAX);
    evaluation->stride = entry_stride(ruleset);
    evaluation->values = memory_allocate_zeroed(ruleset->source_count, sizeof *evaluation->values);
    evaluation->kept = memory_allocate_zeroed(ruleset->column_count, sizeof *evaluation->kept);
    evaluation->mask = memory_allocate_zeroed(ruleset->selector_words, sizeof *evaluation->mask);
    evaluation->answers = memory_allocate_zeroed(ruleset->segment_count, sizeof *evaluation->answers);
    evaluation->fresh = memory_allocate_zeroed(ruleset->segment_words, sizeof *evaluation->fresh);
    evaluation->taken = memory_allocate_zeroed(ruleset->selector_words, sizeof *evaluation->taken);
    evaluation->seen = memory_allocate_zeroed(ruleset->selector_count, sizeof *evaluation->seen);
    evaluation->present = memory_allocate_zeroed(ruleset->selector_words, sizeof *evaluation->present);
    evaluation->candidates = memory_allocate_zeroed(ruleset->segment_words, sizeof *evaluation->candidates);
    evaluation->verdicts = memory_allocate_zeroed(ruleset->segment_count, sizeof *evaluation->verdicts);
    evaluation->found = memory_allocate_zeroed(ruleset->segment_count, sizeof *evaluation->found);
    if (evaluation->fresh == NULL || evaluation->values == NULL || evaluation->kept == NULL ||
        evaluation->mask == NULL || evaluation->answers == NULL || evaluation->taken == NULL ||
        evaluation->seen == NULL || evaluation->present == NULL || evaluation->candidates == NULL ||
        evaluation->verdicts == NULL || evaluation->found == NULL) {
        evaluation_free(evaluation);
        return error_no_memory(err, "evaluation");
    }
    for (size_t i = 0; i < ruleset->selector_count; i++) {
        evaluation->seen[i] = seen_nothing;
    }
    *out = evaluation;
    return true;
}

void evaluation_free(struct evaluation *evaluation)
{
    if (evaluation != NULL) {
        arena_clear(&evaluation->arena);
        comparison_scratch_clear(&evaluation->scratch);
        buffer_clear(&evaluation->key);
        memory_free(evaluation->values);
        memory_free(evaluation->kept);
        memory_free(evaluation->mask);
        memory_free(evaluation->answers);
        memory_free(evaluation->fresh);
        memory_free(evaluation->taken);
        memory_free(evaluation->seen);
        memory_free(evaluation->present);
        memory_free(evaluation->candidates);
        memory_free(evaluation->verdicts);
        memory_free(evaluation->found);
        memory_free(evaluation);
    }
}

void *evaluation_allocate(struct evaluation *evaluation, size_t count, size_t size)
{
    void *block = arena_allocate_zeroed(&evaluation->arena, count, size);

    if (block == NULL) {
        evaluation->failed = true;
    }
    return block;
}

void *evaluation_reserve(struct evaluation *evaluation, size_t size)
{
    void *block = arena_allocate(&evaluation->arena, size);

    if (block == NULL) {
        evaluation->failed = true;
    }
    return block;
}

void evaluation_see_nothing(struct evaluation *evaluation)
{
    for (size_t word = 0; word < evaluation->ruleset->selector_words; word++) {
        for (uint64_t bits = evaluation->present[word]; bits != 0; bits &= bits - 1) {
            evaluation->seen[word * 64 + (size_t)__builtin_ctzll(bits)] = seen_nothing;
        }
        evaluation->present[word] = 0;
    }
}

/* Times ascend in the log. */
void evaluation_see(struct evaluation *evaluation)
{
    size_t word_count = evaluation->ruleset->selector_words;
    struct selector_seen *seen = evaluation->seen;
    uint64_t *present = evaluation->present;

    evaluation_see_nothing(evaluation);
    for (size_t i = 0; i < evaluation->entry_count; i++) {
        const struct entry *entry = evaluation_entry(evaluation, i);

        for (size_t word = 0; word < word_count; word++) {
            present[word] |= entry->mask[word];
            for (uint64_t bits = entry->mask[word]; bits != 0; bits &= bits - 1) {
                struct selector_seen *one = &seen[word * 64 + (size_t)__builtin_ctzll(bits)];

                one->newest_ms = entry->time_ms;
                one->count++;
            }
        }
    }
}

size_t evaluation_first_entry(const struct evaluation *evaluation, int64_t reach_ms)
{
    if (!optimisation_on(OPTIMISATION_REACH)) {
        return 0;
    }
    return evaluation_first_after(evaluation, evaluation->from, reach_ms);
}

struct summary evaluation_find_summed(const struct evaluation *evaluation, const struct node *node)
{
    if (evaluation->summed != NULL && node->carry != RULESET_NONE &&
        evaluation->summed[node->carry].at_ms != INT64_MIN && optimisation_on(OPTIMISATION_SUMMARIES)) {
        return evaluation->summed[node->carry];
    }
    return user_base_summed(evaluation->state, node);
}

void evaluation_sum_up(struct evaluation *evaluation, const struct node *node, const struct summary *summary)
{
    if (evaluation->summing != NULL && node->carry != RULESET_NONE) {
        evaluation->summing[node->carry] = *summary;
        evaluation->summing[node->carry].at_ms = evaluation->carry_at;
    }
}

size_t evaluation_first_after(const struct evaluation *evaluation, int64_t after_ms, int64_t reach_ms)
{
    size_t low = 0;
    size_t high = evaluation->entry_count;
    int64_t after;

    /* Mostly all lies in reach. */
    if (__builtin_sub_overflow(after_ms, reach_ms, &after) || high == 0 ||
        evaluation_entry(evaluation, 0)->time_ms > after) {
        return 0;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (evaluation_entry(evaluation, middle)->time_ms <= after) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* ---- criteria ---- */

void evaluate_reference(struct evaluation *evaluation, const struct node *node, bool marked, struct timeline *out)
{
    const struct answer *answer = &evaluation->answers[node->criterion->segment_index];
    struct timeline_union sum = {.timeline = out, .first = evaluation->from, .end = INT64_MIN};

    (void)marked;
    *out = (struct timeline){0};
    for (size_t i = 0; i < answer->count; i++) {
        timeline_union_add(&sum, answer->intervals[i].entered_at, answer->intervals[i].left_at, &evaluation->arena,
                           &evaluation->failed);
    }
    timeline_union_end(&sum, &evaluation->arena, &evaluation->failed);
}

/* Marks count in every branch, so all children are evaluated where they are wanted; otherwise a constant one decides.
 */
void evaluate_children(struct evaluation *evaluation, const struct node *nodes, size_t count, bool all, bool marked,
                       struct timeline *out)
{
    *out = (struct timeline){.initial = all};
    for (size_t i = 0; i < count; i++) {
        struct timeline child;

        if (optimisation_on(OPTIMISATION_SHORT_CIRCUIT) && !marked && !evaluation->thorough && out->flips.count == 0 &&
            out->initial != all) {
            return;
        }
        evaluate_node(evaluation, &nodes[i], marked, &child);
        if (evaluation->at_once) {
            out->initial = all ? out->initial && child.initial : out->initial || child.initial;
        } else if (all) {
            timeline_and(out, &child, &evaluation->arena, &evaluation->failed);
        } else {
            timeline_or(out, &child, &evaluation->arena, &evaluation->failed);
        }
    }
}

/* Under an odd number of nots nothing is marked: but a second `not` inside turns marking on again. */
void evaluate_not(struct evaluation *evaluation, const struct node *node, bool marked, struct timeline *out)
{
    bool standing_only = evaluation->standing_only;
    bool turned = evaluation->marking_turned;

    evaluation->marking_turned = !turned;
    evaluation->standing_only = false;
    evaluate_node(evaluation, &node->children[0], marked, out);
    evaluation->standing_only = standing_only;
    evaluation->marking_turned = turned;
    out->initial = !out->initial;
}

void evaluate_all(struct evaluation *evaluation, const struct node *node, bool marked, struct timeline *out)
{
    evaluate_children(evaluation, node->children, node->child_count, true, marked, out);
}

void evaluate_any(struct evaluation *evaluation, const struct node *node, bool marked, struct timeline *out)
{
    bool standing_only = evaluation->standing_only;

    evaluation->standing_only = false;
    evaluate_children(evaluation, node->children, node->child_count, false, marked, out);
    evaluation->standing_only = standing_only;
}

void evaluate_counted(struct evaluation *evaluation, const struct node *node, bool marked, struct timeline *out)
{
    int128 amount;

    if (evaluation->at_once && node->plan.bound.used && at_once_amount(evaluation, &node->plan, &amount)) {
        *out = (struct timeline){.initial = comparison_bound_holds(&node->plan.bound, amount)};
    } else if (node->plan.tallied && !evaluation->at_once) {
        evaluate_tally(evaluation, node, marked, out);
    } else {
        evaluate_event(evaluation, node, marked, out);
    }
}

void evaluate_nothing(struct evaluation *evaluation, const struct node *node, bool marked, struct timeline *out)
{
    (void)evaluation;
    (void)node;
    (void)marked;
    *out = (struct timeline){0};
}

void evaluate_node(struct evaluation *evaluation, const struct node *node, bool marked, struct timeline *out)
{
    node->evaluate(evaluation, node, marked && (node->combines || !evaluation->marking_turned), out);
}

/* ---- lifetime ---- */

struct lifetime {
    struct evaluation *evaluation;
    const struct definition *definition;
    struct timeline_union sum; /* where the criteria with their lifetime hold */
    int64_t qualified_at;      /* the qualifying instant last seen; INT64_MIN: none */
    int64_t carry_at;          /* q as of this instant is carried on */
    int64_t carried;
};

static int64_t add_duration(int64_t at, int64_t duration_ms)
{
    int64_t sum;

    return __builtin_add_overflow(at, duration_ms, &sum) ? TIMESTAMP_NEVER : sum;
}

/* A qualifying instant: the duration starts anew. while_true ends with the criteria at the latest. */
static void qualify(struct lifetime *lifetime, int64_t at, int64_t criteria_end)
{
    int64_t end = add_duration(at, lifetime->definition->duration_ms);

    if (lifetime->definition->mode != MODE_STICKY && criteria_end < end) {
        end = criteria_end;
    }
    if (at <= lifetime->carry_at) {
        lifetime->carried = at;
    }
    timeline_union_add(&lifetime->sum, at, end, &lifetime->evaluation->arena, &lifetime->evaluation->failed);
}

static int compare_instants(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;

    return (a > b) - (a < b);
}

/* Where the criteria hold and the duration since the last qualifying instant has not passed. Returns q at carry_at. */
static int64_t apply_duration(struct evaluation *evaluation, const struct definition *definition,
                              const struct timeline *criteria, const struct carry *carry, int64_t carry_at,
                              struct timeline *out)
{
    struct lifetime lifetime = {
        .evaluation = evaluation,
        .definition = definition,
        .sum = {.timeline = out, .first = evaluation->from, .end = INT64_MIN},
        .carry_at = carry_at,
        .carried = carry->qualified_at,
    };
    const struct instants *flips = &criteria->flips;
    const struct instants *marks = &evaluation->marks;
    size_t mark = 0;

    *out = (struct timeline){0};
    if (marks->count > 1) {
        qsort(marks->at, marks->count, sizeof *marks->at, compare_instants);
    }
    if (carry->qualified_at != INT64_MIN && (criteria->initial || definition->mode == MODE_STICKY)) {
        qualify(&lifetime, carry->qualified_at, criteria->initial && flips->count > 0 ? flips->at[0] : TIMESTAMP_NEVER);
    }
    for (size_t i = criteria->initial ? 0 : 1; i <= flips->count; i += 2) {
        /* The criteria hold on [begin, end). */
        int64_t begin = i == 0 ? evaluation->from : flips->at[i - 1];
        int64_t end = i < flips->count ? flips->at[i] : TIMESTAMP_NEVER;

        if (i > 0) {
            qualify(&lifetime, begin, end);
        }
        while (mark < marks->count && marks->at[mark] <= begin) {
            mark++;
        }
        for (; mark < marks->count && marks->at[mark] < end; mark++) {
            qualify(&lifetime, marks->at[mark], end);
        }
    }
    timeline_union_end(&lifetime.sum, &evaluation->arena, &evaluation->failed);
    return lifetime.carried;
}

/* Walks the intervals in which M0 holds; after one of M the exclusion window keeps the user out (section 6). */
static void walk(struct evaluation *evaluation, const struct definition *definition, const struct timeline *m0,
                 const struct carry *carry, int64_t carry_at, struct answer *answer, struct carry *carried)
{
    int64_t blocked = carry->blocked_until;

    answer->count = 0;
    answer->intervals = evaluation_allocate(evaluation, m0->flips.count / 2 + 1, sizeof *answer->intervals);
    if (answer->intervals == NULL) {
        return;
    }
    for (size_t i = m0->initial ? 0 : 1; i <= m0->flips.count; i += 2) {
        int64_t begin = i == 0 ? evaluation->from : m0->flips.at[i - 1];
        int64_t end = i < m0->flips.count ? m0->flips.at[i] : TIMESTAMP_NEVER;

        begin = blocked > begin ? blocked : begin;
        if (end <= begin) {
            continue;
        }
        /* An interval open at F keeps the instant it was entered at. */
        if (i == 0 && begin == evaluation->from) {
            begin = carry->entered_at;
        }
        answer->intervals[answer->count++] = (struct interval){.entered_at = begin, .left_at = end};
        if (begin <= carry_at && carry_at < end) {
            carried->entered_at = begin;
        }
        if (definition->exclusion_window_ms > 0 && end != TIMESTAMP_NEVER) {
            blocked = add_duration(end, definition->exclusion_window_ms);
            carried->blocked_until = end <= carry_at ? blocked : carried->blocked_until;
        }
    }
}

/* A segment that depends on a percentile is evaluated at one instant only, and enters at it (section 5). */
static void answer_at(struct evaluation *evaluation, const struct timeline *held, struct answer *answer)
{
    if (evaluation->at == TIMESTAMP_NEVER || !timeline_at(held, evaluation->at)) {
        return;
    }
    answer->intervals = evaluation_allocate(evaluation, 1, sizeof *answer->intervals);
    if (answer->intervals != NULL) {
        answer->intervals[0] = (struct interval){.entered_at = evaluation->at, .left_at = TIMESTAMP_NEVER};
        answer->count = 1;
    }
}

void evaluate_segment(struct evaluation *evaluation, size_t segment, const struct carry *carry, int64_t carry_at,
                      struct carry *carried)
{
    const struct segment_plan *plan = &evaluation->ruleset->segments[segment];
    const struct definition *definition = plan->definition;
    struct answer *answer = &evaluation->answers[segment];
    struct timeline criteria;
    struct timeline held;

    *answer = (struct answer){.from = evaluation->from};
    *carried =
        (struct carry){.qualified_at = INT64_MIN, .entered_at = INT64_MIN, .blocked_until = carry->blocked_until};
    if (evaluation->known_since == TIMESTAMP_NEVER) {
        return;
    }
    evaluation->marks = (struct instants){0};
    evaluation->marking_turned = false;
    evaluate_children(evaluation, plan->criteria, definition->criterion_count, true, definition->duration_ms > 0,
                      &criteria);
    if (evaluation->known_since > evaluation->from) {
        struct timeline known = {0};

        evaluation_set(evaluation, &known, evaluation->known_since, true);
        timeline_and(&criteria, &known, &evaluation->arena, &evaluation->failed);
    }
    held = criteria;
    if (definition->duration_ms > 0) {
        carried->qualified_at = apply_duration(evaluation, definition, &criteria, carry, carry_at, &held);
    }
    if (definition->exclude_count > 0 && (held.initial || held.flips.count > 0 || evaluation->thorough)) {
        struct timeline excluded;

        evaluation->standing_only = false;
        evaluate_children(evaluation, plan->exclude, definition->exclude_count, false, false, &excluded);
        answer->excluded = timeline_at(&held, evaluation->at) && timeline_at(&excluded, evaluation->at);
        excluded.initial = !excluded.initial;
        timeline_and(&held, &excluded, &evaluation->arena, &evaluation->failed);
    }
    if (definition->needs_percentile) {
        answer_at(evaluation, &held, answer);
    } else {
        walk(evaluation, definition, &held, carry, carry_at, answer, carried);
    }
}

void evaluate_segment_anew(struct evaluation *evaluation, size_t segment)
{
    const struct user_base *base = evaluation->state->base;
    struct carry ignored;

    evaluate_segment(evaluation, segment, base == NULL ? &carry_none : &base->carries[segment], TIMESTAMP_ALWAYS,
                     &ignored);
}

/* ---- calls ---- */

void evaluation_begin(struct evaluation *evaluation, const struct user_state *state, int64_t at, int64_t from)
{
    arena_reset(&evaluation->arena);
    evaluation->answered_state = NULL;
    evaluation->candidates_found = false;
    evaluation->failed = false;
    evaluation->unranked = false;
    evaluation->scratch.failed = false;
    evaluation->state = state;
    evaluation->at = at;
    evaluation->from = from > user_base_at(state) ? from : user_base_at(state);
    evaluation->summed = NULL;
    evaluation->summing = NULL;
    evaluation->thorough = false;
    evaluation->at_once = false;
    evaluation->standing_only = false;
    evaluation->entry_count = user_log_count_until(evaluation->ruleset, state, at);
    evaluation->log_taken = state->entry_count < USER_TAKEN_MIN ? NULL : user_taken_of(evaluation->ruleset, state);
    evaluation->known_since = state->known_since <= at ? state->known_since : TIMESTAMP_NEVER;
}

bool evaluation_finish(const struct evaluation *evaluation, struct error *err)
{
    if (evaluation->failed || evaluation->scratch.failed) {
        return error_no_memory(err, "evaluating a user's events");
    }
    if (evaluation->unranked) {
        return error_set(err, ERROR_INPUT, "a percentile needs the values of all users, which are not there");
    }
    return true;
}

struct membership membership_of(const struct answer *answer, int64_t at)
{
    struct membership membership = {.valid_until = TIMESTAMP_NEVER, .excluded = answer->excluded};

    for (size_t i = 0; i < answer->count; i++) {
        if (answer->intervals[i].entered_at <= at && at < answer->intervals[i].left_at) {
            membership.member = true;
            membership.entered_at = answer->intervals[i].entered_at;
            membership.valid_until = answer->intervals[i].left_at;
        }
    }
    return membership;
}

bool user_state_history(const struct ruleset *ruleset, const struct user_state *state, size_t segment, int64_t at,
                        struct evaluation *evaluation, const struct interval **out, size_t *out_count,
                        struct error *err)
{
    const struct segment_plan *plan = &ruleset->segments[segment];
    const struct answer *answer = &evaluation->answers[segment];

    evaluation_begin(evaluation, state, at, TIMESTAMP_ALWAYS);
    for (size_t i = 0; i < plan->closure_count; i++) {
        evaluate_segment_anew(evaluation, plan->closure[i]);
    }
    *out = answer->intervals;
    *out_count = answer->count;
    while (*out_count > 0 && answer->intervals[*out_count - 1].entered_at > at) {
        (*out_count)--;
    }
    return evaluation_finish(evaluation, err);
}
