/* Selectors, windows and measures (segment-language, section 5). One measure is one row of the table. */
#include "common/domain/rule_operators.h"
#include "common/domain/rule_reader.h"

/* ---- selectors ---- */

static bool read_event_name(struct rule_reader *reader, int32_t token, const struct rule_place *place, void *element)
{
    struct slice *name = element;

    if (!rule_read_name(reader, token, place, "the name of an event", name)) {
        return false;
    }
    return !slice_equal_text(*name, "*") ||
           rule_fail(reader, place, "\"*\" stands for every event and cannot be one of several names");
}

bool rule_read_event_names(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                           struct rule_selector *out)
{
    if (rule_type(reader, token) == JSON_ARRAY) {
        return rule_count_limit(reader, token, place, RULE_NAME_MAX, "event names") &&
               rule_read_array(reader, token, place, 1, "event names", sizeof(struct slice), read_event_name,
                               &out->names, &out->name_count);
    }
    out->names = arena_allocate_zeroed(reader->arena, 1, sizeof(*out->names));
    if (out->names == NULL) {
        return rule_no_memory(reader);
    }
    if (!rule_read_name(reader, token, place, "the name of an event, an array of names, or \"*\"", &out->names[0])) {
        return false;
    }
    out->any_name = slice_equal_text(out->names[0], "*");
    out->name_count = out->any_name ? 0 : 1;
    return true;
}

bool rule_key_event(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                    const struct rule_key *key, void *target)
{
    return rule_read_event_names(reader, token, place, (struct rule_selector *)(void *)((char *)target + key->offset));
}

static const struct rule_key predicate_keys[] = {
    {.name = "property",
     .help = "The dotted path of what is compared; \\. writes a dot inside a key.",
     .read = rule_key_path,
     .required = true,
     .offset = offsetof(struct rule_predicate, property)},
    {.name = NULL},
};

static const struct rule_form predicate_form = {
    .name = "predicate",
    .what = "a predicate",
    .keys = predicate_keys,
    .operands = RULE_OPERANDS_VALUES,
    .comparison_offset = offsetof(struct rule_predicate, comparison),
};

static bool read_predicate(struct rule_reader *reader, int32_t token, const struct rule_place *place, void *element)
{
    return rule_read_object(reader, token, place, &predicate_form, element);
}

bool rule_key_where(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                    const struct rule_key *key, void *target)
{
    struct rule_selector *selector = (struct rule_selector *)(void *)((char *)target + key->offset);

    return rule_count_limit(reader, token, place, RULE_NAME_MAX, "predicates") &&
           rule_read_array(reader, token, place, 0, "predicates", sizeof(struct rule_predicate), read_predicate,
                           &selector->where, &selector->where_count);
}

static const struct rule_key selector_keys[] = {
    {.name = "event",
     .takes = "a string or an array of strings",
     .help = "The name of the events (of a page or screen: that word), an array of names, or \"*\" for any.",
     .read = rule_key_event,
     .required = true},
    {.name = "where",
     .takes = "an array of predicates",
     .help = "Predicates that must all hold for an event to be taken.",
     .read = rule_key_where},
    {.name = NULL},
};

static const struct rule_form selector_form = {
    .name = "selector",
    .what = "an object with \"event\" and \"where\"",
    .keys = selector_keys,
};

bool rule_read_selector(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                        struct rule_selector *out)
{
    return rule_read_object(reader, token, place, &selector_form, out);
}

/* ---- windows ---- */

enum { PERIODS_MAX = 36525 };

static bool read_last(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                      const struct rule_key *key, void *target)
{
    struct rule_window *window = target;
    int64_t last;

    (void)key;
    if (!rule_read_integer(reader, token, place, 1, PERIODS_MAX, "a whole number of periods from 1 to 36525", &last)) {
        return false;
    }
    window->last = (int32_t)last;
    return true;
}

static const struct rule_key calendar_keys[] = {
    {.name = "calendar",
     .help = "The length of a period; weeks begin on Monday.",
     .read = rule_key_word,
     .required = true,
     .offset = offsetof(struct rule_window, period),
     .words = &rule_words_period},
    {.name = "last",
     .takes = "a whole number of 1 or more",
     .help = "How many periods count, the current one included; 1 where not given.",
     .read = read_last},
    {.name = "complete",
     .help = "Only whole past periods count; false where not given.",
     .read = rule_key_boolean,
     .offset = offsetof(struct rule_window, complete)},
    {.name = "zone",
     .takes = "a string",
     .help = "An IANA time zone; UTC where not given.",
     .read = rule_key_zone,
     .offset = offsetof(struct rule_window, zone)},
    {.name = NULL},
};

static const struct rule_form calendar_form = {
    .name = "calendarWindow",
    .what = "a calendar window",
    .keys = calendar_keys,
};

bool rule_key_window(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                     const struct rule_key *key, void *target)
{
    struct rule_window *window = (struct rule_window *)(void *)((char *)target + key->offset);

    if (rule_type(reader, token) == JSON_OBJECT) {
        window->kind = RULE_WINDOW_CALENDAR;
        window->last = 1;
        window->zone = SLICE_LITERAL("UTC");
        return rule_read_object(reader, token, place, &calendar_form, window);
    }
    window->kind = RULE_WINDOW_SLIDING;
    return rule_read_duration(reader, token, place, &window->length_ms);
}

bool rule_finish_window(struct rule_reader *reader, const struct rule_place *place, const struct rule_window *window)
{
    const char *name = window->offset_ms != 0 ? "offset" : "slide";
    struct rule_place at = {.parent = place, .key = name};

    if ((window->offset_ms == 0 && window->slide_ms == 0) || window->kind == RULE_WINDOW_SLIDING) {
        return true;
    }
    return rule_fail(reader, &at, "\"%s\" needs a \"window\" that is a duration%s", name,
                     window->kind == RULE_WINDOW_CALENDAR ? ", not a calendar window" : "");
}

static bool read_product_path(struct rule_reader *reader, int32_t token, const struct rule_place *place, void *element)
{
    return rule_read_path(reader, token, place, element);
}

bool rule_read_paths(struct rule_reader *reader, int32_t token, const struct rule_place *place, struct rule_path **out,
                     size_t *count_out)
{
    return rule_count_limit(reader, token, place, RULE_STEP_MAX, "property paths") &&
           rule_read_array(reader, token, place, 1, "property paths", sizeof(struct rule_path), read_product_path, out,
                           count_out);
}

static bool read_product(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                         const struct rule_key *key, void *target)
{
    struct rule_measure *measure = target;
    struct rule_path *factors;
    size_t count;

    (void)key;
    if (rule_type(reader, token) != JSON_ARRAY || reader->document->tokens[token].count != 2) {
        return rule_expected(reader, place, token, "an array of two property paths");
    }
    if (!rule_read_paths(reader, token, place, &factors, &count)) {
        return false;
    }
    measure->product = true;
    measure->property = factors[0];
    measure->factor = factors[1];
    return true;
}

#define PROPERTY_KEYS                                                                                                  \
    {.name = "property",                                                                                               \
     .help = "The dotted path of what is measured.",                                                                   \
     .read = rule_key_path,                                                                                            \
     .offset = offsetof(struct rule_measure, property)},                                                               \
    {                                                                                                                  \
        .name = "product", .takes = "an array of two dotted paths",                                                    \
        .help = "The product of two numeric properties, instead of a property.", .read = read_product                  \
    }
#define PERIOD_KEYS                                                                                                    \
    {.name = "period",                                                                                                 \
     .help = "Counts calendar periods of this length, instead of values.",                                             \
     .read = rule_key_word,                                                                                            \
     .offset = offsetof(struct rule_measure, period),                                                                  \
     .words = &rule_words_period},                                                                                     \
    {                                                                                                                  \
        .name = "zone", .takes = "a string", .help = "An IANA time zone; UTC where not given.", .read = rule_key_zone, \
        .offset = offsetof(struct rule_measure, zone)                                                                  \
    }

static const struct rule_key no_keys[] = {{.name = NULL}};
static const struct rule_key property_keys[] = {PROPERTY_KEYS, {.name = NULL}};
static const struct rule_key distinct_keys[] = {PROPERTY_KEYS, PERIOD_KEYS, {.name = NULL}};

#define MEASURE_FORM(variable, form, words, table, operand_kind, comparison_member, text)                              \
    const struct rule_form variable = {.name = form,                                                                   \
                                       .what = words,                                                                  \
                                       .example = text,                                                                \
                                       .keys = table,                                                                  \
                                       .operands = operand_kind,                                                       \
                                       .comparison_offset = offsetof(struct rule_measure, comparison_member)}

MEASURE_FORM(rule_form_count, "countMeasure", "a count", no_keys, RULE_OPERANDS_NUMBERS, comparison, "{\">=\": 3}");
MEASURE_FORM(rule_form_number, "numberMeasure", "a sum, avg, min or max", property_keys, RULE_OPERANDS_NUMBERS,
             comparison, "{\"property\": \"price\", \">=\": 100}");
MEASURE_FORM(rule_form_distinct, "distinctMeasure", "a distinct", distinct_keys, RULE_OPERANDS_NUMBERS, comparison,
             "{\"property\": \"sku\", \">=\": 3}");
MEASURE_FORM(rule_form_span, "spanMeasure", "a first or last", no_keys, RULE_OPERANDS_SPANS, durations,
             "{\">=\": \"30d\"}");
MEASURE_FORM(rule_form_value, "valueMeasure", "a latest or earliest", property_keys, RULE_OPERANDS_VALUES, comparison,
             "{\"property\": \"plan\", \"=\": \"pro\"}");
MEASURE_FORM(rule_form_count_operand, "countOperand", "a count inside compare or percentile", no_keys,
             RULE_OPERANDS_NONE, comparison, "{}");
MEASURE_FORM(rule_form_number_operand, "numberOperand", "a measure inside compare or percentile", property_keys,
             RULE_OPERANDS_NONE, comparison, "{\"property\": \"price\"}");
MEASURE_FORM(rule_form_distinct_operand, "distinctOperand", "a distinct inside compare or percentile", distinct_keys,
             RULE_OPERANDS_NONE, comparison, "{\"property\": \"sku\"}");

/* What the measure is taken of: exactly one of property, product and period; a zone only with a period. */
static bool finish_source(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                          const struct measure_operator *row, struct rule_measure *measure)
{
    const struct json_document *document = reader->document;
    bool period = row->source == MEASURE_OF_PROPERTY_OR_PERIOD;
    int given = 0;

    given += json_member(document, token, SLICE_LITERAL("property")) != JSON_ABSENT ? 1 : 0;
    given += json_member(document, token, SLICE_LITERAL("product")) != JSON_ABSENT ? 1 : 0;
    given += measure->period != RULE_PERIOD_NONE ? 1 : 0;
    if (row->source == MEASURE_OF_EVENTS) {
        return true;
    }
    if (given != 1) {
        return rule_fail(reader, place, "%s needs %sone of \"property\"%s\"product\"%s", row->form->what,
                         given > 1 ? "only " : "", period ? ", " : " and ", period ? " and \"period\"" : "");
    }
    if (measure->period == RULE_PERIOD_NONE && measure->zone.size > 0) {
        return rule_fail(reader, place, "\"zone\" needs a \"period\"");
    }
    if (measure->period != RULE_PERIOD_NONE && measure->zone.size == 0) {
        measure->zone = SLICE_LITERAL("UTC");
    }
    return true;
}

static bool read_measure(struct rule_reader *reader, int32_t token, const struct rule_place *place, bool operand,
                         struct rule_measure *measure)
{
    const struct measure_operator *row = NULL;

    for (int kind = 1; row == NULL && kind < MEASURE_OPERATOR_COUNT; kind++) {
        row = strcmp(measure_operators[kind].text.name, place->key) == 0 ? &measure_operators[kind] : NULL;
    }
    if (row == NULL || (operand && row->operand == NULL)) {
        return rule_fail(reader, place, "this measure cannot stand here");
    }
    if (measure->kind != RULE_MEASURE_NONE) {
        return rule_fail(reader, place->parent, "\"%s\" and \"%s\": one measure at most",
                         rule_measure_name(measure->kind), place->key);
    }
    measure->kind = (enum rule_measure_kind)(row - measure_operators);
    return rule_read_object(reader, token, place, operand ? row->operand : row->form, measure) &&
           finish_source(reader, token, place, row, measure);
}

bool rule_key_measure(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                      const struct rule_key *key, void *target)
{
    return read_measure(reader, token, place, false, (struct rule_measure *)(void *)((char *)target + key->offset));
}

bool rule_key_measure_operand(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                              const struct rule_key *key, void *target)
{
    return read_measure(reader, token, place, true, (struct rule_measure *)(void *)((char *)target + key->offset));
}

const struct rule_form *const rule_forms_event[] = {
    &predicate_form,
    &selector_form,
    &calendar_form,
    &rule_form_count,
    &rule_form_number,
    &rule_form_distinct,
    &rule_form_span,
    &rule_form_value,
    &rule_form_count_operand,
    &rule_form_number_operand,
    &rule_form_distinct_operand,
    NULL,
};
