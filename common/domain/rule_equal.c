#include "common/domain/rule_equal.h"

bool rule_path_equal(const struct rule_path *a, const struct rule_path *b)
{
    if (a->key_count != b->key_count) {
        return false;
    }
    for (size_t i = 0; i < a->key_count; i++) {
        if (!slice_equal(a->keys[i], b->keys[i])) {
            return false;
        }
    }
    return true;
}

static bool paths_equal(const struct rule_path *a, size_t a_count, const struct rule_path *b, size_t b_count)
{
    if (a_count != b_count) {
        return false;
    }
    for (size_t i = 0; i < a_count; i++) {
        if (!rule_path_equal(&a[i], &b[i])) {
            return false;
        }
    }
    return true;
}

static bool term_equal(const struct rule_term *a, const struct rule_term *b)
{
    if (a->op != b->op || a->operand_count != b->operand_count || a->exists != b->exists) {
        return false;
    }
    for (size_t i = 0; i < a->operand_count; i++) {
        if (!value_equal(&a->operands[i], &b->operands[i])) {
            return false;
        }
    }
    return true;
}

/* An operator stands at most once in a comparison. */
bool rule_comparison_equal(const struct rule_comparison *a, const struct rule_comparison *b)
{
    for (size_t i = 0; a->term_count == b->term_count && i < a->term_count; i++) {
        bool found = false;

        for (size_t k = 0; !found && k < b->term_count; k++) {
            found = term_equal(&a->terms[i], &b->terms[k]);
        }
        if (!found) {
            return false;
        }
    }
    return a->term_count == b->term_count;
}

bool rule_spans_equal(const struct rule_span_comparison *a, const struct rule_span_comparison *b)
{
    for (size_t i = 0; a->term_count == b->term_count && i < a->term_count; i++) {
        bool found = false;

        for (size_t k = 0; !found && k < b->term_count; k++) {
            found = a->terms[i].op == b->terms[k].op && a->terms[i].span.ms == b->terms[k].span.ms &&
                    a->terms[i].span.years == b->terms[k].span.years;
        }
        if (!found) {
            return false;
        }
    }
    return a->term_count == b->term_count;
}

bool rule_selector_equal(const struct rule_selector *a, const struct rule_selector *b)
{
    if (a->any_name != b->any_name || a->name_count != b->name_count || a->where_count != b->where_count) {
        return false;
    }
    for (size_t i = 0; i < a->name_count; i++) {
        if (!slice_equal(a->names[i], b->names[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < a->where_count; i++) {
        if (!rule_path_equal(&a->where[i].property, &b->where[i].property) ||
            !rule_comparison_equal(&a->where[i].comparison, &b->where[i].comparison)) {
            return false;
        }
    }
    return true;
}

bool rule_window_equal(const struct rule_window *a, const struct rule_window *b)
{
    return a->kind == b->kind && a->length_ms == b->length_ms && a->offset_ms == b->offset_ms &&
           a->slide_ms == b->slide_ms && a->period == b->period && a->last == b->last && a->complete == b->complete &&
           slice_equal(a->zone, b->zone);
}

bool rule_measured_equal(const struct rule_measure *a, const struct rule_measure *b)
{
    return a->kind == b->kind && a->product == b->product && a->period == b->period && slice_equal(a->zone, b->zone) &&
           rule_path_equal(&a->property, &b->property) && rule_path_equal(&a->factor, &b->factor);
}

static bool side_equal(const struct criterion *a, const struct criterion *b)
{
    return (a == NULL) == (b == NULL) && (a == NULL || criterion_equal(a, b));
}

bool criterion_equal(const struct criterion *a, const struct criterion *b)
{
    bool equal = a->kind == b->kind && a->kind != CRITERION_NONE && rule_selector_equal(&a->selector, &b->selector) &&
                 rule_window_equal(&a->window, &b->window) && rule_measured_equal(&a->measure, &b->measure) &&
                 rule_comparison_equal(&a->measure.comparison, &b->measure.comparison) &&
                 rule_spans_equal(&a->measure.durations, &b->measure.durations) && side_equal(a->left, b->left) &&
                 side_equal(a->right, b->right) && a->op == b->op && a->times_micros == b->times_micros &&
                 rule_selector_equal(&a->followed_by, &b->followed_by) && a->or_later == b->or_later &&
                 a->within_ms == b->within_ms && paths_equal(a->same, a->same_count, b->same, b->same_count) &&
                 a->step_count == b->step_count && rule_path_equal(&a->trait, &b->trait) &&
                 rule_comparison_equal(&a->comparison, &b->comparison) &&
                 rule_spans_equal(&a->durations, &b->durations) && slice_equal(a->segment_id, b->segment_id) &&
                 a->child_count == b->child_count && a->percentile_micros == b->percentile_micros;

    for (size_t i = 0; equal && i < a->step_count; i++) {
        equal = rule_selector_equal(&a->steps[i], &b->steps[i]);
    }
    for (size_t i = 0; equal && i < a->child_count; i++) {
        equal = criterion_equal(&a->children[i], &b->children[i]);
    }
    return equal;
}
