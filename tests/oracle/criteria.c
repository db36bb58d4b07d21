#include "tests/oracle/criteria.h"

#include "tests/oracle/exact.h"

/* The value of a measure in millionths: over / under. */
struct fraction {
    bool exists;
    struct wide over;
    struct wide under;
};

static bool word_is(struct slice word, const char *text)
{
    return slice_equal_text(word, text);
}

/* ---- when an event counts ---- */

static int64_t ceiling(int64_t ms, int64_t grid)
{
    int64_t rest = ms % grid;

    return rest == 0 ? ms : rest > 0 ? ms - rest + grid : ms - rest;
}

static void find_span(const struct counting *window, int64_t time, struct span *span)
{
    span->from = time;
    span->until = INTERPRETER_OPEN;
    if (!window->limited) {
        return;
    }
    if (window->unit != CALENDAR_NONE) {
        int64_t period = calendar_period(window->zone, window->unit, time);

        span->from = window->complete ? calendar_start(window->zone, window->unit, period + 1) : time;
        span->until = calendar_start(window->zone, window->unit, period + (window->complete ? 1 : 0) + window->last);
        return;
    }
    span->from = time + window->offset_ms;
    span->until =
        (window->slide_ms == 0 ? time : ceiling(time, window->slide_ms)) + window->offset_ms + window->length_ms;
}

bool span_counts(const struct span *span, int64_t at)
{
    return span->selected && span->from <= at && at < span->until;
}

static struct answer value_of(const struct rule *rule, const struct message *message)
{
    struct answer value = message_property(message, &rule->property);
    struct answer factor;

    if (!rule->product) {
        return value;
    }
    factor = message_property(message, &rule->factor);
    if (value.kind != ANSWER_NUMBER || factor.kind != ANSWER_NUMBER ||
        !exact_product(value.micros, factor.micros, &value.micros)) {
        return (struct answer){0};
    }
    return value;
}

/* ---- sequences ---- */

static bool equal_answers(const struct answer *a, const struct answer *b)
{
    struct term term = {.op = slice_from("="), .operands = (struct answer *)b, .operand_count = 1};
    const struct terms terms = {.items = &term, .count = 1};

    return terms_hold(&terms, a);
}

/* Whether both have all properties of `same`, with equal values. */
static bool same(const struct rule *rule, const struct message *a, const struct message *b)
{
    for (size_t i = 0; i < rule->same_count; i++) {
        struct answer left = message_property(a, &rule->same[i]);
        struct answer right = message_property(b, &rule->same[i]);

        if (!equal_answers(&left, &right)) {
            return false;
        }
    }
    return true;
}

/* Whether steps `step`.. can be taken by other events than those used, and the last one by `last`. */
static bool take_steps(const struct subject *subject, const struct rule *rule, size_t step, size_t *used, size_t last)
{
    bool at_last = step + 1 == rule->step_count;

    for (size_t i = at_last ? last : 0; i < (at_last ? last + 1 : subject->count); i++) {
        const struct message *message = &subject->messages[i];
        bool possible = message_matches(message, &rule->steps[step]) && message->time <= subject->messages[last].time &&
                        subject->messages[last].time - message->time <= rule->within_ms &&
                        same(rule, message, &subject->messages[last]);

        for (size_t k = 0; k < step && possible; k++) {
            possible = used[k] != i;
        }
        possible = possible && (step == 0 || subject->messages[used[step - 1]].time <= message->time);
        if (!possible) {
            continue;
        }
        used[step] = i;
        if (at_last || take_steps(subject, rule, step + 1, used, last)) {
            return true;
        }
    }
    return false;
}

/* ---- absences ---- */

/* Whether a `b` other than event `a` comes from a.t up to `until`. */
bool absence_ended(const struct subject *subject, const struct rule *rule, size_t a, int64_t until)
{
    const struct message *begin = &subject->messages[a];

    for (size_t i = 0; i < subject->count; i++) {
        const struct message *message = &subject->messages[i];

        if (i != a && begin->time <= message->time && message->time <= until &&
            message_matches(message, &rule->ender) && same(rule, begin, message)) {
            return true;
        }
    }
    return false;
}

bool absence_holds(const struct subject *subject, const struct rule *rule, size_t a, int64_t at)
{
    int64_t time = subject->messages[a].time;

    return span_counts(&rule->spans[a], at) && time + rule->within_ms <= at &&
           !absence_ended(subject, rule, a, rule->or_later ? at : time + rule->within_ms);
}

/* ---- preparing the rules for a user ---- */

void criterion_prepare(const struct subject *subject, struct rule *rule)
{
    struct arena *arena = subject->world->arena;
    size_t *used = take(arena, rule->step_count, sizeof *used);

    for (size_t i = 0; i < rule->child_count; i++) {
        criterion_prepare(subject, &rule->children[i]);
    }
    if (rule->form != FORM_MEASURE && rule->form != FORM_ABSENCE && rule->form != FORM_SEQUENCE) {
        return;
    }
    rule->spans = take(arena, subject->count, sizeof *rule->spans);
    for (size_t i = 0; i < subject->count; i++) {
        const struct message *message = &subject->messages[i];
        struct span *span = &rule->spans[i];

        switch (rule->form) {
        case FORM_MEASURE:
            span->selected = message_matches(message, &rule->selector);
            span->value = value_of(rule, message);
            break;
        case FORM_ABSENCE:
            span->selected = message_matches(message, &rule->selector) && same(rule, message, message);
            break;
        default:
            span->selected =
                message_matches(message, &rule->steps[rule->step_count - 1]) && take_steps(subject, rule, 0, used, i);
        }
        if (span->selected) {
            find_span(&rule->window, message->time, span);
        }
    }
}

/* ---- measures ---- */

static bool different_values(const struct answer *a, const struct answer *b)
{
    return !equal_answers(a, b);
}

static int64_t count_distinct(const struct subject *subject, const struct rule *rule, int64_t at)
{
    int64_t count = 0;

    for (size_t i = 0; i < subject->count; i++) {
        bool first = span_counts(&rule->spans[i], at);

        if (rule->period == CALENDAR_NONE) {
            first = first && rule->spans[i].value.kind != ANSWER_MISSING && rule->spans[i].value.kind != ANSWER_OTHER;
        }
        for (size_t k = 0; k < i && first; k++) {
            if (!span_counts(&rule->spans[k], at)) {
                continue;
            }
            first = rule->period == CALENDAR_NONE
                        ? different_values(&rule->spans[i].value, &rule->spans[k].value)
                        : calendar_period(rule->zone, rule->period, subject->messages[i].time) !=
                              calendar_period(rule->zone, rule->period, subject->messages[k].time);
        }
        count += first;
    }
    return count;
}

/* The value of count, sum, avg, min, max, distinct in millionths, as a fraction. */
static struct fraction number_of(const struct subject *subject, const struct rule *rule, int64_t at)
{
    struct wide sum = wide_from(0);
    int64_t numbers = 0;
    int64_t events = 0;
    int64_t low = INT64_MAX;
    int64_t high = INT64_MIN;
    struct fraction fraction = {.exists = true, .under = wide_from(1)};

    for (size_t i = 0; i < subject->count; i++) {
        const struct span *span = &rule->spans[i];

        if (!span_counts(span, at)) {
            continue;
        }
        events++;
        if (span->value.kind == ANSWER_NUMBER) {
            numbers++;
            sum = wide_add(sum, wide_from(span->value.micros));
            low = span->value.micros < low ? span->value.micros : low;
            high = span->value.micros > high ? span->value.micros : high;
        }
    }
    if (word_is(rule->measure, "count")) {
        fraction.over = wide_from(events * 1000000);
    } else if (word_is(rule->measure, "distinct")) {
        fraction.over = wide_from(count_distinct(subject, rule, at) * 1000000);
    } else if (word_is(rule->measure, "sum")) {
        fraction.over = sum;
    } else {
        fraction.exists = numbers > 0;
        fraction.over = word_is(rule->measure, "avg") ? sum : wide_from(word_is(rule->measure, "min") ? low : high);
        fraction.under = wide_from(word_is(rule->measure, "avg") && numbers > 0 ? numbers : 1);
    }
    return fraction;
}

static int compare_fractions(const struct fraction *a, const struct fraction *b)
{
    return wide_compare(wide_multiply(a->over, b->under), wide_multiply(b->over, a->under));
}

static bool order_fits(struct slice op, int order)
{
    if (word_is(op, "=")) {
        return order == 0;
    }
    if (word_is(op, "!=")) {
        return order != 0;
    }
    if (op.data[0] == '>') {
        return order > 0 || (op.size == 2 && order == 0);
    }
    return order < 0 || (op.size == 2 && order == 0);
}

static bool numbers_hold(const struct terms *terms, const struct fraction *value)
{
    for (size_t i = 0; i < terms->count; i++) {
        const struct fraction bound = {.over = wide_from(terms->items[i].operands[0].micros), .under = wide_from(1)};

        if (!order_fits(terms->items[i].op, compare_fractions(value, &bound))) {
            return false;
        }
    }
    return value->exists;
}

static bool durations_hold(const struct terms *terms, int64_t begin, int64_t end)
{
    for (size_t i = 0; i < terms->count; i++) {
        const struct term *term = &terms->items[i];
        int64_t bound = term->years > 0 ? calendar_anniversary(begin, term->years) : begin + term->ms;

        if (!order_fits(term->op, (end > bound) - (end < bound))) {
            return false;
        }
    }
    return true;
}

/* Whether `a` is greater, where events tie and one value must be chosen. */
static bool greater(const struct answer *a, const struct answer *b)
{
    if (a->kind != b->kind) {
        return a->kind > b->kind;
    }
    switch (a->kind) {
    case ANSWER_BOOLEAN:
        return a->truth > b->truth;
    case ANSWER_NUMBER:
        return a->micros > b->micros;
    case ANSWER_STRING:
        return slice_compare(a->text, b->text) > 0;
    default:
        return false;
    }
}

static bool tie(const struct message *a, const struct message *b)
{
    return a->time == b->time && a->has_id == b->has_id && (!a->has_id || slice_equal(a->id, b->id));
}

/* first, last, latest, earliest. Messages are in order. */
static bool place_holds(const struct subject *subject, const struct rule *rule, int64_t at)
{
    bool newest = word_is(rule->measure, "last") || word_is(rule->measure, "latest");
    size_t found = SIZE_MAX;
    struct answer value = {0};

    for (size_t i = 0; i < subject->count; i++) {
        if (span_counts(&rule->spans[i], at) && (found == SIZE_MAX || newest)) {
            found = i;
        }
    }
    if (found == SIZE_MAX) {
        return false;
    }
    if (word_is(rule->measure, "first") || word_is(rule->measure, "last")) {
        return durations_hold(&rule->terms, subject->messages[found].time, at);
    }
    for (size_t i = 0; i < subject->count; i++) {
        if (span_counts(&rule->spans[i], at) && tie(&subject->messages[i], &subject->messages[found]) &&
            greater(&rule->spans[i].value, &value)) {
            value = rule->spans[i].value;
        }
    }
    return terms_hold(&rule->terms, &value);
}

static bool measure_holds(const struct subject *subject, const struct rule *rule, int64_t at)
{
    struct fraction value;

    if (word_is(rule->measure, "first") || word_is(rule->measure, "last") || word_is(rule->measure, "latest") ||
        word_is(rule->measure, "earliest")) {
        return place_holds(subject, rule, at);
    }
    value = number_of(subject, rule, at);
    return numbers_hold(&rule->terms, &value);
}

static bool compare_holds(const struct subject *subject, const struct rule *rule, int64_t at)
{
    struct fraction left = number_of(subject, &rule->children[0], at);
    struct fraction right = number_of(subject, &rule->children[1], at);

    right.over = wide_multiply(right.over, wide_from(rule->times_micros));
    right.under = wide_multiply(right.under, wide_from(1000000));
    return left.exists && right.exists && order_fits(rule->op, compare_fractions(&left, &right));
}

/* ---- traits ---- */

/* What the path says of a trait that was set. */
static struct answer answer_within(const struct tree *set, const struct path *path)
{
    struct answer value = answer_of(set);

    for (size_t i = 1; i < path->count; i++) {
        value = answer_of(value.kind == ANSWER_OTHER ? tree_member_slice(value.tree, path->keys[i]) : NULL);
    }
    return value;
}

/* Where identifies tie, the value that is asked for decides: of two objects neither is the greater. */
static struct answer trait_at(const struct subject *subject, const struct path *path, int64_t at)
{
    struct answer value = {0};
    const struct message *setter = NULL;

    if (path->count == 0) {
        return value;
    }
    for (size_t i = 0; i < subject->count && subject->messages[i].time <= at; i++) {
        const struct message *message = &subject->messages[i];
        const struct tree *set = tree_member_slice(message->content, path->keys[0]);
        struct answer answer = answer_within(set, path);

        if (message->identify && set != NULL && (setter == NULL || !tie(setter, message) || greater(&answer, &value))) {
            setter = message;
            value = answer;
        }
    }
    return value;
}

bool trait_instant(const struct subject *subject, const struct rule *rule, int64_t at, int64_t *ms)
{
    struct answer value = trait_at(subject, &rule->trait, at);

    if (value.kind == ANSWER_STRING) {
        return calendar_instant(value.text, ms) || calendar_date(value.text, ms);
    }
    *ms = value.micros / 1000000;
    return value.kind == ANSWER_NUMBER && value.micros % 1000000 == 0 && calendar_possible(*ms);
}

static bool trait_holds(const struct subject *subject, const struct rule *rule, int64_t at)
{
    struct answer value;
    int64_t ms;

    if (rule->form == FORM_TRAIT) {
        value = trait_at(subject, &rule->trait, at);
        return terms_hold(&rule->terms, &value);
    }
    if (!trait_instant(subject, rule, at, &ms)) {
        return false;
    }
    return rule->form == FORM_AGE ? ms <= at && durations_hold(&rule->terms, ms, at)
                                  : ms >= at && durations_hold(&rule->terms, at, ms);
}

/* ---- percentile ---- */

struct subject subject_of(struct world *world, size_t person, int64_t asked)
{
    const struct person *who = &world->people[person];
    struct subject subject = {.world = world, .person = person, .messages = who->messages, .asked = asked};

    while (subject.count < who->count && who->messages[subject.count].time <= asked) {
        subject.count++;
    }
    subject.known_since = subject.count > 0 ? who->messages[0].time : INTERPRETER_OPEN;
    return subject;
}

static bool same_group(const struct answer *a, const struct answer *b)
{
    bool grouped_a = a->kind != ANSWER_MISSING && a->kind != ANSWER_OTHER;
    bool grouped_b = b->kind != ANSWER_MISSING && b->kind != ANSWER_OTHER;

    return grouped_a == grouped_b && (!grouped_a || equal_answers(a, b));
}

/* Takes part: known, with a counting event, in the group. */
static bool ranks(const struct subject *subject, const struct rule *rule, const struct answer *group,
                  struct fraction *value)
{
    struct answer by = trait_at(subject, &rule->trait, subject->asked);
    bool counting = false;

    criterion_prepare(subject, &rule->children[0]);
    for (size_t i = 0; i < subject->count; i++) {
        counting = counting || span_counts(&rule->children[0].spans[i], subject->asked);
    }
    *value = number_of(subject, &rule->children[0], subject->asked);
    return counting && value->exists && same_group(&by, group);
}

static bool percentile_holds(const struct subject *subject, const struct rule *rule, int64_t at)
{
    struct world *world = subject->world;
    struct answer group = trait_at(subject, &rule->trait, at);
    struct fraction *values = take(world->arena, world->person_count, sizeof *values);
    struct fraction own;
    bool ranked = ranks(subject, rule, &group, &own);
    size_t count = 0;
    int64_t rank;

    for (size_t i = 0; i < world->person_count; i++) {
        struct subject other = subject_of(world, i, at);
        size_t place = count;
        struct fraction value;

        if (!ranks(&other, rule, &group, &value)) {
            continue;
        }
        for (; place > 0 && compare_fractions(&values[place - 1], &value) > 0; place--) {
            values[place] = values[place - 1];
        }
        values[place] = value;
        count++;
    }
    criterion_prepare(subject, (struct rule *)&rule->children[0]);
    rank = (rule->percent_micros * (int64_t)count + 99999999) / 100000000;
    /* Who has no counting event is not among the N: neither ranked, nor a member. */
    return ranked && compare_fractions(&own, &values[rank - 1]) >= 0;
}

/* ---- C(T), X(T) ---- */

static bool in_stay(const struct stays *stays, int64_t at)
{
    for (size_t i = 0; i < stays->count; i++) {
        if (stays->items[i].entered <= at && at < stays->items[i].left) {
            return true;
        }
    }
    return false;
}

static bool any_span_counts(const struct subject *subject, const struct rule *rule, int64_t at)
{
    for (size_t i = 0; i < subject->count; i++) {
        if (rule->form == FORM_ABSENCE ? rule->spans[i].selected && absence_holds(subject, rule, i, at)
                                       : span_counts(&rule->spans[i], at)) {
            return true;
        }
    }
    return false;
}

bool criterion_holds(const struct subject *subject, const struct rule *rule, int64_t at)
{
    bool result = rule->form == FORM_ALL;

    switch (rule->form) {
    case FORM_MEASURE:
        return measure_holds(subject, rule, at);
    case FORM_ABSENCE:
    case FORM_SEQUENCE:
        return any_span_counts(subject, rule, at);
    case FORM_COMPARE:
        return compare_holds(subject, rule, at);
    case FORM_TRAIT:
    case FORM_AGE:
    case FORM_UNTIL:
        return trait_holds(subject, rule, at);
    case FORM_SEGMENT:
        return in_stay(segment_stays(subject, rule->segment), at);
    case FORM_NOT:
        return !criterion_holds(subject, &rule->children[0], at);
    case FORM_PERCENTILE:
        return percentile_holds(subject, rule, at);
    default:
        break;
    }
    for (size_t i = 0; i < rule->child_count; i++) {
        bool child = criterion_holds(subject, &rule->children[i], at);

        result = rule->form == FORM_ALL ? result && child : result || child;
    }
    return result;
}
