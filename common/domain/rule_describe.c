#include "common/domain/rule_describe.h"

#include "common/base/duration.h"
#include "common/domain/criterion_parts.h"
#include "common/domain/decimal.h"

static void append_value(struct buffer *out, const struct value *value)
{
    if (value->type == VALUE_NUMBER) {
        decimal_append(out, value->micros);
    } else if (value->type == VALUE_BOOLEAN) {
        buffer_append_text(out, value->boolean ? "true" : "false");
    } else {
        buffer_append_char(out, '"');
        buffer_append_slice(out, value->text);
        buffer_append_char(out, '"');
    }
}

void rule_describe_comparison(struct buffer *out, const struct rule_comparison *comparison)
{
    for (size_t i = 0; i < comparison->term_count; i++) {
        const struct rule_term *term = &comparison->terms[i];
        bool list = term->op == RULE_IN || term->op == RULE_NOT_IN;

        buffer_append_text(out, i > 0 ? " and " : "");
        if (term->op == RULE_EXISTS) {
            buffer_append_text(out, term->exists ? "exists" : "does not exist");
            continue;
        }
        buffer_append_format(out, "%s ", rule_operator_name(term->op));
        buffer_append_text(out, list ? "[" : "");
        for (size_t k = 0; k < term->operand_count; k++) {
            buffer_append_text(out, k > 0 ? ", " : "");
            append_value(out, &term->operands[k]);
        }
        buffer_append_text(out, list ? "]" : "");
    }
}

void rule_describe_spans(struct buffer *out, const struct rule_span_comparison *spans)
{
    for (size_t i = 0; i < spans->term_count; i++) {
        const struct rule_span *span = &spans->terms[i].span;

        buffer_append_format(out, "%s%s ", i > 0 ? " and " : "", rule_operator_name(spans->terms[i].op));
        if (span->years > 0) {
            buffer_append_format(out, "%dy", (int)span->years);
        } else {
            duration_append(out, span->ms);
        }
    }
}

void rule_describe_selector(struct buffer *out, const struct rule_selector *selector)
{
    buffer_append_text(out, selector->any_name ? "any event" : "");
    for (size_t i = 0; i < selector->name_count; i++) {
        buffer_append_text(out, i > 0 ? " or " : "");
        buffer_append_slice(out, selector->names[i]);
    }
    for (size_t i = 0; i < selector->where_count; i++) {
        buffer_append_text(out, i == 0 ? " where " : " and ");
        buffer_append_slice(out, selector->where[i].property.text);
        buffer_append_char(out, ' ');
        rule_describe_comparison(out, &selector->where[i].comparison);
    }
}

void rule_describe_window(struct buffer *out, const struct rule_window *window)
{
    switch (window->kind) {
    case RULE_WINDOW_SLIDING:
        duration_append(out, window->length_ms);
        if (window->offset_ms > 0) {
            buffer_append_text(out, " that ended ");
            duration_append(out, window->offset_ms);
            buffer_append_text(out, " ago");
        }
        if (window->slide_ms > 0) {
            buffer_append_text(out, " in steps of ");
            duration_append(out, window->slide_ms);
        }
        break;
    case RULE_WINDOW_CALENDAR:
        buffer_append_format(out, "%d %s%s of the calendar%s (%.*s)", (int)window->last,
                             rule_period_name(window->period), window->last == 1 ? "" : "s",
                             window->complete ? " that are over" : "", (int)window->zone.size, window->zone.data);
        break;
    case RULE_WINDOW_NONE:
    default:
        buffer_append_text(out, "no window");
        break;
    }
}

void rule_describe_paths(struct buffer *out, const struct rule_path *paths, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buffer_append_text(out, i > 0 ? ", " : "");
        buffer_append_slice(out, paths[i].text);
    }
}

void rule_describe_measured(struct buffer *out, const struct rule_measure *measure)
{
    buffer_append_text(out, measure->kind == RULE_MEASURE_NONE ? "at least one" : rule_measure_name(measure->kind));
    if (measure->period != RULE_PERIOD_NONE) {
        buffer_append_format(out, " %ss (%.*s)", rule_period_name(measure->period), (int)measure->zone.size,
                             measure->zone.data);
    } else if (measure->property.key_count > 0) {
        buffer_append_text(out, " ");
        buffer_append_slice(out, measure->property.text);
        if (measure->product) {
            buffer_append_text(out, " x ");
            buffer_append_slice(out, measure->factor.text);
        }
    }
}

static void append_window(struct buffer *out, const struct rule_window *window)
{
    if (window->kind != RULE_WINDOW_NONE) {
        buffer_append_text(out, " in the last ");
        rule_describe_window(out, window);
    }
}

/* The measure and its events, without the comparison. */
static void append_measured_events(struct buffer *out, const struct criterion *criterion)
{
    rule_describe_measured(out, &criterion->measure);
    buffer_append_text(out, criterion->measure.kind == RULE_MEASURE_NONE ? " " : " of ");
    rule_describe_selector(out, &criterion->selector);
    append_window(out, &criterion->window);
}

void describe_event(struct buffer *out, const struct criterion *criterion)
{
    append_measured_events(out, criterion);
    if (criterion->measure.comparison.term_count > 0) {
        buffer_append_char(out, ' ');
        rule_describe_comparison(out, &criterion->measure.comparison);
    }
    if (criterion->measure.durations.term_count > 0) {
        buffer_append_char(out, ' ');
        rule_describe_spans(out, &criterion->measure.durations);
    }
}

static void append_within(struct buffer *out, const struct criterion *criterion)
{
    buffer_append_text(out, " within ");
    duration_append(out, criterion->within_ms);
    buffer_append_text(out, criterion->or_later ? " or later" : "");
    if (criterion->same_count > 0) {
        buffer_append_text(out, " with the same ");
        rule_describe_paths(out, criterion->same, criterion->same_count);
    }
    append_window(out, &criterion->window);
}

void describe_compare(struct buffer *out, const struct criterion *criterion)
{
    if (criterion->left != NULL) {
        append_measured_events(out, criterion->left);
    }
    buffer_append_format(out, " %s ", rule_operator_name(criterion->op));
    if (criterion->times_micros != DECIMAL_ONE) {
        decimal_append(out, criterion->times_micros);
        buffer_append_text(out, " x ");
    }
    if (criterion->right != NULL) {
        append_measured_events(out, criterion->right);
    }
}

static void append_children(struct buffer *out, const char *head, const struct criterion *criterion)
{
    buffer_append_text(out, head);
    for (size_t i = 0; i < criterion->child_count; i++) {
        buffer_append_text(out, i > 0 ? "; " : "");
        rule_describe_criterion(out, &criterion->children[i]);
    }
    buffer_append_char(out, ')');
}

static void append_trait(struct buffer *out, const char *head, const struct criterion *criterion)
{
    buffer_append_text(out, head);
    buffer_append_slice(out, criterion->trait.text);
    buffer_append_char(out, ' ');
    rule_describe_comparison(out, &criterion->comparison);
    rule_describe_spans(out, &criterion->durations);
}

void describe_absence(struct buffer *out, const struct criterion *criterion)
{
    rule_describe_selector(out, &criterion->selector);
    buffer_append_text(out, " not followed by ");
    rule_describe_selector(out, &criterion->followed_by);
    append_within(out, criterion);
}

void describe_sequence(struct buffer *out, const struct criterion *criterion)
{
    for (size_t i = 0; i < criterion->step_count; i++) {
        buffer_append_text(out, i > 0 ? ", then " : "");
        rule_describe_selector(out, &criterion->steps[i]);
    }
    append_within(out, criterion);
}

void describe_trait(struct buffer *out, const struct criterion *criterion)
{
    append_trait(out, "trait ", criterion);
}

void describe_age(struct buffer *out, const struct criterion *criterion)
{
    append_trait(out, "age of trait ", criterion);
}

void describe_until(struct buffer *out, const struct criterion *criterion)
{
    append_trait(out, "time until trait ", criterion);
}

void describe_reference(struct buffer *out, const struct criterion *criterion)
{
    buffer_append_text(out, "member of ");
    buffer_append_slice(out, criterion->segment_id);
}

void describe_all(struct buffer *out, const struct criterion *criterion)
{
    append_children(out, "all of (", criterion);
}

void describe_any(struct buffer *out, const struct criterion *criterion)
{
    append_children(out, "any of (", criterion);
}

void describe_not(struct buffer *out, const struct criterion *criterion)
{
    append_children(out, "not (", criterion);
}

void describe_percentile(struct buffer *out, const struct criterion *criterion)
{
    buffer_append_text(out, "at or above percentile ");
    decimal_append(out, criterion->percentile_micros);
    buffer_append_text(out, " of ");
    append_measured_events(out, criterion);
    if (criterion->trait.key_count > 0) {
        buffer_append_text(out, " by ");
        buffer_append_slice(out, criterion->trait.text);
    }
}

void describe_nothing(struct buffer *out, const struct criterion *criterion)
{
    (void)criterion;
    buffer_append_text(out, "none");
}

void rule_describe_criterion(struct buffer *out, const struct criterion *criterion)
{
    criterion_operator(criterion)->describe(out, criterion);
}
