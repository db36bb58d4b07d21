#include "common/domain/measure.h"

#include "common/base/timestamp.h"

static int64_t ceil_to(int64_t time_ms, int64_t step_ms)
{
    int64_t quotient = time_ms / step_ms;

    /* Division truncates: only a positive remainder leaves the quotient below. */
    return (quotient + (time_ms % step_ms > 0)) * step_ms;
}

void window_bounds(const struct measure_plan *plan, int64_t time_ms, int64_t *enter, int64_t *leave)
{
    const struct rule_window *window = plan->window;
    int64_t period;

    switch (window->kind) {
    case RULE_WINDOW_SLIDING:
        *enter = time_ms + window->offset_ms;
        *leave = (window->slide_ms > 0 ? ceil_to(time_ms, window->slide_ms) : time_ms) + window->offset_ms +
                 window->length_ms;
        return;
    case RULE_WINDOW_CALENDAR:
        period = zone_period_index(plan->zone, window->period, time_ms) + (window->complete ? 1 : 0);
        *enter = window->complete ? zone_period_start_ms(plan->zone, window->period, period) : time_ms;
        *leave = zone_period_start_ms(plan->zone, window->period, period + window->last);
        return;
    case RULE_WINDOW_NONE:
    default:
        *enter = time_ms;
        *leave = TIMESTAMP_NEVER;
        return;
    }
}

int64_t window_reach_ms(const struct rule_window *window)
{
    static const int64_t period_days[] = {
        [RULE_PERIOD_NONE] = 0, [RULE_DAY] = 1, [RULE_WEEK] = 7, [RULE_MONTH] = 31, [RULE_QUARTER] = 92, [RULE_YEAR] = 366,
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
            item->value_id = next++;
        } else {
            item->value_id = sweep->items[table[slot] - 1].value_id;
        }
    }
}

/* Times ascend, so each new period is a new number. */
static void number_periods(struct sweep *sweep)
{
    const struct rule_measure *measure = sweep->plan->measure;
    int64_t end = INT64_MIN;
    uint32_t number = 0;

    for (size_t i = 0; i < sweep->item_count; i++) {
        struct counted *item = &sweep->items[i];

        if (i == 0 || item->time_ms >= end) {
            int64_t index = zone_period_index(sweep->plan->period_zone, measure->period, item->time_ms);

            end = zone_period_start_ms(sweep->plan->period_zone, measure->period, index + 1);
            number += i > 0;
        }
        item->value_id = number;
    }
}

static bool counts_later(const struct sweep *sweep, const struct entry *entry, struct counted *item)
{
    if (!bit_is_set(entry->mask, sweep->plan->selector)) {
        return false;
    }
    item->time_ms = entry->time_ms;
    item->entry = entry;
    window_bounds(sweep->plan, entry->time_ms, &item->enter_ms, &item->leave_ms);
    return item->leave_ms > sweep->evaluation->from;
}

static void gather(struct sweep *sweep)
{
    struct evaluation *evaluation = sweep->evaluation;
    const struct measure_plan *plan = sweep->plan;
    size_t first = evaluation_first_entry(evaluation, window_reach_ms(plan->window));
    size_t count = 0;

    for (size_t i = first; i < evaluation->entry_count; i++) {
        count += bit_is_set(evaluation_entry(evaluation, i)->mask, plan->selector);
    }
    sweep->items = count == 0 ? NULL : evaluation_allocate(evaluation, count, sizeof *sweep->items);
    if (sweep->items == NULL) {
        return;
    }
    for (size_t i = first; i < evaluation->entry_count; i++) {
        const struct entry *entry = evaluation_entry(evaluation, i);
        struct counted *item = &sweep->items[sweep->item_count];
        const struct slot *slot;

        if (!counts_later(sweep, entry, item)) {
            continue;
        }
        slot = plan->column == RULESET_NONE ? NULL : entry_slot(evaluation->ruleset, evaluation->state, entry, plan->column);
        item->numeric = slot != NULL && slot->type == VALUE_NUMBER;
        item->micros = item->numeric ? slot->number : 0;
        sweep->item_count++;
    }
}

void sweep_begin(struct sweep *sweep, struct evaluation *evaluation, const struct measure_plan *plan)
{
    const struct rule_measure *measure = plan->measure;

    *sweep = (struct sweep){.evaluation = evaluation, .plan = plan};
    gather(sweep);
    if (sweep->item_count > 0 && (measure->kind == RULE_MIN || measure->kind == RULE_MAX)) {
        sweep->queue = evaluation_allocate(evaluation, sweep->item_count, sizeof *sweep->queue);
        sweep->item_count = sweep->queue == NULL ? 0 : sweep->item_count;
    }
    if (sweep->item_count > 0 && measure->kind == RULE_DISTINCT) {
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
    bool least = sweep->plan->measure->kind == RULE_MIN;

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

struct quotient sweep_number(const struct sweep *sweep)
{
    struct quotient number = {.exists = true, .sum = 0, .count = 1};

    switch (sweep->plan->measure->kind) {
    case RULE_MEASURE_NONE:
    case RULE_COUNT:
        number.sum = (int128)(sweep->high - sweep->low) * DECIMAL_ONE;
        break;
    case RULE_SUM:
        number.sum = sweep->sum;
        break;
    case RULE_AVG:
        number.exists = sweep->numeric_count > 0;
        number.sum = sweep->sum;
        number.count = number.exists ? sweep->numeric_count : 1;
        break;
    case RULE_MIN:
    case RULE_MAX:
        number.exists = sweep->queue_high > sweep->queue_low;
        if (number.exists) {
            number.sum = sweep->items[sweep->queue[sweep->queue_low]].micros;
        }
        break;
    case RULE_DISTINCT:
        number.sum = (int128)sweep->distinct_count * DECIMAL_ONE;
        break;
    default:
        number.exists = false;
        break;
    }
    return number;
}

/* ---- the event criterion and compare ---- */

/* The greatest value among those that tie with the chosen event: same time, no message id (section 2). */
static struct value chosen_value(const struct sweep *sweep, bool latest)
{
    const struct evaluation *evaluation = sweep->evaluation;
    const struct ruleset *ruleset = evaluation->ruleset;
    size_t index = latest ? sweep->high - 1 : sweep->low;
    const struct entry *entry = sweep->items[index].entry;
    struct value chosen =
        slot_value(evaluation->state, entry, entry_slot(ruleset, evaluation->state, entry, sweep->plan->column));

    if (entry_record(evaluation->state, entry)->has_id) {
        return chosen;
    }
    for (;;) {
        const struct entry *other;
        struct value value;

        if (latest ? index-- == sweep->low : ++index == sweep->high) {
            return chosen;
        }
        other = sweep->items[index].entry;
        if (other->time_ms != entry->time_ms || entry_record(evaluation->state, other)->has_id) {
            return chosen;
        }
        value = slot_value(evaluation->state, other, entry_slot(ruleset, evaluation->state, other, sweep->plan->column));
        if (value_compare(&value, &chosen) > 0) {
            chosen = value;
        }
    }
}

static bool measure_holds(const struct sweep *sweep)
{
    const struct rule_measure *measure = sweep->plan->measure;
    struct quotient number;
    struct value value;

    switch (measure->kind) {
    case RULE_MEASURE_NONE:
        return sweep->high > sweep->low;
    case RULE_LATEST:
    case RULE_EARLIEST:
        if (sweep->high == sweep->low) {
            return false;
        }
        value = chosen_value(sweep, measure->kind == RULE_LATEST);
        return comparison_value(&measure->comparison, &value, &sweep->evaluation->scratch);
    default:
        number = sweep_number(sweep);
        return comparison_quotient(&measure->comparison, &number);
    }
}

/* first, last: the age of one event moves on its own between the instants at which another takes its place. */
static void ages_between(const struct sweep *sweep, int64_t at, int64_t until, bool initial, struct timeline *out)
{
    const struct rule_measure *measure = sweep->plan->measure;
    bool exists = sweep->high > sweep->low;
    int64_t anchor;
    int64_t edges[SPAN_EDGES_MAX];
    size_t edge_count;

    if (!exists) {
        if (initial) {
            out->initial = false;
        } else {
            evaluation_set(sweep->evaluation, out, at, false);
        }
        return;
    }
    anchor = sweep->items[measure->kind == RULE_FIRST ? sweep->low : sweep->high - 1].time_ms;
    if (initial) {
        out->initial = span_holds(&measure->durations, SPAN_ELAPSED, anchor, at);
    } else {
        evaluation_set(sweep->evaluation, out, at, span_holds(&measure->durations, SPAN_ELAPSED, anchor, at));
    }
    edge_count = span_edges(&measure->durations, SPAN_ELAPSED, anchor, edges);
    for (size_t i = 0; i < edge_count; i++) {
        if (edges[i] > at && edges[i] < until) {
            evaluation_set(sweep->evaluation, out, edges[i],
                           span_holds(&measure->durations, SPAN_ELAPSED, anchor, edges[i]));
        }
    }
}

static void settle(const struct sweep *sweep, int64_t at, bool initial, struct timeline *out)
{
    enum rule_measure_kind kind = sweep->plan->measure->kind;

    if (kind == RULE_FIRST || kind == RULE_LAST) {
        ages_between(sweep, at, sweep_next(sweep), initial, out);
    } else if (initial) {
        out->initial = measure_holds(sweep);
    } else {
        evaluation_set(sweep->evaluation, out, at, measure_holds(sweep));
    }
}

void evaluate_event(struct evaluation *evaluation, const struct node *node, bool marked, struct timeline *out)
{
    struct sweep sweep;
    int64_t at;

    *out = (struct timeline){0};
    sweep_begin(&sweep, evaluation, &node->plan);
    settle(&sweep, evaluation->from, true, out);
    while ((at = sweep_next(&sweep)) != TIMESTAMP_NEVER) {
        if (sweep_move(&sweep, at) && marked) {
            evaluation_mark(evaluation, at);
        }
        settle(&sweep, at, false, out);
    }
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

    *out = (struct timeline){0};
    sweep_begin(&left, evaluation, &node->children[0].plan);
    sweep_begin(&right, evaluation, &node->children[1].plan);
    out->initial = compare_holds(&left, &right, node->criterion);
    for (;;) {
        int64_t at = sweep_next(&left);
        int64_t other = sweep_next(&right);
        bool entered;

        at = other < at ? other : at;
        if (at == TIMESTAMP_NEVER) {
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
