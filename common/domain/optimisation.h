/* What the rule module does to be fast, one by one. None of it may change an answer, a record or a state: a build with
 * -DMUSTER_OPTIMISATIONS (make OPTIMISATIONS=1) can switch each off, and tests/equivalence compares. In every other
 * build they are constants, all on, and what stands in for them is not compiled. */
#ifndef MUSTER_DOMAIN_OPTIMISATION_H
#define MUSTER_DOMAIN_OPTIMISATION_H

#include <stdbool.h>

enum optimisation {
    OPTIMISATION_NONE = 0,
    OPTIMISATION_PROJECTION,    /* of a message only what rules read becomes tokens (json_project.c, event_form.c) */
    OPTIMISATION_TOUCH_INDEX,   /* an event is tested by the conditions on its name, and touches what they lead to */
    OPTIMISATION_NEEDS,         /* segments that miss what must have happened are out without a look */
    OPTIMISATION_VERDICTS,      /* batch looks at one instant first, and at the past only where it decides */
    OPTIMISATION_AT_ONCE,       /* and of that instant finds the truth alone, not when it changes */
    OPTIMISATION_STANDING,      /* and the membership that holds then, not those before and after it */
    OPTIMISATION_SHORT_CIRCUIT, /* a criterion that is always true or false decides for those beside it */
    OPTIMISATION_REACH,         /* events that have left every window are not looked at */
    OPTIMISATION_TAKEN,         /* of a long log only a selector's events are looked at (user_taken.c) */
    OPTIMISATION_TALLY,         /* counts and sums are moved along, not gathered (tally.c) */
    OPTIMISATION_TURN,          /* where a tally falls below its bound is found from where it was */
    OPTIMISATION_CARRY,         /* an evaluation begins where the one before left off (carried.c) */
    OPTIMISATION_SUMMARIES,     /* and with what was summed up there */
    OPTIMISATION_ANSWERS,       /* a segment is evaluated once between two events */
    OPTIMISATION_PRUNE,         /* what can no longer matter is dropped, what leaves together becomes a pane */
    OPTIMISATION_REST,          /* a lane's users wait packed (lane_rest.c) */
    OPTIMISATION_FOLD,          /* batch folds the few facts of a user together (pile_fold.c) */
    OPTIMISATION_COUNT,         /* how many there are */
};

#ifdef MUSTER_OPTIMISATIONS
/* For tests: switches of the whole process. */
const char *optimisation_name(enum optimisation optimisation);
void optimisation_set(enum optimisation optimisation, bool on);
bool optimisation_on(enum optimisation optimisation);
#else
#define optimisation_on(optimisation) true
#endif

#endif
