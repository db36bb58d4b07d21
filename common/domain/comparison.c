#include "common/domain/comparison.h"

#include "common/base/timestamp.h"
#include "common/domain/comparison_parts.h"

enum { LIMBS = 5, SCRATCH_SIZE_MAX = 64 << 20 };

void comparison_scratch_init(struct comparison_scratch *scratch)
{
    json_document_init(&scratch->document);
    arena_init(&scratch->arena, SCRATCH_SIZE_MAX);
    scratch->failed = false;
}

void comparison_scratch_clear(struct comparison_scratch *scratch)
{
    json_document_clear(&scratch->document);
    arena_clear(&scratch->arena);
}

static bool array_contains(struct slice text, const struct value *wanted, struct comparison_scratch *scratch)
{
    static const struct json_limits limits = {.depth_max = 64, .size_max = UINT32_MAX - 1};
    struct error ignored = ERROR_INIT;
    struct json_document *document = &scratch->document;
    bool found = false;

    if (text.size == 0 || text.data[0] != '[') {
        return false;
    }
    if (!json_parse(document, text, &limits, &ignored)) {
        /* An event's text is JSON; one of a state that somebody has written may be anything. */
        scratch->failed = ignored.code != ERROR_INPUT;
        return false;
    }
    for (uint32_t token = 1; token < document->token_count && !found; token = document->tokens[token].end_token) {
        struct value element;

        if (!json_value(document, (int32_t)token, &scratch->arena, &element, NULL)) {
            scratch->failed = true;
            break;
        }
        found = value_equal(&element, wanted);
    }
    arena_reset(&scratch->arena);
    return found;
}

/* ---- the operators, on a value that exists ---- */

bool comparison_never(const struct rule_term *term, const struct value *value, struct comparison_scratch *scratch)
{
    (void)term;
    (void)value;
    (void)scratch;
    return false;
}

bool comparison_equal(const struct rule_term *term, const struct value *value, struct comparison_scratch *scratch)
{
    (void)scratch;
    return value_equal(value, term->operands);
}

bool comparison_not_equal(const struct rule_term *term, const struct value *value, struct comparison_scratch *scratch)
{
    return !comparison_equal(term, value, scratch);
}

bool comparison_ordered(const struct rule_term *term, const struct value *value, struct comparison_scratch *scratch)
{
    (void)scratch;
    return value->type == term->operands->type && (value->type == VALUE_NUMBER || value->type == VALUE_STRING) &&
           operator_takes_order(term->op, value_compare(value, term->operands));
}

bool comparison_in(const struct rule_term *term, const struct value *value, struct comparison_scratch *scratch)
{
    (void)scratch;
    for (size_t i = 0; i < term->operand_count; i++) {
        if (value_equal(&term->operands[i], value)) {
            return true;
        }
    }
    return false;
}

bool comparison_not_in(const struct rule_term *term, const struct value *value, struct comparison_scratch *scratch)
{
    return !comparison_in(term, value, scratch);
}

bool comparison_exists(const struct rule_term *term, const struct value *value, struct comparison_scratch *scratch)
{
    (void)value;
    (void)scratch;
    return term->exists;
}

bool comparison_contains(const struct rule_term *term, const struct value *value, struct comparison_scratch *scratch)
{
    const struct value *operand = term->operands;

    if (value->type == VALUE_COMPOUND) {
        return array_contains(value->text, operand, scratch);
    }
    if (value->type != VALUE_STRING || operand->type != VALUE_STRING) {
        return false;
    }
    return operand->text.size == 0 || (value->text.size > 0 && memmem(value->text.data, value->text.size,
                                                                      operand->text.data, operand->text.size) != NULL);
}

bool comparison_starts_with(const struct rule_term *term, const struct value *value, struct comparison_scratch *scratch)
{
    const struct value *operand = term->operands;

    (void)scratch;
    return value->type == VALUE_STRING && operand->type == VALUE_STRING &&
           slice_starts_with(value->text, operand->text);
}

bool comparison_ends_with(const struct rule_term *term, const struct value *value, struct comparison_scratch *scratch)
{
    struct slice text = value->text;
    struct slice end = term->operands->text;

    (void)scratch;
    return value->type == VALUE_STRING && term->operands->type == VALUE_STRING && text.size >= end.size &&
           (end.size == 0 || memcmp(text.data + (text.size - end.size), end.data, end.size) == 0);
}

static bool term_holds(const struct rule_term *term, const struct value *value, struct comparison_scratch *scratch)
{
    if (value->type == VALUE_MISSING) {
        return term->op == RULE_EXISTS && !term->exists;
    }
    return comparison_operators[term->op].holds(term, value, scratch);
}

bool comparison_value(const struct rule_comparison *comparison, const struct value *value,
                      struct comparison_scratch *scratch)
{
    for (size_t i = 0; i < comparison->term_count; i++) {
        if (!term_holds(&comparison->terms[i], value, scratch)) {
            return false;
        }
    }
    return true;
}

bool comparison_quotient(const struct rule_comparison *comparison, const struct quotient *number)
{
    if (!number->exists) {
        return false;
    }
    for (size_t i = 0; i < comparison->term_count; i++) {
        const struct rule_term *term = &comparison->terms[i];
        /* |operand| < 2^63 and count < 2^32, so the product fits. */
        int128 operand = term->operand_count > 0 ? (int128)term->operands[0].micros * number->count : 0;

        if (!operator_takes_order(term->op, (number->sum > operand) - (number->sum < operand))) {
            return false;
        }
    }
    return true;
}

/* Bounds from below, or from above, are one. */
struct comparison_bound comparison_bound_of(const struct rule_comparison *comparison)
{
    struct comparison_bound found = {.used = false};
    size_t rising = 0;

    for (size_t i = 0; i < comparison->term_count; i++) {
        const struct rule_term *term = &comparison->terms[i];
        bool above = term->op == RULE_GREATER || term->op == RULE_GREATER_EQUAL;
        /* "more than x" is at least x + 1 micro, "at most x" less than that. */
        bool next = term->op == RULE_GREATER || term->op == RULE_LESS_EQUAL;
        int128 bound;

        if (term->operand_count != 1 || (!above && term->op != RULE_LESS && term->op != RULE_LESS_EQUAL)) {
            return found;
        }
        bound = (int128)term->operands[0].micros + next;
        if (i == 0 || (above ? bound > found.at_least : bound < found.at_least)) {
            found.at_least = bound;
        }
        rising += above;
    }
    found.below = rising == 0;
    found.used = comparison->term_count > 0 && (rising == 0 || rising == comparison->term_count);
    return found;
}

/* Magnitudes of up to 320 bits, little end first: a sum of 2^32 micros (95 bits) times three factors below 2^64 fits.
 */
struct wide {
    uint64_t limbs[LIMBS];
};

static struct wide wide_from(int128 number)
{
    uint128 magnitude = number < 0 ? (uint128)0 - (uint128)number : (uint128)number;

    return (struct wide){.limbs = {(uint64_t)magnitude, (uint64_t)(magnitude >> 64)}};
}

static struct wide wide_times(struct wide a, uint64_t factor)
{
    uint128 carry = 0;

    for (int i = 0; i < LIMBS; i++) {
        carry += (uint128)a.limbs[i] * factor;
        a.limbs[i] = (uint64_t)carry;
        carry >>= 64;
    }
    return a;
}

static int wide_compare(const struct wide *a, const struct wide *b)
{
    for (int i = LIMBS; i-- > 0;) {
        if (a->limbs[i] != b->limbs[i]) {
            return a->limbs[i] > b->limbs[i] ? 1 : -1;
        }
    }
    return 0;
}

static int sign_of(int128 number)
{
    return (number > 0) - (number < 0);
}

/* Order of a.sum / a.count and (times_micros / 1e6) x b.sum / b.count, by cross-multiplication. */
static int compare_scaled(const struct quotient *a, const struct quotient *b, int64_t times_micros)
{
    int a_sign = sign_of(a->sum);
    int b_sign = sign_of(b->sum) * sign_of(times_micros);
    uint64_t times = times_micros < 0 ? (uint64_t)0 - (uint64_t)times_micros : (uint64_t)times_micros;
    struct wide left;
    struct wide right;

    if (a_sign != b_sign) {
        return a_sign > b_sign ? 1 : -1;
    }
    left = wide_times(wide_times(wide_from(a->sum), (uint64_t)b->count), (uint64_t)DECIMAL_ONE);
    right = wide_times(wide_times(wide_from(b->sum), (uint64_t)a->count), times);
    return a_sign * wide_compare(&left, &right);
}

bool comparison_of_quotients(const struct quotient *left, enum rule_operator op, const struct quotient *right,
                             int64_t times_micros)
{
    return left->exists && right->exists && operator_takes_order(op, compare_scaled(left, right, times_micros));
}

int quotient_compare(const struct quotient *a, const struct quotient *b)
{
    return compare_scaled(a, b, DECIMAL_ONE);
}

/* The anniversary in UTC, time of day kept; 29 February becomes 1 March. */
static int64_t anniversary_ms(int64_t v_ms, int64_t years)
{
    const int64_t day_ms = INT64_C(86400000);
    int64_t day = v_ms / day_ms - (v_ms % day_ms < 0);
    int64_t year;
    unsigned month;
    unsigned day_of_month;

    timestamp_civil_from_days(day, &year, &month, &day_of_month);
    year += years;
    if (month == 2 && day_of_month == 29) {
        bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

        if (!leap) {
            month = 3;
            day_of_month = 1;
        }
    }
    return timestamp_days_from_civil(year, month, day_of_month) * day_ms + (v_ms - day * day_ms);
}

/* The instant T at which the length from v to T (or T to v) equals the span. */
static int64_t span_instant(const struct rule_span *span, enum span_kind kind, int64_t v_ms)
{
    if (span->years > 0) {
        return anniversary_ms(v_ms, span->years);
    }
    return kind == SPAN_REMAINING ? v_ms - span->ms : v_ms + span->ms;
}

bool span_holds(const struct rule_span_comparison *spans, enum span_kind kind, int64_t v_ms, int64_t at_ms)
{
    if (kind == SPAN_ELAPSED ? v_ms > at_ms : v_ms < at_ms) {
        return false;
    }
    for (size_t i = 0; i < spans->term_count; i++) {
        int64_t edge = span_instant(&spans->terms[i].span, kind, v_ms);
        int order = (at_ms > edge) - (at_ms < edge);

        /* The later T, the longer the elapsed and the shorter the remaining time. */
        if (!operator_takes_order(spans->terms[i].op, kind == SPAN_REMAINING ? -order : order)) {
            return false;
        }
    }
    return true;
}

size_t span_edges(const struct rule_span_comparison *spans, enum span_kind kind, int64_t v_ms,
                  int64_t edges[SPAN_EDGES_MAX])
{
    size_t count = 0;
    size_t kept = 0;

    edges[count++] = kind == SPAN_ELAPSED ? v_ms : v_ms + 1;
    for (size_t i = 0; i < spans->term_count && count + 2 <= SPAN_EDGES_MAX; i++) {
        int64_t edge = span_instant(&spans->terms[i].span, kind, v_ms);

        edges[count++] = edge;
        edges[count++] = edge + 1;
    }
    for (size_t i = 1; i < count; i++) {
        int64_t edge = edges[i];
        size_t place = i;

        while (place > 0 && edges[place - 1] > edge) {
            edges[place] = edges[place - 1];
            place--;
        }
        edges[place] = edge;
    }
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || edges[kept - 1] != edges[i]) {
            edges[kept++] = edges[i];
        }
    }
    return kept;
}

int64_t span_years(const struct rule_span_comparison *spans, int64_t v_ms, int64_t at_ms, int64_t *rest_ms)
{
    const int64_t year_longest_ms = 366 * INT64_C(86400000);
    int64_t years = 0;
    bool wanted = false;

    for (size_t i = 0; i < spans->term_count; i++) {
        wanted = wanted || spans->terms[i].span.years > 0;
    }
    if (wanted) {
        /* Too few at first: no year is longer. */
        years = (at_ms - v_ms) / year_longest_ms;
        while (anniversary_ms(v_ms, years + 1) <= at_ms) {
            years++;
        }
    }
    *rest_ms = at_ms - (years > 0 ? anniversary_ms(v_ms, years) : v_ms);
    return years;
}
