/* A literal, slow interpreter of the segment language, written from the page (segment-language, sections 2, 4, 5, 6):
 * M(u, T) is found anew, from the messages up to T, at every instant at which anything could change. It shares no code
 * with the product's evaluator; what both say alike, two readers of the page have understood alike. */
#ifndef MUSTER_TESTS_ORACLE_INTERPRETER_H
#define MUSTER_TESTS_ORACLE_INTERPRETER_H

#include "tests/oracle/messages.h"

#define INTERPRETER_OPEN INT64_MAX

/* [entered, left); left is INTERPRETER_OPEN where it never ends. */
struct stay {
    int64_t entered;
    int64_t left;
};

struct stays {
    struct stay *items;
    size_t count;
};

struct world {
    struct arena *arena;
    struct segment *segments;
    size_t segment_count;
    struct person *people;
    size_t person_count;
    struct stays *stays; /* [person * segment_count + segment] */
};

/* Everything hangs on the arena. Definitions have passed the product's parser; the lines are the log. */
struct world *world_new(struct arena *arena, struct slice definitions, const struct slice *lines, size_t line_count);

/* Fills `stays` from the messages up to `at`: all intervals of M that begin by then; an end beyond `at` is what time
 * alone would bring. Segments with a percentile get one open interval from `at`. */
void world_evaluate(struct world *world, int64_t at);

#endif
