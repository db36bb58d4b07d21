/* Applying a mapping: one CSV record becomes the text of one message. What a cell cannot give is refused, never
 * guessed. */
#include "common/domain/mapping.h"

#include "common/base/timestamp.h"
#include "common/domain/decimal.h"
#include "common/domain/mapping_internal.h"
#include "common/domain/mapping_time.h"

/* What a rule gave for a record. */
enum outcome { OUTCOME_NONE = 0, OUTCOME_VALUE, OUTCOME_MISSING, OUTCOME_REFUSED, OUTCOME_NO_MEMORY };

struct application {
    struct mapping *mapping;
    const struct slice *fields;
    struct slice line_id;
    struct buffer *out;
    struct error *why;
};

/* ---- binding ---- */

static bool unknown_column(const struct mapping *mapping, const struct mapping_rule *rule, struct slice name,
                           const struct slice *columns, size_t column_count, struct error *err)
{
    struct buffer list;

    buffer_init(&list, ERROR_HINT_SIZE / 2);
    for (size_t i = 0; i < column_count; i++) {
        if (list.size + columns[i].size + 8 > list.size_max) {
            buffer_append_text(&list, ", ...");
            break;
        }
        buffer_append_text(&list, i == 0 ? "" : ", ");
        buffer_append_slice(&list, columns[i]);
    }
    (void)error_set(err, ERROR_INPUT, "%s:%zu: there is no column %.*s", mapping->name, rule->line,
                    (int)(name.size < 200 ? name.size : 200), name.data);
    (void)error_hint(err, "the columns are: %s", buffer_text(&list));
    buffer_clear(&list);
    return false;
}

static bool find_column(const struct slice *columns, size_t column_count, struct slice name, size_t *out)
{
    for (size_t i = 0; i < column_count; i++) {
        if (slice_equal(columns[i], name)) {
            *out = i;
            return true;
        }
    }
    return false;
}

static bool known_type(struct slice text)
{
    for (enum event_kind kind = EVENT_TRACK; kind <= EVENT_DELETE; kind++) {
        if (slice_equal_text(text, event_kind_name(kind))) {
            return true;
        }
    }
    return false;
}

static bool bind_choice(const struct mapping *mapping, const struct mapping_rule *rule, struct mapping_choice *choice,
                        const struct slice *columns, size_t column_count, struct error *err)
{
    if (choice->condition != MAPPING_OPERATOR_NONE &&
        !find_column(columns, column_count, choice->condition_column, &choice->condition_index)) {
        return unknown_column(mapping, rule, choice->condition_column, columns, column_count, err);
    }
    if (choice->kind == MAPPING_BARE || choice->kind == MAPPING_COLUMN) {
        if (find_column(columns, column_count, choice->text, &choice->column_index)) {
            choice->kind = MAPPING_COLUMN;
        } else if (choice->kind == MAPPING_BARE && choice->literal_allowed) {
            choice->kind = MAPPING_LITERAL;
        } else {
            return unknown_column(mapping, rule, choice->text, columns, column_count, err);
        }
    }
    if (rule->target == MAPPING_TYPE && choice->kind == MAPPING_LITERAL && !known_type(choice->text)) {
        return error_set(err, ERROR_INPUT,
                         "%s:%zu: expected a column, or one of track, page, screen, identify, consent, delete",
                         mapping->name, rule->line);
    }
    return true;
}

bool mapping_bind(struct mapping *mapping, const struct slice *columns, size_t column_count, struct error *err)
{
    for (size_t i = 0; i < column_count; i++) {
        size_t first = 0;

        if (find_column(columns, column_count, columns[i], &first) && first < i) {
            return error_set(err, ERROR_INPUT, "the header has two columns %.*s",
                             (int)(columns[i].size < 200 ? columns[i].size : 200), columns[i].data);
        }
    }
    for (size_t i = 0; i < mapping->rule_count; i++) {
        const struct mapping_rule *rule = &mapping->rules[i];

        for (struct mapping_choice *choice = rule->first; choice != NULL; choice = choice->next) {
            if (!bind_choice(mapping, rule, choice, columns, column_count, err)) {
                return false;
            }
        }
    }
    mapping->column_count = column_count;
    return true;
}

/* ---- cells ---- */

static struct slice trim(struct slice text)
{
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t')) {
        text.size--;
    }
    return text;
}

static bool ends_with(struct slice text, struct slice end)
{
    return text.size >= end.size && memcmp(text.data + text.size - end.size, end.data, end.size) == 0;
}

/* ASCII letters into the scratch buffer. */
static bool change_case(struct buffer *scratch, struct slice *text, char first, char last)
{
    buffer_reset(scratch);
    for (size_t i = 0; i < text->size; i++) {
        char byte = text->data[i];

        buffer_append_char(scratch, byte >= first && byte <= last ? (char)(byte ^ 0x20) : byte);
    }
    *text = buffer_slice(scratch);
    return !scratch->failed;
}

static bool filter(struct buffer *scratch, const struct mapping_choice *choice, struct slice *text)
{
    for (size_t i = 0; i < choice->filter_count; i++) {
        const struct mapping_filter *step = &choice->filters[i];

        switch (step->kind) {
        case MAPPING_STRIP:
            if (ends_with(*text, step->text)) {
                text->size -= step->text.size;
            }
            break;
        case MAPPING_TRIM:
            *text = trim(*text);
            break;
        case MAPPING_LOWER:
            if (!change_case(scratch, text, 'A', 'Z')) {
                return false;
            }
            break;
        case MAPPING_UPPER:
            if (!change_case(scratch, text, 'a', 'z')) {
                return false;
            }
            break;
        case MAPPING_FILTER_NONE:
            break;
        }
    }
    return true;
}

static bool holds(const struct mapping_choice *choice, const struct slice *fields)
{
    struct slice cell;

    if (choice->condition == MAPPING_OPERATOR_NONE) {
        return true;
    }
    cell = fields[choice->condition_index];
    switch (choice->condition) {
    case MAPPING_EQUAL:
        return slice_equal(cell, choice->condition_text);
    case MAPPING_NOT_EQUAL:
        return !slice_equal(cell, choice->condition_text);
    case MAPPING_BEGINS:
        return slice_starts_with(cell, choice->condition_text);
    case MAPPING_ENDS:
        return ends_with(cell, choice->condition_text);
    case MAPPING_CONTAINS:
        return choice->condition_text.size == 0 ||
               (cell.size > 0 &&
                memmem(cell.data, cell.size, choice->condition_text.data, choice->condition_text.size) != NULL);
    case MAPPING_OPERATOR_NONE:
        break;
    }
    return false;
}

/* The first choice whose condition holds, its text filtered. */
static enum outcome choose(const struct application *application, const struct mapping_rule *rule,
                           const struct mapping_choice **out_choice, struct slice *out)
{
    const struct mapping_choice *choice = rule->first;

    while (choice != NULL && !holds(choice, application->fields)) {
        choice = choice->next;
    }
    if (choice == NULL) {
        return OUTCOME_MISSING;
    }
    *out_choice = choice;
    *out = choice->text;
    if (choice->kind == MAPPING_COLUMN) {
        *out = application->fields[choice->column_index];
    } else if (choice->kind == MAPPING_LINE) {
        *out = application->line_id;
    }
    if (!filter(&application->mapping->scratch, choice, out)) {
        return OUTCOME_NO_MEMORY;
    }
    return out->size == 0 ? OUTCOME_MISSING : OUTCOME_VALUE;
}

/* ---- writing JSON ---- */

/* Bytes above 127 pass as they are: where they are not UTF-8 event_decode refuses the message. */
static void append_string(struct buffer *out, struct slice text)
{
    size_t plain = 0;

    buffer_append_char(out, '"');
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.data[i];

        if (byte >= 0x20 && byte != '"' && byte != '\\') {
            continue;
        }
        buffer_append(out, text.data + plain, i - plain);
        if (byte >= 0x20) {
            buffer_append_char(out, '\\');
            buffer_append_char(out, (char)byte);
        } else {
            buffer_append_format(out, "\\u%04x", (unsigned)byte);
        }
        plain = i + 1;
    }
    if (plain < text.size) {
        buffer_append(out, text.data + plain, text.size - plain);
    }
    buffer_append_char(out, '"');
}

bool mapping_number(struct slice text, struct buffer *out)
{
    const char *at = text.data;
    const char *end = text.data + text.size;
    const char *digits;
    size_t digit_count = 0;

    if (at < end && (*at == '+' || *at == '-')) {
        if (*at++ == '-') {
            buffer_append_char(out, '-');
        }
    }
    while (at < end && *at == '0') {
        at++;
        digit_count++;
    }
    for (digits = at; at < end && *at >= '0' && *at <= '9'; at++) {
        digit_count++;
    }
    if (at == digits) {
        buffer_append_char(out, '0');
    }
    buffer_append(out, digits, (size_t)(at - digits));
    if (at < end && *at == '.') {
        for (digits = ++at; at < end && *at >= '0' && *at <= '9'; at++) {
            digit_count++;
        }
        if (at > digits) {
            buffer_append_char(out, '.');
            buffer_append(out, digits, (size_t)(at - digits));
        }
    }
    if (digit_count == 0) {
        return false;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        const char *exponent = at++;

        at += at < end && (*at == '+' || *at == '-');
        for (digits = at; at < end && *at >= '0' && *at <= '9'; at++) {
        }
        if (at == digits) {
            return false;
        }
        buffer_append(out, exponent, (size_t)(at - exponent));
    }
    return at == end;
}

static bool read_boolean(struct slice text, bool *out)
{
    static const char *const words[2][6] = {{"false", "no", "0", "f", "n", "off"},
                                            {"true", "yes", "1", "t", "y", "on"}};

    for (int value = 0; value < 2; value++) {
        for (size_t i = 0; i < 6; i++) {
            if (text.size == strlen(words[value][i]) && strncasecmp(text.data, words[value][i], text.size) == 0) {
                *out = value != 0;
                return true;
            }
        }
    }
    return false;
}

static enum outcome refuse(const struct application *application, const struct mapping_rule *rule, const char *reason)
{
    (void)error_set(application->why, ERROR_INPUT, "%.*s: %s", (int)(rule->name.size < 200 ? rule->name.size : 200),
                    rule->name.data, reason);
    return OUTCOME_REFUSED;
}

static enum outcome append_value(const struct application *application, const struct mapping_rule *rule,
                                 const struct mapping_choice *choice, struct slice text)
{
    bool flag;

    switch (choice->as) {
    case MAPPING_AS_NUMBER:
        return mapping_number(trim(text), application->out) ? OUTCOME_VALUE
                                                            : refuse(application, rule, "the cell is no number");
    case MAPPING_AS_BOOLEAN:
        if (!read_boolean(trim(text), &flag)) {
            return refuse(application, rule, "the cell is neither true nor false");
        }
        buffer_append_text(application->out, flag ? "true" : "false");
        return OUTCOME_VALUE;
    case MAPPING_AS_STRING:
        break;
    }
    append_string(application->out, text);
    return OUTCOME_VALUE;
}

static bool read_plain_time(struct slice text, int64_t *out_ms)
{
    size_t begin = text.size > 0 && text.data[0] == '-' ? 1 : 0;

    if (timestamp_parse(text, out_ms)) {
        return true;
    }
    for (size_t i = begin; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
    }
    return text.size > begin && decimal_parse_integral(text, out_ms) && *out_ms >= TIMESTAMP_MIN &&
           *out_ms <= TIMESTAMP_MAX;
}

static enum outcome append_time(const struct application *application, const struct mapping_rule *rule,
                                const struct mapping_choice *choice, struct slice text)
{
    int64_t time_ms;
    bool good;

    text = trim(text);
    good = choice->format.size > 0 ? mapping_time_parse(choice->format, text, choice->zone_minutes, &time_ms)
                                   : read_plain_time(text, &time_ms);
    if (!good) {
        return refuse(application, rule,
                      choice->format.size > 0 ? "the cell is no time of that format"
                                              : "the cell is neither RFC 3339 nor epoch milliseconds");
    }
    buffer_append_integer(application->out, time_ms);
    return OUTCOME_VALUE;
}

/* ---- messages ---- */

static const char *key_of(enum mapping_target target)
{
    switch (target) {
    case MAPPING_TYPE:
        return "type";
    case MAPPING_MESSAGE_ID:
        return "messageId";
    case MAPPING_USER:
        return "userId";
    case MAPPING_ANONYMOUS:
        return "anonymousId";
    case MAPPING_TIME:
        return "timestamp";
    case MAPPING_EVENT:
        return "event";
    case MAPPING_NAME:
        return "name";
    default:
        return "";
    }
}

/* `"key":value` with a comma in front where one is needed; nothing where the value is missing. */
static enum outcome append_member(const struct application *application, const struct mapping_rule *rule,
                                  struct slice key, bool comma)
{
    const struct mapping_choice *choice = NULL;
    struct slice text;
    enum outcome outcome = choose(application, rule, &choice, &text);

    if (outcome != OUTCOME_VALUE) {
        return outcome;
    }
    if (comma) {
        buffer_append_char(application->out, ',');
    }
    append_string(application->out, key);
    buffer_append_char(application->out, ':');
    return rule->target == MAPPING_TIME ? append_time(application, rule, choice, text)
                                        : append_value(application, rule, choice, text);
}

/* An empty user is handed on, so that it is judged like any other message without one; other fields a message cannot do
 * without are refused here. */
static enum outcome append_head(const struct application *application, bool has_anonymous)
{
    const struct mapping *mapping = application->mapping;
    bool has_type = false;

    for (size_t i = 0; i < mapping->rule_count; i++) {
        const struct mapping_rule *rule = &mapping->rules[i];
        enum outcome outcome;

        if (rule->target > MAPPING_NAME) {
            continue;
        }
        outcome = append_member(application, rule, slice_from(key_of(rule->target)),
                                application->out->data[application->out->size - 1] != '{');
        if (outcome == OUTCOME_REFUSED || outcome == OUTCOME_NO_MEMORY) {
            return outcome;
        }
        has_type = has_type || rule->target == MAPPING_TYPE;
        if (outcome == OUTCOME_VALUE) {
            continue;
        }
        if (rule->target == MAPPING_USER && !has_anonymous) {
            buffer_append_text(application->out, application->out->data[application->out->size - 1] == '{'
                                                     ? "\"userId\":\"\""
                                                     : ",\"userId\":\"\"");
        } else if (rule->target == MAPPING_TIME || rule->target == MAPPING_TYPE) {
            return refuse(application, rule, "the cell is empty");
        } else if (rule->target == MAPPING_EVENT && !has_type) {
            return refuse(application, rule, "the cell is empty, or no alternative applies");
        }
    }
    if (!has_type) {
        buffer_append_text(application->out, ",\"type\":\"track\"");
    }
    return OUTCOME_VALUE;
}

static enum outcome append_object(const struct application *application, const char *opening, enum mapping_target first,
                                  enum mapping_target second)
{
    const struct mapping *mapping = application->mapping;
    size_t begin = application->out->size;
    size_t count = 0;

    buffer_append_text(application->out, opening);
    for (size_t i = 0; i < mapping->rule_count; i++) {
        const struct mapping_rule *rule = &mapping->rules[i];

        if (rule->target == first || rule->target == second) {
            enum outcome outcome = append_member(application, rule, rule->key, count > 0);

            if (outcome == OUTCOME_REFUSED || outcome == OUTCOME_NO_MEMORY) {
                return outcome;
            }
            count += outcome == OUTCOME_VALUE;
        }
    }
    if (count == 0) {
        application->out->size = begin; /* absent is as {} */
    } else {
        buffer_append_char(application->out, '}');
    }
    return OUTCOME_VALUE;
}

static struct slice type_of(const struct application *application)
{
    const struct mapping *mapping = application->mapping;

    for (size_t i = 0; i < mapping->rule_count; i++) {
        const struct mapping_choice *choice = NULL;
        struct slice text;

        if (mapping->rules[i].target == MAPPING_TYPE &&
            choose(application, &mapping->rules[i], &choice, &text) == OUTCOME_VALUE) {
            return text;
        }
    }
    return SLICE_LITERAL("track");
}

static enum outcome append_message(const struct application *application)
{
    struct slice type = type_of(application);
    bool identify = slice_equal_text(type, "identify");
    bool consent = slice_equal_text(type, "consent");
    bool has_anonymous = false;
    enum outcome outcome;

    for (size_t i = 0; i < application->mapping->rule_count; i++) {
        has_anonymous = has_anonymous || application->mapping->rules[i].target == MAPPING_ANONYMOUS;
    }
    buffer_append_char(application->out, '{');
    if (application->out->failed) {
        return OUTCOME_NO_MEMORY;
    }
    outcome = append_head(application, has_anonymous);
    if (outcome != OUTCOME_VALUE) {
        return outcome;
    }
    if (identify) {
        outcome = append_object(application, ",\"traits\":{", MAPPING_TRAIT, MAPPING_CONST);
    } else if (consent) {
        outcome = append_object(application, ",\"purposes\":{", MAPPING_PURPOSE, MAPPING_TARGET_NONE);
    } else {
        outcome = append_object(application, ",\"properties\":{", MAPPING_PROPERTY, MAPPING_CONST);
    }
    buffer_append_char(application->out, '}');
    return outcome;
}

bool mapping_apply(struct mapping *mapping, const struct slice *fields, size_t field_count, struct slice line_id,
                   struct buffer *out, enum quarantine_reason *reason, struct error *why)
{
    struct application application = {.mapping = mapping, .fields = fields, .line_id = line_id, .out = out, .why = why};

    *reason = QUARANTINE_MAPPING;
    if (field_count != mapping->column_count) {
        (void)error_set(why, ERROR_INPUT, "%zu fields, but the header has %zu", field_count, mapping->column_count);
        return true;
    }
    switch (append_message(&application)) {
    case OUTCOME_REFUSED:
        return true;
    case OUTCOME_VALUE:
        if (!out->failed) {
            *reason = QUARANTINE_NONE;
            return true;
        }
        break;
    case OUTCOME_NONE:
    case OUTCOME_MISSING:
    case OUTCOME_NO_MEMORY:
        break;
    }
    return error_no_memory(why, "a mapped message");
}
