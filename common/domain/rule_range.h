/* Whether comparisons can hold at all, and whether they always do: judged exactly on integers, never by sampling. Where
 * that is not clear the answer is RULE_DEPENDS. */
#ifndef MUSTER_DOMAIN_RULE_RANGE_H
#define MUSTER_DOMAIN_RULE_RANGE_H

#include "common/domain/comparison.h"
#include "common/domain/rule.h"

enum rule_truth { RULE_DEPENDS = 0, RULE_NEVER, RULE_ALWAYS };

/* What a number that is compared can be. */
enum rule_numbers {
    RULE_NUMBERS_NONE = 0,
    RULE_NUMBERS_WHOLE,   /* 0, 1, 2, ... up to a greatest one: counts */
    RULE_NUMBERS_SUM,     /* any multiple of a millionth */
    RULE_NUMBERS_DECIMAL, /* the same within the range of decimals: min, max */
    RULE_NUMBERS_AVERAGE, /* any fraction within that range */
};

/* No upper bound. */
#define RULE_UNBOUNDED INT64_MAX

/* All terms together, for a number that exists. `greatest` is of whole numbers only. */
enum rule_truth rule_range_numbers(const struct rule_term *terms, size_t term_count, enum rule_numbers numbers,
                                   int64_t greatest);

/* All terms together, for a value of any type or none (`only_number`: a number or none). Never RULE_ALWAYS: no
 * comparison holds both for a missing value and for one that exists. */
enum rule_truth rule_range_values(const struct rule_term *terms, size_t term_count, bool only_number,
                                  struct comparison_scratch *scratch);

/* All terms together, for a length from least_ms to greatest_ms (RULE_UNBOUNDED: any). */
enum rule_truth rule_range_spans(const struct rule_span_comparison *spans, int64_t least_ms, int64_t greatest_ms);

/* The longest time for which an event counts in the window, counted from the event: at T = t + this it certainly no
 * longer does. RULE_UNBOUNDED without a window. */
int64_t rule_range_window_ms(const struct rule_window *window);
/* The greatest number of calendar periods that the counting events of the window can lie in, or RULE_UNBOUNDED. */
int64_t rule_range_periods(const struct rule_window *window, enum rule_period period);

#endif
