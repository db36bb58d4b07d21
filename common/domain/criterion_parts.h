/* What each criterion form does: for the table of operators. What evaluates is in evaluation_parts.h, what explains in
 * explanation_parts.h, what writes SQL in rule_sql_parts.h. */
#ifndef MUSTER_DOMAIN_CRITERION_PARTS_H
#define MUSTER_DOMAIN_CRITERION_PARTS_H

#include "common/domain/rule_operators.h"

/* rule_describe.c */
criterion_describe describe_event;
criterion_describe describe_compare;
criterion_describe describe_absence;
criterion_describe describe_sequence;
criterion_describe describe_trait;
criterion_describe describe_age;
criterion_describe describe_until;
criterion_describe describe_reference;
criterion_describe describe_all;
criterion_describe describe_any;
criterion_describe describe_not;
criterion_describe describe_percentile;
criterion_describe describe_nothing;

/* rule_sense.c */
enum rule_truth judge_event(struct sense *sense, const struct criterion *criterion);
enum rule_truth judge_compare(struct sense *sense, const struct criterion *criterion);
enum rule_truth judge_absence(struct sense *sense, const struct criterion *criterion);
enum rule_truth judge_sequence(struct sense *sense, const struct criterion *criterion);
enum rule_truth judge_trait(struct sense *sense, const struct criterion *criterion);
enum rule_truth judge_trait_span(struct sense *sense, const struct criterion *criterion);
enum rule_truth judge_reference(struct sense *sense, const struct criterion *criterion);
enum rule_truth judge_all(struct sense *sense, const struct criterion *criterion);
enum rule_truth judge_any(struct sense *sense, const struct criterion *criterion);
enum rule_truth judge_not(struct sense *sense, const struct criterion *criterion);
enum rule_truth judge_percentile(struct sense *sense, const struct criterion *criterion);

/* ruleset.c */
criterion_compile compile_event;
criterion_compile compile_compare;
criterion_compile compile_absence;
criterion_compile compile_sequence;
criterion_compile compile_trait_criterion;
criterion_compile compile_reference;
criterion_compile compile_combination;
criterion_compile compile_percentile;
criterion_compile compile_nothing;
criterion_test sums_up_event;
criterion_test sums_up_absence;
criterion_test sums_up_sequence;

/* ruleset_reach.c */
criterion_empty empty_event;
criterion_empty empty_never;
criterion_empty empty_not;
criterion_empty empty_all;
criterion_empty empty_any;
criterion_reach reach_event;
criterion_reach reach_compare;
criterion_reach reach_occurrence;
criterion_reach reach_reference;
criterion_reach reach_combination;

/* ruleset_needs.c */
criterion_needs needs_event;
criterion_needs needs_compare;
criterion_needs needs_absence;
criterion_needs needs_sequence;
criterion_needs needs_trait;
criterion_needs needs_all;
criterion_needs needs_any;

/* rule_cost.c */
criterion_cost cost_event;
criterion_cost cost_occurrence;
criterion_cost cost_trait;

/* rule_diff_change.c */
criterion_alike alike_events;
criterion_alike alike_traits;
criterion_alike alike_children;
criterion_alike alike_always;
criterion_change change_event;
criterion_change change_occurrence;
criterion_change change_trait;
criterion_change change_all;
criterion_change change_any;
criterion_change change_not;

/* rule_diff.c */
criterion_diff diff_event;
criterion_diff diff_absence;
criterion_diff diff_all;
criterion_diff diff_any;
criterion_diff diff_not;

/* user_keep.c */
criterion_keep keep_event;
criterion_keep keep_absence;
criterion_keep keep_sequence;
criterion_keep keep_trait;

#endif
