#include "common/domain/explanation_turn.h"

#include "common/domain/measure_parts.h"

/* Far from overflow in all that is done with it. */
#define BOUND_MAX ((int128)1 << 100)

struct quotient turn_after_events(const struct quotient *now, int128 amount)
{
    return (struct quotient){.exists = true, .sum = now->sum + amount * DECIMAL_ONE, .count = 1};
}

struct quotient turn_after_sum(const struct quotient *now, int128 amount)
{
    return (struct quotient){.exists = true, .sum = now->sum + amount, .count = 1};
}

struct quotient turn_after_average(const struct quotient *now, int128 amount)
{
    if (!now->exists) {
        return (struct quotient){.exists = true, .sum = amount, .count = 1};
    }
    return (struct quotient){.exists = true, .sum = now->sum + amount, .count = now->count + 1};
}

struct quotient turn_after_least(const struct quotient *now, int128 amount)
{
    return (struct quotient){.exists = true, .sum = now->exists && now->sum < amount ? now->sum : amount, .count = 1};
}

struct quotient turn_after_greatest(const struct quotient *now, int128 amount)
{
    return (struct quotient){.exists = true, .sum = now->exists && now->sum > amount ? now->sum : amount, .count = 1};
}

int128 turn_to_events(const struct quotient *now, int128 bound)
{
    int128 rest = bound - now->sum;

    return rest / DECIMAL_ONE - (rest % DECIMAL_ONE < 0);
}

int128 turn_to_sum(const struct quotient *now, int128 bound)
{
    return bound - now->sum;
}

int128 turn_to_average(const struct quotient *now, int128 bound)
{
    return now->exists ? bound * (now->count + 1) - now->sum : bound;
}

int128 turn_to_extreme(const struct quotient *now, int128 bound)
{
    (void)now;
    return bound;
}

/* Of events and different things there can only be more; several events can add up to any sum; the value of one is in
 * the range of decimals. */
static bool possible(const struct measure_operator *row, int128 amount)
{
    switch (row->numbers) {
    case RULE_NUMBERS_WHOLE:
        return amount >= 1;
    case RULE_NUMBERS_SUM:
        return amount != 0;
    case RULE_NUMBERS_DECIMAL:
    case RULE_NUMBERS_AVERAGE:
        return amount >= DECIMAL_MIN && amount <= DECIMAL_MAX;
    case RULE_NUMBERS_NONE:
    default:
        return false;
    }
}

static int128 magnitude(int128 number)
{
    return number < 0 ? -number : number;
}

struct turn turn_find(const struct sweep *sweep, const int128 *bounds, size_t bound_count, turn_holds *holds,
                      const void *context)
{
    const struct measure_operator *row = measure_operator(sweep->plan->measure);
    struct quotient now = sweep_number(sweep);
    bool truth = holds(context, &now);
    struct turn turn = {0};

    for (size_t i = 0; i < bound_count && magnitude(now.sum) < BOUND_MAX; i++) {
        for (int step = -1; step <= 1 && magnitude(bounds[i]) < BOUND_MAX >> 40; step++) {
            int128 amount = row->amount(&now, bounds[i]) + step;
            struct quotient then = row->after(&now, amount);
            bool nearer = !turn.exists || magnitude(amount) < magnitude(turn.amount);

            if (possible(row, amount) && nearer && holds(context, &then) != truth) {
                turn = (struct turn){.exists = true, .amount = amount};
            }
        }
    }
    return turn;
}
