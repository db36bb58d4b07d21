#include "common/domain/rule_range.h"

#include "common/domain/rule_range_parts.h"

enum { POINTS_MAX = 64 };

static const int128 unlimited = (int128)1 << 100;

/* The multiples of `step` from low to high that are left, and those taken out of them one by one. */
struct range {
    int128 low;
    int128 high;
    int128 step;
    int128 excluded[POINTS_MAX];
    size_t excluded_count;
    bool narrowed;
};

/* The greatest multiple of step that is <= at. */
static int128 grid_floor(int128 at, int128 step)
{
    int128 rest = at % step;

    return rest == 0 ? at : at - rest - (rest < 0 ? step : 0);
}

static int128 grid_ceil(int128 at, int128 step)
{
    int128 floor = grid_floor(at, step);

    return floor == at ? at : floor + step;
}

static void range_raise(struct range *range, int128 low)
{
    if (low > range->low) {
        range->low = low;
        range->narrowed = true;
    }
}

static void range_lower(struct range *range, int128 high)
{
    if (high < range->high) {
        range->high = high;
        range->narrowed = true;
    }
}

/* A point too many to remember stays in: then fewer ranges are empty, never more. */
static void range_exclude(struct range *range, int128 at)
{
    if (at < range->low || at > range->high || at % range->step != 0) {
        return;
    }
    range->narrowed = true;
    for (size_t i = 0; i < range->excluded_count; i++) {
        if (range->excluded[i] == at) {
            return;
        }
    }
    if (range->excluded_count < POINTS_MAX) {
        range->excluded[range->excluded_count++] = at;
    }
}

/* Nothing is told of an operator that does not go by order. */
static void range_take(struct range *range, enum rule_operator op, int128 at)
{
    unsigned orders = comparison_operators[op].orders;
    bool equal = (orders & ORDER_EQUAL) != 0;

    if (orders == ORDER_NONE) {
        return;
    }
    if (orders == (ORDER_LESS | ORDER_GREATER)) {
        range_exclude(range, at);
        return;
    }
    if ((orders & ORDER_LESS) == 0) {
        range_raise(range, equal ? grid_ceil(at, range->step) : grid_floor(at, range->step) + range->step);
    }
    if ((orders & ORDER_GREATER) == 0) {
        range_lower(range, equal ? grid_floor(at, range->step) : grid_ceil(at, range->step) - range->step);
    }
}

static enum rule_truth range_truth(const struct range *range)
{
    size_t inside = 0;

    if (range->low > range->high) {
        return RULE_NEVER;
    }
    for (size_t i = 0; i < range->excluded_count; i++) {
        inside += range->excluded[i] >= range->low && range->excluded[i] <= range->high ? 1 : 0;
    }
    if ((range->high - range->low) / range->step < (int128)inside) {
        return RULE_NEVER;
    }
    return range->narrowed ? RULE_DEPENDS : RULE_ALWAYS;
}

/* ---- numbers ---- */

enum rule_truth rule_range_numbers(const struct rule_term *terms, size_t term_count, enum rule_numbers numbers,
                                   int64_t greatest)
{
    /* Between two neighbouring decimals there is always an average: counted in halves of a millionth, an odd number
     * stands for all of them. */
    int128 scale = numbers == RULE_NUMBERS_AVERAGE ? 2 : 1;
    struct range range = {.low = DECIMAL_MIN * scale, .high = DECIMAL_MAX * scale, .step = 1};

    if (numbers == RULE_NUMBERS_SUM) {
        range.low = -unlimited;
        range.high = unlimited;
    } else if (numbers == RULE_NUMBERS_WHOLE) {
        range.low = 0;
        range.high = greatest == RULE_UNBOUNDED ? unlimited * DECIMAL_ONE : (int128)greatest * DECIMAL_ONE;
        range.step = DECIMAL_ONE;
    }
    for (size_t i = 0; i < term_count; i++) {
        if (terms[i].operand_count == 1) {
            range_take(&range, terms[i].op, terms[i].operands[0].micros * scale);
        }
    }
    return range_truth(&range);
}

/* ---- values ---- */

static bool holds(const struct rule_term *terms, size_t term_count, const struct value *value,
                  struct comparison_scratch *scratch)
{
    const struct rule_comparison comparison = {.terms = (struct rule_term *)(uintptr_t)terms, .term_count = term_count};

    return comparison_value(&comparison, value, scratch);
}

static bool allowed(const struct value *value, bool only_number)
{
    return !only_number || value->type == VALUE_NUMBER;
}

/* Where a term names the values that satisfy it, no other can satisfy all. *named says whether there is one. */
static bool a_named_value_holds(const struct rule_term *terms, size_t term_count, bool only_number, bool *named,
                                struct comparison_scratch *scratch)
{
    *named = false;
    for (size_t i = 0; i < term_count; i++) {
        if (!comparison_operators[terms[i].op].names_values) {
            continue;
        }
        *named = true;
        for (size_t k = 0; k < terms[i].operand_count; k++) {
            if (allowed(&terms[i].operands[k], only_number) &&
                holds(terms, term_count, &terms[i].operands[k], scratch)) {
                return true;
            }
        }
        return false;
    }
    return false;
}

static bool a_boolean_holds(const struct rule_term *terms, size_t term_count, struct comparison_scratch *scratch)
{
    const struct value yes = {.type = VALUE_BOOLEAN, .boolean = true};
    const struct value no = {.type = VALUE_BOOLEAN, .boolean = false};

    return holds(terms, term_count, &yes, scratch) || holds(terms, term_count, &no, scratch);
}

/* Whether a value of the type may satisfy the term. */
static bool type_may_hold(const struct rule_term *term, enum value_type type)
{
    const struct comparison_operator *row = &comparison_operators[term->op];

    return (row->satisfied_by >> type & 1) != 0 && (term->op != RULE_EXISTS || term->exists) &&
           (row->operand != OPERAND_ORDERED || term->operands[0].type == type);
}

static bool a_number_may_hold(const struct rule_term *terms, size_t term_count)
{
    struct range range = {.low = DECIMAL_MIN, .high = DECIMAL_MAX, .step = 1};

    for (size_t i = 0; i < term_count; i++) {
        const struct rule_term *term = &terms[i];

        if (!type_may_hold(term, VALUE_NUMBER)) {
            return false;
        }
        for (size_t k = 0; k < term->operand_count; k++) {
            if (term->operands[k].type == VALUE_NUMBER) {
                range_take(&range, term->op, term->operands[k].micros);
            }
        }
    }
    return range_truth(&range) != RULE_NEVER;
}

/* What strings are left: from low (or more) to high (or less), beginning and ending as said. */
struct text_range {
    const struct rule_term *low;
    const struct rule_term *high;
    struct slice begin;
    struct slice end;
    bool none;
};

static bool ends_with(struct slice text, struct slice end)
{
    return text.size >= end.size &&
           (end.size == 0 || memcmp(text.data + (text.size - end.size), end.data, end.size) == 0);
}

/* Of two bounds the tighter one: at the same text the one that leaves it out. */
static void bound(const struct rule_term **kept, const struct rule_term *term, bool upper)
{
    int order = *kept == NULL ? 0 : slice_compare(term->operands[0].text, (*kept)->operands[0].text);
    bool strict = !operator_takes_order(term->op, 0);

    if (*kept == NULL || (upper ? order < 0 : order > 0) || (order == 0 && strict)) {
        *kept = term;
    }
}

static bool is_text(const struct rule_term *term)
{
    return term->operand_count == 1 && term->operands[0].type == VALUE_STRING;
}

void rule_range_texts_above(struct text_range *texts, const struct rule_term *term)
{
    texts->none = texts->none || !is_text(term);
    if (is_text(term)) {
        bound(&texts->low, term, false);
    }
}

void rule_range_texts_below(struct text_range *texts, const struct rule_term *term)
{
    texts->none = texts->none || !is_text(term);
    if (is_text(term)) {
        bound(&texts->high, term, true);
    }
}

void rule_range_texts_existing(struct text_range *texts, const struct rule_term *term)
{
    texts->none = texts->none || !term->exists;
}

void rule_range_texts_containing(struct text_range *texts, const struct rule_term *term)
{
    texts->none = texts->none || !is_text(term);
}

void rule_range_texts_beginning(struct text_range *texts, const struct rule_term *term)
{
    struct slice text = term->operands[0].text;

    texts->none = texts->none || !(slice_starts_with(text, texts->begin) || slice_starts_with(texts->begin, text));
    texts->begin = text.size > texts->begin.size ? text : texts->begin;
}

void rule_range_texts_ending(struct text_range *texts, const struct rule_term *term)
{
    struct slice text = term->operands[0].text;

    texts->none = texts->none || !(ends_with(text, texts->end) || ends_with(texts->end, text));
    texts->end = text.size > texts->end.size ? text : texts->end;
}

static bool a_text_may_hold(const struct rule_term *terms, size_t term_count, struct comparison_scratch *scratch)
{
    struct text_range texts = {0};

    for (size_t i = 0; i < term_count; i++) {
        operator_texts *take = comparison_operators[terms[i].op].texts;

        if (take != NULL) {
            take(&texts, &terms[i]);
        }
    }
    if (texts.none) {
        return false;
    }
    if (texts.low != NULL && texts.high != NULL) {
        int order = slice_compare(texts.low->operands[0].text, texts.high->operands[0].text);

        if (order >= 0) {
            return order == 0 && holds(terms, term_count, &texts.low->operands[0], scratch);
        }
    }
    /* All that begins with "b" lies behind "a", and before "c". */
    if (texts.begin.size > 0 && texts.high != NULL && slice_compare(texts.begin, texts.high->operands[0].text) > 0) {
        return false;
    }
    return texts.begin.size == 0 || texts.low == NULL || slice_starts_with(texts.low->operands[0].text, texts.begin) ||
           slice_compare(texts.begin, texts.low->operands[0].text) > 0;
}

/* An array or object: it exists, differs from every operand, and an array may contain what is asked for. */
static bool a_compound_may_hold(const struct rule_term *terms, size_t term_count)
{
    for (size_t i = 0; i < term_count; i++) {
        if (!type_may_hold(&terms[i], VALUE_COMPOUND)) {
            return false;
        }
    }
    return true;
}

enum rule_truth rule_range_values(const struct rule_term *terms, size_t term_count, bool only_number,
                                  struct comparison_scratch *scratch)
{
    const struct value missing = {.type = VALUE_MISSING};
    bool named;
    bool may = a_named_value_holds(terms, term_count, only_number, &named, scratch);

    if (!named) {
        may = holds(terms, term_count, &missing, scratch) || a_number_may_hold(terms, term_count) ||
              (!only_number && (a_boolean_holds(terms, term_count, scratch) ||
                                a_text_may_hold(terms, term_count, scratch) || a_compound_may_hold(terms, term_count)));
    }
    return may ? RULE_DEPENDS : RULE_NEVER;
}

/* ---- lengths of time ---- */

static const int64_t day_ms = INT64_C(86400000);

static enum rule_truth spans_of_one_unit(const struct rule_span_comparison *spans, bool years, int64_t least_ms,
                                         int64_t greatest_ms)
{
    struct range range = {.low = years ? 0 : least_ms, .high = unlimited, .step = 1};

    if (!years && greatest_ms != RULE_UNBOUNDED) {
        range.high = greatest_ms;
    }
    for (size_t i = 0; i < spans->term_count; i++) {
        const struct rule_span *span = &spans->terms[i].span;

        /* Counted in halves of a year, an odd number stands for all that lies between two birthdays. */
        range_take(&range, spans->terms[i].op, years ? 2 * (int128)span->years : (int128)span->ms);
    }
    return range_truth(&range);
}

/* Years beside milliseconds: only bounds that hold for years of 365 and of 366 days contradict each other for certain.
 */
static enum rule_truth spans_of_both_units(const struct rule_span_comparison *spans)
{
    int128 low = 0;
    int128 high = unlimited;

    for (size_t i = 0; i < spans->term_count; i++) {
        const struct rule_span *span = &spans->terms[i].span;
        int128 shortest = span->years > 0 ? (int128)span->years * 365 * day_ms : span->ms;
        int128 longest = span->years > 0 ? (int128)span->years * 366 * day_ms : span->ms;
        unsigned orders = comparison_operators[spans->terms[i].op].orders;

        if ((orders & ORDER_LESS) == 0 && shortest > low) {
            low = shortest;
        }
        if ((orders & ORDER_GREATER) == 0 && longest < high) {
            high = longest;
        }
    }
    return low > high ? RULE_NEVER : RULE_DEPENDS;
}

enum rule_truth rule_range_spans(const struct rule_span_comparison *spans, int64_t least_ms, int64_t greatest_ms)
{
    size_t year_count = 0;

    for (size_t i = 0; i < spans->term_count; i++) {
        year_count += spans->terms[i].span.years > 0 ? 1 : 0;
    }
    if (year_count > 0 && year_count < spans->term_count) {
        return spans_of_both_units(spans);
    }
    return spans_of_one_unit(spans, year_count > 0, least_ms, greatest_ms);
}

/* ---- windows ---- */

/* Upper bounds in days; local clocks shift by at most 32 hours over all changes (from -16 h to +16 h). */
static const int64_t period_days_max[] = {
    [RULE_PERIOD_NONE] = 0, [RULE_DAY] = 1, [RULE_WEEK] = 7, [RULE_MONTH] = 31, [RULE_QUARTER] = 92, [RULE_YEAR] = 366};
static const int64_t period_days_min[] = {
    [RULE_PERIOD_NONE] = 1, [RULE_DAY] = 1, [RULE_WEEK] = 7, [RULE_MONTH] = 28, [RULE_QUARTER] = 90, [RULE_YEAR] = 365};

int64_t rule_range_window_ms(const struct rule_window *window)
{
    switch (window->kind) {
    case RULE_WINDOW_SLIDING:
        return window->offset_ms + window->length_ms + (window->slide_ms > 0 ? window->slide_ms - 1 : 0);
    case RULE_WINDOW_CALENDAR:
        return (period_days_max[window->period] * (window->last + (window->complete ? 1 : 0)) + 2) * day_ms;
    case RULE_WINDOW_NONE:
    default:
        return RULE_UNBOUNDED;
    }
}

/* Two local times of the window lie at most its length and the shifts of the clock apart. */
int64_t rule_range_periods(const struct rule_window *window, enum rule_period period)
{
    int64_t length_ms = rule_range_window_ms(window);

    if (length_ms == RULE_UNBOUNDED) {
        return RULE_UNBOUNDED;
    }
    return (length_ms + 2 * day_ms) / (period_days_min[period] * day_ms) + 2;
}
