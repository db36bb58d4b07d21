#include "common/domain/ruleset_keep.h"

#include "common/domain/decimal.h"
#include "common/domain/rule_operators.h"

/* Without an array panes are only counted, equal ones too. */
struct keeping {
    struct ruleset *ruleset;
    const struct measure_plan **panes;
    size_t pane_count;
};

/* The least number of events from which on the term's answer is the same. */
static int64_t term_count_max(const struct rule_term *term)
{
    int64_t count_max = 0;

    for (size_t i = 0; i < term->operand_count; i++) {
        int64_t micros = term->operands[i].micros;
        /* "at least x" and "less than x" turn at x, the others behind it. */
        bool at = term->op == RULE_GREATER_EQUAL || term->op == RULE_LESS;
        int64_t turn = at ? micros / DECIMAL_ONE + (micros % DECIMAL_ONE > 0) : micros / DECIMAL_ONE + 1;

        if (micros >= 0 && turn > count_max) {
            count_max = turn;
        }
    }
    return count_max;
}

static int64_t measure_count_max(const struct rule_measure *measure)
{
    int64_t count_max = 0;

    if (measure->kind == RULE_MEASURE_NONE) {
        return 1;
    }
    if (measure_operator(measure)->numbers != RULE_NUMBERS_WHOLE || measure->comparison.term_count == 0) {
        return INT64_MAX; /* inside compare the other side decides */
    }
    for (size_t i = 0; i < measure->comparison.term_count; i++) {
        int64_t turn = term_count_max(&measure->comparison.terms[i]);

        count_max = turn > count_max ? turn : count_max;
    }
    return count_max;
}

/* Whether events that leave together can be taken together. Of the other measures one event of them is enough. */
static bool is_paned(const struct measure_plan *plan)
{
    const struct rule_window *window = plan->window;

    return (window->kind == RULE_WINDOW_CALENDAR || window->slide_ms > 0) && measure_operator(plan->measure)->paned;
}

static bool windows_equal(const struct rule_window *a, const struct rule_window *b)
{
    return a->kind == b->kind && a->length_ms == b->length_ms && a->offset_ms == b->offset_ms &&
           a->slide_ms == b->slide_ms && a->period == b->period && a->last == b->last && a->complete == b->complete;
}

static void number_pane(struct keeping *keeping, struct measure_plan *plan)
{
    size_t pane = 0;

    plan->pane_shape = RULESET_NONE;
    if (!is_paned(plan)) {
        return;
    }
    while (keeping->panes != NULL && pane < keeping->pane_count &&
           (keeping->panes[pane]->selector != plan->selector || keeping->panes[pane]->column != plan->column ||
            keeping->panes[pane]->zone != plan->zone || !windows_equal(keeping->panes[pane]->window, plan->window))) {
        pane++;
    }
    if (keeping->panes == NULL) {
        keeping->pane_count++;
        return;
    }
    if (pane == keeping->pane_count) {
        keeping->panes[keeping->pane_count++] = plan;
    }
    plan->pane_shape = SHAPE_PANE | (uint32_t)pane;
}

/* Whether the past without a window is summed up. Of the latest and the earliest event the value is needed: they are
 * kept themselves. */
static bool is_based(const struct node *node)
{
    return node->carry != RULESET_NONE && node->plan.window->kind == RULE_WINDOW_NONE &&
           (node->criterion->kind != CRITERION_EVENT || measure_operator(node->plan.measure)->result != MEASURE_VALUE);
}

static void keep_nodes(struct keeping *keeping, struct node *nodes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct node *node = &nodes[i];

        node->base = RULESET_NONE;
        node->plan.pane_shape = RULESET_NONE;
        node->plan.count_max = INT64_MAX;
        if (node->criterion->kind == CRITERION_EVENT) {
            node->plan.count_max = measure_count_max(node->plan.measure);
            number_pane(keeping, &node->plan);
        }
        if (is_based(node)) {
            node->base = (uint32_t)keeping->ruleset->base_count++;
        }
        keep_nodes(keeping, node->children, node->child_count);
    }
}

static void keep_all(struct keeping *keeping)
{
    keeping->ruleset->base_count = 0;
    keeping->pane_count = 0;
    for (size_t i = 0; i < keeping->ruleset->segment_count; i++) {
        struct segment_plan *plan = &keeping->ruleset->segments[i];

        keep_nodes(keeping, plan->criteria, plan->definition->criterion_count);
        keep_nodes(keeping, plan->exclude, plan->definition->exclude_count);
    }
}

bool ruleset_keep_compile(struct ruleset *ruleset, struct error *err)
{
    struct keeping keeping = {.ruleset = ruleset};

    keep_all(&keeping);
    keeping.panes = ruleset_allocate(ruleset, keeping.pane_count, sizeof *keeping.panes, err);
    if (keeping.panes == NULL) {
        return false;
    }
    keep_all(&keeping);
    ruleset->panes = keeping.panes;
    ruleset->pane_count = keeping.pane_count;
    return true;
}
