#include "common/domain/rule_reference.h"

#include "common/domain/rule_operators.h"
#include "common/domain/rule_reader.h"

enum { PLACE_SIZE_MAX = 4096 };

const char *rule_entry_kind_name(enum rule_entry_kind kind)
{
    static const char *const names[] = {
        [RULE_ENTRY_NONE] = "none",
        [RULE_ENTRY_CRITERION] = "criterion",
        [RULE_ENTRY_MEASURE] = "measure",
        [RULE_ENTRY_COMPARISON] = "comparison",
    };

    return names[(size_t)kind < sizeof(names) / sizeof(names[0]) ? kind : RULE_ENTRY_NONE];
}

/* ---- the operators ---- */

static const char *operands_text(enum rule_operands operands)
{
    static const char *const texts[] = {
        [RULE_OPERANDS_NONE] = "no comparison",
        [RULE_OPERANDS_NUMBERS] = "a comparison with numbers",
        [RULE_OPERANDS_VALUES] = "a comparison with values",
        [RULE_OPERANDS_SPANS] = "a comparison with durations",
        [RULE_OPERANDS_AGES] = "a comparison with durations or years",
    };

    return texts[operands];
}

static void append_once(struct buffer *out, const char *text)
{
    if (out->size > 0) {
        buffer_append_text(out, ", ");
    }
    buffer_append_text(out, text);
}

static void take_text(struct rule_entry *entry, const struct operator_text *text)
{
    entry->name = text->name;
    entry->help = text->help;
    entry->example = text->example;
    entry->state = text->state;
    entry->sql = text->sql;
}

static bool visit_form(rule_entry_visit *visit, void *context, const struct criterion_form *form)
{
    struct rule_entry entry = {.kind = RULE_ENTRY_CRITERION, .place = "criteria, exclude, all, any, not"};

    if (form->form == NULL) {
        return true;
    }
    take_text(&entry, &form->text);
    entry.operand = form->form->what;
    return visit(context, &entry);
}

static bool visit_criteria(rule_entry_visit *visit, void *context)
{
    for (size_t kind = 1; kind < CRITERION_OPERATOR_COUNT; kind++) {
        if (!visit_form(visit, context, &criterion_operators[kind].form) ||
            !visit_form(visit, context, &criterion_operators[kind].shorthand)) {
            return false;
        }
    }
    return true;
}

static bool visit_measures(rule_entry_visit *visit, void *context)
{
    struct rule_entry entry = {.kind = RULE_ENTRY_MEASURE};

    for (size_t kind = 1; kind < MEASURE_OPERATOR_COUNT; kind++) {
        const struct measure_operator *row = &measure_operators[kind];

        take_text(&entry, &row->text);
        entry.place = row->operand != NULL ? "event criteria, compare, percentile" : "event criteria";
        entry.operand = operands_text(row->form->operands);
        if (!visit(context, &entry)) {
            return false;
        }
    }
    return true;
}

static bool visit_comparisons(rule_entry_visit *visit, void *context)
{
    struct rule_entry entry = {.kind = RULE_ENTRY_COMPARISON};
    bool go_on = true;
    struct buffer place;

    buffer_init(&place, PLACE_SIZE_MAX);
    for (size_t op = 1; go_on && op < COMPARISON_OPERATOR_COUNT; op++) {
        buffer_reset(&place);
        append_once(&place, "values (where, trait, latest, earliest)");
        if (rule_operands_take(RULE_OPERANDS_NUMBERS, (enum rule_operator)op)) {
            append_once(&place, "numbers (count, sum, avg, min, max, distinct)");
        }
        if (rule_operands_take(RULE_OPERANDS_SPANS, (enum rule_operator)op)) {
            append_once(&place, "durations (first, last, age, until)");
        }
        take_text(&entry, &comparison_operators[op].text);
        entry.operand = rule_operand_text((enum rule_operator)op);
        entry.place = buffer_text(&place);
        go_on = visit(context, &entry);
    }
    buffer_clear(&place);
    return go_on;
}

bool rule_reference_each(rule_entry_visit *visit, void *context)
{
    return visit_criteria(visit, context) && visit_measures(visit, context) && visit_comparisons(visit, context);
}

/* ---- Markdown ---- */

/* A cell's text: a bar would end it. */
static void append_cell(struct buffer *out, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '|') {
            buffer_append_char(out, '\\');
        }
        buffer_append_char(out, *c);
    }
}

struct markdown {
    struct buffer *out;
    enum rule_entry_kind kind; /* of the section being written */
};

static bool visit_row(void *context, const struct rule_entry *entry)
{
    struct markdown *markdown = context;
    struct buffer *out = markdown->out;

    if (entry->kind != markdown->kind) {
        return true;
    }
    buffer_append_format(out, "| `%s` | ", entry->name);
    append_cell(out, entry->help);
    if (entry->kind != RULE_ENTRY_CRITERION) {
        buffer_append_text(out, " | ");
        append_cell(out, entry->operand);
        buffer_append_text(out, " | ");
        append_cell(out, entry->place);
    }
    buffer_append_text(out, " | `");
    append_cell(out, entry->example);
    buffer_append_text(out, "` |\n");
    return true;
}

/* What it costs and becomes: comparisons keep nothing of their own. */
static bool visit_cost(void *context, const struct rule_entry *entry)
{
    struct markdown *markdown = context;

    if (entry->kind == markdown->kind) {
        buffer_append_format(markdown->out, "| `%s` | ", entry->name);
        append_cell(markdown->out, entry->state);
        buffer_append_text(markdown->out, " | ");
        append_cell(markdown->out, entry->sql);
        buffer_append_text(markdown->out, " |\n");
    }
    return true;
}

static void append_costs(struct buffer *out, enum rule_entry_kind kind)
{
    struct markdown markdown = {.out = out, .kind = kind};

    buffer_append_format(out, "\n| %s | keeps per user | in SQL |\n|---|---|---|\n", rule_entry_kind_name(kind));
    (void)rule_reference_each(visit_cost, &markdown);
}

static void append_section(struct buffer *out, enum rule_entry_kind kind, const char *head)
{
    struct markdown markdown = {.out = out, .kind = kind};

    buffer_append_text(out, head);
    (void)rule_reference_each(visit_row, &markdown);
}

/* What a key takes: its reader or the key tells. */
static void append_type(struct buffer *out, const struct rule_key *key)
{
    if (key->words != NULL) {
        for (size_t i = 1; i < key->words->count; i++) {
            buffer_append_format(out, "%s`%s`", i == 1 ? "" : ", ", rule_words_at(key->words, i));
        }
    } else if (key->read == rule_key_duration) {
        buffer_append_text(out, "a duration");
    } else if (key->read == rule_key_boolean) {
        buffer_append_text(out, "true or false");
    } else if (key->read == rule_key_path) {
        buffer_append_text(out, "a dotted path");
    } else if (key->read == rule_key_text) {
        buffer_append_text(out, "a string");
    } else {
        append_cell(out, key->takes);
    }
}

/* Measures stand in a table of their own. */
static bool is_measure(const struct rule_key *key)
{
    return key->read == rule_key_measure || key->read == rule_key_measure_operand;
}

static void append_form(struct buffer *out, const struct rule_form *form)
{
    bool measures = false;

    buffer_append_format(out, "\n### %s\n\nIn the schema: `%s`.", form->what, form->name);
    if (form->operands != RULE_OPERANDS_NONE) {
        buffer_append_format(out, " Beside its keys it takes %s.", operands_text(form->operands));
    }
    for (const struct rule_key *key = form->keys; key->name != NULL; key++) {
        measures = measures || is_measure(key);
    }
    if (measures) {
        buffer_append_text(out, " It takes one measure at most.");
    }
    buffer_append_text(out, "\n");
    if (form->keys->name == NULL) {
        return;
    }
    buffer_append_text(out, "\n| key | meaning | takes |\n|---|---|---|\n");
    for (const struct rule_key *key = form->keys; key->name != NULL; key++) {
        if (is_measure(key)) {
            continue;
        }
        buffer_append_format(out, "| `%s`%s | ", key->name, key->required ? " (required)" : "");
        append_cell(out, key->help == NULL ? "" : key->help);
        buffer_append_text(out, " | ");
        append_type(out, key);
        buffer_append_text(out, " |\n");
    }
}

static void append_forms(struct buffer *out, const char *head, const struct rule_form *const *forms)
{
    buffer_append_text(out, head);
    for (; *forms != NULL; forms++) {
        append_form(out, *forms);
    }
}

void rule_reference_markdown(struct buffer *out)
{
    buffer_append_text(
        out,
        "# The segment language: reference\n\n"
        "Generated by `muster segments operators --format markdown` from the tables that the parser reads by; do "
        "not edit.\n"
        "[segment-definition.schema.json](segment-definition.schema.json) says the same to editors.\n\n"
        "A definition is one JSON object; a file holds one or an array of them. An unknown key is an error. Numbers "
        "are exact\n"
        "decimals, rounded half-even to 6 fractional digits, within +-9.2e12; windows are half-open, time is event "
        "time in UTC\n"
        "milliseconds. Durations are integers with `ms`, `s`, `m`, `h`, `d` or `w`, several in a row if need be "
        "(`1h30m`), or ISO 8601\n"
        "`PnDTnHnMnS` and `PnW`; more than 0, at most `36525d`. [specification.md](specification.md) says what it "
        "all means.\n");
    append_section(out, RULE_ENTRY_CRITERION,
                   "\n## Criteria\n\nThey stand in `criteria`, `exclude`, `all`, `any` and `not`.\n\n"
                   "| form | meaning | example |\n|---|---|---|\n");
    append_section(out, RULE_ENTRY_MEASURE,
                   "\n## Measures\n\nTaken over the events that count at the instant; one at most on a criterion, "
                   "without one: at least one event.\n\n"
                   "| measure | meaning | takes | stands in | example |\n|---|---|---|---|---|\n");
    append_section(
        out, RULE_ENTRY_COMPARISON,
        "\n## Comparisons\n\nAll operators of a comparison must hold. Between types, and for a missing value, "
        "all are false but `exists`,\nand `!=` and `notIn` for an existing value of another type.\n\n"
        "| operator | meaning | operand for values | compares | example |\n|---|---|---|---|---|\n");
    buffer_append_text(
        out, "\n## State and SQL\n\n"
             "What a user's state keeps for each once everything up to a final instant is taken in, beside the\n"
             "message ids that copies are known by (`muster segments cost` adds it up), and how\n"
             "`muster segments sql` says it.\n");
    append_costs(out, RULE_ENTRY_CRITERION);
    append_costs(out, RULE_ENTRY_MEASURE);
    append_costs(out, RULE_ENTRY_COMPARISON);
    append_forms(out, "\n## The document\n", rule_forms_definition);
    append_forms(out, "\n## Objects of criteria\n", rule_forms_criterion);
    append_forms(out, "\n## Objects of events, windows and measures\n", rule_forms_event);
}
