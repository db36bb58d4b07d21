/* Traits and their ages (section 5): the value is that of the last identify that set it, until the next one does. */
#include "common/base/timestamp.h"
#include "common/domain/evaluation_parts.h"

/* The value set in the millisecond of entry `last`, the last in order that sets the trait then. */
static struct value value_set(const struct evaluation *evaluation, const struct node *node, size_t last)
{
    const struct user_state *state = evaluation->state;
    const struct entry *entry = evaluation_chosen(evaluation, node->trait, node->trait_column, last);

    return slot_value(state, entry, entry_slot(evaluation->ruleset, state, entry, node->trait_column));
}

bool trait_value_instant(const struct value *value, int64_t *out_ms)
{
    if (value->type == VALUE_STRING) {
        return timestamp_parse(value->text, out_ms) || timestamp_parse_date(value->text, out_ms);
    }
    if (value->type != VALUE_NUMBER || value->micros % DECIMAL_ONE != 0) {
        return false;
    }
    *out_ms = value->micros / DECIMAL_ONE;
    return true;
}

static void put(struct evaluation *evaluation, struct timeline *out, int64_t at, bool truth)
{
    if (at == evaluation->from) {
        out->initial = truth;
    } else {
        evaluation_set(evaluation, out, at, truth);
    }
}

/* The truth while the value holds, on [at, until). */
static void settle(struct evaluation *evaluation, const struct node *node, const struct value *value, int64_t at,
                   int64_t until, struct timeline *out)
{
    const struct criterion *criterion = node->criterion;
    enum span_kind kind = criterion->kind == CRITERION_TRAIT_AGE ? SPAN_ELAPSED : SPAN_REMAINING;
    int64_t edges[SPAN_EDGES_MAX];
    size_t edge_count;
    int64_t instant;

    if (criterion->kind == CRITERION_TRAIT) {
        put(evaluation, out, at, comparison_value(&criterion->comparison, value, &evaluation->scratch));
        return;
    }
    if (!trait_value_instant(value, &instant)) {
        put(evaluation, out, at, false);
        return;
    }
    put(evaluation, out, at, span_holds(&criterion->durations, kind, instant, at));
    if (evaluation->at_once) {
        return;
    }
    edge_count = span_edges(&criterion->durations, kind, instant, edges);
    for (size_t i = 0; i < edge_count; i++) {
        if (edges[i] > at && edges[i] < until) {
            put(evaluation, out, edges[i], span_holds(&criterion->durations, kind, instant, edges[i]));
        }
    }
}

static bool sets(const struct evaluation *evaluation, const struct node *node, size_t index)
{
    return bit_is_set(evaluation_entry(evaluation, index)->mask, node->trait);
}

struct value trait_value(const struct evaluation *evaluation, const struct node *node, size_t count)
{
    count = evaluation_last(evaluation, node->trait, count);
    return count == 0 ? (struct value){.type = VALUE_MISSING} : value_set(evaluation, node, count - 1);
}

void evaluate_trait(struct evaluation *evaluation, const struct node *node, bool marked, struct timeline *out)
{
    int64_t at = evaluation->from;
    struct value value;
    size_t first;

    (void)marked;
    *out = (struct timeline){0};
    if (evaluation->at_once) {
        value = trait_value(evaluation, node, evaluation->entry_count);
        settle(evaluation, node, &value, at, TIMESTAMP_NEVER, out);
        return;
    }
    first = evaluation_first_after(evaluation, at, 0);
    value = trait_value(evaluation, node, first);
    for (size_t i = first;
         (i = evaluation_next(evaluation, node->trait, i, evaluation->entry_count)) < evaluation->entry_count; i++) {
        int64_t time_ms = evaluation_entry(evaluation, i)->time_ms;

        for (size_t k = i; k < evaluation->entry_count && evaluation_entry(evaluation, k)->time_ms == time_ms; k++) {
            i = sets(evaluation, node, k) ? k : i;
        }
        settle(evaluation, node, &value, at, time_ms, out);
        value = value_set(evaluation, node, i);
        at = time_ms;
    }
    settle(evaluation, node, &value, at, TIMESTAMP_NEVER, out);
}
