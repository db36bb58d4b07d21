/* Whether a change lets fewer or more users in. Said only where it holds at every instant for every set of events. */
#include "common/domain/criterion_parts.h"
#include "common/domain/rule_diff_parts.h"
#include "common/domain/rule_equal.h"
#include "common/domain/rule_operators.h"
#include "common/domain/rule_range.h"

bool rule_diff_paths_differ(const struct rule_path *a, size_t a_count, const struct rule_path *b, size_t b_count)
{
    bool same = a_count == b_count;

    for (size_t i = 0; same && i < a_count; i++) {
        same = rule_path_equal(&a[i], &b[i]);
    }
    return !same;
}

/* ---- matching ---- */

static bool names_overlap(const struct rule_selector *a, const struct rule_selector *b)
{
    for (size_t i = 0; i < a->name_count; i++) {
        for (size_t k = 0; k < b->name_count; k++) {
            if (slice_equal(a->names[i], b->names[k])) {
                return true;
            }
        }
    }
    return a->any_name && b->any_name;
}

/* Of the same form and about the same thing. */
static bool alike(const struct criterion *a, const struct criterion *b)
{
    criterion_alike *row = a->kind == b->kind ? criterion_operator(a)->alike : NULL;

    return row != NULL && row(a, b);
}

bool alike_events(const struct criterion *a, const struct criterion *b)
{
    return names_overlap(&a->selector, &b->selector);
}

bool alike_traits(const struct criterion *a, const struct criterion *b)
{
    return rule_path_equal(&a->trait, &b->trait);
}

bool alike_children(const struct criterion *a, const struct criterion *b)
{
    return alike(&a->children[0], &b->children[0]);
}

bool alike_always(const struct criterion *a, const struct criterion *b)
{
    (void)a;
    (void)b;
    return true;
}

void rule_diff_match(const struct criterion *from, size_t from_count, const struct criterion *to, size_t to_count,
                     size_t *match)
{
    for (size_t i = 0; i < from_count + to_count; i++) {
        match[i] = SIZE_MAX;
    }
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < to_count; i++) {
            for (size_t k = 0; match[from_count + i] == SIZE_MAX && k < from_count; k++) {
                bool fits =
                    match[k] == SIZE_MAX && (pass == 0 ? criterion_equal(&from[k], &to[i]) : alike(&from[k], &to[i]));

                if (fits) {
                    match[k] = i;
                    match[from_count + i] = k;
                }
            }
        }
    }
}

/* ---- what it means ---- */

static enum rule_reach_change opposite(enum rule_reach_change change)
{
    return change == RULE_CHANGE_NARROWER ? RULE_CHANGE_WIDER
           : change == RULE_CHANGE_WIDER  ? RULE_CHANGE_NARROWER
                                          : change;
}

/* Two changes that happen both. */
static enum rule_reach_change both(enum rule_reach_change a, enum rule_reach_change b)
{
    if (a == RULE_CHANGE_NONE || a == b) {
        return b;
    }
    return b == RULE_CHANGE_NONE ? a : RULE_CHANGE_UNCERTAIN;
}

enum { TERMS_MAX = 16 };

/* "At least one event" is a count of 1 or more. */
static struct rule_comparison as_comparison(const struct rule_measure *measure, struct rule_term *term,
                                            struct value *one)
{
    if (measure->kind != RULE_MEASURE_NONE) {
        return measure->comparison;
    }
    *one = (struct value){.type = VALUE_NUMBER, .micros = DECIMAL_ONE};
    *term = (struct rule_term){.op = RULE_GREATER_EQUAL, .operands = one, .operand_count = 1};
    return (struct rule_comparison){.terms = term, .term_count = 1};
}

/* The numeric operator that holds where this one does not; none for others. */
static enum rule_operator inverse(enum rule_operator op)
{
    unsigned orders = ORDER_ANY & ~comparison_operators[op].orders;

    for (int other = 1; comparison_operators[op].numeric && other < COMPARISON_OPERATOR_COUNT; other++) {
        if (comparison_operators[other].numeric && comparison_operators[other].orders == orders) {
            return (enum rule_operator)other;
        }
    }
    return RULE_OPERATOR_NONE;
}

/* Whether every number that satisfies `a` satisfies `b`: none satisfies `a` and the opposite of a term of `b`. */
static bool implies(const struct rule_comparison *a, const struct rule_comparison *b, enum rule_numbers numbers)
{
    struct rule_term terms[TERMS_MAX + 1];

    if (a->term_count > TERMS_MAX) {
        return false;
    }
    for (size_t i = 0; i < a->term_count; i++) {
        terms[i] = a->terms[i];
    }
    for (size_t i = 0; i < b->term_count; i++) {
        terms[a->term_count] = b->terms[i];
        terms[a->term_count].op = inverse(b->terms[i].op);
        if (rule_range_numbers(terms, a->term_count + 1, numbers, RULE_UNBOUNDED) != RULE_NEVER) {
            return false;
        }
    }
    return true;
}

/* The terms of `a` are all in `b`, which has more. */
static bool adds_terms(const struct rule_comparison *a, const struct rule_comparison *b)
{
    for (size_t i = 0; i < a->term_count; i++) {
        const struct rule_comparison one = {.terms = &a->terms[i], .term_count = 1};
        bool found = false;

        for (size_t k = 0; !found && k < b->term_count; k++) {
            const struct rule_comparison other = {.terms = &b->terms[k], .term_count = 1};

            found = rule_comparison_equal(&one, &other);
        }
        if (!found) {
            return false;
        }
    }
    return b->term_count > a->term_count;
}

/* More counting events can only make it true (+1) or only false (-1); 0: either. */
static int grows(const struct rule_measure *measure)
{
    const struct rule_comparison *comparison = &measure->comparison;
    int direction = 0;

    if (measure->kind == RULE_MEASURE_NONE) {
        return 1;
    }
    if (measure_operator(measure)->numbers != RULE_NUMBERS_WHOLE) {
        return 0;
    }
    for (size_t i = 0; i < comparison->term_count; i++) {
        enum rule_operator op = comparison->terms[i].op;
        int one = operator_takes_order(op, 1) - operator_takes_order(op, -1);

        if (one == 0 || (direction != 0 && direction != one)) {
            return 0;
        }
        direction = one;
    }
    return direction;
}

static enum rule_reach_change by_length(int64_t from, int64_t to)
{
    return from == to ? RULE_CHANGE_NONE : to > from ? RULE_CHANGE_WIDER : RULE_CHANGE_NARROWER;
}

/* What the change of the window means for the set of counting events. */
static enum rule_reach_change window_change(const struct rule_window *from, const struct rule_window *to)
{
    if (rule_window_equal(from, to)) {
        return RULE_CHANGE_NONE;
    }
    if (from->kind == RULE_WINDOW_SLIDING && to->kind == RULE_WINDOW_SLIDING && from->offset_ms == to->offset_ms &&
        from->slide_ms == to->slide_ms) {
        return by_length(from->length_ms, to->length_ms);
    }
    /* Without a window all events up to now count. */
    if (from->kind == RULE_WINDOW_NONE || to->kind == RULE_WINDOW_NONE) {
        return to->kind == RULE_WINDOW_NONE ? RULE_CHANGE_WIDER : RULE_CHANGE_NARROWER;
    }
    return RULE_CHANGE_UNCERTAIN;
}

/* The same for the selected events: all that `narrow` selects, `wide` selects. */
static bool selects_less(const struct rule_selector *narrow, const struct rule_selector *wide)
{
    for (size_t i = 0; !wide->any_name && i < narrow->name_count; i++) {
        bool found = false;

        for (size_t k = 0; !found && k < wide->name_count; k++) {
            found = slice_equal(narrow->names[i], wide->names[k]);
        }
        if (!found) {
            return false;
        }
    }
    if (narrow->any_name && !wide->any_name) {
        return false;
    }
    for (size_t i = 0; i < wide->where_count; i++) {
        bool found = false;

        for (size_t k = 0; !found && k < narrow->where_count; k++) {
            found = rule_path_equal(&wide->where[i].property, &narrow->where[k].property) &&
                    (rule_comparison_equal(&wide->where[i].comparison, &narrow->where[k].comparison) ||
                     adds_terms(&wide->where[i].comparison, &narrow->where[k].comparison));
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

static enum rule_reach_change selector_change(const struct rule_selector *from, const struct rule_selector *to)
{
    if (rule_selector_equal(from, to)) {
        return RULE_CHANGE_NONE;
    }
    return selects_less(to, from)   ? RULE_CHANGE_NARROWER
           : selects_less(from, to) ? RULE_CHANGE_WIDER
                                    : RULE_CHANGE_UNCERTAIN;
}

static enum rule_reach_change event_change(const struct criterion *from, const struct criterion *to)
{
    enum rule_reach_change events =
        both(selector_change(&from->selector, &to->selector), window_change(&from->window, &to->window));
    enum rule_numbers numbers = measure_operator(&from->measure)->numbers;
    enum rule_reach_change compared = RULE_CHANGE_UNCERTAIN;
    struct rule_term terms[2];
    struct value ones[2];
    struct rule_comparison before = as_comparison(&from->measure, &terms[0], &ones[0]);
    struct rule_comparison after = as_comparison(&to->measure, &terms[1], &ones[1]);
    bool count = measure_operator(&from->measure)->events && measure_operator(&to->measure)->events;

    if ((!count && !rule_measured_equal(&from->measure, &to->measure)) ||
        !rule_spans_equal(&from->measure.durations, &to->measure.durations)) {
        return RULE_CHANGE_UNCERTAIN;
    }
    if (rule_comparison_equal(&before, &after)) {
        compared = RULE_CHANGE_NONE;
    } else if (numbers == RULE_NUMBERS_NONE) {
        compared = adds_terms(&before, &after)   ? RULE_CHANGE_NARROWER
                   : adds_terms(&after, &before) ? RULE_CHANGE_WIDER
                                                 : RULE_CHANGE_UNCERTAIN;
    } else if (implies(&after, &before, numbers)) {
        compared = implies(&before, &after, numbers) ? RULE_CHANGE_NONE : RULE_CHANGE_NARROWER;
    } else if (implies(&before, &after, numbers)) {
        compared = RULE_CHANGE_WIDER;
    }
    if (events != RULE_CHANGE_NONE) {
        int direction = grows(&from->measure);

        if (direction == 0 || direction != grows(&to->measure)) {
            return RULE_CHANGE_UNCERTAIN;
        }
        events = direction > 0 ? events : opposite(events);
    }
    return both(events, compared);
}

/* An absence and a sequence hold while one occurrence of theirs counts. */
static enum rule_reach_change occurrence_change(const struct criterion *from, const struct criterion *to)
{
    struct criterion rest = *to;
    enum rule_reach_change change = window_change(&from->window, &to->window);

    rest.window = from->window;
    if (to->kind == CRITERION_SEQUENCE) {
        change = both(change, by_length(from->within_ms, to->within_ms));
        rest.within_ms = from->within_ms;
    }
    return criterion_equal(from, &rest) ? change : RULE_CHANGE_UNCERTAIN;
}

static bool criteria_change(const struct criterion *from, size_t from_count, const struct criterion *to,
                            size_t to_count, enum rule_reach_change added, enum rule_reach_change *out,
                            struct error *err);

static bool compare_criteria(const struct criterion *from, const struct criterion *to, enum rule_reach_change *out,
                             struct error *err)
{
    criterion_change *row = criterion_operator(to)->change;

    *out = criterion_equal(from, to) ? RULE_CHANGE_NONE : RULE_CHANGE_UNCERTAIN;
    return *out == RULE_CHANGE_NONE || from->kind != to->kind || row == NULL || row(from, to, out, err);
}

bool change_event(const struct criterion *from, const struct criterion *to, enum rule_reach_change *out,
                  struct error *err)
{
    (void)err;
    *out = event_change(from, to);
    return true;
}

bool change_occurrence(const struct criterion *from, const struct criterion *to, enum rule_reach_change *out,
                       struct error *err)
{
    (void)err;
    *out = occurrence_change(from, to);
    return true;
}

bool change_trait(const struct criterion *from, const struct criterion *to, enum rule_reach_change *out,
                  struct error *err)
{
    (void)err;
    *out = !rule_path_equal(&from->trait, &to->trait)       ? RULE_CHANGE_UNCERTAIN
           : adds_terms(&from->comparison, &to->comparison) ? RULE_CHANGE_NARROWER
           : adds_terms(&to->comparison, &from->comparison) ? RULE_CHANGE_WIDER
                                                            : RULE_CHANGE_UNCERTAIN;
    return true;
}

bool change_all(const struct criterion *from, const struct criterion *to, enum rule_reach_change *out,
                struct error *err)
{
    return criteria_change(from->children, from->child_count, to->children, to->child_count, RULE_CHANGE_NARROWER, out,
                           err);
}

bool change_any(const struct criterion *from, const struct criterion *to, enum rule_reach_change *out,
                struct error *err)
{
    return criteria_change(from->children, from->child_count, to->children, to->child_count, RULE_CHANGE_WIDER, out,
                           err);
}

bool change_not(const struct criterion *from, const struct criterion *to, enum rule_reach_change *out,
                struct error *err)
{
    if (!compare_criteria(&from->children[0], &to->children[0], out, err)) {
        return false;
    }
    *out = opposite(*out);
    return true;
}

/* `added` is what one more criterion means; one less means the opposite. */
static bool criteria_change(const struct criterion *from, size_t from_count, const struct criterion *to,
                            size_t to_count, enum rule_reach_change added, enum rule_reach_change *out,
                            struct error *err)
{
    size_t *match = memory_allocate_zeroed(from_count + to_count, sizeof(*match));
    enum rule_reach_change change = RULE_CHANGE_NONE;
    bool done = match != NULL || error_no_memory(err, "comparing definitions");

    if (match != NULL) {
        rule_diff_match(from, from_count, to, to_count, match);
    }
    for (size_t i = 0; done && i < from_count; i++) {
        change = match[i] == SIZE_MAX ? both(change, opposite(added)) : change;
    }
    for (size_t i = 0; done && i < to_count; i++) {
        enum rule_reach_change one = added;

        if (match[from_count + i] != SIZE_MAX) {
            done = compare_criteria(&from[match[from_count + i]], &to[i], &one, err);
        }
        change = both(change, one);
    }
    memory_free(match);
    *out = change;
    return done;
}

static enum rule_reach_change lifetime_change(const struct definition *from, const struct definition *to)
{
    if (from->duration_ms == to->duration_ms) {
        return RULE_CHANGE_NONE;
    }
    /* Without a duration membership lasts as long as the criteria hold. */
    if (from->duration_ms == 0 || to->duration_ms == 0) {
        return to->duration_ms == 0 ? RULE_CHANGE_WIDER : RULE_CHANGE_NARROWER;
    }
    return by_length(from->duration_ms, to->duration_ms);
}

/* A lifetime begins anew with qualifying instants, of which stricter criteria may have later ones; an exclusion window
 * follows every leaving: with either, criteria that change leave nothing certain. */
bool rule_diff_change(const struct definition *from, const struct definition *to, enum rule_reach_change *out,
                      struct error *err)
{
    enum rule_reach_change criteria = RULE_CHANGE_UNCERTAIN;
    enum rule_reach_change exclude = RULE_CHANGE_UNCERTAIN;
    bool lives = from->duration_ms > 0 || to->duration_ms > 0;

    *out = RULE_CHANGE_UNCERTAIN;
    if (!criteria_change(from->criteria, from->criterion_count, to->criteria, to->criterion_count, RULE_CHANGE_NARROWER,
                         &criteria, err) ||
        !criteria_change(from->exclude, from->exclude_count, to->exclude, to->exclude_count, RULE_CHANGE_WIDER,
                         &exclude, err)) {
        return false;
    }
    if (from->mode != to->mode || (lives && criteria != RULE_CHANGE_NONE)) {
        return true;
    }
    criteria = both(both(criteria, opposite(exclude)), lifetime_change(from, to));
    if (from->exclusion_window_ms > 0 || to->exclusion_window_ms > 0) {
        bool only = criteria == RULE_CHANGE_NONE;

        /* A first one only takes members away. */
        if (only && (from->exclusion_window_ms == 0 || to->exclusion_window_ms == 0)) {
            *out = from->exclusion_window_ms == 0 ? RULE_CHANGE_NARROWER : RULE_CHANGE_WIDER;
        } else if (only && from->exclusion_window_ms == to->exclusion_window_ms) {
            *out = RULE_CHANGE_NONE;
        }
        return true;
    }
    *out = criteria;
    return true;
}
