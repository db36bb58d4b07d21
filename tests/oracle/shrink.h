/* Makes a case that shows a difference as small as it can be made while it shows itself in the same way. */
#ifndef MUSTER_TESTS_ORACLE_SHRINK_H
#define MUSTER_TESTS_ORACLE_SHRINK_H

#include "tests/oracle/compare.h"

/* Changes `test`; new text is taken from `arena`. */
void shrink_case(struct arena *arena, struct zone_files *zones, struct oracle_case *test, enum compare_result result);

#endif
