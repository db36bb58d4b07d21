/* An accepted definition reacts to events that satisfy it: for random definitions a user is looked for who becomes a
 * member, with messages made from the names, values and durations that the definition mentions. What is found must be a
 * member by the literal interpreter, by batch, by the stream, and be announced by a lane. What is not found must be
 * called impossible by `segments validate`, and what that calls impossible must not be found. */
#ifndef MUSTER_TESTS_ORACLE_WITNESS_H
#define MUSTER_TESTS_ORACLE_WITNESS_H

#include "common/io/zone_files.h"
#include "tests/oracle/generator.h"

enum witness_result {
    WITNESS_NONE = 0,
    WITNESS_FOUND,
    WITNESS_IMPOSSIBLE,  /* none was found, and validate says so */
    WITNESS_LEFT_OUT,    /* a percentile: one user alone says little */
    WITNESS_MISSING,     /* none was found, and validate knows no reason: to be judged */
    WITNESS_DISAGREEMENT /* interpreter, batch, stream, lane or validate say otherwise */
};

/* The definition of this seed. `said` says what is wrong; the definition is in it. */
enum witness_result witness_find(struct arena *arena, struct zone_files *zones, uint64_t seed, struct buffer *said);

#endif
