/* Of what has begun to count, a later event or time alone takes the oldest first: events cease to count in the order of
 * their times, panes as a whole. So "at least n" is decided by the newest n, the greatest value by those without a
 * greater one behind them, the number of different values by the newest event of each. What has not begun to count yet
 * is kept as it is. More than is needed does no harm: these truths depend on what they need alone; but absences need
 * everything that lies within their reach. */
#include "common/domain/user_keep.h"

#include "common/base/timestamp.h"
#include "common/domain/criterion_parts.h"
#include "common/domain/measure_parts.h"

#include <stdlib.h>

struct keeper {
    struct evaluation *evaluation;
    const struct user_base *base;
    int64_t final_ms;
    size_t count; /* entries with time <= final_ms */
    unsigned char *needed;
    const struct definition *definition; /* of the criterion looked at */
};

static const struct entry *at(const struct keeper *keeper, size_t index)
{
    return evaluation_entry(keeper->evaluation, index);
}

static bool selects(const struct keeper *keeper, size_t index, uint32_t selector)
{
    return bit_is_set(at(keeper, index)->mask, selector);
}

/* One more than the index of the last of the entries [0, end) that the selector took; 0 where there is none. */
static size_t last_selected(const struct keeper *keeper, uint32_t selector, size_t end)
{
    return evaluation_last(keeper->evaluation, selector, end);
}

static int64_t leave_of(const struct measure_plan *plan, int64_t time_ms)
{
    int64_t enter;
    int64_t leave;

    window_bounds(plan, time_ms, &enter, &leave);
    return leave;
}

/* Needs all entries of the selector at the time of entry `index`, which may tie (section 2). */
static void need_ties(struct keeper *keeper, uint32_t selector, size_t index)
{
    int64_t time_ms = at(keeper, index)->time_ms;

    for (size_t i = index + 1; i-- > 0 && at(keeper, i)->time_ms == time_ms;) {
        keeper->needed[i] |= selects(keeper, i, selector);
    }
    for (size_t i = index; i < keeper->count && at(keeper, i)->time_ms == time_ms; i++) {
        keeper->needed[i] |= selects(keeper, i, selector);
    }
}

static void need_newest(struct keeper *keeper, uint32_t selector, size_t end)
{
    size_t behind = last_selected(keeper, selector, end);

    if (behind > 0) {
        need_ties(keeper, selector, behind - 1);
    }
}

/* ---- measures ---- */

/* The newest event of each different value, as many as can matter. */
static void need_values(struct keeper *keeper, const struct measure_plan *plan, size_t first, size_t end)
{
    const struct evaluation *evaluation = keeper->evaluation;
    size_t size = 16;
    uint32_t *table;
    int64_t kept = 0;

    while (size < 2 * (end - first)) {
        size *= 2;
    }
    table = evaluation_allocate(keeper->evaluation, size, sizeof *table);
    for (size_t i = last_selected(keeper, plan->selector, end); table != NULL && i > first && kept < plan->count_max;
         i = last_selected(keeper, plan->selector, i - 1)) {
        const struct entry *entry = at(keeper, i - 1);
        uint64_t hash;
        size_t slot;

        if (!values_hash(evaluation, entry, &plan->column, 1, &hash)) {
            continue;
        }
        slot = (size_t)hash & (size - 1);
        while (table[slot] != 0 && !values_equal(evaluation, at(keeper, table[slot] - 1), entry, &plan->column, 1)) {
            slot = (slot + 1) & (size - 1);
        }
        if (table[slot] == 0) {
            table[slot] = (uint32_t)i;
            keeper->needed[i - 1] = 1;
            kept++;
        }
    }
}

static void need_periods(struct keeper *keeper, const struct measure_plan *plan, size_t first, size_t end)
{
    int64_t begin = TIMESTAMP_NEVER;
    int64_t kept = 0;

    for (size_t i = last_selected(keeper, plan->selector, end); i > first && kept < plan->count_max;
         i = last_selected(keeper, plan->selector, i - 1)) {
        int64_t time_ms = at(keeper, i - 1)->time_ms;
        int64_t period;

        if (time_ms >= begin) {
            continue;
        }
        period = zone_period_index(plan->period_zone, plan->measure->period, time_ms);
        begin = zone_period_start_ms(plan->period_zone, plan->measure->period, period);
        keeper->needed[i - 1] = 1;
        kept++;
    }
}

void keep_extremes(struct keeper *keeper, const struct measure_plan *plan, size_t first, size_t end)
{
    const struct evaluation *evaluation = keeper->evaluation;
    bool least = measure_operator(plan->measure)->extreme == MEASURE_LEAST;
    const struct slot *best = NULL;

    for (size_t i = last_selected(keeper, plan->selector, end); i > first;
         i = last_selected(keeper, plan->selector, i - 1)) {
        const struct slot *slot = entry_slot(evaluation->ruleset, evaluation->state, at(keeper, i - 1), plan->column);
        if (slot == NULL || slot->type != VALUE_NUMBER ||
            (best != NULL && (least ? slot->number >= best->number : slot->number <= best->number))) {
            continue;
        }
        best = slot;
        keeper->needed[i - 1] = 1;
    }
}

/* The first of all that leave together. */
void keep_firsts(struct keeper *keeper, const struct measure_plan *plan, size_t first, size_t end)
{
    int64_t leave = INT64_MIN;

    for (size_t i = first; (i = evaluation_next(keeper->evaluation, plan->selector, i, end)) < end; i++) {
        int64_t leaves = leave_of(plan, at(keeper, i)->time_ms);

        if (leaves != leave) {
            need_ties(keeper, plan->selector, i);
            leave = leaves;
        }
    }
}

void keep_count(struct keeper *keeper, const struct measure_plan *plan, size_t first, size_t end)
{
    int64_t kept = 0;

    for (size_t i = last_selected(keeper, plan->selector, end); i > first && kept < plan->count_max;
         i = last_selected(keeper, plan->selector, i - 1)) {
        keeper->needed[i - 1] = 1;
        kept++;
    }
}

void keep_different(struct keeper *keeper, const struct measure_plan *plan, size_t first, size_t end)
{
    if (plan->measure->period == RULE_PERIOD_NONE) {
        need_values(keeper, plan, first, end);
    } else {
        need_periods(keeper, plan, first, end);
    }
}

void keep_last(struct keeper *keeper, const struct measure_plan *plan, size_t first, size_t end)
{
    (void)first;
    need_newest(keeper, plan->selector, end);
}

static void need_all(struct keeper *keeper, uint32_t selector, size_t first)
{
    for (size_t i = first; (i = evaluation_next(keeper->evaluation, selector, i, keeper->count)) < keeper->count; i++) {
        keeper->needed[i] = 1;
    }
}

/* The first of the entries [0, end) of which something that is `within_ms` later can still count after final_ms: what
 * is later does not leave earlier. */
static size_t first_in_reach(const struct keeper *keeper, const struct node *node, size_t end, int64_t within_ms)
{
    size_t low = 0;

    while (low < end) {
        size_t middle = low + (end - low) / 2;

        if (leave_of(&node->plan, at(keeper, middle)->time_ms + within_ms) <= keeper->final_ms) {
            low = middle + 1;
        } else {
            end = middle;
        }
    }
    return low;
}

/* What has begun to count is taken together in panes; or has been summed up, where it counts for ever, and then only
 * the values that were seen are needed, to know them again, unless there are enough. */
void keep_event(struct keeper *keeper, const struct node *node)
{
    const struct measure_plan *plan = &node->plan;
    const struct rule_measure *measure = plan->measure;
    int64_t begun_ms = window_begun_ms(plan, keeper->final_ms);
    size_t end = evaluation_first_after(keeper->evaluation, begun_ms, 0);

    if (plan->window->kind == RULE_WINDOW_NONE) {
        bool chosen = measure_operator(measure)->result == MEASURE_VALUE;
        bool values = measure_operator(measure)->different && measure->period == RULE_PERIOD_NONE &&
                      keeper->base->summaries[node->base].sum < plan->count_max;

        if (chosen || values) {
            measure_operator(measure)->need(keeper, plan, 0, end);
        }
        return;
    }
    need_all(keeper, plan->selector, end);
    if (plan->pane_shape == RULESET_NONE) {
        measure_operator(measure)->need(keeper, plan, first_in_reach(keeper, node, end, 0), end);
    }
}

/* ---- other criteria ---- */

/* What is not mature, or in the window: with everything that could follow it. */
void keep_absence(struct keeper *keeper, const struct node *node)
{
    size_t first = node->base == RULESET_NONE
                       ? first_in_reach(keeper, node, keeper->count, 0)
                       : evaluation_first_after(keeper->evaluation, keeper->final_ms, node->criterion->within_ms);

    need_all(keeper, node->plan.selector, first);
    need_all(keeper, node->followed_by, first);
}

void keep_sequence(struct keeper *keeper, const struct node *node)
{
    int64_t within_ms = node->criterion->within_ms;
    size_t first = node->base == RULESET_NONE
                       ? first_in_reach(keeper, node, keeper->count, within_ms)
                       : evaluation_first_after(keeper->evaluation, keeper->final_ms, within_ms + 1);

    /* Once completed it stays so where there is no window, and only a lifetime asks for the next. */
    if (node->base != RULESET_NONE && keeper->base->summaries[node->base].count > 0 &&
        keeper->definition->duration_ms == 0) {
        return;
    }
    for (size_t i = 0; i < node->criterion->step_count; i++) {
        need_all(keeper, node->steps[i], first);
    }
}

void keep_trait(struct keeper *keeper, const struct node *node)
{
    need_newest(keeper, node->trait, keeper->count);
}

static void need_nodes(struct keeper *keeper, const struct node *nodes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        criterion_keep *keep = criterion_operator(nodes[i].criterion)->keep;

        if (keep != NULL) {
            keep(keeper, &nodes[i]);
        } else {
            need_nodes(keeper, nodes[i].children, nodes[i].child_count);
        }
    }
}

/* ---- panes ---- */

static void add_to_pane(const struct keeper *keeper, const struct measure_plan *plan, const struct entry *entry,
                        struct kept_pane *pane)
{
    const struct evaluation *evaluation = keeper->evaluation;
    int128 sum = pane_sum(&pane->pane);

    if (entry_is_pane(entry)) {
        const struct pane *other = entry_pane(evaluation->state, entry);

        sum += pane_sum(other);
        pane->pane.count += other->count;
        pane->pane.numeric_count += other->numeric_count;
    } else {
        const struct slot *slot = plan->column == RULESET_NONE
                                      ? NULL
                                      : entry_slot(evaluation->ruleset, evaluation->state, entry, plan->column);

        pane->pane.count++;
        if (slot != NULL && slot->type == VALUE_NUMBER) {
            sum += slot->number;
            pane->pane.numeric_count++;
        }
    }
    pane->time_ms = entry->time_ms;
    pane->pane.sum_low = (uint64_t)(uint128)sum;
    pane->pane.sum_high = (int64_t)(sum >> 64);
}

/* Takes together what has begun to count; without room it only counts the panes. */
static void take_panes(const struct keeper *keeper, size_t number, struct kept *kept)
{
    const struct measure_plan *plan = keeper->evaluation->ruleset->panes[number];
    const struct taking taking = taking_begin(keeper->evaluation->state, plan);
    size_t end = evaluation_first_after(keeper->evaluation, window_begun_ms(plan, keeper->final_ms), 0);
    int64_t leave = INT64_MIN;

    for (size_t i = 0; (i = taking_next(&taking, keeper->evaluation, i, end)) < end; i++) {
        const struct entry *entry = at(keeper, i);
        int64_t leaves = leave_of(plan, entry->time_ms);

        if (leaves <= keeper->final_ms) {
            continue;
        }
        if (leaves != leave) {
            leave = leaves;
            kept->pane_count++;
            if (kept->panes != NULL) {
                kept->panes[kept->pane_count - 1] = (struct kept_pane){.shape = SHAPE_PANE | (uint32_t)number};
            }
        }
        if (kept->panes != NULL) {
            add_to_pane(keeper, plan, entry, &kept->panes[kept->pane_count - 1]);
        }
    }
}

static int compare_panes(const void *left, const void *right)
{
    const struct kept_pane *a = left;
    const struct kept_pane *b = right;

    if (a->time_ms != b->time_ms) {
        return a->time_ms < b->time_ms ? -1 : 1;
    }
    return (a->shape > b->shape) - (a->shape < b->shape);
}

static void find_panes(const struct keeper *keeper, struct kept *kept)
{
    size_t pane_count = keeper->evaluation->ruleset->pane_count;

    for (size_t i = 0; i < pane_count; i++) {
        take_panes(keeper, i, kept);
    }
    if (kept->pane_count == 0) {
        return;
    }
    kept->panes = evaluation_allocate(keeper->evaluation, kept->pane_count, sizeof *kept->panes);
    if (kept->panes == NULL) {
        return;
    }
    kept->pane_count = 0;
    for (size_t i = 0; i < pane_count; i++) {
        take_panes(keeper, i, kept);
    }
    qsort(kept->panes, kept->pane_count, sizeof *kept->panes, compare_panes);
}

/* ---- all of it ---- */

/* Whether the order of section 2 between it and another depends on its id. */
static bool is_tied(const struct keeper *keeper, size_t index)
{
    int64_t time_ms = at(keeper, index)->time_ms;

    return (index > 0 && at(keeper, index - 1)->time_ms == time_ms) ||
           (index + 1 < keeper->count && at(keeper, index + 1)->time_ms == time_ms);
}

static enum keep_kind kind_of(const struct keeper *keeper, size_t index)
{
    const struct entry *entry = at(keeper, index);
    bool id = entry_record(keeper->evaluation->state, entry)->has_id;

    if (entry->time_ms > keeper->final_ms) {
        return KEEP_ALL;
    }
    id = id && entry->time_ms > copies_after(keeper->evaluation->ruleset, keeper->final_ms);
    if (keeper->needed[index]) {
        return id || is_tied(keeper, index) ? KEEP_ALL : KEEP_VALUES;
    }
    return id ? KEEP_ID : KEEP_NONE;
}

void keep_find(struct evaluation *evaluation, const struct user_base *base, struct kept *out)
{
    const struct ruleset *ruleset = evaluation->ruleset;
    struct keeper keeper = {.evaluation = evaluation, .base = base, .final_ms = base->at_ms};

    *out = (struct kept){.kinds = evaluation_allocate(evaluation, evaluation->entry_count, 1)};
    keeper.count = evaluation_first_after(evaluation, base->at_ms, 0);
    keeper.needed = evaluation_allocate(evaluation, keeper.count, 1);
    if (out->kinds == NULL || keeper.needed == NULL) {
        return;
    }
    for (size_t i = 0; i < ruleset->segment_count; i++) {
        const struct segment_plan *plan = &ruleset->segments[i];

        keeper.definition = plan->definition;
        if (!plan->definition->needs_percentile) {
            need_nodes(&keeper, plan->criteria, plan->definition->criterion_count);
            need_nodes(&keeper, plan->exclude, plan->definition->exclude_count);
        }
    }
    find_panes(&keeper, out);
    for (size_t i = 0; i < evaluation->entry_count; i++) {
        out->kinds[i] = (unsigned char)kind_of(&keeper, i);
    }
}
