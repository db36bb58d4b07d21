#include "common/domain/measure.h"

#include "common/base/timestamp.h"
#include "common/domain/at_once.h"
#include "common/domain/measure_parts.h"

static int64_t ceil_to(int64_t time_ms, int64_t step_ms)
{
    int64_t quotient = time_ms / step_ms;

    /* Division truncates: only a positive remainder leaves the quotient below. */
    return (quotient + (time_ms % step_ms > 0)) * step_ms;
}

void window_bounds_stepped(const struct measure_plan *plan, int64_t time_ms, int64_t *enter, int64_t *leave)
{
    const struct rule_window *window = plan->window;
    int64_t period;

    if (window->kind == RULE_WINDOW_SLIDING) {
        *enter = time_ms + window->offset_ms;
        *leave = ceil_to(time_ms, window->slide_ms) + window->offset_ms + window->length_ms;
        return;
    }
    period = zone_period_index(plan->zone, window->period, time_ms) + (window->complete ? 1 : 0);
    *enter = window->complete ? zone_period_start_ms(plan->zone, window->period, period) : time_ms;
    *leave = zone_period_start_ms(plan->zone, window->period, period + window->last);
}

int64_t window_begun_ms(const struct measure_plan *plan, int64_t at_ms)
{
    const struct rule_window *window = plan->window;

    if (window->kind == RULE_WINDOW_SLIDING) {
        return at_ms - window->offset_ms;
    }
    if (window->kind == RULE_WINDOW_CALENDAR && window->complete) {
        int64_t period = zone_period_index(plan->zone, window->period, at_ms);

        return zone_period_start_ms(plan->zone, window->period, period) - 1;
    }
    return at_ms;
}

int64_t window_reach_ms(const struct rule_window *window)
{
    static const int64_t period_days[] = {
        [RULE_PERIOD_NONE] = 0, [RULE_DAY] = 1,      [RULE_WEEK] = 7,
        [RULE_MONTH] = 31,      [RULE_QUARTER] = 92, [RULE_YEAR] = 366,
    };
    const int64_t day_ms = INT64_C(86400000);

    switch (window->kind) {
    case RULE_WINDOW_SLIDING:
        return window->length_ms + window->offset_ms + window->slide_ms;
    case RULE_WINDOW_CALENDAR:
        return (period_days[window->period] * ((int64_t)window->last + 1) + 3) * day_ms;
    case RULE_WINDOW_NONE:
    default:
        return INT64_MAX;
    }
}

struct taking taking_begin(const struct user_state *state, const struct measure_plan *plan)
{
    struct taking taking = {.selector = plan->selector, .pane_shape = RULESET_NONE, .after_ms = INT64_MIN};

    if (state->base != NULL && plan->pane_shape != RULESET_NONE) {
        taking.pane_shape = plan->pane_shape;
        taking.after_ms = window_begun_ms(plan, state->base->at_ms);
    }
    return taking;
}

bool values_hash(const struct evaluation *evaluation, const struct entry *entry, const uint32_t *columns, size_t count,
                 uint64_t *hash)
{
    *hash = evaluation->ruleset->seed;
    for (size_t i = 0; i < count; i++) {
        struct value value =
            slot_value(evaluation->state, entry, entry_slot(evaluation->ruleset, evaluation->state, entry, columns[i]));
        int64_t number = value.type == VALUE_NUMBER ? value.micros : value.boolean;

        switch (value.type) {
        case VALUE_STRING:
            *hash = hash_bytes(value.text, *hash);
            break;
        case VALUE_NUMBER:
        case VALUE_BOOLEAN:
            *hash = hash_integer((uint64_t)number, *hash + (uint64_t)value.type);
            break;
        default:
            return false;
        }
    }
    return true;
}

bool values_equal(const struct evaluation *evaluation, const struct entry *a, const struct entry *b,
                  const uint32_t *columns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct value left =
            slot_value(evaluation->state, a, entry_slot(evaluation->ruleset, evaluation->state, a, columns[i]));
        struct value right =
            slot_value(evaluation->state, b, entry_slot(evaluation->ruleset, evaluation->state, b, columns[i]));

        if (!value_equal(&left, &right)) {
            return false;
        }
    }
    return true;
}

/* Whether the entry's value is among those that are summed up: looked for from the newest back, since values that come
 * again mostly come again soon. */
static bool seen_before(const struct sweep *sweep, const struct entry *entry)
{
    const struct evaluation *evaluation = sweep->evaluation;
    const struct user_state *state = evaluation->state;
    const struct slot *wanted = entry_slot(evaluation->ruleset, state, entry, sweep->plan->column);
    struct value value = slot_value(state, entry, wanted);
    size_t index = sweep->base.distinct_count == 0 ? 0 : evaluation_first_after(evaluation, sweep->base.at_ms, 0);

    while ((index = evaluation_last(evaluation, sweep->plan->selector, index)) > 0) {
        const struct entry *other = evaluation_entry(evaluation, --index);
        const struct slot *slot;
        struct value seen;

        slot = entry_slot(evaluation->ruleset, state, other, sweep->plan->column);
        if (slot == NULL || slot->type != wanted->type || slot->size != wanted->size) {
            continue;
        }
        seen = slot_value(state, other, slot);
        if (value_equal(&seen, &value)) {
            return true;
        }
    }
    return false;
}

/* Gives equal values equal ids, by a table of the first item of each. */
static void number_values(struct sweep *sweep)
{
    struct evaluation *evaluation = sweep->evaluation;
    const uint32_t *column = &sweep->plan->column;
    size_t size = 16;
    uint32_t *table;
    uint32_t next = 0;

    while (size < 2 * sweep->item_count) {
        size *= 2;
    }
    table = evaluation_allocate(evaluation, size, sizeof *table);
    if (table == NULL) {
        sweep->item_count = 0;
        return;
    }
    for (size_t i = 0; i < sweep->item_count; i++) {
        struct counted *item = &sweep->items[i];
        uint64_t hash;
        size_t slot;

        item->value_id = RULESET_NONE;
        if (!values_hash(evaluation, item->entry, column, 1, &hash)) {
            continue;
        }
        slot = (size_t)hash & (size - 1);
        while (table[slot] != 0 &&
               !values_equal(evaluation, sweep->items[table[slot] - 1].entry, item->entry, column, 1)) {
            slot = (slot + 1) & (size - 1);
        }
        if (table[slot] == 0) {
            table[slot] = (uint32_t)i + 1;
            item->value_id = seen_before(sweep, item->entry) ? RULESET_NONE : next++;
        } else {
            item->value_id = sweep->items[table[slot] - 1].value_id;
        }
    }
}

const struct period_found *evaluation_period(struct evaluation *evaluation, const struct zone *zone,
                                             enum rule_period period, int64_t time_ms)
{
    const int64_t day_ms = INT64_C(86400000);
    struct period_found *found = &evaluation->periods[(uint64_t)(time_ms / day_ms) % PERIODS_FOUND];

    if (found->zone != zone || found->period != period || time_ms < found->start_ms || time_ms >= found->end_ms) {
        int64_t index = zone_period_index(zone, period, time_ms);

        *found = (struct period_found){.zone = zone,
                                       .period = period,
                                       .start_ms = zone_period_start_ms(zone, period, index),
                                       .end_ms = zone_period_start_ms(zone, period, index + 1)};
    }
    return found;
}

static int64_t period_end(const struct sweep *sweep, int64_t time_ms)
{
    const struct measure_plan *plan = sweep->plan;

    return evaluation_period(sweep->evaluation, plan->period_zone, plan->measure->period, time_ms)->end_ms;
}

/* Times ascend, so each new period is a new number. */
static void number_periods(struct sweep *sweep)
{
    int64_t end = sweep->base.count > 0 ? period_end(sweep, sweep->base.last_ms) : INT64_MIN;
    uint32_t number = RULESET_NONE;

    for (size_t i = 0; i < sweep->item_count; i++) {
        struct counted *item = &sweep->items[i];

        if (item->time_ms >= end) {
            end = period_end(sweep, item->time_ms);
            number++; /* from "none" to 0: events of the period that is summed up have no number */
        }
        item->value_id = number;
    }
}

/* Fills the item's times. */
static bool counts_later(const struct sweep *sweep, const struct entry *entry, struct counted *item)
{
    item->time_ms = entry->time_ms;
    item->entry = entry;
    window_bounds(sweep->plan, entry->time_ms, &item->enter_ms, &item->leave_ms);
    return item->leave_ms > sweep->evaluation->from;
}

/* At least as many as there are to gather: where few entries can be, they are not counted. */
static size_t room_wanted(const struct evaluation *evaluation, const struct taking *taking, size_t first)
{
    enum { FEW = 32 };
    size_t end = evaluation->entry_count;
    size_t count = 0;

    if (end - first <= FEW) {
        return end - first;
    }
    for (size_t i = taking_next(taking, evaluation, first, end); i < end;
         i = taking_next(taking, evaluation, i + 1, end)) {
        count++;
    }
    return count;
}

static void gather(struct sweep *sweep)
{
    struct evaluation *evaluation = sweep->evaluation;
    const struct measure_plan *plan = sweep->plan;
    size_t first = sweep->base.at_ms == INT64_MIN ? evaluation_first_entry(evaluation, window_reach_ms(plan->window))
                                                  : evaluation_first_after(evaluation, sweep->base.at_ms, 0);
    const struct taking taking = taking_begin(evaluation->state, plan);
    size_t end = evaluation->entry_count;
    size_t room = room_wanted(evaluation, &taking, first);

    sweep->items = room == 0 ? NULL : evaluation_reserve(evaluation, room * sizeof *sweep->items);
    if (sweep->items == NULL) {
        return;
    }
    for (size_t i = taking_next(&taking, evaluation, first, end); i < end;
         i = taking_next(&taking, evaluation, i + 1, end)) {
        const struct entry *entry = evaluation_entry(evaluation, i);
        struct counted *item = &sweep->items[sweep->item_count];
        const struct slot *slot;

        if (!counts_later(sweep, entry, item)) {
            continue;
        }
        sweep->item_count++;
        item->pane = entry_is_pane(entry) ? entry_pane(evaluation->state, entry) : NULL;
        item->chosen = NULL;
        item->numeric = false;
        item->micros = 0;
        if (item->pane != NULL || plan->column == RULESET_NONE) {
            continue;
        }
        slot = entry_slot(evaluation->ruleset, evaluation->state, entry, plan->column);
        if (slot != NULL && slot->type == VALUE_NUMBER) {
            item->numeric = true;
            item->micros = slot->number;
        }
    }
}

void sweep_begin(struct sweep *sweep, struct evaluation *evaluation, const struct node *node)
{
    const struct measure_plan *plan = &node->plan;
    const struct rule_measure *measure = plan->measure;
    bool summed_up = evaluation->at_once && at_once_sum_up(evaluation, plan, &sweep->base);

    /* Field by field: this is done for most criteria of most users, and a large struct is slow to be zeroed whole. */
    sweep->evaluation = evaluation;
    sweep->node = node;
    sweep->plan = plan;
    if (!summed_up) {
        sweep->base = evaluation_summed(evaluation, node);
    }
    sweep->item_count = 0;
    sweep->low = 0;
    sweep->high = 0;
    sweep->pane_count = 0;
    sweep->sum = sweep->base.sum;
    sweep->numeric_count = sweep->base.numeric_count;
    sweep->queue = NULL;
    sweep->queue_low = 0;
    sweep->queue_high = 0;
    sweep->occurrences = NULL;
    sweep->distinct_count = sweep->base.distinct_count;
    if (summed_up) {
        return;
    }
    gather(sweep);
    if (sweep->item_count > 0 && measure_operator(measure)->extreme != MEASURE_EXTREME_NONE) {
        sweep->queue = evaluation_allocate(evaluation, sweep->item_count, sizeof *sweep->queue);
        sweep->item_count = sweep->queue == NULL ? 0 : sweep->item_count;
    }
    if (sweep->item_count > 0 && measure_operator(measure)->different) {
        if (measure->period != RULE_PERIOD_NONE) {
            number_periods(sweep);
        } else {
            number_values(sweep);
        }
        sweep->occurrences = evaluation_allocate(evaluation, sweep->item_count, sizeof *sweep->occurrences);
        sweep->item_count = sweep->occurrences == NULL ? 0 : sweep->item_count;
    }
    (void)sweep_move(sweep, evaluation->from);
}

int64_t sweep_next(const struct sweep *sweep)
{
    int64_t next = TIMESTAMP_NEVER;

    if (sweep->high < sweep->item_count) {
        next = sweep->items[sweep->high].enter_ms;
    }
    if (sweep->low < sweep->high && sweep->items[sweep->low].leave_ms < next) {
        next = sweep->items[sweep->low].leave_ms;
    }
    return next;
}

static void queue_push(struct sweep *sweep, size_t index)
{
    bool least = sweep->plan->row->extreme == MEASURE_LEAST;

    while (sweep->queue_high > sweep->queue_low) {
        int64_t last = sweep->items[sweep->queue[sweep->queue_high - 1]].micros;

        if (least ? last < sweep->items[index].micros : last > sweep->items[index].micros) {
            break;
        }
        sweep->queue_high--;
    }
    sweep->queue[sweep->queue_high++] = (uint32_t)index;
}

static void enter(struct sweep *sweep, size_t index)
{
    const struct counted *item = &sweep->items[index];

    if (item->pane != NULL) {
        sweep->sum += pane_sum(item->pane);
        sweep->numeric_count += item->pane->numeric_count;
        sweep->pane_count += item->pane->count - 1;
    }
    if (item->numeric) {
        sweep->sum += item->micros;
        sweep->numeric_count++;
        if (sweep->queue != NULL) {
            queue_push(sweep, index);
        }
    }
    if (sweep->occurrences != NULL && item->value_id != RULESET_NONE) {
        sweep->distinct_count += sweep->occurrences[item->value_id]++ == 0;
    }
}

static void leave(struct sweep *sweep, size_t index)
{
    const struct counted *item = &sweep->items[index];

    if (item->pane != NULL) {
        sweep->sum -= pane_sum(item->pane);
        sweep->numeric_count -= item->pane->numeric_count;
        sweep->pane_count -= item->pane->count - 1;
    }
    if (item->numeric) {
        sweep->sum -= item->micros;
        sweep->numeric_count--;
        if (sweep->queue != NULL && sweep->queue[sweep->queue_low] == index) {
            sweep->queue_low++;
        }
    }
    if (sweep->occurrences != NULL && item->value_id != RULESET_NONE) {
        sweep->distinct_count -= --sweep->occurrences[item->value_id] == 0;
    }
}

bool sweep_move(struct sweep *sweep, int64_t at)
{
    bool entered = false;

    while (sweep->high < sweep->item_count && sweep->items[sweep->high].enter_ms <= at) {
        enter(sweep, sweep->high);
        sweep->high++;
        entered = true;
    }
    while (sweep->low < sweep->high && sweep->items[sweep->low].leave_ms <= at) {
        leave(sweep, sweep->low);
        sweep->low++;
    }
    return entered;
}

/* The least or greatest of what counts; there is a numeric value. */
static int64_t extreme(const struct sweep *sweep)
{
    bool least = sweep->plan->row->extreme == MEASURE_LEAST;
    int64_t found;

    if (sweep->queue_high == sweep->queue_low) {
        return sweep->base.extreme;
    }
    found = sweep->items[sweep->queue[sweep->queue_low]].micros;
    if (sweep->base.numeric_count > 0 && (least ? sweep->base.extreme < found : sweep->base.extreme > found)) {
        return sweep->base.extreme;
    }
    return found;
}

/* ---- the measures as numbers ---- */

struct quotient measure_count(const struct sweep *sweep)
{
    return (struct quotient){.exists = true, .sum = (int128)sweep_count(sweep) * DECIMAL_ONE, .count = 1};
}

struct quotient measure_sum(const struct sweep *sweep)
{
    return (struct quotient){.exists = true, .sum = sweep->sum, .count = 1};
}

struct quotient measure_average(const struct sweep *sweep)
{
    bool exists = sweep->numeric_count > 0;

    return (struct quotient){.exists = exists, .sum = sweep->sum, .count = exists ? sweep->numeric_count : 1};
}

struct quotient measure_extreme_value(const struct sweep *sweep)
{
    bool exists = sweep->numeric_count > 0;

    return (struct quotient){.exists = exists, .sum = exists ? extreme(sweep) : 0, .count = 1};
}

struct quotient measure_different(const struct sweep *sweep)
{
    return (struct quotient){.exists = true, .sum = (int128)sweep->distinct_count * DECIMAL_ONE, .count = 1};
}

struct quotient measure_no_number(const struct sweep *sweep)
{
    (void)sweep;
    return (struct quotient){.exists = false, .sum = 0, .count = 1};
}

struct quotient sweep_number(const struct sweep *sweep)
{
    return sweep->plan->row->number(sweep);
}

/* ---- the event criterion and compare ---- */

/* The greater of two entries' values is chosen; of equal ones the first. */
struct choice {
    const struct evaluation *evaluation;
    uint32_t selector;
    uint32_t column;
    int64_t time_ms;
    const struct entry *chosen;
    struct value greatest;
};

/* False where the entry does not tie any more. */
static bool choose(struct choice *choice, size_t index)
{
    const struct evaluation *evaluation = choice->evaluation;
    const struct user_state *state = evaluation->state;
    const struct entry *entry = evaluation_entry(evaluation, index);
    struct value value;

    if (entry->time_ms != choice->time_ms || entry_record(state, entry)->has_id) {
        return false;
    }
    if (bit_is_set(entry->mask, choice->selector)) {
        value = slot_value(state, entry, entry_slot(evaluation->ruleset, state, entry, choice->column));
        if (choice->chosen == NULL || value_compare(&value, &choice->greatest) > 0) {
            choice->chosen = entry;
            choice->greatest = value;
        }
    }
    return true;
}

/* Those without a message id lie together. */
const struct entry *evaluation_chosen(const struct evaluation *evaluation, uint32_t selector, uint32_t column,
                                      size_t index)
{
    const struct entry *entry = evaluation_entry(evaluation, index);
    struct choice choice = {.evaluation = evaluation,
                            .selector = selector,
                            .column = column,
                            .time_ms = entry->time_ms};

    if (entry_record(evaluation->state, entry)->has_id) {
        return entry;
    }
    for (size_t i = index + 1; i > 0 && choose(&choice, i - 1); i--) {
    }
    for (size_t i = index + 1; i < evaluation->entry_count && choose(&choice, i); i++) {
    }
    return choice.chosen;
}

const struct entry *sweep_chosen(const struct sweep *sweep, struct entry *kept)
{
    bool latest = sweep->plan->row->end == MEASURE_END_LAST;
    const struct evaluation *evaluation = sweep->evaluation;
    struct counted *item;

    if (sweep->base.count > 0 && (!latest || sweep->high == sweep->low)) {
        *kept = (struct entry){.record = sweep->base.record, .shape = sweep->base.shape};
        return kept;
    }
    item = &sweep->items[latest ? sweep->high - 1 : sweep->low];
    if (item->chosen == NULL) { /* once: it decides at many instants, and thousands may tie */
        item->chosen = evaluation_chosen(evaluation, sweep->plan->selector, sweep->plan->column,
                                         evaluation_index(evaluation, item->entry));
    }
    return item->chosen;
}

void sweep_sum_up(const struct sweep *sweep)
{
    const struct rule_measure *measure = sweep->plan->measure;
    struct summary summary = sweep->base;
    struct entry kept;

    if (sweep->evaluation->summing == NULL || sweep->node->carry == RULESET_NONE) {
        return;
    }
    summary.sum = sweep->sum;
    summary.count = sweep_count(sweep);
    summary.numeric_count = sweep->numeric_count;
    summary.distinct_count = sweep->distinct_count;
    if (measure_operator(measure)->extreme != MEASURE_EXTREME_NONE && sweep->numeric_count > 0) {
        summary.extreme = extreme(sweep);
    }
    if (sweep->high > sweep->low) {
        summary.first_ms = sweep->base.count > 0 ? sweep->base.first_ms : sweep->items[sweep->low].time_ms;
        summary.last_ms = sweep->items[sweep->high - 1].time_ms;
    }
    if (summary.count > 0 && measure_operator(measure)->result == MEASURE_VALUE) {
        const struct entry *chosen = sweep_chosen(sweep, &kept);

        summary.record = chosen->record;
        summary.shape = chosen->shape;
    }
    evaluation_sum_up(sweep->evaluation, sweep->node, &summary);
}

static bool chosen_value_holds(const struct sweep *sweep)
{
    const struct evaluation *evaluation = sweep->evaluation;
    const struct entry *chosen;
    struct entry kept;
    struct value value;

    if (sweep_count(sweep) == 0) {
        return false;
    }
    chosen = sweep_chosen(sweep, &kept);
    value = slot_value(evaluation->state, chosen,
                       entry_slot(evaluation->ruleset, evaluation->state, chosen, sweep->plan->column));
    return comparison_value(&sweep->plan->measure->comparison, &value, &sweep->evaluation->scratch);
}

/* From `at` on, which is F where it is the first. */
static inline void put(const struct sweep *sweep, int64_t at, bool initial, bool truth, struct timeline *out)
{
    if (initial) {
        out->initial = truth;
    } else {
        evaluation_set(sweep->evaluation, out, at, truth);
    }
}

/* first, last: the age of one event moves on its own between the instants at which another takes its place. */
static void settle_age(const struct sweep *sweep, int64_t at, bool initial, struct timeline *out)
{
    const struct rule_measure *measure = sweep->plan->measure;
    int64_t until = sweep_next(sweep);
    int64_t edges[SPAN_EDGES_MAX];
    size_t edge_count;
    int64_t anchor;

    if (sweep_count(sweep) == 0) {
        put(sweep, at, initial, false, out);
        return;
    }
    if (measure_operator(measure)->end == MEASURE_END_FIRST) {
        anchor = sweep->base.count > 0 ? sweep->base.first_ms : sweep->items[sweep->low].time_ms;
    } else {
        anchor = sweep->high > sweep->low ? sweep->items[sweep->high - 1].time_ms : sweep->base.last_ms;
    }
    put(sweep, at, initial, span_holds(&measure->durations, SPAN_ELAPSED, anchor, at), out);
    if (sweep->evaluation->at_once) {
        return;
    }
    edge_count = span_edges(&measure->durations, SPAN_ELAPSED, anchor, edges);
    for (size_t i = 0; i < edge_count; i++) {
        if (edges[i] > at && edges[i] < until) {
            put(sweep, edges[i], false, span_holds(&measure->durations, SPAN_ELAPSED, anchor, edges[i]), out);
        }
    }
}

static void settle(const struct sweep *sweep, int64_t at, bool initial, struct timeline *out)
{
    const struct measure_plan *plan = sweep->plan;
    const struct measure_operator *row = measure_operator(plan->measure);
    struct quotient number;

    if (row->result == MEASURE_AGE) {
        settle_age(sweep, at, initial, out);
    } else if (row->result == MEASURE_VALUE) {
        put(sweep, at, initial, chosen_value_holds(sweep), out);
    } else {
        number = row->number(sweep);
        put(sweep, at, initial,
            plan->bound.used ? comparison_bound_holds(&plan->bound, number.sum)
                             : comparison_quotient(&plan->measure->comparison, &number),
            out);
    }
}

/* Whether what comes from `next` on is left out. */
static bool is_over(const struct evaluation *evaluation, int64_t next, const struct timeline *out)
{
    return next == TIMESTAMP_NEVER || (evaluation->standing_only && next > evaluation->at && !timeline_last(out));
}

/* Before the sweep moves beyond carry_at, what counts is summed up. */
static bool sum_up_before(const struct sweep *sweep, int64_t next, bool summed)
{
    if (!summed && next > sweep->evaluation->carry_at) {
        sweep_sum_up(sweep);
        return true;
    }
    return summed;
}

void evaluate_event(struct evaluation *evaluation, const struct node *node, bool marked, struct timeline *out)
{
    struct sweep sweep;
    bool different = node->plan.row->different;
    bool summed = false;

    *out = (struct timeline){0};
    sweep_begin(&sweep, evaluation, node);
    settle(&sweep, evaluation->from, true, out);
    if (evaluation->at_once) {
        return;
    }
    for (int64_t at = sweep_next(&sweep); !is_over(evaluation, at, out); at = sweep_next(&sweep)) {
        int64_t distinct_count = sweep.distinct_count;

        summed = sum_up_before(&sweep, at, summed);
        if (sweep_move(&sweep, at) && marked) {
            evaluation_mark(evaluation, at);
        }
        if (!different || sweep.distinct_count != distinct_count) {
            settle(&sweep, at, false, out);
        }
    }
    (void)sum_up_before(&sweep, TIMESTAMP_NEVER, summed);
}

static bool compare_holds(const struct sweep *left, const struct sweep *right, const struct criterion *criterion)
{
    struct quotient a = sweep_number(left);
    struct quotient b = sweep_number(right);

    return comparison_of_quotients(&a, criterion->op, &b, criterion->times_micros);
}

void evaluate_compare(struct evaluation *evaluation, const struct node *node, bool marked, struct timeline *out)
{
    struct sweep left;
    struct sweep right;

    bool left_summed = false;
    bool right_summed = false;

    *out = (struct timeline){0};
    sweep_begin(&left, evaluation, &node->children[0]);
    sweep_begin(&right, evaluation, &node->children[1]);
    out->initial = compare_holds(&left, &right, node->criterion);
    while (!evaluation->at_once) {
        int64_t at = sweep_next(&left);
        int64_t other = sweep_next(&right);
        bool entered;

        at = other < at ? other : at;
        left_summed = sum_up_before(&left, at, left_summed);
        right_summed = sum_up_before(&right, at, right_summed);
        if (is_over(evaluation, at, out)) {
            return;
        }
        entered = sweep_move(&left, at);
        entered = sweep_move(&right, at) || entered;
        if (entered && marked) {
            evaluation_mark(evaluation, at);
        }
        evaluation_set(evaluation, out, at, compare_holds(&left, &right, node->criterion));
    }
}
