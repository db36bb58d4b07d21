#include "common/domain/rule_cost.h"

#include "common/base/timestamp.h"
#include "common/domain/criterion_parts.h"
#include "common/domain/evaluation_parts.h"

/* Ids are hashed into a table that is between a quarter and half full. */
enum { GROWTH = 2, ID_SLOTS_MAX = 4 };

/* What user_state.c reserves for the first event. */
enum { HEAP_FIRST = 256, ENTRIES_FIRST = 4 };

static bool concerns(const struct selector *selector, size_t segment)
{
    return segment == SIZE_MAX || bit_is_set(selector->segments, segment);
}

/* Values that the segment's selectors need of one event of this shape. */
static size_t value_count(const struct ruleset *ruleset, const struct shape *shape, size_t segment)
{
    size_t count = 0;

    for (size_t i = 0; i < shape->column_count; i++) {
        bool needed = false;

        for (size_t k = 0; !needed && k < shape->selector_count; k++) {
            const struct selector *selector = &ruleset->selectors[shape->selectors[k]];

            needed = concerns(selector, segment) && bit_is_set(selector->columns, shape->columns[i]);
        }
        count += needed ? 1 : 0;
    }
    return count;
}

static void judge_stream(const struct ruleset *ruleset, size_t segment, struct rule_cost *out)
{
    const struct definition *definition = &ruleset->set->definitions[segment];
    const char *why = "";

    out->streams = definition->streams;
    if (!definition->streams) {
        out->why = rule_streams(definition, &why) ? "it refers to a segment that does not stream" : why;
    }
}

/* ---- what pruning leaves ---- */

enum { DAY_MS = 24 * 60 * 60 * 1000 };

/* Events in so long a time, at most; INT64_MAX: no bound. */
static int64_t events_in(const struct rule_cost_assumptions *assumptions, int64_t span_ms)
{
    int64_t count;

    if (span_ms == INT64_MAX ||
        __builtin_mul_overflow(span_ms / DAY_MS + (span_ms % DAY_MS > 0), assumptions->events_per_day, &count)) {
        return INT64_MAX;
    }
    return count;
}

static int64_t sum_of(int64_t a, int64_t b)
{
    int64_t sum;

    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static int64_t least_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Of the events that have begun to count, how many can still decide. */
static int64_t begun_count(const struct measure_plan *plan, int64_t in_window)
{
    switch (measure_operator(plan->measure)->end) {
    case MEASURE_END_LAST:
        return 1;
    case MEASURE_END_FIRST:
        return plan->window->kind == RULE_WINDOW_NONE ? 1 : in_window;
    case MEASURE_END_NONE:
    default:
        return least_of(plan->count_max, in_window);
    }
}

static int64_t event_count(const struct measure_plan *plan, const struct rule_cost_assumptions *assumptions)
{
    const struct rule_measure *measure = plan->measure;
    int64_t reach_ms = window_reach_ms(plan->window);
    int64_t waiting;

    if (plan->window->kind == RULE_WINDOW_NONE) {
        const struct measure_operator *row = measure_operator(measure);
        bool kept = row->result == MEASURE_VALUE || (row->different && measure->period == RULE_PERIOD_NONE);

        return kept ? begun_count(plan, INT64_MAX) : 0;
    }
    waiting = plan->window->kind == RULE_WINDOW_CALENDAR && plan->window->complete
                  ? events_in(assumptions, reach_ms / (plan->window->last + 1))
                  : events_in(assumptions, plan->window->offset_ms);
    return plan->pane_shape != RULESET_NONE ? waiting
                                            : sum_of(waiting, begun_count(plan, events_in(assumptions, reach_ms)));
}

static int64_t pane_count(const struct rule_window *window)
{
    return window->kind == RULE_WINDOW_CALENDAR ? (int64_t)window->last + 1 : window->length_ms / window->slide_ms + 2;
}

int64_t cost_event(const struct node *node, const struct rule_cost_assumptions *assumptions)
{
    return event_count(&node->plan, assumptions);
}

/* Both kinds of events within reach, or what is still open where the past is summed up. */
int64_t cost_occurrence(const struct node *node, const struct rule_cost_assumptions *assumptions)
{
    int64_t within_ms = node->criterion->within_ms;

    return events_in(assumptions, node->base != RULESET_NONE
                                      ? within_ms
                                      : sum_of(window_reach_ms(&node->criterion->window), within_ms));
}

int64_t cost_trait(const struct node *node, const struct rule_cost_assumptions *assumptions)
{
    (void)node;
    (void)assumptions;
    return 1;
}

static void add_nodes(const struct node *nodes, size_t count, const struct rule_cost_assumptions *assumptions,
                      struct rule_cost *out)
{
    for (size_t i = 0; i < count; i++) {
        const struct node *node = &nodes[i];
        const struct criterion_operator *row = criterion_operator(node->criterion);
        int64_t kept = row->cost == NULL ? 0 : row->cost(node, assumptions);

        out->kept_count = sum_of(out->kept_count, kept);
        out->pane_count += node->plan.pane_shape != RULESET_NONE ? pane_count(node->plan.window) : 0;
        out->fixed_bytes += node->base != RULESET_NONE ? (int64_t)sizeof(struct base_summary) : 0;
        add_nodes(node->children, node->child_count, assumptions, out);
    }
}

/* The segment itself, without what it refers to. */
static void add_kept(const struct ruleset *ruleset, size_t segment, const struct rule_cost_assumptions *assumptions,
                     struct rule_cost *out)
{
    const struct segment_plan *plan = &ruleset->segments[segment];

    out->fixed_bytes += (int64_t)sizeof(struct carry);
    if (!plan->definition->needs_percentile) {
        add_nodes(plan->criteria, plan->definition->criterion_count, assumptions, out);
        add_nodes(plan->exclude, plan->definition->exclude_count, assumptions, out);
    }
}

/* A log is pruned when it has doubled, or when half of it is final. */
static void add_up(struct rule_cost *out)
{
    int64_t count = sum_of(sum_of(out->kept_count, out->pane_count), out->recent_count);
    int64_t pane_bytes = (int64_t)(sizeof(struct record) + sizeof(struct pane));
    int64_t event_bytes = out->event_bytes > GROWTH * pane_bytes ? out->event_bytes : GROWTH * pane_bytes;

    if (out->kept_count == INT64_MAX || __builtin_mul_overflow(sum_of(2 * least_of(count, INT32_MAX), PRUNE_COUNT_MIN),
                                                               event_bytes, &out->state_bytes)) {
        out->state_bytes = -1;
    } else {
        out->state_bytes += out->fixed_bytes;
    }
    out->kept_count = out->kept_count == INT64_MAX ? -1 : out->kept_count;
}

static void add_segment(const struct ruleset *ruleset, size_t segment, struct rule_cost *out)
{
    const struct segment_plan *plan = &ruleset->segments[segment];

    for (size_t i = 0; i < plan->closure_count; i++) {
        out->fixed_bytes += (int64_t)(ruleset->segments[plan->closure[i]].summary_count * sizeof(struct summary));
    }
    out->fixed_bytes += (int64_t)(sizeof(struct carry) + sizeof(int64_t));
    out->reach_ms = plan->reach_ms > out->reach_ms ? plan->reach_ms : out->reach_ms;
}

void rule_cost(const struct ruleset *ruleset, size_t segment, const struct rule_cost_assumptions *assumptions,
               struct rule_cost *out)
{
    size_t mask_bytes;
    int64_t record_bytes;
    int64_t taken_bytes;

    *out = (struct rule_cost){.streams = true,
                              .why = "",
                              .fixed_bytes = (int64_t)(sizeof(struct user_state) + sizeof(struct user_taken) +
                                                       sizeof(struct user_base))};
    for (size_t i = 0; i < ruleset->segment_count; i++) {
        if (segment == SIZE_MAX || segment == i) {
            add_segment(ruleset, i, out);
        }
        if (segment == SIZE_MAX) {
            add_kept(ruleset, i, assumptions, out);
        }
    }
    for (size_t k = 0; segment != SIZE_MAX && k < ruleset->segments[segment].closure_count; k++) {
        add_kept(ruleset, ruleset->segments[segment].closure[k], assumptions, out);
    }
    if (segment != SIZE_MAX) {
        judge_stream(ruleset, segment, out);
    }
    for (size_t i = 0; i < ruleset->selector_count; i++) {
        out->selector_count += concerns(&ruleset->selectors[i], segment) ? 1 : 0;
    }
    for (size_t i = 0; i < ruleset->shape_count; i++) {
        size_t count = value_count(ruleset, &ruleset->shapes[i], segment);

        out->value_count_max = count > out->value_count_max ? count : out->value_count_max;
    }
    mask_bytes = (out->selector_count + 63) / 64 * sizeof(uint64_t);
    record_bytes =
        (int64_t)(sizeof(struct entry) + mask_bytes + sizeof(struct record) + padded((size_t)assumptions->id_size) +
                  out->value_count_max * (sizeof(struct slot) + padded((size_t)assumptions->text_size)));
    taken_bytes = (int64_t)(out->selector_count + 7) / 8;
    out->event_bytes = GROWTH * (record_bytes + taken_bytes) + ID_SLOTS_MAX * (int64_t)sizeof(uint64_t);
    out->recent_count = events_in(assumptions, sum_of(assumptions->lateness_ms, ruleset->dedup_ms));
    add_up(out);
}
