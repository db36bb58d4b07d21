/* Reach: windows, `within`, offsets and lifetimes added up; unlimited for traits, forms without a window, `sticky`,
 * `exclusionWindow`, and wherever having no events can make it true. Answering "unlimited" too often is allowed. */
#include "common/domain/ruleset_reach.h"

#include "common/base/timestamp.h"
#include "common/domain/criterion_parts.h"

static int64_t add(int64_t a, int64_t b)
{
    int64_t sum;

    if (a == TIMESTAMP_NEVER || b == TIMESTAMP_NEVER || __builtin_add_overflow(a, b, &sum)) {
        return TIMESTAMP_NEVER;
    }
    return sum;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* An upper bound of a window's length: a day more than the longest periods, for changes of clocks. */
static int64_t window_reach(const struct rule_window *window)
{
    static const int64_t period_days[] = {
        [RULE_PERIOD_NONE] = 0, [RULE_DAY] = 1,      [RULE_WEEK] = 7,
        [RULE_MONTH] = 31,      [RULE_QUARTER] = 92, [RULE_YEAR] = 366,
    };
    const int64_t day_ms = INT64_C(86400000);

    switch (window->kind) {
    case RULE_WINDOW_SLIDING:
        return add(add(window->length_ms, window->offset_ms), window->slide_ms);
    case RULE_WINDOW_CALENDAR:
        return (period_days[window->period] * ((int64_t)window->last + 1) + 2) * day_ms;
    case RULE_WINDOW_NONE:
    default:
        return TIMESTAMP_NEVER;
    }
}

/* Whether the criterion may be `wanted` for a user without any event in reach; "yes" where that is not clear. */
static bool empty_may_be(const struct criterion *criterion, bool wanted)
{
    criterion_empty *empty = criterion_operator(criterion)->empty;

    return empty == NULL || empty(criterion, wanted);
}

bool empty_event(const struct criterion *criterion, bool wanted)
{
    const struct quotient nothing = {.exists = true, .sum = 0, .count = 1};

    if (measure_operator(&criterion->measure)->always_exists) {
        return comparison_quotient(&criterion->measure.comparison, &nothing) == wanted;
    }
    return !wanted;
}

bool empty_never(const struct criterion *criterion, bool wanted)
{
    (void)criterion;
    return !wanted;
}

bool empty_not(const struct criterion *criterion, bool wanted)
{
    return empty_may_be(&criterion->children[0], !wanted);
}

/* One child decides "all" being false and "any" being true; every child must agree otherwise. */
static bool empty_combination(const struct criterion *criterion, bool wanted, bool one_decides)
{
    for (size_t i = 0; i < criterion->child_count; i++) {
        if (empty_may_be(&criterion->children[i], wanted) == one_decides) {
            return one_decides;
        }
    }
    return !one_decides;
}

bool empty_all(const struct criterion *criterion, bool wanted)
{
    return empty_combination(criterion, wanted, !wanted);
}

bool empty_any(const struct criterion *criterion, bool wanted)
{
    return empty_combination(criterion, wanted, wanted);
}

bool criterion_may_hold_empty(const struct criterion *criterion)
{
    return empty_may_be(criterion, true);
}

static int64_t reach_of(const struct ruleset *ruleset, const struct criterion *criterion)
{
    const struct criterion_operator *row = criterion_operator(criterion);

    return row->reach == NULL ? TIMESTAMP_NEVER : row->reach(ruleset, criterion);
}

int64_t reach_event(const struct ruleset *ruleset, const struct criterion *criterion)
{
    (void)ruleset;
    return window_reach(&criterion->window);
}

int64_t reach_compare(const struct ruleset *ruleset, const struct criterion *criterion)
{
    (void)ruleset;
    return larger(window_reach(&criterion->left->window), window_reach(&criterion->right->window));
}

int64_t reach_occurrence(const struct ruleset *ruleset, const struct criterion *criterion)
{
    (void)ruleset;
    return add(window_reach(&criterion->window), criterion->within_ms);
}

int64_t reach_reference(const struct ruleset *ruleset, const struct criterion *criterion)
{
    return ruleset->segments[criterion->segment_index].reach_ms;
}

int64_t reach_combination(const struct ruleset *ruleset, const struct criterion *criterion)
{
    int64_t reach = 0;

    for (size_t i = 0; i < criterion->child_count; i++) {
        reach = larger(reach, reach_of(ruleset, &criterion->children[i]));
    }
    return reach;
}

/* A definition whose only criterion says that something has happened (an absence, a sequence, or an event at all), with
 * a lifetime: nobody is a member for longer than the lifetime after the last such happening, and that happening makes
 * the criterion true by itself. What lies further back only keeps true what no longer decides, so even a form without a
 * window reaches no further than its own length. False, where the definition is of another kind. */
static bool newest_decides(const struct definition *definition, int64_t *reach_ms)
{
    const struct criterion *criterion = &definition->criteria[0];

    if (definition->criterion_count != 1 || definition->duration_ms == 0 || definition->mode != MODE_WHILE_TRUE ||
        criterion->window.kind != RULE_WINDOW_NONE) {
        return false;
    }
    switch (criterion->kind) {
    case CRITERION_EVENT:
        *reach_ms = 0;
        return criterion->measure.kind == RULE_MEASURE_NONE;
    case CRITERION_ABSENCE:
    case CRITERION_SEQUENCE:
        *reach_ms = criterion->within_ms;
        return true;
    default:
        return false;
    }
}

int64_t reach_of_segment(const struct ruleset *ruleset, const struct segment_plan *segment)
{
    const struct definition *definition = segment->definition;
    bool empty = true;
    int64_t reach = 0;

    if (definition->mode == MODE_STICKY || definition->exclusion_window_ms > 0) {
        return TIMESTAMP_NEVER;
    }
    for (size_t i = 0; i < definition->criterion_count; i++) {
        if (!newest_decides(definition, &reach)) {
            reach = larger(reach, reach_of(ruleset, &definition->criteria[i]));
        }
        /* A reference is judged with its own segment: unlimited there where nothing makes it true. */
        empty = empty && (definition->criteria[i].kind == CRITERION_SEGMENT
                              ? ruleset->segments[definition->criteria[i].segment_index].reach_ms == TIMESTAMP_NEVER
                              : empty_may_be(&definition->criteria[i], true));
    }
    for (size_t i = 0; i < definition->exclude_count; i++) {
        reach = larger(reach, reach_of(ruleset, &definition->exclude[i]));
    }
    return empty ? TIMESTAMP_NEVER : add(reach, definition->duration_ms);
}
