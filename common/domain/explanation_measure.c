/* Measures over the counting events, their comparison, and percentile. */
#include "common/base/duration.h"
#include "common/domain/decimal.h"
#include "common/domain/explanation_parts.h"
#include "common/domain/explanation_turn.h"
#include "common/domain/percentile_parts.h"
#include "common/domain/rule_describe.h"
#include "common/domain/rule_operators.h"

void explanation_append_number(struct buffer *out, const struct quotient *number)
{
    int128 quotient = number->sum / number->count;
    int128 rest = number->sum % number->count;
    int128 twice = (rest < 0 ? -rest : rest) * 2;
    int sign = number->sum < 0 ? -1 : 1;

    if (!number->exists) {
        buffer_append_text(out, "none");
        return;
    }
    if (twice > number->count || (twice == number->count && quotient % 2 != 0)) {
        quotient += sign;
    }
    decimal_append_wide(out, quotient);
    if (rest != 0) {
        buffer_append_text(out, " (");
        decimal_append_wide(out, number->sum);
        buffer_append_format(out, " / %lld)", (long long)number->count);
    }
}

/* ---- the counting events ---- */

static void add_counted(struct explaining *explaining, const struct sweep *sweep, struct explanation_node *out,
                        size_t index)
{
    const struct counted *item = &sweep->items[index];
    struct explanation_event *event =
        explaining_event(explaining, out, index < sweep->high ? EXPLANATION_COUNTS : EXPLANATION_WAITS, item->entry,
                         sweep->plan->column);

    if (event != NULL) {
        event->from_ms = item->enter_ms;
        event->until_ms = item->leave_ms;
    }
}

/* The one event that decides, or SIZE_MAX where all do. Something counts. */
static size_t decisive(const struct sweep *sweep)
{
    const struct measure_operator *row = measure_operator(sweep->plan->measure);
    const struct entry *chosen;
    struct entry kept;

    if (row->extreme != MEASURE_EXTREME_NONE) {
        return sweep->numeric_count > 0 ? sweep->queue[sweep->queue_low] : SIZE_MAX;
    }
    if (row->result == MEASURE_AGE) {
        return row->end == MEASURE_END_FIRST ? sweep->low : sweep->high - 1;
    }
    chosen = row->result == MEASURE_VALUE ? sweep_chosen(sweep, &kept) : NULL;
    for (size_t i = sweep->low; chosen != NULL && i < sweep->high; i++) {
        if (sweep->items[i].entry == chosen) {
            return i;
        }
    }
    return SIZE_MAX;
}

/* The events that count, or the one of them that decides; then those that will count. */
static void add_events(struct explaining *explaining, const struct sweep *sweep, struct explanation_node *out)
{
    size_t one = sweep->high > sweep->low ? decisive(sweep) : SIZE_MAX;

    if (one != SIZE_MAX) {
        add_counted(explaining, sweep, out, one);
    } else {
        for (size_t i = sweep->high; i-- > sweep->low;) {
            add_counted(explaining, sweep, out, i);
        }
    }
    for (size_t i = sweep->item_count; i-- > sweep->high;) {
        add_counted(explaining, sweep, out, i);
    }
}

static void append_instant(struct buffer *words, const char *label, int64_t at)
{
    if (at != TIMESTAMP_NEVER) {
        buffer_append_text(words, label);
        timestamp_append(words, at);
    }
}

/* When what counts changes by time alone. */
static void describe_moves(struct buffer *words, const struct sweep *sweep)
{
    size_t waiting = sweep->item_count - sweep->high;

    if (sweep->high > sweep->low) {
        append_instant(words, sweep->high - sweep->low == 1 ? "; it leaves at " : "; the oldest leaves at ",
                       sweep->items[sweep->low].leave_ms);
    }
    if (waiting > 0) {
        buffer_append_format(words, "; %zu not counting yet", waiting);
        append_instant(words, ", the next from ", sweep->items[sweep->high].enter_ms);
    }
}

static void describe_found(struct explaining *explaining, const struct sweep *sweep, struct explanation_node *out)
{
    const struct measure_operator *row = measure_operator(sweep->plan->measure);
    struct buffer *words = &explaining->words;
    long long count = (long long)sweep_count(sweep);

    if (row->result != MEASURE_NUMBER) {
        buffer_append_format(words, "%s%lld counting", count == 0 ? "none: " : "", count);
        if (out->exists) {
            buffer_append_format(words, ", the %s ", row->text.name);
        }
        if (out->exists && row->result == MEASURE_AGE) {
            duration_append(words, out->length_ms);
            buffer_append_text(words, " ago");
        } else if (out->exists) {
            buffer_append_text(words, "has ");
            explanation_append_value(words, &out->value);
        }
    } else if (row->events) {
        buffer_append_format(words, "%lld counting", count);
    } else {
        explanation_append_number(words, &out->number);
        buffer_append_format(words, " over %lld counting", count);
        if (row->numeric && sweep->numeric_count != count) {
            buffer_append_format(words, ", %lld of them with a number", (long long)sweep->numeric_count);
        }
    }
    describe_moves(words, sweep);
    out->text = explaining_words(explaining);
}

/* Value and events of an event form at the instant. */
static void find_measure(struct explaining *explaining, const struct node *node, struct sweep *sweep,
                         struct explanation_node *out)
{
    const struct rule_measure *measure = node->plan.measure;
    struct evaluation *evaluation = explaining->evaluation;

    sweep_begin(sweep, evaluation, node);
    (void)sweep_move(sweep, evaluation->at);
    add_events(explaining, sweep, out);
    out->exists = sweep_count(sweep) > 0 && out->event_count > 0;
    if (measure_operator(measure)->result == MEASURE_AGE) {
        out->found = EXPLANATION_LENGTH;
        out->length_ms = out->exists ? evaluation->at - out->events[0].time_ms : 0;
    } else if (measure_operator(measure)->result == MEASURE_VALUE) {
        out->found = EXPLANATION_VALUE;
        out->value = out->exists ? out->events[0].value : (struct value){0};
    } else {
        out->found = EXPLANATION_NUMBER;
        out->number = sweep_number(sweep);
    }
    describe_found(explaining, sweep, out);
}

/* ---- what would change it ---- */

/* "2 more purchase where x = 1" */
static void append_more(struct buffer *words, const struct rule_selector *selector)
{
    buffer_append_text(words, selector->any_name ? " more of " : " more ");
    rule_describe_selector(words, selector);
}

static void append_property(struct buffer *words, const struct rule_measure *measure)
{
    rule_describe_paths(words, &measure->property, 1);
    if (measure->product) {
        buffer_append_text(words, " x ");
        rule_describe_paths(words, &measure->factor, 1);
    }
}

static void describe_turn(struct explaining *explaining, const struct node *node, const struct turn *turn)
{
    const struct rule_measure *measure = node->plan.measure;
    const struct measure_operator *row = measure_operator(measure);
    const struct rule_selector *selector = &node->criterion->selector;
    const char *plural = turn->amount == 1 ? "" : "s";
    struct buffer *words = &explaining->words;

    if (row->numbers == RULE_NUMBERS_SUM) {
        rule_describe_selector(words, selector);
        buffer_append_text(words, " whose ");
        append_property(words, measure);
        buffer_append_text(words, " adds up to ");
        decimal_append_wide(words, turn->amount);
    } else if (row->numeric) {
        buffer_append_char(words, '1');
        append_more(words, selector);
        buffer_append_text(words, " with ");
        append_property(words, measure);
        buffer_append_text(words, " = ");
        decimal_append_wide(words, turn->amount);
    } else {
        decimal_append_wide(words, turn->amount * DECIMAL_ONE);
        if (row->events) {
            append_more(words, selector);
        } else if (measure->period != RULE_PERIOD_NONE) {
            buffer_append_format(words, " more %s%s (%.*s) with ", rule_period_name(measure->period), plural,
                                 (int)measure->zone.size, measure->zone.data);
            rule_describe_selector(words, selector);
        } else {
            buffer_append_format(words, " more value%s of ", plural);
            append_property(words, measure);
            buffer_append_text(words, " on ");
            rule_describe_selector(words, selector);
        }
    }
    explaining_delay(explaining, node->plan.window);
}

static bool number_holds(const void *context, const struct quotient *number)
{
    const struct rule_comparison *comparison = context;

    return comparison_quotient(comparison, number);
}

static bool one_holds(const void *context, const struct quotient *number)
{
    (void)context;
    return number->sum > 0;
}

/* latest, and earliest while nothing counts: the next event's value decides. */
static void next_value(struct explaining *explaining, const struct node *node, const struct explanation_node *out)
{
    const struct rule_measure *measure = node->plan.measure;
    struct buffer *words = &explaining->words;

    if (measure_operator(measure)->end == MEASURE_END_FIRST && out->exists) {
        return;
    }
    buffer_append_char(words, '1');
    append_more(words, &node->criterion->selector);
    buffer_append_text(words, out->holds ? " without " : " with ");
    append_property(words, measure);
    buffer_append_char(words, ' ');
    rule_describe_comparison(words, &measure->comparison);
    explaining_delay(explaining, node->plan.window);
}

/* first while nothing counts, and last: the next event is the one whose age is compared. */
static void next_age(struct explaining *explaining, const struct node *node, const struct explanation_node *out)
{
    const struct rule_measure *measure = node->plan.measure;
    int64_t at = explaining->evaluation->at;
    struct buffer *words = &explaining->words;
    int64_t edges[SPAN_EDGES_MAX];
    size_t count = span_edges(&measure->durations, SPAN_ELAPSED, at, edges);
    int64_t when = at;

    if (measure_operator(measure)->end == MEASURE_END_FIRST && out->exists) {
        return;
    }
    for (size_t i = 0; i < count && span_holds(&measure->durations, SPAN_ELAPSED, at, when) == out->holds; i++) {
        when = edges[i] > when ? edges[i] : when;
    }
    if (span_holds(&measure->durations, SPAN_ELAPSED, at, when) == out->holds) {
        return;
    }
    buffer_append_char(words, '1');
    append_more(words, &node->criterion->selector);
    if (when > at) {
        buffer_append_text(words, ", from ");
        duration_append(words, when - at);
        buffer_append_text(words, " after it");
        buffer_append_text(words, measure_operator(measure)->end == MEASURE_END_LAST ? " if no other comes" : "");
    }
    explaining_delay(explaining, node->plan.window);
}

/* By when: what makes up the number now goes on counting until then. */
static void append_deadline(struct explaining *explaining, const struct sweep *sweep)
{
    const struct rule_window *window = sweep->plan->window;
    bool extreme = measure_operator(sweep->plan->measure)->extreme != MEASURE_EXTREME_NONE;
    bool delayed = window->offset_ms > 0 || (window->kind == RULE_WINDOW_CALENDAR && window->complete);

    if (!delayed && sweep->high > sweep->low && !extreme) {
        append_instant(&explaining->words, " before ", sweep->items[sweep->low].leave_ms);
    }
}

void explaining_measure(struct explaining *explaining, const struct node *node, struct explanation_node *out)
{
    const struct rule_measure *measure = node->plan.measure;
    int128 bounds[TURN_BOUNDS_MAX] = {DECIMAL_ONE};
    size_t bound_count = measure->kind == RULE_MEASURE_NONE ? 1 : 0;
    struct sweep sweep;
    struct turn turn;

    if (measure->kind == RULE_MEASURE_NONE) {
        out->bound = SLICE_LITERAL(">= 1");
    }
    find_measure(explaining, node, &sweep, out);
    if (measure_operator(measure)->result == MEASURE_AGE) {
        next_age(explaining, node, out);
    } else if (measure_operator(measure)->result == MEASURE_VALUE) {
        next_value(explaining, node, out);
    } else {
        for (size_t i = 0; i < measure->comparison.term_count && bound_count < TURN_BOUNDS_MAX; i++) {
            const struct rule_term *term = &measure->comparison.terms[i];

            if (term->operand_count > 0) {
                bounds[bound_count++] = term->operands[0].micros;
            }
        }
        turn = turn_find(&sweep, bounds, bound_count, measure->kind == RULE_MEASURE_NONE ? one_holds : number_holds,
                         &measure->comparison);
        if (turn.exists) {
            describe_turn(explaining, node, &turn);
            append_deadline(explaining, &sweep);
        }
    }
    out->next = explaining_words(explaining);
}

/* ---- compare ---- */

struct sides {
    const struct criterion *criterion;
    struct quotient other;
    bool left; /* the number that is tried is the left one */
};

static bool sides_hold(const void *context, const struct quotient *number)
{
    const struct sides *sides = context;

    return sides->left
               ? comparison_of_quotients(number, sides->criterion->op, &sides->other, sides->criterion->times_micros)
               : comparison_of_quotients(&sides->other, sides->criterion->op, number, sides->criterion->times_micros);
}

/* The number on this side at which both are equal, rounded towards zero; false where there is none in reach. */
static bool equal_at(const struct sides *sides, int128 *bound)
{
    const int128 reach = (int128)1 << 60; /* so that no product overflows */
    int64_t times = sides->criterion->times_micros;

    if (!sides->other.exists) {
        *bound = 0;
        return true;
    }
    if (times == 0 || sides->other.sum >= reach || sides->other.sum <= -reach) {
        return false;
    }
    *bound = sides->left ? sides->other.sum * times / DECIMAL_ONE / sides->other.count
                         : sides->other.sum * DECIMAL_ONE / times / sides->other.count;
    return true;
}

/* Whether one event could be taken by both. */
static bool overlap(const struct rule_selector *a, const struct rule_selector *b)
{
    for (size_t i = 0; i < a->name_count; i++) {
        for (size_t k = 0; k < b->name_count; k++) {
            if (slice_equal(a->names[i], b->names[k])) {
                return true;
            }
        }
    }
    return a->any_name || b->any_name;
}

static void next_side(struct explaining *explaining, const struct node *node, const struct sweep *sweep,
                      const struct sides *sides)
{
    int128 bound;
    struct turn turn = {0};

    if (equal_at(sides, &bound)) {
        turn = turn_find(sweep, &bound, 1, sides_hold, sides);
    }
    if (turn.exists) {
        buffer_append_text(&explaining->words, explaining->words.size > 0 ? "; or " : "");
        describe_turn(explaining, node, &turn);
    }
}

void explaining_compare(struct explaining *explaining, const struct node *node, struct explanation_node *out)
{
    const struct criterion *criterion = node->criterion;
    struct sweep sweeps[2];

    buffer_append_format(&explaining->words, "%s ", rule_operator_name(criterion->op));
    decimal_append(&explaining->words, criterion->times_micros);
    buffer_append_text(&explaining->words, " times the right side");
    out->bound = explaining_words(explaining);
    out->children = explaining_allocate(explaining, 2, sizeof *out->children);
    if (out->children == NULL) {
        return;
    }
    out->child_count = 2;
    for (size_t i = 0; i < 2; i++) {
        struct explanation_node *side = &out->children[i];

        side->criterion = node->children[i].criterion;
        side->side = true;
        side->changes_at = TIMESTAMP_NEVER;
        rule_describe_criterion(&explaining->words, side->criterion);
        side->rule = explaining_words(explaining);
        find_measure(explaining, &node->children[i], &sweeps[i], side);
    }
    explanation_append_number(&explaining->words, &out->children[0].number);
    buffer_append_text(&explaining->words, " against ");
    if (criterion->times_micros != DECIMAL_ONE) {
        decimal_append(&explaining->words, criterion->times_micros);
        buffer_append_text(&explaining->words, " x ");
    }
    explanation_append_number(&explaining->words, &out->children[1].number);
    out->text = explaining_words(explaining);
    if (!overlap(&criterion->left->selector, &criterion->right->selector)) {
        struct sides left = {.criterion = criterion, .other = out->children[1].number, .left = true};
        struct sides right = {.criterion = criterion, .other = out->children[0].number};

        next_side(explaining, &node->children[0], &sweeps[0], &left);
        next_side(explaining, &node->children[1], &sweeps[1], &right);
    } else {
        buffer_append_text(&explaining->words, "events that count on one side more than on the other");
    }
    out->next = explaining_words(explaining);
}

/* ---- percentile ---- */

void explaining_percentile(struct explaining *explaining, const struct node *node, struct explanation_node *out)
{
    struct buffer *words = &explaining->words;
    struct percentile_place place = percentile_place(explaining->evaluation, node);
    struct sweep sweep;

    out->depends_on_users = true;
    buffer_append_text(words, ">= percentile ");
    decimal_append(words, node->criterion->percentile_micros);
    out->bound = explaining_words(explaining);
    find_measure(explaining, node, &sweep, out);
    out->text = (struct slice){0};
    explanation_append_number(words, &out->number);
    if (!place.exists) {
        buffer_append_text(words, ": without a counting event and a value a user is not ranked");
    } else {
        buffer_append_text(words, " against ");
        explanation_append_number(words, &place.threshold);
        buffer_append_format(words, ", the value at rank %zu of %zu", place.threshold_rank, place.group_size);
        if (node->criterion->trait.key_count > 0) {
            buffer_append_text(words, " users whose ");
            rule_describe_paths(words, &node->criterion->trait, 1);
            buffer_append_text(words, place.group.type == VALUE_MISSING ? " is " : " = ");
            explanation_append_value(words, &place.group);
        } else {
            buffer_append_text(words, " users");
        }
        buffer_append_format(words, "; %zu %s less", place.less_count, place.less_count == 1 ? "has" : "have");
    }
    out->text = explaining_words(explaining);
    buffer_append_text(words, "the values of all users decide it");
    out->next = explaining_words(explaining);
}
