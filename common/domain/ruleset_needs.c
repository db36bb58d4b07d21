#include "common/domain/ruleset_needs.h"

#include "common/domain/evaluation_parts.h"
#include "common/domain/ruleset_reach.h"

/* The needs of one segment. Without room they are only counted. */
struct list {
    struct need *items;
    uint32_t count;
    uint32_t count_max; /* what was added at most, before alternatives that need nothing took theirs back */
    int64_t more_ms;    /* added to every reach */
};

static void add(struct list *list, uint32_t selector, int64_t reach_ms)
{
    if (list->items != NULL) {
        if (__builtin_add_overflow(reach_ms, list->more_ms, &reach_ms)) {
            reach_ms = INT64_MAX;
        }
        list->items[list->count] = (struct need){.selector = selector, .reach_ms = reach_ms, .next = list->count + 1};
    }
    list->count++;
    list->count_max = list->count > list->count_max ? list->count : list->count_max;
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

/* Adds what must have happened for the criterion to hold: one need, or alternatives; false where nothing must. */
static bool add_needs(struct list *list, const struct node *node)
{
    const struct criterion *criterion = node->criterion;
    uint32_t begin = list->count;

    switch (criterion->kind) {
    case CRITERION_EVENT:
    case CRITERION_ABSENCE:
        if (criterion_may_hold_empty(criterion)) {
            return false;
        }
        add(list, node->plan.selector, window_reach_ms(node->plan.window));
        return true;
    case CRITERION_SEQUENCE:
        add(list, node->steps[criterion->step_count - 1], window_reach_ms(node->plan.window));
        return true;
    case CRITERION_TRAIT:
    case CRITERION_TRAIT_AGE:
    case CRITERION_TRAIT_UNTIL:
        if (!trait_needed(criterion)) {
            return false;
        }
        add(list, node->trait, INT64_MAX);
        return true;
    case CRITERION_ALL:
        for (size_t i = 0; i < node->child_count; i++) {
            if (add_needs(list, &node->children[i])) {
                return true; /* one of those that all must hold is enough */
            }
        }
        return false;
    case CRITERION_ANY:
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
    default:
        return false;
    }
}

static void add_all(struct list *list, const struct segment_plan *plan)
{
    for (size_t i = 0; i < plan->definition->criterion_count; i++) {
        (void)add_needs(list, &plan->criteria[i]);
    }
}

bool ruleset_needs_compile(struct ruleset *ruleset)
{
    for (size_t i = 0; i < ruleset->segment_count; i++) {
        struct segment_plan *plan = &ruleset->segments[i];
        /* A sticky membership lasts that much longer than what it rests on. */
        struct list list = {.more_ms = plan->definition->mode == MODE_STICKY ? plan->definition->duration_ms : 0};

        add_all(&list, plan);
        if (list.count == 0) {
            continue;
        }
        list.items = arena_allocate_zeroed(&ruleset->arena, list.count_max, sizeof *list.items);
        if (list.items == NULL) {
            return false;
        }
        list.count = 0;
        add_all(&list, plan);
        plan->needs = list.items;
        plan->need_count = list.count;
    }
    return true;
}
