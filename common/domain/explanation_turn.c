#include "common/domain/explanation_turn.h"

/* Far from overflow in all that is done with it. */
#define BOUND_MAX ((int128)1 << 100)

static bool counts_events(enum rule_measure_kind kind)
{
    return kind == RULE_MEASURE_NONE || kind == RULE_COUNT || kind == RULE_DISTINCT;
}

/* The measure after so many more events, or after one with that value. */
static struct quotient after(enum rule_measure_kind kind, const struct quotient *now, int128 amount)
{
    struct quotient number = *now;

    switch (kind) {
    case RULE_SUM:
        number.sum += amount;
        break;
    case RULE_AVG:
        number.sum = (now->exists ? now->sum : 0) + amount;
        number.count = now->exists ? now->count + 1 : 1;
        break;
    case RULE_MIN:
        number.sum = now->exists && now->sum < amount ? now->sum : amount;
        break;
    case RULE_MAX:
        number.sum = now->exists && now->sum > amount ? now->sum : amount;
        break;
    default:
        number.sum += amount * DECIMAL_ONE;
        break;
    }
    number.exists = true;
    return number;
}

/* What brings the measure to the bound, rounded down. */
static int128 amount_to(enum rule_measure_kind kind, const struct quotient *now, int128 bound)
{
    int128 rest = bound - now->sum;

    switch (kind) {
    case RULE_SUM:
        return rest;
    case RULE_AVG:
        return now->exists ? bound * (now->count + 1) - now->sum : bound;
    case RULE_MIN:
    case RULE_MAX:
        return bound;
    default:
        return rest / DECIMAL_ONE - (rest % DECIMAL_ONE < 0);
    }
}

static bool possible(enum rule_measure_kind kind, int128 amount)
{
    if (counts_events(kind)) {
        return amount >= 1;
    }
    return kind == RULE_SUM ? amount != 0 : amount >= DECIMAL_MIN && amount <= DECIMAL_MAX;
}

static int128 magnitude(int128 number)
{
    return number < 0 ? -number : number;
}

struct turn turn_find(const struct sweep *sweep, const int128 *bounds, size_t bound_count, turn_holds *holds,
                      const void *context)
{
    enum rule_measure_kind kind = sweep->plan->measure->kind;
    struct quotient now = sweep_number(sweep);
    bool truth = holds(context, &now);
    struct turn turn = {0};

    for (size_t i = 0; i < bound_count && magnitude(now.sum) < BOUND_MAX; i++) {
        for (int step = -1; step <= 1 && magnitude(bounds[i]) < BOUND_MAX >> 40; step++) {
            int128 amount = amount_to(kind, &now, bounds[i]) + step;
            struct quotient then = after(kind, &now, amount);
            bool nearer = !turn.exists || magnitude(amount) < magnitude(turn.amount);

            if (possible(kind, amount) && nearer && holds(context, &then) != truth) {
                turn = (struct turn){.exists = true, .amount = amount};
            }
        }
    }
    return turn;
}
