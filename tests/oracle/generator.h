/* Random definitions and messages for the oracle, on a coarse grid of time so that ties and exact edges abound. What
 * comes out depends on the seed alone. */
#ifndef MUSTER_TESTS_ORACLE_GENERATOR_H
#define MUSTER_TESTS_ORACLE_GENERATOR_H

#include "tests/oracle/tree.h"

#include <stdint.h>

enum { CASE_INSTANTS = 3, GENERATOR_SEGMENTS_MAX = 64 };

/* One case; everything hangs on the arena it was made with. */
struct oracle_case {
    uint64_t seed; /* decides the orders in which the lines are fed */
    struct slice definitions;
    struct slice *lines;
    size_t line_count;
    int64_t instants[CASE_INSTANTS]; /* asked about */
};

/* splitmix64 */
uint64_t random_next(uint64_t *state);

struct oracle_case generate_case(struct arena *arena, uint64_t seed);

/* The same in larger, for what a few events of few users do not show. */
struct world_size {
    int segment_count; /* at most GENERATOR_SEGMENTS_MAX */
    int user_count;
    int line_count;
    int disorder; /* steps of the grid by which lines are out of the order of time; negative: no order */
};
struct oracle_case generate_world(struct arena *arena, uint64_t seed, const struct world_size *size);

#endif
