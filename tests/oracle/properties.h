/* What must hold of the product alone, whatever the answer is:
 *
 * - any order and any repetition of the messages give the same answer;
 * - an answer at T does not change when later events arrive;
 * - batch equals stream at every instant: after every message, and at every change point as the watermark passes it.
 *
 * Copies with other content are the one case where order counts (section 2), so of these the first is taken alone. */
#ifndef MUSTER_TESTS_ORACLE_PROPERTIES_H
#define MUSTER_TESTS_ORACLE_PROPERTIES_H

#include "tests/oracle/compare.h"

/* COMPARE_EQUAL, COMPARE_REFUSED or the property that is broken; `said` says how. */
enum compare_result properties_check(struct arena *arena, struct zone_files *zones, const struct oracle_case *test,
                                     struct buffer *said);

#endif
