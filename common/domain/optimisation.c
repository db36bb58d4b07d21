#include "common/domain/optimisation.h"

#ifdef MUSTER_OPTIMISATIONS

static bool off[OPTIMISATION_COUNT];

const char *optimisation_name(enum optimisation optimisation)
{
    static const char *const names[OPTIMISATION_COUNT] = {
        "none",  "projection", "touch index", "needs", "verdicts",  "short circuit",
        "reach", "tally",      "turn",        "carry", "summaries", "answers",
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
