/* What rule_diff.c needs from rule_diff_change.c: matching criteria, and what changes mean. Internal to rule_diff*.c.
 */
#ifndef MUSTER_DOMAIN_RULE_DIFF_PARTS_H
#define MUSTER_DOMAIN_RULE_DIFF_PARTS_H

#include "common/domain/rule_diff.h"

bool rule_diff_paths_differ(const struct rule_path *a, size_t a_count, const struct rule_path *b, size_t b_count);

/* Fills match[0 .. from_count) with indexes into `to` and match[from_count ..) with indexes into `from`: SIZE_MAX where
 * a criterion has no counterpart. */
void rule_diff_match(const struct criterion *from, size_t from_count, const struct criterion *to, size_t to_count,
                     size_t *match);

/* What the whole change means for who may be a member. */
bool rule_diff_change(const struct definition *from, const struct definition *to, enum rule_reach_change *out,
                      struct error *err) MUST_CHECK;

#endif
