/* Comparisons: operators and their operands (segment-language, section 4). One operator is one row of
 * the table. */
#include "common/base/duration.h"
#include "common/domain/rule_operators.h"
#include "common/domain/rule_reader.h"

bool rule_operands_take(enum rule_operands operands, enum rule_operator op)
{
    return op != RULE_OPERATOR_NONE && operands != RULE_OPERANDS_NONE &&
           (operands == RULE_OPERANDS_VALUES || comparison_operators[op].numeric);
}

/* A string, number or boolean within its range, as `allowed` (a set of bits 1 << enum value_type) says. */
static bool read_operand(struct rule_reader *reader, int32_t token, const struct rule_place *place, unsigned allowed,
                         const char *what, struct value *out)
{
    bool out_of_range = false;

    if (!json_value(reader->document, token, reader->arena, out, &out_of_range)) {
        return rule_no_memory(reader);
    }
    if (out_of_range) {
        return rule_expected(reader, place, token, "a number from -9.2e12 to 9.2e12");
    }
    return ((1U << out->type) & allowed) != 0 || rule_expected(reader, place, token, what);
}

static bool read_list_element(struct rule_reader *reader, int32_t token, const struct rule_place *place, void *element)
{
    return read_operand(reader, token, place, 1U << VALUE_STRING | 1U << VALUE_NUMBER | 1U << VALUE_BOOLEAN,
                        "a string, a number or a boolean", element);
}

static const struct {
    unsigned allowed; /* bits 1 << enum value_type */
    const char *what;
} kinds[] = {
    [OPERAND_SCALAR] = {1U << VALUE_STRING | 1U << VALUE_NUMBER | 1U << VALUE_BOOLEAN,
                        "a string, a number or a boolean"},
    [OPERAND_ORDERED] = {1U << VALUE_STRING | 1U << VALUE_NUMBER, "a string or a number"},
    [OPERAND_LIST] = {0, "a non-empty array of strings, numbers or booleans"},
    [OPERAND_STRING] = {1U << VALUE_STRING, "a string"},
    [OPERAND_BOOLEAN] = {1U << VALUE_BOOLEAN, "true or false"},
    [OPERAND_NONE] = {1U << VALUE_NUMBER, "a number"},
};

const char *rule_operand_text(enum rule_operator op)
{
    return kinds[comparison_operators[op].operand].what;
}

static bool read_operands(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                          enum operand_kind kind, struct rule_term *term)
{
    struct value *operand;

    if (kind == OPERAND_LIST) {
        return rule_read_array(reader, token, place, 1, "strings, numbers or booleans", sizeof(struct value),
                               read_list_element, &term->operands, &term->operand_count);
    }
    operand = arena_allocate_zeroed(reader->arena, 1, sizeof(*operand));
    if (operand == NULL) {
        return rule_no_memory(reader);
    }
    if (!read_operand(reader, token, place, kinds[kind].allowed, kinds[kind].what, operand)) {
        return false;
    }
    if (kind == OPERAND_BOOLEAN) {
        term->exists = operand->boolean;
        return true;
    }
    term->operands = operand;
    term->operand_count = 1;
    return true;
}

/* "18y" alone: whole years, for ages only. */
static bool years_parse(struct slice text, int32_t *out)
{
    int32_t years = 0;

    if (text.size < 2 || text.size > 4 || text.data[text.size - 1] != 'y') {
        return false;
    }
    for (size_t i = 0; i + 1 < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        years = years * 10 + (text.data[i] - '0');
    }
    *out = years;
    return years > 0 && years <= 100;
}

static bool read_span(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                      enum rule_operands operands, struct rule_span *out)
{
    static const char what[] = "a duration such as \"30d\", or years alone such as \"18y\" (at most 36525d or 100y)";
    struct slice text;

    if (operands == RULE_OPERANDS_SPANS) {
        return rule_read_duration(reader, token, place, &out->ms);
    }
    if (!rule_read_name(reader, token, place, what, &text)) {
        return false;
    }
    return years_parse(text, &out->years) || duration_parse(text, &out->ms) ||
           rule_expected(reader, place, token, what);
}

static bool read_term(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                      enum rule_operands operands, enum rule_operator op, void *target)
{
    struct rule_place at = {.parent = place, .key = rule_operator_name(op)};

    if (operands == RULE_OPERANDS_SPANS || operands == RULE_OPERANDS_AGES) {
        struct rule_span_comparison *comparison = target;
        struct rule_span_term *term = &comparison->terms[comparison->term_count++];

        term->op = op;
        return read_span(reader, token, &at, operands, &term->span);
    }
    struct rule_comparison *comparison = target;
    struct rule_term *term = &comparison->terms[comparison->term_count++];

    term->op = op;
    return read_operands(reader, token, &at,
                         operands == RULE_OPERANDS_NUMBERS ? OPERAND_NONE : comparison_operators[op].operand, term);
}

/* Room for as many terms as the object has members. */
static bool allocate_terms(struct rule_reader *reader, enum rule_operands operands, size_t count, void *target)
{
    if (operands == RULE_OPERANDS_SPANS || operands == RULE_OPERANDS_AGES) {
        struct rule_span_comparison *comparison = target;

        comparison->terms = arena_allocate_zeroed(reader->arena, count, sizeof(*comparison->terms));
        return comparison->terms != NULL || rule_no_memory(reader);
    }
    struct rule_comparison *comparison = target;

    comparison->terms = arena_allocate_zeroed(reader->arena, count, sizeof(*comparison->terms));
    return comparison->terms != NULL || rule_no_memory(reader);
}

/* The operator that the key is, or none. False when there is no memory. */
static bool find_operator(struct rule_reader *reader, int32_t key, enum rule_operator *out)
{
    struct slice name;

    if (!json_string(reader->document, key, reader->arena, &name)) {
        return rule_no_memory(reader);
    }
    *out = (enum rule_operator)rule_words_find(&rule_words_operator, name);
    return true;
}

bool rule_read_comparison(struct rule_reader *reader, int32_t object, const struct rule_place *place,
                          enum rule_operands operands, void *target)
{
    static const char *const examples[] = {
        [RULE_OPERANDS_NUMBERS] = "{\">=\": 3}",
        [RULE_OPERANDS_VALUES] = "\"=\": \"shoes\"",
        [RULE_OPERANDS_SPANS] = "{\"<=\": \"7d\"}",
        [RULE_OPERANDS_AGES] = "{\">=\": \"18y\"}",
    };
    const struct json_document *document = reader->document;
    uint32_t member_count = document->tokens[object].count;
    int32_t member = object + 1;
    bool empty = true;
    bool good = true;

    if (!allocate_terms(reader, operands, member_count, target)) {
        return false;
    }
    for (uint32_t i = 0; i < member_count; i++) {
        enum rule_operator op = RULE_OPERATOR_NONE;

        if (!find_operator(reader, member, &op)) {
            return false;
        }
        if (op != RULE_OPERATOR_NONE) {
            empty = false;
            if (!read_term(reader, member + 1, place, operands, op, target)) {
                good = false;
                if (!rule_goes_on(reader)) {
                    return false;
                }
            }
        }
        member = (int32_t)document->tokens[member + 1].end_token;
    }
    if (empty) {
        return rule_fail(reader, place, "expected a comparison such as %s", examples[operands]);
    }
    return good;
}
