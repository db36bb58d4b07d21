/* Criteria in generated SQL. Each becomes a CTE of the (user_id, t) at which it holds, so that "all" is INTERSECT,
 * "any" is UNION, and "not" is what EXCEPT leaves of all instants. */
#include "common/base/timestamp.h"
#include "common/domain/decimal.h"
#include "common/domain/rule_sql_parts.h"

#include <inttypes.h>
#include <stdio.h>

static void begin(struct rule_sql *sql, const struct criterion *criterion, const char *name)
{
    buffer_append_format(&sql->truth, ",\n\n%s AS (\n", name);
    rule_sql_note(sql, &sql->truth, "    ", criterion->json_path);
}

/* ---- compare ---- */

bool rule_sql_compare(struct rule_sql *sql, const struct criterion *criterion, bool marked, struct sql_name *out)
{
    struct buffer *truth = &sql->truth;
    bool exact = sql->dialect == SQL_POSTGRES; /* numeric has no bounds; else millionths in whole numbers */
    const char *type = sql->dialect == SQL_DUCKDB ? "HUGEINT" : "DECIMAL(38, 0)";
    struct sql_name left;
    struct sql_name right;

    if (!rule_sql_measure(sql, criterion->left, marked, &left) ||
        !rule_sql_measure(sql, criterion->right, marked, &right)) {
        return false;
    }
    *out = rule_sql_name("c", ++sql->number, SLICE_LITERAL("compare"), "");
    begin(sql, criterion, out->text);
    buffer_append_format(
        truth, "    SELECT l.user_id, l.t\n    FROM %s l\n    JOIN %s r ON r.user_id = l.user_id AND r.t = l.t\n",
        left.text, right.text);
    if (exact) {
        buffer_append_format(truth, "    WHERE l.total * r.parts %s r.total * l.parts * ",
                             rule_sql_operator(criterion->op));
        decimal_append(truth, criterion->times_micros);
    } else {
        buffer_append_format(truth,
                             "    WHERE l.parts > 0 AND r.parts > 0\n      AND CAST(l.total * 1000000 AS %s) * r.parts",
                             type);
        buffer_append_text(truth, criterion->times_micros == DECIMAL_ONE ? "" : " * 1000000");
        buffer_append_format(truth, " %s CAST(r.total * 1000000 AS %s) * l.parts", rule_sql_operator(criterion->op),
                             type);
        if (criterion->times_micros != DECIMAL_ONE) {
            buffer_append_format(truth, " * %" PRId64, criterion->times_micros);
        }
    }
    buffer_append_text(truth, "\n)");
    return !sql->refused;
}

/* ---- absence ---- */

/* "NOT EXISTS (...)": no b other than the a itself from a on until `until`. */
static void append_no_b(const struct criterion *criterion, struct buffer *out, const struct sql_name *others,
                        const char *until)
{
    buffer_append_format(out, "NOT EXISTS (SELECT 1 FROM %s b WHERE b.user_id = a.user_id AND b.event_no <> a.event_no",
                         others->text);
    for (size_t i = 1; i <= criterion->same_count; i++) {
        buffer_append_format(out, " AND b.same_%zu = a.same_%zu", i, i);
    }
    buffer_append_format(out, "\n                      AND b.event_time >= a.event_time AND b.event_time <= %s)",
                         until);
}

bool rule_sql_absence(struct rule_sql *sql, const struct criterion *criterion, bool marked, struct sql_name *out)
{
    unsigned number = ++sql->number;
    const struct rule_selector *selector = &criterion->selector;
    struct slice slug = selector->name_count > 0 ? selector->names[0] : SLICE_LITERAL("any");
    struct sql_name events = rule_sql_name("c", number, slug, "_events");
    struct sql_name others = rule_sql_name("c", number, slug, "_followed_by");
    struct buffer columns;
    char mature[64];
    char begins[96];
    bool done;

    *out = rule_sql_name("c", number, slug, "_alone");
    buffer_init(&columns, 1 << 20);
    rule_sql_same(sql, &columns, criterion);
    done = rule_sql_events(sql, criterion, selector, &criterion->window, buffer_text(&columns), "facts", events) &&
           rule_sql_events(sql, criterion, &criterion->followed_by, NULL, buffer_text(&columns), "facts", others);
    sql->events.failed = sql->events.failed || columns.failed;
    buffer_clear(&columns);
    if (!done) {
        return false;
    }
    (void)snprintf(mature, sizeof mature, "a.event_time + %" PRId64, criterion->within_ms);
    (void)snprintf(begins, sizeof begins, "greatest(a.begins, %s)", mature);
    if (sql->history) {
        rule_sql_window_changes(sql, &events, &criterion->window, false);
        buffer_append_format(&sql->changes, "    UNION ALL SELECT a.user_id, %s FROM %s a\n", mature, events.text);
        if (criterion->or_later) {
            buffer_append_format(&sql->changes, "    UNION ALL SELECT user_id, event_time FROM %s\n", others.text);
        }
    }
    if (marked) {
        buffer_append_format(&sql->marks, "    UNION ALL SELECT a.user_id, %s FROM %s a\n    WHERE ", begins,
                             events.text);
        if (criterion->window.kind != RULE_WINDOW_NONE) {
            buffer_append_format(&sql->marks, "%s < a.ends AND ", begins);
        }
        append_no_b(criterion, &sql->marks, &others, begins);
        buffer_append_char(&sql->marks, '\n');
    }
    begin(sql, criterion, out->text);
    buffer_append_format(&sql->truth, "    SELECT DISTINCT i.user_id, i.t\n    FROM %s i\n    JOIN %s a ON ",
                         sql->instants.text, events.text);
    rule_sql_counting(&sql->truth, &criterion->window, "a", "i");
    buffer_append_format(&sql->truth, "\n    WHERE %s <= i.t\n      AND ", mature);
    append_no_b(criterion, &sql->truth, &others, criterion->or_later ? "i.t" : mature);
    buffer_append_text(&sql->truth, "\n)");
    return true;
}

/* ---- sequence ---- */

/* The events that end an occurrence, with when they begin and end to count. */
static void append_occurrences(struct rule_sql *sql, const struct criterion *criterion, const struct sql_name *steps,
                               const struct sql_name *name)
{
    struct buffer *out = &sql->events;
    size_t last = criterion->step_count;
    bool ends = criterion->window.kind != RULE_WINDOW_NONE;

    buffer_append_format(out, ",\n\n%s AS (\n", name->text);
    rule_sql_note_key(sql, out, "    ", criterion->json_path, "within");
    buffer_append_format(out, "    SELECT DISTINCT e%zu.event_no, e%zu.user_id, e%zu.begins", last, last, last);
    if (ends) {
        buffer_append_format(out, ", e%zu.ends", last);
    }
    buffer_append_format(out, "\n    FROM %s e1", steps[0].text);
    for (size_t i = 2; i <= last; i++) {
        buffer_append_format(out,
                             "\n    JOIN %s e%zu ON e%zu.user_id = e1.user_id AND e%zu.event_time >= e%zu.event_time",
                             steps[i - 1].text, i, i, i, i - 1);
        buffer_append_format(out, "\n        AND e%zu.event_time - e1.event_time <= %" PRId64, i, criterion->within_ms);
        for (size_t k = 1; k < i; k++) {
            buffer_append_format(out, " AND e%zu.event_no <> e%zu.event_no", i, k);
        }
        for (size_t k = 1; k <= criterion->same_count; k++) {
            buffer_append_format(out, " AND e%zu.same_%zu = e1.same_%zu", i, k, k);
        }
    }
    buffer_append_text(out, "\n)");
}

bool rule_sql_sequence(struct rule_sql *sql, const struct criterion *criterion, bool marked, struct sql_name *out)
{
    enum { STEPS_MAX = 8 };
    unsigned number = ++sql->number;
    struct sql_name steps[STEPS_MAX];
    struct sql_name found = rule_sql_name("c", number, SLICE_LITERAL("sequence"), "_found");
    struct buffer columns;
    bool done = true;

    *out = rule_sql_name("c", number, SLICE_LITERAL("sequence"), "");
    if (criterion->step_count > STEPS_MAX) {
        return rule_sql_refuse(sql, criterion, "a sequence of more than 8 steps");
    }
    buffer_init(&columns, 1 << 20);
    rule_sql_same(sql, &columns, criterion);
    for (size_t i = 0; done && i < criterion->step_count; i++) {
        const struct rule_selector *step = &criterion->steps[i];
        char suffix[32];

        (void)snprintf(suffix, sizeof suffix, "_step_%zu", i + 1);
        steps[i] = rule_sql_name("c", number, step->name_count > 0 ? step->names[0] : SLICE_LITERAL("any"), suffix);
        done = rule_sql_events(sql, criterion, step, &criterion->window, buffer_text(&columns), "facts", steps[i]);
    }
    sql->events.failed = sql->events.failed || columns.failed;
    buffer_clear(&columns);
    if (!done) {
        return false;
    }
    append_occurrences(sql, criterion, steps, &found);
    rule_sql_window_changes(sql, &found, &criterion->window, marked);
    begin(sql, criterion, out->text);
    buffer_append_format(&sql->truth, "    SELECT DISTINCT i.user_id, i.t\n    FROM %s i\n    JOIN %s e ON ",
                         sql->instants.text, found.text);
    rule_sql_counting(&sql->truth, &criterion->window, "e", "i");
    buffer_append_text(&sql->truth, "\n)");
    return true;
}

/* ---- traits ---- */

static void append_span_condition(struct rule_sql *sql, struct buffer *out, const struct criterion *criterion)
{
    bool age = criterion->kind == CRITERION_TRAIT_AGE;

    buffer_append_text(out, age ? "v.instant <= v.t" : "v.instant >= v.t");
    for (size_t i = 0; i < criterion->durations.term_count; i++) {
        const struct rule_span_term *term = &criterion->durations.terms[i];

        buffer_append_text(out, " AND ");
        if (term->span.years > 0) {
            buffer_append_format(out, "v.t %s ", rule_sql_operator(term->op));
            rule_sql_anniversary(sql, out, "v.instant", term->span.years);
        } else {
            buffer_append_format(out, "%s %s %" PRId64, age ? "v.t - v.instant" : "v.instant - v.t",
                                 rule_sql_operator(term->op), term->span.ms);
        }
    }
}

static void append_trait_changes(struct rule_sql *sql, const struct criterion *criterion, const struct sql_name *values)
{
    struct buffer *out = &sql->changes;
    bool age = criterion->kind == CRITERION_TRAIT_AGE;

    buffer_append_format(out, "    UNION ALL SELECT user_id, event_time FROM %s\n", values->text);
    if (criterion->kind == CRITERION_TRAIT) {
        return;
    }
    buffer_append_format(out, "    UNION ALL SELECT user_id, instant%s FROM %s\n", age ? "" : " + 1", values->text);
    for (size_t i = 0; i < criterion->durations.term_count; i++) {
        for (int after = 0; after < 2; after++) {
            const struct rule_span *span = &criterion->durations.terms[i].span;

            buffer_append_text(out, "    UNION ALL SELECT user_id, ");
            if (span->years > 0) {
                rule_sql_anniversary(sql, out, "instant", span->years);
            } else {
                buffer_append_format(out, "instant %c %" PRId64, age ? '+' : '-', span->ms);
            }
            buffer_append_format(out, " + %d FROM %s\n", after, values->text);
        }
    }
}

/* A CTE of the identify events that set the trait, with its value and where wanted the instant that it is. */
static void append_trait_values(struct rule_sql *sql, const struct rule_path *trait, bool instant,
                                const struct sql_name *name)
{
    struct buffer *out = &sql->events;
    const char *path = rule_sql_path(sql, trait, true);

    buffer_append_format(out, ",\n\n%s AS (\n    SELECT v.*", name->text);
    if (instant) {
        buffer_append_format(out,
                             ",\n           CASE WHEN v.milliseconds BETWEEN %" PRId64 " AND %" PRId64
                             " THEN v.milliseconds END AS instant\n    FROM (SELECT v.*,\n           ",
                             TIMESTAMP_MIN, TIMESTAMP_MAX);
        rule_sql_instant(sql, out, "v.value");
        buffer_append_text(out, " AS milliseconds");
    }
    buffer_append_text(out, "\n    FROM (SELECT f.user_id, f.event_time, f.message_id");
    rule_sql_value_columns(out, "f.", path);
    buffer_append_format(out, "\n          FROM facts f WHERE f.kind = 'identify' AND f.%s_set) v%s\n)", path,
                         instant ? ") v" : "");
}

/* "SELECT user_id, t, value... " of the trait's value at every instant; missing where it was never set. */
static void append_trait_at(struct rule_sql *sql, struct buffer *out, const struct sql_name *values, bool instant)
{
    buffer_append_format(
        out,
        "        SELECT i.user_id AS user_id, i.t AS t, e.value, e.value_type, e.value_number, e.value_text, "
        "e.value_boolean%s,\n"
        "               row_number() OVER (PARTITION BY i.user_id, i.t\n"
        "               ORDER BY e.event_time DESC NULLS LAST, e.message_id%s DESC NULLS LAST,\n               ",
        instant ? ", e.instant" : "", rule_sql_bytewise(sql));
    rule_sql_greatest_first(sql, out, "e.value");
    buffer_append_format(out,
                         ") AS place\n        FROM %s i\n"
                         "        LEFT JOIN %s e ON e.user_id = i.user_id AND e.event_time <= i.t\n",
                         sql->instants.text, values->text);
}

bool rule_sql_trait(struct rule_sql *sql, const struct criterion *criterion, bool marked, struct sql_name *out)
{
    unsigned number = ++sql->number;
    bool instant = criterion->kind != CRITERION_TRAIT;
    struct sql_name values = rule_sql_name("c", number, criterion->trait.text, "_values");
    struct buffer *truth = &sql->truth;

    (void)marked;
    *out = rule_sql_name("c", number, criterion->trait.text,
                         criterion->kind == CRITERION_TRAIT       ? "_trait"
                         : criterion->kind == CRITERION_TRAIT_AGE ? "_age"
                                                                  : "_until");
    append_trait_values(sql, &criterion->trait, instant, &values);
    if (sql->history) {
        append_trait_changes(sql, criterion, &values);
    }
    begin(sql, criterion, out->text);
    buffer_append_text(truth, "    SELECT v.user_id, v.t\n    FROM (\n");
    append_trait_at(sql, truth, &values, instant);
    buffer_append_text(truth, "    ) v\n    WHERE v.place = 1 AND ");
    if (instant) {
        append_span_condition(sql, truth, criterion);
    } else {
        rule_sql_comparison(sql, truth, criterion, "v.value", &criterion->comparison);
    }
    buffer_append_text(truth, "\n)");
    return !sql->refused;
}

/* ---- percentile ---- */

/* At as_of alone; values are ordered exactly: two different quotients of counts below a million differ at the 24th
 * digit. */
bool rule_sql_percentile(struct rule_sql *sql, const struct criterion *criterion, bool marked, struct sql_name *out)
{
    struct buffer *truth = &sql->truth;
    bool by = criterion->trait.key_count > 0;
    struct sql_name measure;
    struct sql_name groups;
    unsigned number;

    (void)marked;
    if (!rule_sql_measure(sql, criterion, false, &measure)) {
        return false;
    }
    number = ++sql->number;
    groups = rule_sql_name("c", number, SLICE_LITERAL("groups"), "");
    *out = rule_sql_name("c", number, SLICE_LITERAL("percentile"), "");
    if (by) {
        struct sql_name values = rule_sql_name("c", number, criterion->trait.text, "_values");

        append_trait_values(sql, &criterion->trait, false, &values);
        buffer_append_format(truth, ",\n\n%s AS (\n    SELECT v.user_id, v.t, ", groups.text);
        rule_sql_key(sql, truth, "v.value");
        buffer_append_text(truth, " AS same_group\n    FROM (\n");
        append_trait_at(sql, truth, &values, false);
        buffer_append_text(truth, "    ) v\n    WHERE v.place = 1\n)");
    }
    begin(sql, criterion, out->text);
    buffer_append_text(truth, "    SELECT user_id, t\n    FROM (\n        SELECT m.user_id, m.t,\n               "
                              "count(*) OVER (PARTITION BY ");
    buffer_append_text(truth, by ? "g.same_group" : "m.t");
    buffer_append_text(truth, " ORDER BY m.value) AS not_above,\n               count(*) OVER (PARTITION BY ");
    buffer_append_text(truth, by ? "g.same_group" : "m.t");
    buffer_append_text(truth, ") AS users\n        FROM (SELECT user_id, t, ");
    buffer_append_text(truth, sql->dialect == SQL_POSTGRES ? "div(total * 1e40, parts)"
                              : sql->dialect == SQL_DUCKDB
                                  ? "CAST(total * 1000000 AS HUGEINT) * 1000000000000 // parts"
                                  : "CAST(total * 1000000 AS DECIMAL(38, 0)) * 1000000000000 / parts");
    buffer_append_format(truth,
                         " AS value\n              FROM %s CROSS JOIN parameters\n"
                         "              WHERE t = as_of AND events > 0 AND parts > 0 AND total IS NOT NULL) m\n",
                         measure.text);
    if (by) {
        buffer_append_format(truth, "        JOIN %s g ON g.user_id = m.user_id AND g.t = m.t\n", groups.text);
    }
    buffer_append_text(truth, "    ) ranked\n    WHERE not_above * 100 >= users * ");
    decimal_append(truth, criterion->percentile_micros);
    buffer_append_text(truth, "\n)");
    return !sql->refused;
}

/* ---- references ---- */

bool rule_sql_reference(struct rule_sql *sql, const struct criterion *criterion, bool marked, struct sql_name *out)
{
    const struct sql_segment *segment = &sql->segments[criterion->segment_index];

    (void)marked;
    if (!segment->history) {
        *out = segment->members;
        return true;
    }
    if (sql->history) {
        buffer_append_format(&sql->changes, "    UNION ALL SELECT user_id, entered_at FROM %s\n",
                             segment->members.text);
        buffer_append_format(&sql->changes, "    UNION ALL SELECT user_id, left_at FROM %s WHERE left_at IS NOT NULL\n",
                             segment->members.text);
    }
    *out = rule_sql_name("c", ++sql->number, criterion->segment_id, "_member");
    begin(sql, criterion, out->text);
    buffer_append_format(&sql->truth,
                         "    SELECT i.user_id, i.t\n    FROM %s i\n    JOIN %s m ON m.user_id = i.user_id AND ",
                         sql->instants.text, segment->members.text);
    rule_sql_during(&sql->truth, segment, "m", "i.t");
    buffer_append_text(&sql->truth, "\n)");
    return true;
}

/* ---- logic ---- */

bool rule_sql_criteria(struct rule_sql *sql, const struct criterion *criteria, size_t count, const char *join,
                       bool marked, struct sql_name name)
{
    struct sql_name *parts = memory_allocate_zeroed(count, sizeof *parts);
    bool done = parts != NULL || error_no_memory(sql->err, "generated SQL");

    for (size_t i = 0; done && i < count; i++) {
        done = rule_sql_criterion(sql, &criteria[i], marked, &parts[i]);
    }
    if (done) {
        buffer_append_format(&sql->truth, ",\n\n%s AS (", name.text);
        for (size_t i = 0; i < count; i++) {
            buffer_append_format(&sql->truth, "\n    %s%sSELECT user_id, t FROM %s", i > 0 ? join : "",
                                 i > 0 ? " " : "", parts[i].text);
        }
        buffer_append_text(&sql->truth, "\n)");
    }
    memory_free(parts);
    return done;
}

static bool write_not(struct rule_sql *sql, const struct criterion *criterion, bool marked, struct sql_name *out)
{
    struct sql_name child;

    if (!rule_sql_criterion(sql, criterion->children, marked, &child)) {
        return false;
    }
    *out = rule_sql_name("c", ++sql->number, SLICE_LITERAL("not"), "");
    begin(sql, criterion, out->text);
    buffer_append_format(&sql->truth, "    SELECT user_id, t FROM %s EXCEPT SELECT user_id, t FROM %s\n)",
                         sql->instants.text, child.text);
    return true;
}

bool rule_sql_all(struct rule_sql *sql, const struct criterion *criterion, bool marked, struct sql_name *out)
{
    *out = rule_sql_name("c", ++sql->number, SLICE_LITERAL("all"), "");
    return rule_sql_criteria(sql, criterion->children, criterion->child_count, "INTERSECT", marked, *out);
}

bool rule_sql_any(struct rule_sql *sql, const struct criterion *criterion, bool marked, struct sql_name *out)
{
    *out = rule_sql_name("c", ++sql->number, SLICE_LITERAL("any"), "");
    return rule_sql_criteria(sql, criterion->children, criterion->child_count, "UNION", marked, *out);
}

bool rule_sql_not(struct rule_sql *sql, const struct criterion *criterion, bool marked, struct sql_name *out)
{
    bool turned = sql->turned;
    bool done;

    sql->turned = !turned;
    done = write_not(sql, criterion, marked, out);
    sql->turned = turned;
    return done;
}

bool rule_sql_nothing(struct rule_sql *sql, const struct criterion *criterion, bool marked, struct sql_name *out)
{
    (void)marked;
    (void)out;
    return rule_sql_refuse(sql, criterion, "a form that has no SQL");
}

bool rule_sql_criterion(struct rule_sql *sql, const struct criterion *criterion, bool marked, struct sql_name *out)
{
    const struct criterion_operator *row = criterion_operator(criterion);

    return row->write_sql(sql, criterion, marked && (row->combines || !sql->turned), out);
}
