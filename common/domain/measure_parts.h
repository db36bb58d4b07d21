/* What each measure does: for the table of operators. */
#ifndef MUSTER_DOMAIN_MEASURE_PARTS_H
#define MUSTER_DOMAIN_MEASURE_PARTS_H

#include "common/domain/rule_operators.h"

/* measure.c */
struct quotient measure_count(const struct sweep *sweep);
struct quotient measure_sum(const struct sweep *sweep);
struct quotient measure_average(const struct sweep *sweep);
struct quotient measure_extreme_value(const struct sweep *sweep);
struct quotient measure_different(const struct sweep *sweep);
struct quotient measure_no_number(const struct sweep *sweep);

/* explanation_turn.c */
struct quotient turn_after_events(const struct quotient *now, int128 amount);
struct quotient turn_after_sum(const struct quotient *now, int128 amount);
struct quotient turn_after_average(const struct quotient *now, int128 amount);
struct quotient turn_after_least(const struct quotient *now, int128 amount);
struct quotient turn_after_greatest(const struct quotient *now, int128 amount);
measure_amount turn_to_events;
measure_amount turn_to_sum;
measure_amount turn_to_average;
measure_amount turn_to_extreme;

/* user_keep.c */
measure_need keep_count;
measure_need keep_extremes;
measure_need keep_different;
measure_need keep_firsts;
measure_need keep_last;

/* user_state_prune.c */
measure_from_base base_give_count;
measure_from_base base_give_numeric;
measure_from_base base_give_extreme;
measure_from_base base_give_different;
measure_from_base base_give_first;
measure_from_base base_give_last;
measure_to_base base_take_count;
measure_to_base base_take_sum;
measure_to_base base_take_numeric;
measure_to_base base_take_extreme;
measure_to_base base_take_different;
measure_to_base base_take_first;
measure_to_base base_take_last;

#endif
