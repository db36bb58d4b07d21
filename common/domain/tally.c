#include "common/domain/tally.h"

#include "common/base/timestamp.h"
#include "common/domain/decimal.h"
#include "common/domain/optimisation.h"
#include "common/domain/rule_operators.h"

struct tally {
    struct evaluation *evaluation;
    const struct node *node;
    const struct measure_plan *plan;
    struct taking taking;
    struct summary base;
    size_t low;       /* entries [low, high) that the selector took count; where there is one, low is the first */
    size_t high;      /* the first that has not begun to count, or the end of the log */
    int64_t enter_ms; /* when `high` begins; TIMESTAMP_NEVER: there is none */
    int64_t leave_ms; /* when `low` ceases */
    int128 amount;    /* micros */
    int128 entered;   /* of `amount`, what began in this evaluation */
    bool negative;    /* since the window was empty last, a negative value has counted */
};

/* What is summed up: the tally as it stood at carry_at. */
struct tally_mark {
    bool taken;
    size_t low;
    size_t high;
    int128 amount;
    int128 entered;
    int64_t left_ms;
    int64_t passed_ms;
    bool negative;
};

bool tally_suits(const struct rule_measure *measure)
{
    return measure_operator(measure)->tallied;
}

static bool holds(const struct tally *tally)
{
    struct quotient number = {.exists = true, .sum = tally->amount, .count = 1};

    if (tally->plan->bound.used) {
        return comparison_bound_holds(&tally->plan->bound, tally->amount);
    }
    return comparison_quotient(&tally->plan->measure->comparison, &number);
}

/* ---- the log ---- */

static int64_t time_at(const struct tally *tally, size_t index)
{
    return evaluation_entry(tally->evaluation, index)->time_ms;
}

static int128 value_at(const struct tally *tally, size_t index)
{
    const struct evaluation *evaluation = tally->evaluation;
    const struct entry *entry = evaluation_entry(evaluation, index);
    bool sums = measure_operator(tally->plan->measure)->numeric;
    const struct slot *slot;

    if (entry_is_pane(entry)) {
        const struct pane *pane = entry_pane(evaluation->state, entry);

        return sums ? pane_sum(pane) : (int128)pane->count * DECIMAL_ONE;
    }
    if (!sums) {
        return DECIMAL_ONE;
    }
    slot = tally->plan->column == RULESET_NONE
               ? NULL
               : entry_slot(evaluation->ruleset, evaluation->state, entry, tally->plan->column);
    return slot != NULL && slot->type == VALUE_NUMBER ? slot->number : 0;
}

static int64_t leave_at(const struct tally *tally, size_t index)
{
    int64_t enter;
    int64_t leave;

    window_bounds(tally->plan, time_at(tally, index), &enter, &leave);
    return leave;
}

static int64_t enter_at(const struct tally *tally, size_t index)
{
    int64_t enter;
    int64_t leave;

    window_bounds(tally->plan, time_at(tally, index), &enter, &leave);
    return enter;
}

static size_t next_taken(const struct tally *tally, size_t index, size_t end)
{
    return taking_next(&tally->taking, tally->evaluation, index, end);
}

/* The first entry with time > after_ms. It was `hint` once; entries that came late may have moved it. */
static size_t first_behind(const struct tally *tally, int64_t after_ms, uint32_t hint)
{
    size_t count = tally->evaluation->entry_count;

    if (hint <= count && (hint == 0 || time_at(tally, hint - 1) <= after_ms) &&
        (hint == count || time_at(tally, hint) > after_ms)) {
        return hint;
    }
    return evaluation_first_after(tally->evaluation, after_ms, 0);
}

/* ---- moving in time ---- */

static void seek_high(struct tally *tally)
{
    size_t count = tally->evaluation->entry_count;

    tally->high = next_taken(tally, tally->high, count);
    tally->enter_ms = tally->high < count ? enter_at(tally, tally->high) : TIMESTAMP_NEVER;
}

static void seek_low(struct tally *tally)
{
    if (tally->plan->window->kind == RULE_WINDOW_NONE) {
        return;
    }
    tally->low = next_taken(tally, tally->low, tally->high);
    tally->leave_ms = tally->low < tally->high ? leave_at(tally, tally->low) : TIMESTAMP_NEVER;
    if (tally->low == tally->high) {
        tally->negative = false;
    }
}

static bool move(struct tally *tally, int64_t at)
{
    bool entered = false;

    while (tally->enter_ms <= at && tally->enter_ms != TIMESTAMP_NEVER) {
        int128 value = value_at(tally, tally->high);

        tally->amount += value;
        tally->entered += value;
        tally->negative = tally->negative || value < 0;
        tally->high++;
        seek_high(tally);
        entered = true;
    }
    if (entered && tally->leave_ms == TIMESTAMP_NEVER) {
        seek_low(tally);
    }
    while (tally->leave_ms <= at && tally->leave_ms != TIMESTAMP_NEVER) {
        tally->amount -= value_at(tally, tally->low);
        tally->low++;
        seek_low(tally);
    }
    return entered;
}

static void begin(struct tally *tally, struct evaluation *evaluation, const struct node *node)
{
    /* Field by field: see sweep_begin. */
    tally->evaluation = evaluation;
    tally->node = node;
    tally->plan = &node->plan;
    tally->taking = taking_begin(evaluation->state, &node->plan);
    tally->base = evaluation_summed(evaluation, node);
    tally->leave_ms = TIMESTAMP_NEVER;
    tally->amount = 0;
    tally->entered = 0;
    tally->negative = false;
    if (tally->base.at_ms == INT64_MIN) {
        tally->high = evaluation_first_entry(evaluation, window_reach_ms(node->plan.window));
        tally->low = tally->high;
    } else {
        tally->high = first_behind(tally, tally->base.passed_ms, tally->base.high_hint);
        tally->low = tally->plan->window->kind == RULE_WINDOW_NONE
                         ? 0
                         : first_behind(tally, tally->base.left_ms, tally->base.low_hint);
        tally->amount = tally->base.sum;
    }
    seek_high(tally);
    seek_low(tally);
    tally->negative = tally->base.at_ms != INT64_MIN && tally->base.negative && tally->low < tally->high;
    (void)move(tally, evaluation->from);
}

/* ---- summing up ---- */

static bool is_wanted(const struct tally *tally)
{
    return tally->evaluation->summing != NULL && tally->node->carry != RULESET_NONE;
}

/* Events that come later have times after carry_at, or the summary is dropped. */
static struct tally_mark take_mark(const struct tally *tally)
{
    size_t count = tally->evaluation->entry_count;
    int64_t carry_at = tally->evaluation->carry_at;
    struct tally_mark mark = {
        .taken = true,
        .low = tally->low,
        .high = tally->high,
        .amount = tally->amount,
        .entered = tally->entered,
        .passed_ms = carry_at,
        .negative = tally->negative,
    };

    if (tally->high < count && time_at(tally, tally->high) <= carry_at) {
        mark.passed_ms = time_at(tally, tally->high) - 1;
    }
    while (mark.high > 0 && time_at(tally, mark.high - 1) > mark.passed_ms) {
        mark.high--;
    }
    mark.left_ms = tally->low < tally->high ? time_at(tally, tally->low) - 1 : mark.passed_ms;
    return mark;
}

/* `turn`: the first of those that are left where the comparison turns, which sum up to turn_sum. */
static void sum_up(const struct tally *tally, const struct tally_mark *mark, size_t turn, int128 turn_sum)
{
    struct summary summary = {
        .sum = mark->amount,
        .left_ms = mark->left_ms,
        .passed_ms = mark->passed_ms,
        .low_hint = (uint32_t)mark->low,
        .high_hint = (uint32_t)mark->high,
        .negative = mark->negative,
        .turn_ms = mark->passed_ms,
        .turn_hint = (uint32_t)mark->high,
    };

    if (turn <= mark->low) {
        summary.turn_ms = mark->left_ms;
        summary.turn_hint = (uint32_t)mark->low;
        summary.turn_sum = mark->amount;
    } else if (turn < mark->high) {
        summary.turn_ms = time_at(tally, turn) - 1;
        summary.turn_hint = (uint32_t)turn;
        summary.turn_sum = turn_sum - (tally->entered - mark->entered);
    }
    evaluation_sum_up(tally->evaluation, tally->node, &summary);
}

/* ---- what time alone brings ---- */

/* Everything that counts ceases one after the other: each instant is looked at. */
static void walk_out(struct tally *tally, struct timeline *out)
{
    while (tally->leave_ms != TIMESTAMP_NEVER) {
        int64_t at = tally->leave_ms;

        (void)move(tally, at);
        evaluation_set(tally->evaluation, out, at, holds(tally));
    }
}

/* The amount only falls and is at its bound or above: finds where it falls below, from the place that was kept on. */
static size_t find_turn(struct tally *tally, int128 *turn_sum, struct timeline *out)
{
    const struct comparison_bound *bound = &tally->plan->bound;
    size_t turn = tally->low;

    *turn_sum = tally->amount;
    if (tally->base.at_ms != INT64_MIN) {
        size_t kept = first_behind(tally, tally->base.turn_ms, tally->base.turn_hint);

        if (kept > turn) {
            turn = kept;
            *turn_sum = tally->base.turn_sum + tally->entered;
        }
    }
    turn = next_taken(tally, turn, tally->high);
    while (turn < tally->high) {
        int64_t at = leave_at(tally, turn);
        int128 rest = *turn_sum - value_at(tally, turn);
        size_t next = next_taken(tally, turn + 1, tally->high);

        while (next < tally->high && leave_at(tally, next) == at) {
            rest -= value_at(tally, next);
            next = next_taken(tally, next + 1, tally->high);
        }
        if (rest < bound->at_least) {
            evaluation_set(tally->evaluation, out, at, bound->below);
            return turn;
        }
        *turn_sum = rest;
        turn = next;
    }
    return turn;
}

/* What comes after F: what begins to count, and then what time alone brings. */
static void follow(struct tally *tally, bool marked, struct timeline *out)
{
    struct evaluation *evaluation = tally->evaluation;
    const struct comparison_bound *bound = &tally->plan->bound;
    struct tally_mark mark = {.taken = false};
    bool wanted = is_wanted(tally);
    int128 turn_sum = 0;
    size_t turn = 0;

    while (tally->enter_ms != TIMESTAMP_NEVER ||
           (wanted && tally->leave_ms <= evaluation->carry_at && tally->leave_ms != TIMESTAMP_NEVER)) {
        int64_t at = tally->enter_ms < tally->leave_ms ? tally->enter_ms : tally->leave_ms;

        if (wanted && !mark.taken && at > evaluation->carry_at) {
            mark = take_mark(tally);
        }
        if (move(tally, at) && marked) {
            evaluation_mark(evaluation, at);
        }
        evaluation_set(evaluation, out, at, holds(tally));
    }
    if (wanted && !mark.taken) {
        mark = take_mark(tally);
    }
    if (!bound->used || tally->negative || !optimisation_on(OPTIMISATION_TURN)) {
        walk_out(tally, out);
    } else if (tally->amount >= bound->at_least && tally->leave_ms != TIMESTAMP_NEVER) {
        turn = find_turn(tally, &turn_sum, out);
    }
    if (wanted) {
        sum_up(tally, &mark, turn, turn_sum);
    }
}

void evaluate_tally(struct evaluation *evaluation, const struct node *node, bool marked, struct timeline *out)
{
    struct tally tally;

    *out = (struct timeline){0};
    begin(&tally, evaluation, node);
    out->initial = holds(&tally);
    follow(&tally, marked, out);
}
