/* The explanation against the evaluator: it says what membership says, each criterion holds where a definition of that
 * criterion alone holds, and what it says of time alone comes true. */
#ifndef MUSTER_TESTS_ORACLE_EXPLAINED_H
#define MUSTER_TESTS_ORACLE_EXPLAINED_H

#include "common/io/zone_files.h"
#include "tests/oracle/generator.h"

/* False where something differs or fails: `said` gets what. */
bool explained_case(struct arena *arena, struct zone_files *zones, const struct oracle_case *test, struct buffer *said);

#endif
