#include "common/domain/ruleset_needs.h"

#include "common/domain/criterion_parts.h"
#include "common/domain/decimal.h"
#include "common/domain/evaluation_parts.h"
#include "common/domain/ruleset_reach.h"

/* The needs of one segment. Without room they are only counted. */
struct needs_list {
    struct need *items;
    uint32_t count;
    uint32_t count_max; /* what was added at most, before alternatives that need nothing took theirs back */
    int64_t most_ms;    /* what is further back decides nothing */
    int64_t more_ms;    /* added to every reach */
};

static void add(struct needs_list *list, uint32_t selector, int64_t reach_ms, size_t count_min)
{
    if (list->items != NULL) {
        reach_ms = reach_ms < list->most_ms ? reach_ms : list->most_ms;
        if (__builtin_add_overflow(reach_ms, list->more_ms, &reach_ms)) {
            reach_ms = INT64_MAX;
        }
        list->items[list->count] =
            (struct need){.selector = selector, .reach_ms = reach_ms, .count_min = count_min, .next = list->count + 1};
    }
    list->count++;
    list->count_max = list->count > list->count_max ? list->count : list->count_max;
}

/* The least number of events with which a count, or a number of different things, satisfies the comparison: 1 where no
 * term says more. */
static size_t least_count(const struct rule_measure *measure)
{
    size_t least = 1;

    if (measure_operator(measure)->numbers != RULE_NUMBERS_WHOLE) {
        return least;
    }
    for (size_t i = 0; i < measure->comparison.term_count; i++) {
        const struct rule_term *term = &measure->comparison.terms[i];
        int64_t bound;

        if (term->operand_count != 1 || term->operands[0].type != VALUE_NUMBER) {
            continue;
        }
        bound = term->operands[0].micros;
        if (term->op == RULE_GREATER) {
            bound++;
        } else if (term->op != RULE_GREATER_EQUAL && term->op != RULE_EQUAL) {
            continue;
        }
        if (bound > (int64_t)least * DECIMAL_ONE) {
            least = (size_t)((bound + DECIMAL_ONE - 1) / DECIMAL_ONE);
        }
    }
    return least;
}

/* An age that is bounded from above, of the first event as of the last, is one of an event that is no older than the
 * bound: the newest is not older either. */
static int64_t age_reach(const struct rule_measure *measure)
{
    int64_t reach_ms = INT64_MAX;

    for (size_t i = 0; i < measure->durations.term_count; i++) {
        const struct rule_span_term *term = &measure->durations.terms[i];
        bool bounded = term->op == RULE_LESS || term->op == RULE_LESS_EQUAL || term->op == RULE_EQUAL;

        if (bounded && term->span.years == 0 && term->span.ms < reach_ms) {
            reach_ms = term->span.ms + 1;
        }
    }
    return reach_ms;
}

static bool trait_needed(const struct criterion *criterion)
{
    const struct value missing = {.type = VALUE_MISSING};
    struct comparison_scratch scratch;
    bool holds;

    if (criterion->kind != CRITERION_TRAIT) {
        return true; /* an age needs a value in any case */
    }
    comparison_scratch_init(&scratch);
    holds = comparison_value(&criterion->comparison, &missing, &scratch);
    comparison_scratch_clear(&scratch);
    return !holds;
}

/* A value that exists only where an event counts, and one that is 0 where none does. */
static bool is_of_events(const struct rule_measure *measure)
{
    return measure_operator(measure)->numeric && !measure_operator(measure)->always_exists;
}

static bool is_number_of(const struct rule_measure *measure)
{
    return measure_operator(measure)->numbers == RULE_NUMBERS_WHOLE;
}

static void add_measured(struct needs_list *list, const struct node *node)
{
    add(list, node->plan.selector, window_reach_ms(node->plan.window), 1);
}

static void add_event(struct needs_list *list, const struct node *node, const struct rule_measure *measure)
{
    int64_t window_ms = window_reach_ms(node->plan.window);
    int64_t age_ms = age_reach(measure);

    add(list, node->plan.selector, age_ms < window_ms ? age_ms : window_ms, least_count(measure));
}

/* A side whose value may not exist must have events; so must the greater of two numbers of things. */
bool needs_compare(struct needs_list *list, const struct node *node)
{
    const struct criterion *criterion = node->criterion;
    const struct rule_measure *left = &criterion->left->measure;
    const struct rule_measure *right = &criterion->right->measure;
    bool numbers = is_number_of(left) && is_number_of(right) && criterion->times_micros >= 0;

    if (is_of_events(left) || (numbers && criterion->op == RULE_GREATER)) {
        add_measured(list, &node->children[0]);
        return true;
    }
    if (is_of_events(right) || (numbers && criterion->op == RULE_LESS)) {
        add_measured(list, &node->children[1]);
        return true;
    }
    return false;
}

/* Adds what must have happened for the criterion to hold: one need, or alternatives; false where nothing must. */
static bool add_needs(struct needs_list *list, const struct node *node)
{
    criterion_needs *needs = criterion_operator(node->criterion)->needs;

    return needs != NULL && needs(list, node);
}

bool needs_event(struct needs_list *list, const struct node *node)
{
    if (criterion_may_hold_empty(node->criterion)) {
        return false;
    }
    add_event(list, node, &node->criterion->measure);
    return true;
}

bool needs_absence(struct needs_list *list, const struct node *node)
{
    add_measured(list, node);
    return true;
}

bool needs_sequence(struct needs_list *list, const struct node *node)
{
    add(list, node->steps[node->criterion->step_count - 1], window_reach_ms(node->plan.window), 1);
    return true;
}

bool needs_trait(struct needs_list *list, const struct node *node)
{
    if (!trait_needed(node->criterion)) {
        return false;
    }
    add(list, node->trait, INT64_MAX, 1);
    return true;
}

bool needs_all(struct needs_list *list, const struct node *node)
{
    for (size_t i = 0; i < node->child_count; i++) {
        if (add_needs(list, &node->children[i])) {
            return true; /* one of those that all must hold is enough */
        }
    }
    return false;
}

bool needs_any(struct needs_list *list, const struct node *node)
{
    uint32_t begin = list->count;

    for (size_t i = 0; i < node->child_count; i++) {
        if (!add_needs(list, &node->children[i])) {
            list->count = begin;
            return false;
        }
    }
    for (uint32_t i = begin; list->items != NULL && i < list->count; i++) {
        list->items[i].next = list->count;
    }
    return true;
}

static void add_all(struct needs_list *list, const struct segment_plan *plan)
{
    const struct definition *definition = plan->definition;

    for (size_t i = 0; i < definition->criterion_count; i++) {
        const struct criterion *criterion = &definition->criteria[i];

        (void)add_needs(list, &plan->criteria[i]);
        /* The other steps of a sequence are needs of their own, where they are no part of alternatives. */
        for (size_t k = 0; criterion->kind == CRITERION_SEQUENCE && k + 1 < criterion->step_count; k++) {
            add(list, plan->criteria[i].steps[k], INT64_MAX, 1);
        }
    }
}

static bool compile_needs(struct ruleset *ruleset, struct segment_plan *plan, struct error *err)
{
    const struct definition *definition = plan->definition;
    struct needs_list list = {
        .most_ms = plan->reach_ms,
        /* A sticky membership lasts that much longer than what it rests on. */
        .more_ms = definition->mode == MODE_STICKY ? definition->duration_ms : 0,
    };

    add_all(&list, plan);
    if (list.count == 0) {
        return true;
    }
    list.items = ruleset_allocate(ruleset, list.count_max, sizeof *list.items, err);
    if (list.items == NULL) {
        return false;
    }
    list.count = 0;
    add_all(&list, plan);
    plan->needs = list.items;
    plan->need_count = list.count;
    return true;
}

/* ---- which segments are looked at for a user, and how ---- */

static bool order_criteria(struct ruleset *ruleset, struct segment_plan *plan, struct error *err)
{
    size_t count = plan->definition->criterion_count;

    plan->easiest = ruleset_allocate(ruleset, count, sizeof *plan->easiest, err);
    for (size_t i = 0; plan->easiest != NULL && i < count; i++) {
        const struct node *node = &plan->criteria[i];
        size_t place = i;

        while (place > 0 && criterion_operator(plan->easiest[place - 1]->criterion)->effort >
                                criterion_operator(node->criterion)->effort) {
            plan->easiest[place] = plan->easiest[place - 1];
            place--;
        }
        plan->easiest[place] = node;
    }
    return plan->easiest != NULL;
}

/* How rarely a need is met, by what is written: of two, the one that says more. */
static size_t rarity(const struct ruleset *ruleset, const struct need *need, size_t alternative_count)
{
    const struct selector *selector = &ruleset->selectors[need->selector];
    size_t said = 2 * selector->predicate_count + need->count_min + (selector->any_name ? 0 : 8);

    return said * 16 / alternative_count;
}

/* The need, with its alternatives, by which the segment is found: items [begin, end). */
static void choose_need(const struct ruleset *ruleset, const struct segment_plan *plan, size_t *begin, size_t *end)
{
    size_t best = 0;

    *begin = *end = 0;
    for (size_t i = 0; i < plan->need_count; i = plan->needs[i].next) {
        size_t next = plan->needs[i].next;
        size_t least = SIZE_MAX;

        for (size_t k = i; k < next; k++) {
            size_t found = rarity(ruleset, &plan->needs[k], next - i);

            least = found < least ? found : least;
        }
        if (*end == 0 || least > best) {
            *begin = i;
            *end = next;
            best = least;
        }
    }
}

/* Among those of the selector, of which there are `count`, by the number of events. */
static void add_needing(struct needing *items, size_t count, struct needing added)
{
    for (; count > 0 && items[count - 1].count_min > added.count_min; count--) {
        items[count] = items[count - 1];
    }
    items[count] = added;
}

/* Gives each selector the segments that are found by it. Without room yet they are only counted; `counts` by selector
 * is zero. */
static void give_segments(struct ruleset *ruleset, uint32_t *counts)
{
    for (size_t rank = 0; rank < ruleset->segment_count; rank++) {
        const struct segment_plan *plan = &ruleset->segments[ruleset->set->evaluation_order[rank]];
        size_t begin;
        size_t end;

        choose_need(ruleset, plan, &begin, &end);
        if (begin == end) {
            bit_set(ruleset->needless, rank);
        }
        if (plan->need_count > end - begin) {
            bit_set(ruleset->needful, rank);
        }
        for (size_t i = begin; i < end; i++) {
            const struct need *need = &plan->needs[i];

            if (ruleset->needings != NULL) {
                add_needing(&ruleset->needings[ruleset->needings_begin[need->selector]], counts[need->selector],
                            (struct needing){.reach_ms = need->reach_ms,
                                             .count_min = (uint32_t)(need->count_min < UINT32_MAX ? need->count_min
                                                                                                  : UINT32_MAX),
                                             .rank = (uint32_t)rank});
            }
            counts[need->selector]++;
        }
    }
}

static void find_alone(struct ruleset *ruleset)
{
    for (size_t i = 0; i < ruleset->segment_count; i++) {
        struct segment_plan *plan = &ruleset->segments[i];

        plan->alone = !plan->sticky && !plan->lasting && !plan->barring && !plan->definition->needs_percentile;
    }
    for (size_t i = 0; i < ruleset->segment_count; i++) {
        const struct segment_plan *plan = &ruleset->segments[i];

        for (size_t k = 0; plan->closure_count > 1 && k < plan->closure_count; k++) {
            ruleset->segments[plan->closure[k]].alone = false;
        }
    }
}

static bool compile_needings(struct ruleset *ruleset, struct error *err)
{
    uint32_t *counts = ruleset_allocate(ruleset, ruleset->selector_count, sizeof *counts, err);
    uint32_t *begin;

    ruleset->needless = ruleset_allocate(ruleset, ruleset->segment_words, sizeof *ruleset->needless, err);
    ruleset->needful = ruleset_allocate(ruleset, ruleset->segment_words, sizeof *ruleset->needful, err);
    begin = ruleset_allocate(ruleset, ruleset->selector_count + 1, sizeof *begin, err);
    if (counts == NULL || ruleset->needless == NULL || ruleset->needful == NULL || begin == NULL) {
        return false;
    }
    give_segments(ruleset, counts);
    for (size_t i = 0; i < ruleset->selector_count; i++) {
        begin[i + 1] = begin[i] + counts[i];
        counts[i] = 0;
    }
    ruleset->needings_begin = begin;
    ruleset->needings = ruleset_allocate(ruleset, begin[ruleset->selector_count], sizeof *ruleset->needings, err);
    if (ruleset->needings == NULL) {
        return false;
    }
    give_segments(ruleset, counts);
    return true;
}

bool ruleset_needs_compile(struct ruleset *ruleset, struct error *err)
{
    ruleset->rank_of = ruleset_allocate(ruleset, ruleset->segment_count, sizeof *ruleset->rank_of, err);
    if (ruleset->rank_of == NULL) {
        return false;
    }
    for (size_t i = 0; i < ruleset->segment_count; i++) {
        ruleset->rank_of[ruleset->set->evaluation_order[i]] = (uint32_t)i;
        if (!compile_needs(ruleset, &ruleset->segments[i], err) ||
            !order_criteria(ruleset, &ruleset->segments[i], err)) {
            return false;
        }
    }
    find_alone(ruleset);
    return compile_needings(ruleset, err);
}
