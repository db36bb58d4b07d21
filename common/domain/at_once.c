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

/* window_bounds the other way round. */
static struct stretch stretch_of(const struct measure_plan *plan, int64_t at_ms)
{
    const struct rule_window *window = plan->window;
    int64_t after_ms;
    int64_t period;

    switch (window->kind) {
    case RULE_WINDOW_SLIDING:
        after_ms = at_ms - window->offset_ms - window->length_ms;
        /* It leaves at the end of its step: all of one step count, or none. */
        return (struct stretch){.after_ms = window->slide_ms > 0 ? floor_to(after_ms, window->slide_ms) : after_ms,
                                .until_ms = at_ms - window->offset_ms};
    case RULE_WINDOW_CALENDAR:
        period = zone_period_index(plan->zone, window->period, at_ms);
        if (window->complete) {
            return (struct stretch){.after_ms =
                                        zone_period_start_ms(plan->zone, window->period, period - window->last) - 1,
                                    .until_ms = zone_period_start_ms(plan->zone, window->period, period) - 1};
        }
        return (struct stretch){.after_ms =
                                    zone_period_start_ms(plan->zone, window->period, period - window->last + 1) - 1,
                                .until_ms = at_ms};
    case RULE_WINDOW_NONE:
    default:
        return (struct stretch){.after_ms = INT64_MIN, .until_ms = at_ms};
    }
}

/* Walks back over the selector's entries in the stretch. */
struct walk {
    const struct evaluation *evaluation;
    uint32_t selector;
    int64_t after_ms;
    size_t index; /* one more than that of the entry */
};

static inline const struct entry *walk_next(struct walk *walk)
{
    const struct entry *entry;

    walk->index = evaluation_last(walk->evaluation, walk->selector, walk->index);
    if (walk->index == 0) {
        return NULL;
    }
    entry = evaluation_entry(walk->evaluation, --walk->index);
    return entry->time_ms > walk->after_ms ? entry : NULL;
}

static void sum_values(struct walk *walk, const struct measure_plan *plan, struct summary *out)
{
    const struct evaluation *evaluation = walk->evaluation;
    bool least = measure_operator(plan->measure)->extreme == MEASURE_LEAST;
    const struct entry *entry;

    while ((entry = walk_next(walk)) != NULL) {
        const struct slot *slot = entry_slot(evaluation->ruleset, evaluation->state, entry, plan->column);

        out->count++;
        if (slot != NULL && slot->type == VALUE_NUMBER) {
            out->sum += slot->number;
            if (out->numeric_count++ == 0 || (least ? slot->number < out->extreme : slot->number > out->extreme)) {
                out->extreme = slot->number;
            }
        }
    }
}

static void count_periods(struct walk *walk, const struct measure_plan *plan, struct summary *out)
{
    enum rule_period period = plan->measure->period;
    const struct zone *zone = plan->period_zone;
    int64_t start_ms = INT64_MAX;
    const struct entry *entry;

    while (out->distinct_count < plan->count_max && (entry = walk_next(walk)) != NULL) {
        if (entry->time_ms < start_ms) {
            start_ms = zone_period_start_ms(zone, period, zone_period_index(zone, period, entry->time_ms));
            out->distinct_count++;
        }
    }
    out->count = out->distinct_count;
}

static bool count_values(struct walk *walk, const struct measure_plan *plan, struct summary *out)
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

        out->count++;
        if (value.type == VALUE_MISSING || value.type == VALUE_COMPOUND) {
            continue;
        }
        while (place < count && !value_equal(&different[place], &value)) {
            place++;
        }
        if (place == DIFFERENT_MAX) {
            return false;
        }
        if (place == count) {
            different[count++] = value;
        }
    }
    out->distinct_count = (int64_t)count;
    return true;
}

/* The one event that the measure is about, where it is there. */
static void find_end(struct walk *walk, const struct measure_plan *plan, struct summary *out)
{
    const struct measure_operator *row = measure_operator(plan->measure);
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
    if (index == end) {
        return;
    }
    entry = evaluation_entry(evaluation, index);
    if (row->result == MEASURE_VALUE) {
        entry = evaluation_chosen(evaluation, walk->selector, plan->column, index);
    }
    out->count = 1;
    out->first_ms = entry->time_ms;
    out->last_ms = entry->time_ms;
    out->record = entry->record;
    out->shape = entry->shape;
}

bool at_once_sum_up(const struct evaluation *evaluation, const struct measure_plan *plan, struct summary *out)
{
    const struct measure_operator *row = measure_operator(plan->measure);
    struct stretch stretch = stretch_of(plan, evaluation->at);
    struct walk walk = {
        .evaluation = evaluation,
        .selector = plan->selector,
        .after_ms = stretch.after_ms,
        .index = stretch.until_ms >= evaluation->at ? evaluation->entry_count
                                                    : evaluation_first_after(evaluation, stretch.until_ms, 0),
    };

    *out = (struct summary){.at_ms = evaluation->at};
    if (row->different) {
        if (plan->measure->period == RULE_PERIOD_NONE) {
            return count_values(&walk, plan, out);
        }
        count_periods(&walk, plan, out);
    } else if (row->numeric) {
        sum_values(&walk, plan, out);
    } else if (row->end != MEASURE_END_NONE) {
        find_end(&walk, plan, out);
    } else {
        while (out->count < plan->count_max && walk_next(&walk) != NULL) {
            out->count++;
        }
    }
    return true;
}
