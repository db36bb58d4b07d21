/* One case, answered by the interpreter and by the product in all its ways. */
#ifndef MUSTER_TESTS_ORACLE_COMPARE_H
#define MUSTER_TESTS_ORACLE_COMPARE_H

#include "common/io/zone_files.h"
#include "tests/oracle/generator.h"

/* The ways in which a difference shows itself; a case is shrunk as long as it shows itself the same way. */
enum compare_result {
    COMPARE_EQUAL = 0,
    COMPARE_REFUSED,    /* the parser or the evaluator refuses */
    COMPARE_QUARANTINE, /* a line is an event for one and none for the other */
    COMPARE_HISTORY,    /* batch, all intervals */
    COMPARE_MEMBERSHIP, /* batch, as of an instant */
    COMPARE_STREAM,     /* the stream's intervals after all events */
    COMPARE_PREFIX,     /* the state's answer between events */
    COMPARE_LANE,       /* what a lane has announced at the end */
    COMPARE_ORDER,      /* another order or repetition of the messages, another answer (properties.h) */
    COMPARE_FUTURE,     /* later events change an answer */
    COMPARE_INSTANT,    /* batch and stream differ on the way */
    COMPARE_EXPLAINED,  /* the explanation says otherwise than the evaluator */
    COMPARE_PRUNED,     /* a pruned state against one that holds everything */
};
const char *compare_result_name(enum compare_result result);

/* `said` gets both answers where they differ. Memory is taken from the arena. */
enum compare_result compare_case(struct arena *arena, struct zone_files *zones, const struct oracle_case *test,
                                 struct buffer *said);

#endif
