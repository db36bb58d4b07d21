/* Event criteria in generated SQL: the events of a selector with the instants at which they begin and end to count, and
 * the measures over those that count. */
#include "common/domain/decimal.h"
#include "common/domain/rule_sql_parts.h"

#include <inttypes.h>
#include <stdio.h>

/* Instants of one segment's events; empty without a window. */
static bool window_ends(const struct rule_window *window)
{
    return window != NULL && window->kind != RULE_WINDOW_NONE;
}

static void append_sliding(struct buffer *out, const struct rule_window *window)
{
    buffer_append_text(out, ", f.event_time");
    if (window->offset_ms > 0) {
        buffer_append_format(out, " + %" PRId64, window->offset_ms);
    }
    buffer_append_text(out, " AS begins");
    if (window->kind == RULE_WINDOW_NONE) {
        return;
    }
    buffer_append_text(out, ", f.event_time");
    if (window->slide_ms > 0) {
        /* Up to the next point of the grid. % takes the sign of its left side. */
        buffer_append_format(out, " + ((-f.event_time) %% %" PRId64 " + %" PRId64 ") %% %" PRId64, window->slide_ms,
                             window->slide_ms, window->slide_ms);
    }
    buffer_append_format(out, " + %" PRId64 " AS ends", window->offset_ms + window->length_ms);
}

/* What the rule says of its window. */
static void append_window_notes(struct rule_sql *sql, struct buffer *out, const struct criterion *criterion)
{
    static const char *const keys[] = {"window", "offset", "slide"};

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        rule_sql_note_key(sql, out, "    ", criterion->json_path, keys[i]);
    }
}

bool rule_sql_events(struct rule_sql *sql, const struct criterion *criterion, const struct rule_selector *selector,
                     const struct rule_window *window, const char *columns, const char *from, struct sql_name name)
{
    struct buffer *out = &sql->events;
    bool calendar = window != NULL && window->kind == RULE_WINDOW_CALENDAR;
    const char *periods =
        calendar ? rule_sql_calendar(sql, criterion, window->period, window->zone, window->last) : NULL;

    buffer_append_format(out, ",\n\n%s AS (\n", name.text);
    if (window != NULL) {
        append_window_notes(sql, out, criterion);
    }
    buffer_append_text(out, "    SELECT f.event_no, f.user_id, f.event_time, f.message_id");
    if (calendar) {
        buffer_append_format(out, ", %s AS begins, leaves.starts AS ends",
                             window->complete ? "follows.starts" : "f.event_time");
    } else if (window != NULL) {
        append_sliding(out, window);
    }
    buffer_append_format(out, "%s\n    FROM %s f", columns, from);
    if (calendar) {
        buffer_append_format(out, "\n    JOIN %s lies ON lies.starts <= f.event_time AND f.event_time < lies.ends",
                             periods);
        buffer_append_format(out, "\n    JOIN %s leaves ON leaves.k = lies.k + %d", periods,
                             window->last + (window->complete ? 1 : 0));
    }
    if (calendar && window->complete) {
        buffer_append_format(out, "\n    JOIN %s follows ON follows.k = lies.k + 1", periods);
    }
    buffer_append_text(out, "\n    WHERE ");
    rule_sql_selector(sql, out, criterion, selector);
    for (size_t i = 0; i < criterion->same_count; i++) {
        buffer_append_text(out, " AND ");
        buffer_append_format(out, "f.%s_type IN ('boolean', 'number', 'string')",
                             rule_sql_path(sql, &criterion->same[i], false));
    }
    buffer_append_text(out, "\n)");
    return !sql->refused;
}

void rule_sql_same(struct rule_sql *sql, struct buffer *out, const struct criterion *criterion)
{
    for (size_t i = 0; i < criterion->same_count; i++) {
        char value[SQL_NAME_SIZE + 2];

        (void)snprintf(value, sizeof value, "f.%s", rule_sql_path(sql, &criterion->same[i], false));
        buffer_append_text(out, ",\n           ");
        rule_sql_key(sql, out, value);
        buffer_append_format(out, " AS same_%zu", i + 1);
    }
}

void rule_sql_counting(struct buffer *out, const struct rule_window *window, const char *events, const char *instants)
{
    buffer_append_format(out, "%s.user_id = %s.user_id AND %s.begins <= %s.t", events, instants, events, instants);
    if (window_ends(window)) {
        buffer_append_format(out, " AND %s.t < %s.ends", instants, events);
    }
}

void rule_sql_window_changes(struct rule_sql *sql, const struct sql_name *events, const struct rule_window *window,
                             bool marked)
{
    if (!sql->history) {
        return;
    }
    buffer_append_format(&sql->changes, "    UNION ALL SELECT user_id, begins FROM %s\n", events->text);
    if (window_ends(window)) {
        buffer_append_format(&sql->changes, "    UNION ALL SELECT user_id, ends FROM %s\n", events->text);
    }
    if (marked) {
        buffer_append_format(&sql->marks, "    UNION ALL SELECT user_id, begins FROM %s\n", events->text);
    }
}

/* ---- measures ---- */

/* Of a value that was chosen a product has the columns of a number. */
static void append_product_columns(struct rule_sql *sql, struct buffer *columns, bool chosen)
{
    const char *text = rule_sql_text_type(sql);

    if (!chosen) {
        buffer_append_text(columns, ",\n           f.product AS value");
        return;
    }
    buffer_append_format(
        columns,
        ", CAST(NULL AS %s) AS value, CASE WHEN f.product IS NOT NULL THEN 'number' END AS value_type, "
        "f.product AS value_number, CAST(NULL AS %s) AS value_text, CAST(NULL AS BOOLEAN) AS "
        "value_boolean",
        sql->dialect == SQL_POSTGRES ? "jsonb" : text, text);
}

/* The CTE of a measure's events, with `value` (and, for latest and earliest, its types). */
static bool append_measured(struct rule_sql *sql, const struct criterion *criterion, struct sql_name name)
{
    const struct rule_measure *measure = &criterion->measure;
    bool chosen = measure_operator(measure)->result == MEASURE_VALUE;
    struct buffer columns;
    struct buffer from;
    bool done;

    buffer_init(&columns, 1 << 20);
    buffer_init(&from, 1 << 20);
    buffer_append_text(&from, "facts");
    if (measure->product) {
        const char *a = rule_sql_path(sql, &measure->property, false);
        const char *b = rule_sql_path(sql, &measure->factor, false);

        buffer_reset(&from);
        buffer_append_text(&from, "(SELECT f.*,\n           ");
        rule_sql_product(sql, &from, "f.exact_product");
        buffer_append_text(&from, " AS product\n          FROM (SELECT f.*, ");
        rule_sql_factors(sql, &from, a, b);
        buffer_append_text(&from, " AS exact_product FROM facts f) f)");
        append_product_columns(sql, &columns, chosen);
    } else if (measure_operator(measure)->numeric) {
        buffer_append_format(&columns, ",\n           f.%s_number AS value",
                             rule_sql_path(sql, &measure->property, false));
    } else if (measure->period != RULE_PERIOD_NONE) {
        const char *periods = rule_sql_calendar(sql, criterion, measure->period, measure->zone, 0);

        buffer_reset(&from);
        buffer_append_format(&from,
                             "(SELECT f.*, p.k AS period\n"
                             "          FROM facts f\n"
                             "          LEFT JOIN %s p ON p.starts <= f.event_time AND f.event_time < p.ends)",
                             periods);
        buffer_append_text(&columns, ",\n           f.period AS value");
    } else if (measure_operator(measure)->different) {
        char value[SQL_NAME_SIZE + 2];

        (void)snprintf(value, sizeof value, "f.%s", rule_sql_path(sql, &measure->property, false));
        buffer_append_text(&columns, ",\n           ");
        rule_sql_key(sql, &columns, value);
        buffer_append_text(&columns, " AS value");
    } else if (chosen) {
        rule_sql_value_columns(&columns, "f.", rule_sql_path(sql, &measure->property, false));
    }
    /* "by" is not "same": a measure's criterion has none. */
    done = rule_sql_events(sql, criterion, &criterion->selector, &criterion->window, buffer_text(&columns),
                           buffer_text(&from), name);
    sql->events.failed = sql->events.failed || columns.failed || from.failed;
    buffer_clear(&columns);
    buffer_clear(&from);
    return done;
}

/* total / parts against the operands, without dividing, so exactly. */
static void append_number_terms(struct buffer *out, const struct rule_comparison *comparison,
                                const struct measure_operator *row)
{
    for (size_t i = 0; i < comparison->term_count; i++) {
        const struct rule_term *term = &comparison->terms[i];

        buffer_append_format(out, "%s%s %s ", i > 0 ? " AND " : "", row->sql_total, rule_sql_operator(term->op));
        decimal_append(out, term->operands[0].micros);
        if (row->sql_parts != NULL) {
            buffer_append_format(out, " * %s", row->sql_parts);
        }
    }
}

static void append_span_terms(struct buffer *out, const struct rule_span_comparison *spans, const char *value)
{
    for (size_t i = 0; i < spans->term_count; i++) {
        buffer_append_format(out, "%s%s %s %" PRId64, i > 0 ? " AND " : "", value,
                             rule_sql_operator(spans->terms[i].op), spans->terms[i].span.ms);
    }
}

static void append_having(struct buffer *out, const struct rule_measure *measure)
{
    const struct measure_operator *row = measure_operator(measure);

    if (measure->kind == RULE_MEASURE_NONE) {
        buffer_append_format(out, "%s >= 1", row->sql_total);
    } else if (row->result == MEASURE_AGE) {
        append_span_terms(out, &measure->durations, row->sql_total);
    } else {
        append_number_terms(out, &measure->comparison, row);
    }
}

/* The last or first counting event, in the order (time, message id bytewise, a missing one first); ties by value. */
static void append_chosen(struct rule_sql *sql, struct buffer *out, const struct criterion *criterion,
                          const struct sql_name *events)
{
    bool latest = measure_operator(&criterion->measure)->end == MEASURE_END_LAST;

    buffer_append_format(out,
                         "    SELECT v.user_id, v.t\n"
                         "    FROM (\n"
                         "        SELECT i.user_id AS user_id, i.t AS t, e.value, e.value_type, e.value_number, "
                         "e.value_text, e.value_boolean,\n"
                         "               row_number() OVER (PARTITION BY i.user_id, i.t\n"
                         "               ORDER BY e.event_time%s, e.message_id%s%s,\n               ",
                         latest ? " DESC" : "", rule_sql_bytewise(sql), latest ? " DESC NULLS LAST" : " NULLS FIRST");
    rule_sql_greatest_first(sql, out, "e.value");
    buffer_append_format(out, ") AS place\n        FROM %s i\n        JOIN %s e ON ", sql->instants.text, events->text);
    rule_sql_counting(out, &criterion->window, "e", "i");
    buffer_append_text(out, "\n    ) v\n    WHERE v.place = 1 AND ");
    rule_sql_comparison(sql, out, criterion, "v.value", &criterion->measure.comparison);
}

/* The instants at which "first" and "last" become older than a bound. */
static void append_age_changes(struct rule_sql *sql, const struct rule_measure *measure, const struct sql_name *events)
{
    for (size_t i = 0; sql->history && i < measure->durations.term_count; i++) {
        for (int64_t after = 0; after < 2; after++) {
            buffer_append_format(&sql->changes, "    UNION ALL SELECT user_id, event_time + %" PRId64 " FROM %s\n",
                                 measure->durations.terms[i].span.ms + after, events->text);
        }
    }
}

static struct slice slug_of(const struct rule_selector *selector)
{
    return selector->name_count > 0 ? selector->names[0] : SLICE_LITERAL("any");
}

bool rule_sql_event(struct rule_sql *sql, const struct criterion *criterion, bool marked, struct sql_name *out)
{
    const struct rule_measure *measure = &criterion->measure;
    unsigned number = ++sql->number;
    struct slice slug = slug_of(&criterion->selector);
    struct sql_name events = rule_sql_name("c", number, slug, "_events");
    char suffix[16];

    (void)snprintf(suffix, sizeof suffix, "_%s",
                   measure->kind == RULE_MEASURE_NONE ? "seen" : rule_measure_name(measure->kind));
    *out = rule_sql_name("c", number, slug, suffix);
    if (!append_measured(sql, criterion, events)) {
        return false;
    }
    rule_sql_window_changes(sql, &events, &criterion->window, marked);
    append_age_changes(sql, measure, &events);
    buffer_append_format(&sql->truth, ",\n\n%s AS (\n", out->text);
    rule_sql_note(sql, &sql->truth, "    ", criterion->json_path);
    if (measure_operator(measure)->result == MEASURE_VALUE) {
        append_chosen(sql, &sql->truth, criterion, &events);
    } else {
        buffer_append_format(&sql->truth, "    SELECT i.user_id, i.t\n    FROM %s i\n    LEFT JOIN %s e ON ",
                             sql->instants.text, events.text);
        rule_sql_counting(&sql->truth, &criterion->window, "e", "i");
        buffer_append_text(&sql->truth, "\n    GROUP BY i.user_id, i.t\n    HAVING ");
        append_having(&sql->truth, measure);
    }
    buffer_append_text(&sql->truth, "\n)");
    return !sql->refused;
}

bool rule_sql_measure(struct rule_sql *sql, const struct criterion *criterion, bool marked, struct sql_name *out)
{
    const struct rule_measure *measure = &criterion->measure;
    const struct measure_operator *row = measure_operator(measure);
    unsigned number = ++sql->number;
    struct slice slug = slug_of(&criterion->selector);
    struct sql_name events = rule_sql_name("c", number, slug, "_events");
    char suffix[16];

    (void)snprintf(suffix, sizeof suffix, "_%s", rule_measure_name(measure->kind));
    *out = rule_sql_name("c", number, slug, suffix);
    if (!append_measured(sql, criterion, events)) {
        return false;
    }
    rule_sql_window_changes(sql, &events, &criterion->window, marked);
    buffer_append_format(&sql->truth, ",\n\n%s AS (\n", out->text);
    rule_sql_note(sql, &sql->truth, "    ", criterion->json_path);
    buffer_append_format(&sql->truth,
                         "    SELECT i.user_id, i.t, %s AS total, %s AS parts, count(e.user_id) AS events\n"
                         "    FROM %s i\n    LEFT JOIN %s e ON ",
                         row->sql_total, row->sql_parts == NULL ? "1" : row->sql_parts, sql->instants.text,
                         events.text);
    rule_sql_counting(&sql->truth, &criterion->window, "e", "i");
    buffer_append_text(&sql->truth, "\n    GROUP BY i.user_id, i.t\n)");
    return !sql->refused;
}
