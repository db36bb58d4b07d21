/* percentile (section 5): the one form that depends on other users. Each user's value is taken first and added to the
 * ranks; once all users are there, ranks_finish finds each group's threshold, and evaluations that were given the
 * ranks compare with it. Evaluated at one instant only: the ranks' `at` and the evaluation's must be the same. */
#ifndef MUSTER_DOMAIN_PERCENTILE_H
#define MUSTER_DOMAIN_PERCENTILE_H

#include "common/base/error.h"
#include "common/domain/user_state.h"

struct ranks;

/* Number of percentile criteria in the ruleset: 0 = ranks are not needed. */
size_t ruleset_percentile_count(const struct ruleset *ruleset);

bool ranks_new(const struct ruleset *ruleset, struct ranks **out, struct error *err) MUST_CHECK;
void ranks_free(struct ranks *ranks);
/* Adds the user's values as of `at`, where there are any. */
bool ranks_add(struct ranks *ranks, const struct user_state *state, int64_t at, struct evaluation *evaluation,
               struct error *err) MUST_CHECK;
/* Adds what another one collected (of the same ruleset): so threads can collect apart. */
bool ranks_merge(struct ranks *ranks, const struct ranks *other, struct error *err) MUST_CHECK;
/* Sorts and finds the thresholds. Nothing may be added afterwards. */
bool ranks_finish(struct ranks *ranks, struct error *err) MUST_CHECK;

/* From now on the evaluation compares with these ranks (borrowed; may be shared by threads once finished). Evaluating a
 * segment that needs a percentile without them fails with ERROR_INPUT. */
void evaluation_ranks(struct evaluation *evaluation, const struct ranks *ranks);

#endif
