/* Whether two parts of definitions say the same, however they are written ("1h" and "60m", 3 and 3.0). Answering "no"
 * too often is allowed: lists are compared in their order. */
#ifndef MUSTER_DOMAIN_RULE_EQUAL_H
#define MUSTER_DOMAIN_RULE_EQUAL_H

#include "common/domain/rule.h"

bool rule_path_equal(const struct rule_path *a, const struct rule_path *b);
/* The same terms in any order. */
bool rule_comparison_equal(const struct rule_comparison *a, const struct rule_comparison *b);
bool rule_spans_equal(const struct rule_span_comparison *a, const struct rule_span_comparison *b);
bool rule_selector_equal(const struct rule_selector *a, const struct rule_selector *b);
bool rule_window_equal(const struct rule_window *a, const struct rule_window *b);
/* Of what is measured, without the comparison. */
bool rule_measured_equal(const struct rule_measure *a, const struct rule_measure *b);
/* The whole criterion with all below it, but not where it stands. */
bool criterion_equal(const struct criterion *a, const struct criterion *b);

#endif
