/* Criteria (segment-language, section 5). Which form an object is, its first key decides; one form is one table. */
#include "common/base/nearest.h"
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
     .help = "The name of the events, an array of names, or \"*\" for any.",                                           \
     .read = rule_key_event,                                                                                           \
     .required = true,                                                                                                 \
     .offset = SELECTOR},                                                                                              \
    {                                                                                                                  \
        .name = "where", .help = "Predicates that must all hold for an event to be taken.", .read = rule_key_where,    \
        .offset = SELECTOR                                                                                             \
    }
#define WINDOW_KEYS                                                                                                    \
    {.name = "window",                                                                                                 \
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
static const struct rule_form event_form = {.name = "event", .what = "an event criterion", .keys = event_keys};

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
    {.name = "notFollowedBy", .help = "The event that must not come.", .read = read_not_followed_by, .required = true},
    WITHIN_KEY,
    {.name = "orLater",
     .help = "A later event ends it too, not only one within the time; false where not given.",
     .read = rule_key_boolean,
     .offset = offsetof(struct criterion, or_later)},
    {.name = "same", .help = "Properties that must be equal on all events of the occurrence.", .read = read_same},
    WINDOW_KEYS,
    {.name = NULL},
};
static const struct rule_form absence_form = {.name = "notFollowedBy",
                                              .what = "a notFollowedBy criterion",
                                              .keys = absence_keys};

static const struct rule_key condition_keys[] = {
    SELECTOR_KEYS,
    {.name = "condition",
     .help = "\"no_EVENT_after\": notFollowedBy EVENT with orLater, the window standing for \"within\".",
     .read = read_condition,
     .required = true},
    {.name = "window",
     .help = "How much time must pass without the event.",
     .read = rule_key_duration,
     .required = true,
     .offset = offsetof(struct criterion, within_ms)},
    {.name = "same", .help = "Properties that must be equal on all events of the occurrence.", .read = read_same},
    {.name = NULL},
};
static const struct rule_form condition_form = {.name = "condition",
                                                .what = "a criterion with a condition",
                                                .keys = condition_keys};

static const struct rule_key sequence_keys[] = {
    {.name = "sequence",
     .help = "Two steps or more, which different events match in this order; those of one millisecond in any.",
     .read = read_steps,
     .required = true},
    WITHIN_KEY,
    {.name = "same", .help = "Properties that must be equal on all events of the occurrence.", .read = read_same},
    WINDOW_KEYS,
    {.name = NULL},
};
static const struct rule_form sequence_form = {.name = "sequence",
                                               .what = "a sequence criterion",
                                               .keys = sequence_keys};

static const struct rule_key compare_keys[] = {
    {.name = "compare", .help = "Two measures and how they compare.", .read = read_compare, .required = true},
    {.name = NULL},
};
static const struct rule_form compare_form = {.name = "compare", .what = "a compare criterion", .keys = compare_keys};

static const struct rule_key comparison_keys[] = {
    {.name = "left",
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
     .help = "An event form with a measure and no comparison.",
     .read = read_side,
     .required = true,
     .offset = offsetof(struct criterion, right)},
    {.name = "times", .help = "The factor of the right side; 1 where not given.", .read = read_times},
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
static const struct rule_form trait_form = {
    .name = "trait",
    .what = "a trait criterion",
    .keys = trait_keys,
    .operands = RULE_OPERANDS_VALUES,
    .comparison_offset = offsetof(struct criterion, comparison),
};
static const struct rule_key age_keys[] = {
    TRAIT_KEY,
    {.name = "age",
     .help = "How long ago the instant is that the trait holds; \"18y\" is the 18th anniversary.",
     .read = read_trait_span,
     .required = true},
    {.name = NULL}};
static const struct rule_form age_form = {.name = "age", .what = "a trait's age criterion", .keys = age_keys};
static const struct rule_key until_keys[] = {TRAIT_KEY,
                                             {.name = "until",
                                              .help = "How far ahead the instant is that the trait holds.",
                                              .read = read_trait_span,
                                              .required = true},
                                             {.name = NULL}};
static const struct rule_form until_form = {.name = "until", .what = "a trait's until criterion", .keys = until_keys};

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
                                                .help = "The id of another segment; references must not form a cycle.",
                                                .read = read_segment,
                                                .required = true},
                                               {.name = NULL}};
static const struct rule_form segment_form = {.name = "segment", .what = "a segment criterion", .keys = segment_keys};
static const struct rule_key all_keys[] = {
    {.name = "all", .help = "Criteria that must all hold.", .read = read_children, .required = true}, {.name = NULL}};
static const struct rule_form all_form = {.name = "all", .what = "an all criterion", .keys = all_keys};
static const struct rule_key any_keys[] = {
    {.name = "any", .help = "Criteria of which one must hold.", .read = read_children, .required = true},
    {.name = NULL}};
static const struct rule_form any_form = {.name = "any", .what = "an any criterion", .keys = any_keys};
static const struct rule_key not_keys[] = {
    {.name = "not", .help = "A criterion that must not hold.", .read = read_child, .required = true}, {.name = NULL}};
static const struct rule_form not_form = {.name = "not", .what = "a not criterion", .keys = not_keys};

static const struct rule_key percentile_keys[] = {
    {.name = "percentile",
     .help = "Above 0 and up to 100: the value must reach the ceil(p x N / 100)-th smallest of N users.",
     .read = read_percentile,
     .required = true},
    {.name = "of",
     .help = "What is ranked: an event form with a measure and no comparison.",
     .read = read_of,
     .required = true},
    {.name = "by",
     .help = "A trait: ranks are taken among the users with an equal value.",
     .read = rule_key_path,
     .offset = offsetof(struct criterion, trait)},
    {.name = NULL},
};
static const struct rule_form percentile_form = {.name = "percentile",
                                                 .what = "a percentile criterion",
                                                 .keys = percentile_keys};

const struct rule_form *const rule_forms_criterion[] = {
    &event_form,      &operand_form, &absence_form, &condition_form, &sequence_form,   &compare_form,
    &comparison_form, &trait_form,   &age_form,     &until_form,     &age_spans_form,  &until_spans_form,
    &segment_form,    &all_form,     &any_form,     &not_form,       &percentile_form, NULL,
};

/* The first row whose keys are all there is the form; a criterion has one of the heads only. */
struct form_row {
    const char *head;
    const char *mark; /* a second key that tells forms of one head apart; NULL: none */
    const struct rule_form *form;
    enum criterion_kind kind;
    struct rule_help row;
};

static const struct form_row form_rows[] = {
    {"event",
     "notFollowedBy",
     &absence_form,
     CRITERION_ABSENCE,
     {"An event that another has not followed within a time.",
      "{\"event\": \"trial_started\", \"notFollowedBy\": {\"event\": \"subscribed\"}, \"within\": \"14d\", \"same\": "
      "[\"product\"]}"}},
    {"event",
     "condition",
     &condition_form,
     CRITERION_ABSENCE,
     {"The short form of the same: no such event since, however late.",
      "{\"event\": \"add_to_cart\", \"window\": \"30m\", \"condition\": \"no_purchase_after\"}"}},
    {"event",
     NULL,
     &event_form,
     CRITERION_EVENT,
     {"Events of these names that count now: at least one, or as their measure says.",
      "{\"event\": \"purchase\", \"where\": [{\"property\": \"category\", \"=\": \"shoes\"}], \"window\": \"30d\", "
      "\"count\": {\">=\": 3}}"}},
    {"compare",
     NULL,
     &compare_form,
     CRITERION_COMPARE,
     {"One measure against a multiple of another.",
      "{\"compare\": {\"left\": {\"event\": \"purchase\", \"window\": \"30d\", \"sum\": {\"property\": \"amount\"}}, "
      "\"op\": \">\", \"right\": {\"event\": \"purchase\", \"window\": \"30d\", \"offset\": \"30d\", \"sum\": "
      "{\"property\": \"amount\"}}, \"times\": 2}}"}},
    {"sequence",
     NULL,
     &sequence_form,
     CRITERION_SEQUENCE,
     {"Events one after the other within a time.",
      "{\"sequence\": [{\"event\": \"search\"}, {\"event\": \"add_to_cart\"}, {\"event\": \"purchase\"}], \"within\": "
      "\"1h\", \"window\": \"7d\"}"}},
    {"trait",
     "age",
     &age_form,
     CRITERION_TRAIT_AGE,
     {"How long ago a trait's instant is; false where it lies ahead.",
      "{\"trait\": \"born\", \"age\": {\">=\": \"18y\"}}"}},
    {"trait",
     "until",
     &until_form,
     CRITERION_TRAIT_UNTIL,
     {"How far ahead a trait's instant is; false once it is past.",
      "{\"trait\": \"contract_ends\", \"until\": {\"<=\": \"30d\"}}"}},
    {"trait",
     NULL,
     &trait_form,
     CRITERION_TRAIT,
     {"The value that a trait has now.", "{\"trait\": \"tier\", \"in\": [\"gold\", \"platinum\"]}"}},
    {"segment",
     NULL,
     &segment_form,
     CRITERION_SEGMENT,
     {"Membership of another segment, before consent.", "{\"segment\": \"high_value\"}"}},
    {"all",
     NULL,
     &all_form,
     CRITERION_ALL,
     {"All of them hold.", "{\"all\": [{\"event\": \"visit\"}, {\"event\": \"purchase\"}]}"}},
    {"any",
     NULL,
     &any_form,
     CRITERION_ANY,
     {"One of them holds, or several.",
      "{\"any\": [{\"event\": \"visit\", \"window\": \"7d\"}, {\"event\": \"purchase\", \"window\": \"30d\"}]}"}},
    {"not",
     NULL,
     &not_form,
     CRITERION_NOT,
     {"It does not hold.", "{\"not\": {\"event\": \"login\", \"window\": \"30d\"}}"}},
    {"percentile",
     NULL,
     &percentile_form,
     CRITERION_PERCENTILE,
     {"Among the users with the greatest values. Needs \"evaluation\": \"batch\".",
      "{\"percentile\": 90, \"of\": {\"event\": \"purchase\", \"window\": \"90d\", \"sum\": {\"property\": "
      "\"amount\"}}, \"by\": \"country\"}"}},
};

const struct rule_help *rule_criterion_help(size_t index, const char **name, const struct rule_form **form)
{
    const struct form_row *row = &form_rows[index];

    if (index >= sizeof(form_rows) / sizeof(form_rows[0])) {
        return NULL;
    }
    *name = row->mark != NULL ? row->mark : row->head;
    *form = row->form;
    return &row->row;
}

static bool has(const struct rule_reader *reader, int32_t token, const char *key)
{
    return key == NULL || json_member(reader->document, token, slice_from(key)) != JSON_ABSENT;
}

/* What a misspelt head ("evnt") probably meant. */
static void suggest_head(struct rule_reader *reader, int32_t token)
{
    const struct json_document *document = reader->document;
    int32_t member = token + 1;

    for (uint32_t i = 0; i < document->tokens[token].count; i++) {
        struct nearest nearest;

        nearest_begin(&nearest, json_raw(document, member));
        for (size_t k = 0; k < sizeof(form_rows) / sizeof(form_rows[0]); k++) {
            nearest_offer(&nearest, form_rows[k].head);
        }
        if (nearest.name != NULL) {
            reader->culprit = member;
            reader->suggestion = nearest.name;
            return;
        }
        member = (int32_t)document->tokens[member + 1].end_token;
    }
}

static bool choose_form(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                        const struct form_row **out)
{
    const struct form_row *chosen = NULL;

    if (rule_type(reader, token) != JSON_OBJECT) {
        return rule_expected(reader, place, token, "a criterion (an object)");
    }
    for (size_t i = 0; i < sizeof(form_rows) / sizeof(form_rows[0]); i++) {
        const struct form_row *row = &form_rows[i];

        if (!has(reader, token, row->head)) {
            continue;
        }
        if (chosen != NULL && strcmp(chosen->head, row->head) != 0) {
            return rule_fail(reader, place, "a criterion cannot have both \"%s\" and \"%s\"", chosen->head, row->head);
        }
        if (chosen == NULL && has(reader, token, row->mark)) {
            chosen = row;
        }
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
    const struct form_row *row = NULL;
    struct slice json_path;

    if (!rule_place_text(reader, place, true, &json_path)) {
        return false;
    }
    criterion->json_path = json_path;
    if (choose_form(reader, token, place, &row)) {
        criterion->kind = row->kind;
        if (rule_read_object(reader, token, place, row->form, criterion) &&
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
