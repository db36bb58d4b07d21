#include "common/domain/at_once.h"

#include "common/domain/rule_operators.h"

/* The stretch of time whose events count: after_ms < time <= until_ms. */
struct stretch {
    int64_t after_ms;
    int64_t until_ms;
};

static int64_t floor_to(int64_t time_ms, int64_t step_ms)
{
    return (time_ms / step_ms - (time_ms % step_ms < 0)) * step_ms;
}

static struct stretch stretch_of_stepped(const struct measure_plan *plan, int64_t at_ms)
{
    const struct rule_window *window = plan->window;
    struct stretch stretch = {.until_ms = at_ms - plan->begins_ms};
    int64_t period;

    if (window->kind == RULE_WINDOW_SLIDING) {
        /* It leaves at the end of its step: all of one step count, or none. */
        stretch.after_ms = floor_to(at_ms - plan->ends_ms, window->slide_ms);
        return stretch;
    }
    period = zone_period_index(plan->zone, window->period, at_ms);
    if (window->complete) {
        stretch.until_ms = zone_period_start_ms(plan->zone, window->period, period) - 1;
        period--;
    }
    stretch.after_ms = zone_period_start_ms(plan->zone, window->period, period - window->last + 1) - 1;
    return stretch;
}

/* window_bounds the other way round. */
static inline struct stretch stretch_of(const struct measure_plan *plan, int64_t at_ms)
{
    if (plan->stepped) {
        return stretch_of_stepped(plan, at_ms);
    }
    return (struct stretch){.after_ms = plan->ends_ms == TIMESTAMP_NEVER ? INT64_MIN : at_ms - plan->ends_ms,
                            .until_ms = at_ms - plan->begins_ms};
}

/* Walks back over the selector's entries in the stretch. */
struct walk {
    struct evaluation *evaluation;
    uint32_t selector;
    int64_t after_ms;
    size_t index;  /* one more than that of the next that is looked at, and then that of the one found */
    int64_t count; /* of those found */
};

static inline const struct entry *walk_next(struct walk *walk)
{
    const struct evaluation *evaluation = walk->evaluation;

    while (walk->index > 0) {
        const struct entry *entry = evaluation_entry(evaluation, --walk->index);

        if (entry->time_ms <= walk->after_ms) {
            return NULL;
        }
        if (bit_is_set(entry->mask, walk->selector)) {
            walk->count++;
            return entry;
        }
        if (evaluation->log_taken != NULL) {
            walk->index = evaluation_last(evaluation, walk->selector, walk->index);
        }
    }
    return NULL;
}

static struct walk walk_begin(struct evaluation *evaluation, const struct measure_plan *plan)
{
    struct stretch stretch = stretch_of(plan, evaluation->at);
    struct walk walk = {.evaluation = evaluation, .selector = plan->selector, .after_ms = stretch.after_ms};

    if (bit_is_set(evaluation->present, plan->selector)) {
        walk.index = stretch.until_ms >= evaluation->at ? evaluation->entry_count
                                                        : evaluation_first_after(evaluation, stretch.until_ms, 0);
    }
    return walk;
}

static int64_t count_events(struct walk *walk, const struct measure_plan *plan)
{
    while (walk->count < plan->count_max && walk_next(walk) != NULL) {
    }
    return walk->count;
}

static int64_t count_periods(struct walk *walk, const struct measure_plan *plan)
{
    int64_t start_ms = INT64_MAX;
    const struct entry *entry;
    int64_t count = 0;

    while (count < plan->count_max && (entry = walk_next(walk)) != NULL) {
        if (entry->time_ms < start_ms) {
            start_ms =
                evaluation_period(walk->evaluation, plan->period_zone, plan->measure->period, entry->time_ms)->start_ms;
            count++;
        }
    }
    return count;
}

/* -1: too many to be told apart. */
static int64_t count_values(struct walk *walk, const struct measure_plan *plan)
{
    enum { DIFFERENT_MAX = 16 };
    const struct evaluation *evaluation = walk->evaluation;
    struct value different[DIFFERENT_MAX];
    const struct entry *entry;
    size_t count = 0;

    while ((int64_t)count < plan->count_max && (entry = walk_next(walk)) != NULL) {
        struct value value = slot_value(evaluation->state, entry,
                                        entry_slot(evaluation->ruleset, evaluation->state, entry, plan->column));
        size_t place = 0;

        if (value.type == VALUE_MISSING || value.type == VALUE_COMPOUND) {
            continue;
        }
        while (place < count && !value_equal(&different[place], &value)) {
            place++;
        }
        if (place == DIFFERENT_MAX) {
            return -1;
        }
        if (place == count) {
            different[count++] = value;
        }
    }
    return (int64_t)count;
}

static int64_t count_different(struct walk *walk, const struct measure_plan *plan)
{
    return plan->measure->period == RULE_PERIOD_NONE ? count_values(walk, plan) : count_periods(walk, plan);
}

static void sum_values(struct walk *walk, const struct measure_plan *plan, struct summary *out)
{
    const struct evaluation *evaluation = walk->evaluation;
    bool least = plan->row->extreme == MEASURE_LEAST;
    const struct entry *entry;

    while ((entry = walk_next(walk)) != NULL) {
        const struct slot *slot = entry_slot(evaluation->ruleset, evaluation->state, entry, plan->column);

        if (slot != NULL && slot->type == VALUE_NUMBER) {
            out->sum += slot->number;
            if (out->numeric_count++ == 0 || (least ? slot->number < out->extreme : slot->number > out->extreme)) {
                out->extreme = slot->number;
            }
        }
    }
}

/* The one event that the measure is about, where it is there. */
static void find_end(struct walk *walk, const struct measure_plan *plan, struct summary *out)
{
    const struct measure_operator *row = plan->row;
    const struct evaluation *evaluation = walk->evaluation;
    size_t end = walk->index;
    const struct entry *entry;
    size_t index;

    if (row->end == MEASURE_END_LAST) {
        index = walk_next(walk) == NULL ? end : walk->index;
    } else {
        size_t first = walk->after_ms == INT64_MIN ? 0 : evaluation_first_after(evaluation, walk->after_ms, 0);

        index = evaluation_next(evaluation, walk->selector, first, end);
    }
    if (index >= end) {
        return;
    }
    entry = evaluation_entry(evaluation, index);
    if (row->result == MEASURE_VALUE) {
        entry = evaluation_chosen(evaluation, walk->selector, plan->column, index);
    }
    walk->count = 1;
    out->first_ms = entry->time_ms;
    out->last_ms = entry->time_ms;
    out->record = entry->record;
    out->shape = entry->shape;
}

bool at_once_amount(struct evaluation *evaluation, const struct measure_plan *plan, int128 *micros)
{
    const struct measure_operator *row = plan->row;
    struct walk walk = walk_begin(evaluation, plan);
    int64_t count;

    if (row->numeric) {
        struct summary summary = {0};

        sum_values(&walk, plan, &summary);
        *micros = summary.sum;
        return true;
    }
    count = row->different ? count_different(&walk, plan) : count_events(&walk, plan);
    *micros = (int128)count * DECIMAL_ONE;
    return count >= 0;
}

bool at_once_sum_up(struct evaluation *evaluation, const struct measure_plan *plan, struct summary *out)
{
    const struct measure_operator *row = plan->row;
    struct walk walk = walk_begin(evaluation, plan);

    *out = (struct summary){.at_ms = evaluation->at};
    if (row->numeric) {
        sum_values(&walk, plan, out);
    } else if (row->end != MEASURE_END_NONE) {
        find_end(&walk, plan, out);
    } else if (row->different) {
        out->distinct_count = count_different(&walk, plan);
    } else {
        (void)count_events(&walk, plan);
    }
    out->count = walk.count;
    return out->distinct_count >= 0;
}
