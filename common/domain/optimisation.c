#include "common/domain/optimisation.h"

#ifdef MUSTER_OPTIMISATIONS

static bool off[OPTIMISATION_COUNT];

const char *optimisation_name(enum optimisation optimisation)
{
    static const char *const names[OPTIMISATION_COUNT] = {
        [OPTIMISATION_NONE] = "none",
        [OPTIMISATION_PROJECTION] = "projection",
        [OPTIMISATION_TOUCH_INDEX] = "touch index",
        [OPTIMISATION_NEEDS] = "needs",
        [OPTIMISATION_VERDICTS] = "verdicts",
        [OPTIMISATION_AT_ONCE] = "at once",
        [OPTIMISATION_STANDING] = "standing",
        [OPTIMISATION_SHORT_CIRCUIT] = "short circuit",
        [OPTIMISATION_REACH] = "reach",
        [OPTIMISATION_TAKEN] = "taken",
        [OPTIMISATION_TALLY] = "tally",
        [OPTIMISATION_TURN] = "turn",
        [OPTIMISATION_CARRY] = "carry",
        [OPTIMISATION_SUMMARIES] = "summaries",
        [OPTIMISATION_ANSWERS] = "answers",
        [OPTIMISATION_PRUNE] = "prune",
        [OPTIMISATION_REST] = "rest",
        [OPTIMISATION_FOLD] = "fold",
    };

    return names[optimisation];
}

void optimisation_set(enum optimisation optimisation, bool on)
{
    off[optimisation] = !on;
}

bool optimisation_on(enum optimisation optimisation)
{
    return !off[optimisation];
}

#endif
