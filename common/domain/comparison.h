/* Comparisons of section 4: values with operands, exact quotients with numbers, lengths of time. */
#ifndef MUSTER_DOMAIN_COMPARISON_H
#define MUSTER_DOMAIN_COMPARISON_H

#include "common/base/int128.h"
#include "common/domain/json.h"
#include "common/domain/rule.h"

/* A measured number in micros: sum / count, exact; count >= 1. */
struct quotient {
    bool exists;
    int128 sum;
    int64_t count;
};

/* Working memory for `contains` on arrays; `failed` is set, and the answer false, when there is no memory. */
struct comparison_scratch {
    struct json_document document;
    struct arena arena;
    bool failed;
};
void comparison_scratch_init(struct comparison_scratch *scratch);
void comparison_scratch_clear(struct comparison_scratch *scratch);

/* Whether the value (missing allowed) satisfies all terms. */
bool comparison_value(const struct rule_comparison *comparison, const struct value *value,
                      struct comparison_scratch *scratch);

/* Whether the number satisfies all terms; false when it does not exist. */
bool comparison_quotient(const struct rule_comparison *comparison, const struct quotient *number);

/* A comparison with a number that always exists, where it comes down to one bound: it holds for `at_least` micros and
 * more, or for less. */
struct comparison_bound {
    bool used;
    bool below;
    int128 at_least;
};
/* Not used where the comparison has no bound, or more than one that matters. */
struct comparison_bound comparison_bound_of(const struct rule_comparison *comparison);
static inline bool comparison_bound_holds(const struct comparison_bound *bound, int128 micros)
{
    return (micros >= bound->at_least) != bound->below;
}

/* Whether left OP times x right holds, exactly; false when either does not exist. */
bool comparison_of_quotients(const struct quotient *left, enum rule_operator op, const struct quotient *right,
                             int64_t times_micros);
/* -1, 0, 1: order of two numbers that exist. */
int quotient_compare(const struct quotient *a, const struct quotient *b);

enum span_kind {
    SPAN_NONE = 0,
    SPAN_ELAPSED,   /* T - v, false while v > T */
    SPAN_REMAINING, /* v - T, false once v < T */
};

/* Whether the length between v and T satisfies all terms. Years count from v, in UTC. */
bool span_holds(const struct rule_span_comparison *spans, enum span_kind kind, int64_t v_ms, int64_t at_ms);

/* The language keys are unique, so at most six terms. */
enum { SPAN_EDGES_MAX = 14 };
/* The instants at which span_holds may change with T, ascending and distinct; returns how many. */
size_t span_edges(const struct rule_span_comparison *spans, enum span_kind kind, int64_t v_ms,
                  int64_t edges[SPAN_EDGES_MAX]);

/* For people: how many whole years lie between v and T (v <= T), where a term counts in years; 0 where none does.
 * *rest_ms is the time beyond them. */
int64_t span_years(const struct rule_span_comparison *spans, int64_t v_ms, int64_t at_ms, int64_t *rest_ms);

#endif
