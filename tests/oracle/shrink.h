/* Makes a case that shows something as small as it can be made while it goes on showing it. */
#ifndef MUSTER_TESTS_ORACLE_SHRINK_H
#define MUSTER_TESTS_ORACLE_SHRINK_H

#include "tests/oracle/generator.h"

/* Whether the case still shows it. `work` is emptied between two calls. */
typedef bool shrink_shows(void *context, struct arena *work, const struct oracle_case *test);

/* Changes `test`; new text is taken from `arena`. */
void shrink_case(struct arena *arena, struct oracle_case *test, shrink_shows *shows, void *context);

#endif
