/* Each criterion is judged from its leaves: never, always, or it depends. A leaf that nothing satisfies is named where
 * it stands; what follows from it further up is not said again, but for segments that can have no member. */
#include "common/domain/rule_sense.h"

#include "common/domain/criterion_parts.h"
#include "common/domain/rule_equal.h"
#include "common/domain/rule_operators.h"
#include "common/domain/rule_range.h"

#include <stdio.h>

enum { TERMS_MAX = 64, SPAN_TERMS_MAX = 6, PATH_TEXT_SIZE = 1024, MESSAGE_SIZE = 512 };

struct sense {
    const struct segment_set *set;
    const struct definition *definition;
    enum rule_severity impossible;
    enum rule_truth *members; /* by definition: may it have members */
    struct comparison_scratch scratch;
    struct error *err;
    bool set_has_errors; /* before anything was judged */
    bool failed;         /* err is set */
};

/* ---- saying ---- */

static void say(struct sense *sense, enum rule_truth truth, const struct criterion *criterion, const char *key,
                const char *message)
{
    bool never = truth == RULE_NEVER;
    char path[PATH_TEXT_SIZE];

    if (sense->failed || truth == RULE_DEPENDS) {
        return;
    }
    (void)snprintf(path, sizeof(path), "%.*s%s", criterion == NULL ? 0 : (int)criterion->json_path.size,
                   criterion == NULL ? "" : criterion->json_path.data, key);
    sense->failed = !rule_problems_add_at(sense->set->problems, never ? sense->impossible : RULE_WARNING,
                                          never ? RULE_PROBLEM_IMPOSSIBLE : RULE_PROBLEM_ALWAYS, sense->definition,
                                          slice_from(path), message, NULL, sense->err);
}

/* Terms of several comparisons that must hold together. Those beyond the maximum are left out, which can only make
 * fewer sets of terms contradictory. */
struct terms {
    struct rule_term items[TERMS_MAX];
    size_t count;
};

static void terms_add(struct terms *terms, const struct rule_comparison *comparison)
{
    for (size_t i = 0; i < comparison->term_count && terms->count < TERMS_MAX; i++) {
        terms->items[terms->count++] = comparison->terms[i];
    }
}

/* ---- which events ---- */

/* RULE_NEVER when no event can be selected. `key` leads from the criterion to the selector. */
static enum rule_truth judge_selector(struct sense *sense, const struct criterion *criterion,
                                      const struct rule_selector *selector, const char *key)
{
    enum rule_truth truth = RULE_DEPENDS;

    for (size_t i = 0; i < selector->where_count; i++) {
        struct terms terms = {.count = 0};
        size_t together = 0;
        bool seen = false;
        char path[64];

        for (size_t k = 0; k < selector->where_count; k++) {
            if (rule_path_equal(&selector->where[i].property, &selector->where[k].property)) {
                seen = seen || k < i;
                together++;
                terms_add(&terms, &selector->where[k].comparison);
            }
        }
        if (seen || rule_range_values(terms.items, terms.count, false, &sense->scratch) != RULE_NEVER) {
            continue;
        }
        truth = RULE_NEVER;
        (void)snprintf(path, sizeof(path), "%s.where[%zu]", key, i);
        say(sense, RULE_NEVER, criterion, path,
            together > 1 ? "impossible: no value satisfies all predicates on this property"
                         : "impossible: no value satisfies this predicate");
    }
    return truth;
}

/* What `where` asks of a property, together with `also` (NULL: nothing more). */
static void terms_of_where(struct terms *terms, const struct rule_selector *selector, const struct rule_path *path,
                           const struct rule_comparison *also)
{
    terms->count = 0;
    for (size_t i = 0; i < selector->where_count; i++) {
        if (rule_path_equal(&selector->where[i].property, path)) {
            terms_add(terms, &selector->where[i].comparison);
        }
    }
    if (also != NULL) {
        terms_add(terms, also);
    }
}

/* Whether no event that `where` lets through has a value of the property, or a number. */
static bool never_there(struct sense *sense, const struct rule_selector *selector, const struct rule_path *path,
                        bool number)
{
    struct rule_term exists[] = {{.op = RULE_EXISTS, .exists = true}};
    const struct rule_comparison there = {.terms = exists, .term_count = 1};
    struct terms terms;

    terms_of_where(&terms, selector, path, &there);
    return rule_range_values(terms.items, terms.count, number, &sense->scratch) == RULE_NEVER;
}

/* Of `same`: events without the property take no part. */
static enum rule_truth judge_same(struct sense *sense, const struct criterion *criterion,
                                  const struct rule_selector *selector)
{
    for (size_t i = 0; i < criterion->same_count; i++) {
        char key[32];

        if (never_there(sense, selector, &criterion->same[i], false)) {
            (void)snprintf(key, sizeof(key), ".same[%zu]", i);
            say(sense, RULE_NEVER, criterion, key, "impossible: events that are selected never have this property");
            return RULE_NEVER;
        }
    }
    return RULE_DEPENDS;
}

/* ---- measures ---- */

/* Whether the measure has a value for users without a counting event. */
static bool always_exists(const struct criterion *criterion)
{
    return measure_operator(&criterion->measure)->always_exists;
}

static int64_t greatest_number(const struct criterion *criterion)
{
    if (criterion->measure.period != RULE_PERIOD_NONE) {
        return rule_range_periods(&criterion->window, criterion->measure.period);
    }
    return RULE_UNBOUNDED;
}

static enum rule_truth judge_terms(struct sense *sense, const struct criterion *criterion, const struct terms *terms)
{
    const struct rule_measure *measure = &criterion->measure;
    enum rule_numbers numbers = measure_operator(measure)->numbers;
    enum rule_truth truth;

    if (numbers == RULE_NUMBERS_NONE) {
        return rule_range_values(terms->items, terms->count, measure->product, &sense->scratch);
    }
    truth = rule_range_numbers(terms->items, terms->count, numbers, greatest_number(criterion));
    return truth == RULE_ALWAYS && !always_exists(criterion) ? RULE_DEPENDS : truth;
}

static enum rule_truth judge_age_of_event(const struct criterion *criterion)
{
    int64_t longest_ms = rule_range_window_ms(&criterion->window);
    int64_t greatest_ms = longest_ms == RULE_UNBOUNDED ? RULE_UNBOUNDED : longest_ms - 1;
    enum rule_truth truth = rule_range_spans(&criterion->measure.durations, criterion->window.offset_ms, greatest_ms);

    /* There may be no event at all. */
    return truth == RULE_ALWAYS ? RULE_DEPENDS : truth;
}

static const char *why_never(const struct criterion *criterion)
{
    return criterion->measure.period == RULE_PERIOD_NONE
               ? measure_operator(&criterion->measure)->never
               : "impossible: no number of periods that the window can hold satisfies this comparison";
}

/* The truth for users without any counting event: the only one where no event can be selected. */
static enum rule_truth judge_nothing(const struct criterion *criterion)
{
    const struct quotient nothing = {.exists = true, .sum = 0, .count = 1};

    if (!always_exists(criterion)) {
        return RULE_NEVER;
    }
    return comparison_quotient(&criterion->measure.comparison, &nothing) ? RULE_ALWAYS : RULE_NEVER;
}

/* Whether `where` leaves nothing to be measured, or no value that the comparison takes. */
static enum rule_truth judge_measured(struct sense *sense, const struct criterion *criterion)
{
    const struct rule_measure *measure = &criterion->measure;
    const struct rule_selector *selector = &criterion->selector;
    bool extreme = measure_operator(measure)->extreme != MEASURE_EXTREME_NONE;
    bool chosen = measure_operator(measure)->result == MEASURE_VALUE;
    bool number = measure->product || measure_operator(measure)->numeric;
    struct terms terms;

    if (measure->property.key_count == 0) {
        return RULE_DEPENDS;
    }
    if (!chosen && (never_there(sense, selector, &measure->property, number) ||
                    (measure->product && never_there(sense, selector, &measure->factor, true)))) {
        return judge_nothing(criterion);
    }
    if ((extreme || chosen) && !measure->product) {
        terms_of_where(&terms, selector, &measure->property, &measure->comparison);
        return rule_range_values(terms.items, terms.count, extreme, &sense->scratch);
    }
    return RULE_DEPENDS;
}

enum rule_truth judge_event(struct sense *sense, const struct criterion *criterion)
{
    enum rule_measure_kind kind = criterion->measure.kind;
    enum rule_truth selected = judge_selector(sense, criterion, &criterion->selector, "");
    enum rule_truth truth = RULE_DEPENDS;
    struct terms terms = {.count = 0};
    char key[32];

    if (measure_operator(&criterion->measure)->result == MEASURE_AGE) {
        truth = judge_age_of_event(criterion);
    } else if (kind != RULE_MEASURE_NONE) {
        terms_add(&terms, &criterion->measure.comparison);
        truth = judge_terms(sense, criterion, &terms);
    }
    (void)snprintf(key, sizeof(key), ".%s", rule_measure_name(kind));
    say(sense, truth, criterion, key,
        truth == RULE_NEVER ? why_never(criterion)
                            : "every number satisfies this comparison: so does every known user");
    if (selected == RULE_NEVER) {
        return judge_nothing(criterion);
    }
    if (truth == RULE_DEPENDS) {
        truth = judge_measured(sense, criterion);
        say(sense, truth, criterion, key,
            truth == RULE_NEVER ? "impossible: \"where\" lets no event through with such a value"
                                : "\"where\" lets no event through with a value: every known user satisfies this");
    }
    return truth;
}

/* ---- comparisons of two measures ---- */

static bool never_negative(const struct criterion *side)
{
    return measure_operator(&side->measure)->numbers == RULE_NUMBERS_WHOLE;
}

enum rule_truth judge_compare(struct sense *sense, const struct criterion *criterion)
{
    const struct criterion *left = criterion->left;
    const struct criterion *right = criterion->right;
    enum rule_operator op = criterion->op;
    enum rule_truth left_selected;
    enum rule_truth right_selected;
    bool both_exist;
    bool same;

    if (left == NULL || right == NULL) {
        return RULE_DEPENDS;
    }
    left_selected = judge_selector(sense, left, &left->selector, "");
    right_selected = judge_selector(sense, right, &right->selector, "");
    if ((left_selected == RULE_NEVER && !always_exists(left)) ||
        (right_selected == RULE_NEVER && !always_exists(right))) {
        return RULE_NEVER;
    }
    both_exist = always_exists(left) && always_exists(right);
    same = criterion->times_micros == DECIMAL_ONE && criterion_equal(left, right);
    if (same && !operator_takes_order(op, 0)) {
        say(sense, RULE_NEVER, criterion, ".compare", "impossible: both sides are the same");
        return RULE_NEVER;
    }
    if (same && both_exist) {
        say(sense, RULE_ALWAYS, criterion, ".compare", "both sides are the same: every known user satisfies this");
        return RULE_ALWAYS;
    }
    if (never_negative(left) && never_negative(right) && criterion->times_micros <= 0) {
        if (op == RULE_LESS) {
            say(sense, RULE_NEVER, criterion, ".compare",
                "impossible: the left side is never below 0, the right never above");
            return RULE_NEVER;
        }
        if (op == RULE_GREATER_EQUAL) {
            say(sense, RULE_ALWAYS, criterion, ".compare",
                "the left side is never below 0, the right never above: every known user satisfies this");
            return RULE_ALWAYS;
        }
    }
    return RULE_DEPENDS;
}

/* ---- absences, sequences ---- */

enum rule_truth judge_absence(struct sense *sense, const struct criterion *criterion)
{
    enum rule_truth truth = judge_selector(sense, criterion, &criterion->selector, "");
    int64_t longest_ms = rule_range_window_ms(&criterion->window);

    (void)judge_selector(sense, criterion, &criterion->followed_by, ".notFollowedBy");
    /* It holds from a.t + within on, while the `a` counts. */
    if (longest_ms != RULE_UNBOUNDED && criterion->within_ms >= longest_ms) {
        say(sense, RULE_NEVER, criterion, ".window",
            "impossible: the event has left the window when \"within\" is over, so its absence never holds");
        truth = RULE_NEVER;
    }
    return judge_same(sense, criterion, &criterion->selector) == RULE_NEVER ? RULE_NEVER : truth;
}

enum rule_truth judge_sequence(struct sense *sense, const struct criterion *criterion)
{
    enum rule_truth truth = RULE_DEPENDS;

    for (size_t i = 0; i < criterion->step_count; i++) {
        char key[48];

        (void)snprintf(key, sizeof(key), ".sequence[%zu]", i);
        if (judge_selector(sense, criterion, &criterion->steps[i], key) == RULE_NEVER ||
            judge_same(sense, criterion, &criterion->steps[i]) == RULE_NEVER) {
            truth = RULE_NEVER;
        }
    }
    return truth;
}

/* ---- traits, references ---- */

enum rule_truth judge_trait(struct sense *sense, const struct criterion *criterion)
{
    struct terms terms = {.count = 0};
    enum rule_truth truth;

    terms_add(&terms, &criterion->comparison);
    truth = rule_range_values(terms.items, terms.count, false, &sense->scratch);
    say(sense, truth, criterion, "", "impossible: no value satisfies this comparison");
    return truth;
}

enum rule_truth judge_trait_span(struct sense *sense, const struct criterion *criterion)
{
    enum rule_truth truth = rule_range_spans(&criterion->durations, 0, RULE_UNBOUNDED);

    if (truth != RULE_NEVER) {
        return RULE_DEPENDS; /* the trait may be missing */
    }
    say(sense, truth, criterion, criterion->kind == CRITERION_TRAIT_AGE ? ".age" : ".until",
        "impossible: no length of time satisfies this comparison");
    return truth;
}

enum rule_truth judge_reference(struct sense *sense, const struct criterion *criterion)
{
    if (criterion->segment_index == SIZE_MAX || sense->members[criterion->segment_index] != RULE_NEVER) {
        return RULE_DEPENDS;
    }
    say(sense, RULE_NEVER, criterion, ".segment", "impossible: that segment can have no members");
    return RULE_NEVER;
}

/* ---- all, any, not ---- */

static enum rule_truth judge(struct sense *sense, const struct criterion *criterion);

/* Two criteria that must hold at once and speak of the same thing: the same trait, or the same measure of the same
 * events. */
static bool same_thing(const struct criterion *a, const struct criterion *b)
{
    if (a->kind != b->kind) {
        return false;
    }
    if (a->kind == CRITERION_TRAIT) {
        return rule_path_equal(&a->trait, &b->trait);
    }
    return a->kind == CRITERION_EVENT && a->measure.kind != RULE_MEASURE_NONE &&
           measure_operator(&a->measure)->result != MEASURE_AGE && rule_selector_equal(&a->selector, &b->selector) &&
           rule_window_equal(&a->window, &b->window) && rule_measured_equal(&a->measure, &b->measure);
}

static const struct rule_comparison *comparison_of(const struct criterion *criterion)
{
    return criterion->kind == CRITERION_TRAIT ? &criterion->comparison : &criterion->measure.comparison;
}

static bool is_span(const struct criterion *criterion)
{
    return criterion->kind == CRITERION_TRAIT_AGE || criterion->kind == CRITERION_TRAIT_UNTIL;
}

/* Two lengths of time from or to the same instant; from and to it at once only at the instant itself. */
static bool spans_contradict(const struct criterion *a, const struct criterion *b)
{
    struct rule_span_term terms[2 * SPAN_TERMS_MAX];
    struct rule_span_comparison both = {.terms = terms};

    if (a->kind != b->kind) {
        return rule_range_spans(&a->durations, 0, 0) == RULE_NEVER ||
               rule_range_spans(&b->durations, 0, 0) == RULE_NEVER;
    }
    for (size_t i = 0; i < a->durations.term_count && i < SPAN_TERMS_MAX; i++) {
        terms[both.term_count++] = a->durations.terms[i];
    }
    for (size_t i = 0; i < b->durations.term_count && i < SPAN_TERMS_MAX; i++) {
        terms[both.term_count++] = b->durations.terms[i];
    }
    return rule_range_spans(&both, 0, RULE_UNBOUNDED) == RULE_NEVER;
}

static bool contradict_in_time(struct sense *sense, const struct criterion *criteria, size_t count)
{
    char message[MESSAGE_SIZE];

    for (size_t i = 0; i < count; i++) {
        for (size_t k = i + 1; is_span(&criteria[i]) && k < count; k++) {
            if (is_span(&criteria[k]) && rule_path_equal(&criteria[i].trait, &criteria[k].trait) &&
                spans_contradict(&criteria[i], &criteria[k])) {
                (void)snprintf(message, sizeof(message), "impossible: this and %.*s cannot hold together",
                               (int)criteria[i].json_path.size, criteria[i].json_path.data);
                say(sense, RULE_NEVER, &criteria[k], "", message);
                return true;
            }
        }
    }
    return false;
}

/* Criteria that are possible one by one, but not together. */
static bool contradict(struct sense *sense, const struct criterion *criteria, size_t count)
{
    for (size_t i = 0; i + 1 < count; i++) {
        struct terms terms = {.count = 0};
        size_t last = i;
        enum rule_truth truth;

        terms_add(&terms, comparison_of(&criteria[i]));
        for (size_t k = i + 1; k < count; k++) {
            if (same_thing(&criteria[i], &criteria[k])) {
                terms_add(&terms, comparison_of(&criteria[k]));
                last = k;
            }
        }
        if (last == i) {
            continue;
        }
        truth = criteria[i].kind == CRITERION_TRAIT
                    ? rule_range_values(terms.items, terms.count, false, &sense->scratch)
                    : judge_terms(sense, &criteria[i], &terms);
        if (truth == RULE_NEVER) {
            char message[MESSAGE_SIZE];

            (void)snprintf(message, sizeof(message), "impossible: this and %.*s cannot hold together",
                           (int)criteria[i].json_path.size, criteria[i].json_path.data);
            say(sense, RULE_NEVER, &criteria[last], "", message);
            return true;
        }
    }
    return false;
}

static enum rule_truth judge_all_of(struct sense *sense, const struct criterion *criteria, size_t count)
{
    enum rule_truth truth = RULE_ALWAYS;

    for (size_t i = 0; i < count; i++) {
        enum rule_truth one = judge(sense, &criteria[i]);

        if (one == RULE_NEVER || (one == RULE_DEPENDS && truth == RULE_ALWAYS)) {
            truth = one;
        }
    }
    if (truth == RULE_DEPENDS && (contradict(sense, criteria, count) || contradict_in_time(sense, criteria, count))) {
        return RULE_NEVER;
    }
    return truth;
}

static enum rule_truth judge_any_of(struct sense *sense, const struct criterion *criteria, size_t count)
{
    enum rule_truth truth = RULE_NEVER;

    for (size_t i = 0; i < count; i++) {
        enum rule_truth one = judge(sense, &criteria[i]);

        if (one == RULE_ALWAYS || (one == RULE_DEPENDS && truth == RULE_NEVER)) {
            truth = one;
        }
    }
    return truth;
}

static enum rule_truth opposite(enum rule_truth truth)
{
    return truth == RULE_NEVER ? RULE_ALWAYS : truth == RULE_ALWAYS ? RULE_NEVER : RULE_DEPENDS;
}

enum rule_truth judge_all(struct sense *sense, const struct criterion *criterion)
{
    return judge_all_of(sense, criterion->children, criterion->child_count);
}

enum rule_truth judge_any(struct sense *sense, const struct criterion *criterion)
{
    return judge_any_of(sense, criterion->children, criterion->child_count);
}

enum rule_truth judge_not(struct sense *sense, const struct criterion *criterion)
{
    return opposite(judge(sense, &criterion->children[0]));
}

enum rule_truth judge_percentile(struct sense *sense, const struct criterion *criterion)
{
    return judge_selector(sense, criterion, &criterion->selector, ".of");
}

static enum rule_truth judge(struct sense *sense, const struct criterion *criterion)
{
    const struct criterion_operator *row = criterion_operator(criterion);

    return row->judge == NULL ? RULE_DEPENDS : row->judge(sense, criterion);
}

/* ---- definitions ---- */

/* Whether an exclusion leaves nobody: it always holds, or it is one of the criteria. */
static bool leaves_nobody(struct sense *sense, const struct criterion *exclusion, enum rule_truth truth)
{
    const struct definition *definition = sense->definition;

    if (truth == RULE_ALWAYS) {
        say(sense, RULE_NEVER, exclusion, "", "impossible: this excludes every user");
        return true;
    }
    for (size_t i = 0; definition->mode == MODE_WHILE_TRUE && i < definition->criterion_count; i++) {
        if (criterion_equal(&definition->criteria[i], exclusion)) {
            char message[MESSAGE_SIZE];

            (void)snprintf(message, sizeof(message), "impossible: this excludes everybody whom %.*s lets in",
                           (int)definition->criteria[i].json_path.size, definition->criteria[i].json_path.data);
            say(sense, RULE_NEVER, exclusion, "", message);
            return true;
        }
    }
    return false;
}

static void judge_stream(struct sense *sense)
{
    const struct definition *definition = sense->definition;
    const char *why = "it refers to a segment that has none";
    char message[MESSAGE_SIZE];

    /* Where references are wrong, nothing is known of what depends on them. */
    if (sense->set->evaluation_order == NULL || sense->set_has_errors || definition->streams ||
        definition->evaluation == EVALUATION_BATCH || definition->needs_percentile || definition->broken ||
        sense->failed) {
        return;
    }
    (void)rule_streams(definition, &why);
    (void)
        snprintf(message, sizeof(message),
                 "apply refuses this: a stream has no bound for its state: %s; say \"evaluation\": \"batch\", or give "
                 "the criterion a \"window\"",
                 why);
    sense->failed = !rule_problems_add_at(sense->set->problems, RULE_WARNING, RULE_PROBLEM_STREAM, definition,
                                          slice_from("evaluation"), message, NULL, sense->err);
}

static enum rule_truth judge_definition(struct sense *sense)
{
    const struct definition *definition = sense->definition;
    enum rule_truth truth = judge_all_of(sense, definition->criteria, definition->criterion_count);

    if (definition->criterion_count == 0) {
        return RULE_DEPENDS;
    }
    for (size_t i = 0; i < definition->exclude_count; i++) {
        if (leaves_nobody(sense, &definition->exclude[i], judge(sense, &definition->exclude[i]))) {
            truth = RULE_NEVER;
        }
    }
    if (truth == RULE_ALWAYS && definition->exclude_count == 0 && definition->duration_ms == 0 &&
        definition->exclusion_window_ms == 0) {
        say(sense, RULE_ALWAYS, NULL, "criteria", "every known user is a member, always");
    }
    judge_stream(sense);
    return truth;
}

bool rule_sense_check(const struct segment_set *set, enum rule_severity impossible, struct error *err)
{
    struct sense sense = {.set = set, .impossible = impossible, .err = err};

    sense.set_has_errors = set->problems->error_count > 0;
    sense.members = memory_allocate_zeroed(set->definition_count, sizeof(*sense.members));
    if (sense.members == NULL) {
        return error_no_memory(err, "judging definitions");
    }
    comparison_scratch_init(&sense.scratch);
    for (size_t i = 0; !sense.failed && i < set->definition_count; i++) {
        size_t index = set->evaluation_order == NULL ? i : set->evaluation_order[i];

        sense.definition = &set->definitions[index];
        sense.members[index] = judge_definition(&sense);
        if (!sense.failed && sense.scratch.failed) {
            sense.failed = !error_no_memory(err, "judging definitions");
        }
    }
    comparison_scratch_clear(&sense.scratch);
    memory_free(sense.members);
    return !sense.failed;
}
