/* Criteria (segment-language, section 5). Which form an object is, its first key decides; one form is one table. */
#include "common/base/nearest.h"
#include "common/domain/rule_operators.h"
#include "common/domain/rule_reader.h"

#define SELECTOR offsetof(struct criterion, selector)
#define WINDOW offsetof(struct criterion, window)
#define MEASURE offsetof(struct criterion, measure)

static rule_key_read read_compare;
static rule_key_read read_side;
static rule_key_read read_times;
static rule_key_read read_not_followed_by;
static rule_key_read read_condition;
static rule_key_read read_same;
static rule_key_read read_steps;
static rule_key_read read_trait_span;
static rule_key_read read_segment;
static rule_key_read read_children;
static rule_key_read read_child;
static rule_key_read read_percentile;
static rule_key_read read_of;

#define SELECTOR_KEYS                                                                                                  \
    {.name = "event",                                                                                                  \
     .takes = "a string or an array of strings",                                                                       \
     .help = "The name of the events (of a page or screen: that word), an array of names, or \"*\" for any.",          \
     .read = rule_key_event,                                                                                           \
     .required = true,                                                                                                 \
     .offset = SELECTOR},                                                                                              \
    {                                                                                                                  \
        .name = "where", .takes = "an array of predicates",                                                            \
        .help = "Predicates that must all hold for an event to be taken.", .read = rule_key_where, .offset = SELECTOR  \
    }
#define WINDOW_KEYS                                                                                                    \
    {.name = "window",                                                                                                 \
     .takes = "a duration or an object with `calendar`",                                                               \
     .help = "How long an event counts from its time on: a duration, or a calendar window. Without one it counts for " \
             "ever.",                                                                                                  \
     .read = rule_key_window,                                                                                          \
     .offset = WINDOW},                                                                                                \
        {.name = "offset",                                                                                             \
         .help = "The window that ended so long ago, instead of the one that ends now.",                               \
         .read = rule_key_duration,                                                                                    \
         .offset = WINDOW + offsetof(struct rule_window, offset_ms)},                                                  \
    {                                                                                                                  \
        .name = "slide", .help = "The window moves in steps of this length, which keeps less per user.",               \
        .read = rule_key_duration, .offset = WINDOW + offsetof(struct rule_window, slide_ms)                           \
    }
#define WITHIN_KEY                                                                                                     \
    {                                                                                                                  \
        .name = "within",                                                                                              \
        .help =                                                                                                        \
            "For how long the other event must not come; of a sequence: the time from its first step to its last.",    \
        .read = rule_key_duration, .required = true, .offset = offsetof(struct criterion, within_ms)                   \
    }

static const struct rule_key event_keys[] = {
    SELECTOR_KEYS,
    WINDOW_KEYS,
    {.name = "count", .read = rule_key_measure, .offset = MEASURE},
    {.name = "sum", .read = rule_key_measure, .offset = MEASURE},
    {.name = "avg", .read = rule_key_measure, .offset = MEASURE},
    {.name = "min", .read = rule_key_measure, .offset = MEASURE},
    {.name = "max", .read = rule_key_measure, .offset = MEASURE},
    {.name = "distinct", .read = rule_key_measure, .offset = MEASURE},
    {.name = "first", .read = rule_key_measure, .offset = MEASURE},
    {.name = "last", .read = rule_key_measure, .offset = MEASURE},
    {.name = "latest", .read = rule_key_measure, .offset = MEASURE},
    {.name = "earliest", .read = rule_key_measure, .offset = MEASURE},
    {.name = NULL},
};
const struct rule_form rule_form_event = {.name = "event", .what = "an event criterion", .keys = event_keys};

static const struct rule_key operand_keys[] = {
    SELECTOR_KEYS,
    WINDOW_KEYS,
    {.name = "count", .read = rule_key_measure_operand, .offset = MEASURE},
    {.name = "sum", .read = rule_key_measure_operand, .offset = MEASURE},
    {.name = "avg", .read = rule_key_measure_operand, .offset = MEASURE},
    {.name = "min", .read = rule_key_measure_operand, .offset = MEASURE},
    {.name = "max", .read = rule_key_measure_operand, .offset = MEASURE},
    {.name = "distinct", .read = rule_key_measure_operand, .offset = MEASURE},
    {.name = NULL},
};
static const struct rule_form operand_form = {.name = "operand",
                                              .what = "an event form inside compare or percentile",
                                              .keys = operand_keys};

static const struct rule_key absence_keys[] = {
    SELECTOR_KEYS,
    {.name = "notFollowedBy",
     .takes = "an object with `event`, and `where` or not",
     .help = "The event that must not come.",
     .read = read_not_followed_by,
     .required = true},
    WITHIN_KEY,
    {.name = "orLater",
     .help = "A later event ends it too, not only one within the time; false where not given.",
     .read = rule_key_boolean,
     .offset = offsetof(struct criterion, or_later)},
    {.name = "same",
     .takes = "an array of dotted paths",
     .help = "Properties that must be equal on all events of the occurrence.",
     .read = read_same},
    WINDOW_KEYS,
    {.name = NULL},
};
const struct rule_form rule_form_absence = {.name = "notFollowedBy",
                                            .what = "a notFollowedBy criterion",
                                            .keys = absence_keys};

static const struct rule_key condition_keys[] = {
    SELECTOR_KEYS,
    {.name = "condition",
     .takes = "a string",
     .help = "\"no_EVENT_after\": notFollowedBy EVENT with orLater, the window standing for \"within\".",
     .read = read_condition,
     .required = true},
    {.name = "window",
     .help = "How much time must pass without the event.",
     .read = rule_key_duration,
     .required = true,
     .offset = offsetof(struct criterion, within_ms)},
    {.name = "same",
     .takes = "an array of dotted paths",
     .help = "Properties that must be equal on all events of the occurrence.",
     .read = read_same},
    {.name = NULL},
};
const struct rule_form rule_form_condition = {.name = "condition",
                                              .what = "a criterion with a condition",
                                              .keys = condition_keys};

static const struct rule_key sequence_keys[] = {
    {.name = "sequence",
     .takes = "an array of objects with `event`, and `where` or not",
     .help = "Two steps or more, which different events match in this order; those of one millisecond in any.",
     .read = read_steps,
     .required = true},
    WITHIN_KEY,
    {.name = "same",
     .takes = "an array of dotted paths",
     .help = "Properties that must be equal on all events of the occurrence.",
     .read = read_same},
    WINDOW_KEYS,
    {.name = NULL},
};
const struct rule_form rule_form_sequence = {.name = "sequence", .what = "a sequence criterion", .keys = sequence_keys};

static const struct rule_key compare_keys[] = {
    {.name = "compare",
     .takes = "an object with `left`, `op` and `right`",
     .help = "Two measures and how they compare.",
     .read = read_compare,
     .required = true},
    {.name = NULL},
};
const struct rule_form rule_form_compare = {.name = "compare", .what = "a compare criterion", .keys = compare_keys};

static const struct rule_key comparison_keys[] = {
    {.name = "left",
     .takes = "an event form",
     .help = "An event form with a measure and no comparison.",
     .read = read_side,
     .required = true,
     .offset = offsetof(struct criterion, left)},
    {.name = "op",
     .help = "left OP times x right; false where either value does not exist.",
     .read = rule_key_word,
     .required = true,
     .offset = offsetof(struct criterion, op),
     .words = &rule_words_compare},
    {.name = "right",
     .takes = "an event form",
     .help = "An event form with a measure and no comparison.",
     .read = read_side,
     .required = true,
     .offset = offsetof(struct criterion, right)},
    {.name = "times",
     .takes = "a number",
     .help = "The factor of the right side; 1 where not given.",
     .read = read_times},
    {.name = NULL},
};
static const struct rule_form comparison_form = {.name = "comparison",
                                                 .what = "an object with \"left\", \"op\" and \"right\"",
                                                 .keys = comparison_keys};

#define TRAIT_KEY                                                                                                      \
    {                                                                                                                  \
        .name = "trait", .help = "The trait, set whole at top level; a dotted path walks into its value.",             \
        .read = rule_key_path, .required = true, .offset = offsetof(struct criterion, trait)                           \
    }

static const struct rule_key trait_keys[] = {TRAIT_KEY, {.name = NULL}};
const struct rule_form rule_form_trait = {
    .name = "trait",
    .what = "a trait criterion",
    .keys = trait_keys,
    .operands = RULE_OPERANDS_VALUES,
    .comparison_offset = offsetof(struct criterion, comparison),
};
static const struct rule_key age_keys[] = {
    TRAIT_KEY,
    {.name = "age",
     .takes = "an object such as `{\">=\": \"18y\"}`",
     .help = "How long ago the instant is that the trait holds; \"18y\" is the 18th anniversary.",
     .read = read_trait_span,
     .required = true},
    {.name = NULL}};
const struct rule_form rule_form_age = {.name = "age", .what = "a trait's age criterion", .keys = age_keys};
static const struct rule_key until_keys[] = {TRAIT_KEY,
                                             {.name = "until",
                                              .takes = "an object such as `{\"<=\": \"7d\"}`",
                                              .help = "How far ahead the instant is that the trait holds.",
                                              .read = read_trait_span,
                                              .required = true},
                                             {.name = NULL}};
const struct rule_form rule_form_until = {.name = "until", .what = "a trait's until criterion", .keys = until_keys};

static const struct rule_key no_keys[] = {{.name = NULL}};
static const struct rule_form age_spans_form = {.name = "ages",
                                                .what = "an age",
                                                .keys = no_keys,
                                                .operands = RULE_OPERANDS_AGES};
static const struct rule_form until_spans_form = {.name = "spans",
                                                  .what = "an until",
                                                  .keys = no_keys,
                                                  .operands = RULE_OPERANDS_SPANS};

static const struct rule_key segment_keys[] = {{.name = "segment",
                                                .takes = "a string",
                                                .help = "The id of another segment; references must not form a cycle.",
                                                .read = read_segment,
                                                .required = true},
                                               {.name = NULL}};
const struct rule_form rule_form_segment = {.name = "segment", .what = "a segment criterion", .keys = segment_keys};
static const struct rule_key all_keys[] = {{.name = "all",
                                            .takes = "an array of criteria",
                                            .help = "Criteria that must all hold.",
                                            .read = read_children,
                                            .required = true},
                                           {.name = NULL}};
const struct rule_form rule_form_all = {.name = "all", .what = "an all criterion", .keys = all_keys};
static const struct rule_key any_keys[] = {{.name = "any",
                                            .takes = "an array of criteria",
                                            .help = "Criteria of which one must hold.",
                                            .read = read_children,
                                            .required = true},
                                           {.name = NULL}};
const struct rule_form rule_form_any = {.name = "any", .what = "an any criterion", .keys = any_keys};
static const struct rule_key not_keys[] = {{.name = "not",
                                            .takes = "a criterion",
                                            .help = "A criterion that must not hold.",
                                            .read = read_child,
                                            .required = true},
                                           {.name = NULL}};
const struct rule_form rule_form_not = {.name = "not", .what = "a not criterion", .keys = not_keys};

static const struct rule_key percentile_keys[] = {
    {.name = "percentile",
     .takes = "a number",
     .help = "Above 0 and up to 100: the value must reach the ceil(p x N / 100)-th smallest of N users.",
     .read = read_percentile,
     .required = true},
    {.name = "of",
     .takes = "an event form",
     .help = "What is ranked: an event form with a measure and no comparison.",
     .read = read_of,
     .required = true},
    {.name = "by",
     .help = "A trait: ranks are taken among the users with an equal value.",
     .read = rule_key_path,
     .offset = offsetof(struct criterion, trait)},
    {.name = NULL},
};
const struct rule_form rule_form_percentile = {.name = "percentile",
                                               .what = "a percentile criterion",
                                               .keys = percentile_keys};

const struct rule_form *const rule_forms_criterion[] = {
    &rule_form_event,     &operand_form,         &rule_form_absence,
    &rule_form_condition, &rule_form_sequence,   &rule_form_compare,
    &comparison_form,     &rule_form_trait,      &rule_form_age,
    &rule_form_until,     &age_spans_form,       &until_spans_form,
    &rule_form_segment,   &rule_form_all,        &rule_form_any,
    &rule_form_not,       &rule_form_percentile, NULL,
};

static bool has(const struct rule_reader *reader, int32_t token, const char *key)
{
    return key == NULL || json_member(reader->document, token, slice_from(key)) != JSON_ABSENT;
}

/* Criteria as other languages name them. */
static const char *usual_head(struct slice name)
{
    return slice_equal_text(name, "or") ? "any" : slice_equal_text(name, "and") ? "all" : NULL;
}

/* What a misspelt head ("evnt") probably meant. */
static void suggest_head(struct rule_reader *reader, int32_t token)
{
    const struct json_document *document = reader->document;
    int32_t member = token + 1;

    for (uint32_t i = 0; i < document->tokens[token].count; i++) {
        const char *usual = usual_head(json_raw(document, member));
        struct nearest nearest;

        nearest_begin(&nearest, json_raw(document, member));
        for (size_t kind = 1; kind < CRITERION_OPERATOR_COUNT; kind++) {
            nearest_offer(&nearest, criterion_operators[kind].form.head);
        }
        if (usual != NULL) {
            nearest.name = usual;
        }
        if (nearest.name != NULL) {
            reader->culprit = member;
            reader->suggestion = nearest.name;
            return;
        }
        member = (int32_t)document->tokens[member + 1].end_token;
    }
}

/* Takes the form where its keys are there: one with a second key before one without. False where an object of another
 * head was taken already. */
static bool take_form(struct rule_reader *reader, int32_t token, const struct criterion_form *form,
                      const struct criterion_form **chosen)
{
    if (form->form == NULL || !has(reader, token, form->head)) {
        return true;
    }
    if (*chosen != NULL && strcmp((*chosen)->head, form->head) != 0) {
        return false;
    }
    if (has(reader, token, form->mark) && (*chosen == NULL || ((*chosen)->mark == NULL && form->mark != NULL))) {
        *chosen = form;
    }
    return true;
}

static bool choose_form(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                        enum criterion_kind *kind, const struct criterion_form **out)
{
    const struct criterion_form *chosen = NULL;

    if (rule_type(reader, token) != JSON_OBJECT) {
        return rule_expected(reader, place, token, "a criterion (an object)");
    }
    for (size_t i = 1; i < CRITERION_OPERATOR_COUNT; i++) {
        const struct criterion_operator *row = &criterion_operators[i];
        const struct criterion_form *before = chosen;

        if (!take_form(reader, token, &row->form, &chosen) || !take_form(reader, token, &row->shorthand, &chosen)) {
            return rule_fail(reader, place, "a criterion cannot have both \"%s\" and \"%s\"", chosen->head,
                             row->form.head);
        }
        *kind = chosen == before ? *kind : (enum criterion_kind)i;
    }
    if (chosen == NULL) {
        suggest_head(reader, token);
        return rule_fail(reader, place,
                         "expected a criterion with one of \"event\", \"compare\", \"sequence\", \"trait\", "
                         "\"segment\", \"all\", \"any\", \"not\", \"percentile\"");
    }
    *out = chosen;
    return true;
}

static bool read_criterion(struct rule_reader *reader, int32_t token, const struct rule_place *place, void *element)
{
    struct criterion *criterion = element;
    const struct criterion_form *form = NULL;
    struct slice json_path;

    if (!rule_place_text(reader, place, true, &json_path)) {
        return false;
    }
    criterion->json_path = json_path;
    if (choose_form(reader, token, place, &criterion->kind, &form)) {
        if (rule_read_object(reader, token, place, form->form, criterion) &&
            rule_finish_window(reader, place, &criterion->window)) {
            return true;
        }
    }
    /* What could not be read is left empty, so that what stands around it can still be judged. */
    *criterion = (struct criterion){.json_path = json_path};
    return rule_goes_on(reader);
}

bool rule_read_criteria(struct rule_reader *reader, int32_t token, const struct rule_place *place, size_t count_min,
                        struct criterion **out, size_t *count_out)
{
    return rule_count_limit(reader, token, place, RULE_CRITERION_MAX, "criteria") &&
           rule_read_array(reader, token, place, count_min, "criteria", sizeof(struct criterion), read_criterion, out,
                           count_out);
}

/* ---- compare and percentile ---- */

static bool read_compare(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                         const struct rule_key *key, void *target)
{
    struct criterion *criterion = target;

    (void)key;
    criterion->times_micros = DECIMAL_ONE;
    return rule_read_object(reader, token, place, &comparison_form, target);
}

/* An event form with a measure and no comparison. */
static bool read_operand(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                         struct criterion *criterion)
{
    if (!rule_read_object(reader, token, place, &operand_form, criterion) ||
        !rule_finish_window(reader, place, &criterion->window)) {
        return false;
    }
    return criterion->measure.kind != RULE_MEASURE_NONE ||
           rule_fail(reader, place,
                     "expected a measure: \"count\": {}, or sum, avg, min, max or distinct of a property");
}

static bool read_side(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                      const struct rule_key *key, void *target)
{
    struct criterion *side = arena_allocate_zeroed(reader->arena, 1, sizeof(*side));

    if (side == NULL) {
        return rule_no_memory(reader);
    }
    memcpy((char *)target + key->offset, &side, sizeof(side));
    side->kind = CRITERION_EVENT;
    return rule_place_text(reader, place, true, &side->json_path) && read_operand(reader, token, place, side);
}

static bool read_times(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                       const struct rule_key *key, void *target)
{
    struct criterion *criterion = target;

    (void)key;
    return rule_read_decimal(reader, token, place, DECIMAL_MIN, DECIMAL_MAX, "a number from -9.2e12 to 9.2e12",
                             &criterion->times_micros);
}

static bool read_percentile(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                            const struct rule_key *key, void *target)
{
    struct criterion *criterion = target;

    (void)key;
    return rule_read_decimal(reader, token, place, 1, 100 * DECIMAL_ONE, "a number above 0 and up to 100",
                             &criterion->percentile_micros);
}

static bool read_of(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                    const struct rule_key *key, void *target)
{
    (void)key;
    return read_operand(reader, token, place, target);
}

/* ---- absences and sequences ---- */

static bool read_not_followed_by(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                                 const struct rule_key *key, void *target)
{
    struct criterion *criterion = target;

    (void)key;
    return rule_read_selector(reader, token, place, &criterion->followed_by);
}

/* "no_b_after": b is all between the first "no_" and the last "_after". */
static bool read_condition(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                           const struct rule_key *key, void *target)
{
    static const char what[] = "\"no_EVENT_after\"";
    struct criterion *criterion = target;
    const struct slice head = SLICE_LITERAL("no_");
    const struct slice tail = SLICE_LITERAL("_after");
    struct rule_selector *selector = &criterion->followed_by;
    struct slice text;

    (void)key;
    if (!rule_read_name(reader, token, place, what, &text)) {
        return false;
    }
    if (text.size <= head.size + tail.size || !slice_starts_with(text, head) ||
        memcmp(text.data + text.size - tail.size, tail.data, tail.size) != 0) {
        return rule_expected(reader, place, token, what);
    }
    selector->names = arena_allocate_zeroed(reader->arena, 1, sizeof(*selector->names));
    if (selector->names == NULL) {
        return rule_no_memory(reader);
    }
    selector->names[0] = slice_of(text.data + head.size, text.size - head.size - tail.size);
    selector->any_name = slice_equal_text(selector->names[0], "*");
    selector->name_count = selector->any_name ? 0 : 1;
    criterion->or_later = true;
    return true;
}

static bool read_same(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                      const struct rule_key *key, void *target)
{
    struct criterion *criterion = target;

    (void)key;
    return rule_read_paths(reader, token, place, &criterion->same, &criterion->same_count);
}

static bool read_step(struct rule_reader *reader, int32_t token, const struct rule_place *place, void *element)
{
    return rule_read_selector(reader, token, place, element);
}

static bool read_steps(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                       const struct rule_key *key, void *target)
{
    struct criterion *criterion = target;

    (void)key;
    return rule_count_limit(reader, token, place, RULE_STEP_MAX, "steps") &&
           rule_read_array(reader, token, place, 2, "steps", sizeof(struct rule_selector), read_step, &criterion->steps,
                           &criterion->step_count);
}

/* ---- traits, references, logic ---- */

static bool read_trait_span(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                            const struct rule_key *key, void *target)
{
    struct criterion *criterion = target;

    (void)key;
    return rule_read_object(reader, token, place,
                            criterion->kind == CRITERION_TRAIT_AGE ? &age_spans_form : &until_spans_form,
                            &criterion->durations);
}

static bool read_segment(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                         const struct rule_key *key, void *target)
{
    struct criterion *criterion = target;

    (void)key;
    criterion->segment_index = SIZE_MAX;
    return rule_read_name(reader, token, place, "the id of a segment", &criterion->segment_id);
}

static bool read_children(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                          const struct rule_key *key, void *target)
{
    struct criterion *criterion = target;

    (void)key;
    return rule_read_criteria(reader, token, place, 1, &criterion->children, &criterion->child_count);
}

static bool read_child(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                       const struct rule_key *key, void *target)
{
    struct criterion *criterion = target;

    (void)key;
    criterion->children = arena_allocate_zeroed(reader->arena, 1, sizeof(*criterion->children));
    if (criterion->children == NULL) {
        return rule_no_memory(reader);
    }
    criterion->child_count = 1;
    return read_criterion(reader, token, place, criterion->children);
}
