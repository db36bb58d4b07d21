/* A state that is pruned against one that is not: with events whose disorder stays within a lateness, both must say the
 * same after every event. */
#ifndef MUSTER_TESTS_ORACLE_PRUNED_H
#define MUSTER_TESTS_ORACLE_PRUNED_H

#include "common/io/zone_files.h"
#include "tests/oracle/generator.h"

enum pruned_result { PRUNED_EQUAL = 0, PRUNED_DIFFERENT, PRUNED_REFUSED };

/* `said` gets both answers where they differ, or why it could not be done. Memory is taken from the arena. */
enum pruned_result pruned_compare(struct arena *arena, struct zone_files *zones, const struct oracle_case *test,
                                  struct buffer *said);

#endif
