/* Messages made to satisfy a definition, from what it mentions. */
#ifndef MUSTER_TESTS_ORACLE_WITNESS_MESSAGES_H
#define MUSTER_TESTS_ORACLE_WITNESS_MESSAGES_H

#include "tests/oracle/rules.h"

struct witness_pool;

/* What the (only) definition mentions. NULL where it needs a percentile. */
struct witness_pool *witness_pool_new(struct arena *arena, struct slice definitions, int64_t base_ms, uint64_t seed);
/* Begins another user, whose messages are taken from `work`. */
void witness_begin(struct witness_pool *pool, struct arena *work);
/* The next message, never earlier than the one before; false when there are enough. */
bool witness_message(struct witness_pool *pool, struct slice *out);

#endif
