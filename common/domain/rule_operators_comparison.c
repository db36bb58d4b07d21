/* The comparison operators (segment-language, section 4). */
#include "common/domain/comparison_parts.h"
#include "common/domain/rule_operators.h"
#include "common/domain/rule_range_parts.h"
#include "common/domain/rule_sql_parts.h"

#define NUMBERS (1U << VALUE_NUMBER)
#define STRINGS (1U << VALUE_STRING)
#define BOOLEANS (1U << VALUE_BOOLEAN)
#define COMPOUNDS (1U << VALUE_COMPOUND)

static const char kept_bit[] = "nothing of its own: decided as the event is taken in, one bit of the event";

const struct comparison_operator comparison_operators[COMPARISON_OPERATOR_COUNT] = {
    [RULE_OPERATOR_NONE] = {.text = {.name = "none"}, .sql_symbol = "=", .holds = comparison_never},
    [RULE_EQUAL] =
        {
            .text = {.name = "=",
                     .help = "Equal: the same type and the same value.",
                     .example =
                         "{\"event\": \"purchase\", \"where\": [{\"property\": \"category\", \"=\": \"shoes\"}]}",
                     .state = kept_bit,
                     .sql = "value = operand, on the column of the operand's type"},
            .operand = OPERAND_SCALAR,
            .numeric = true,
            .names_values = true,
            .satisfied_by = NUMBERS | STRINGS | BOOLEANS,
            .orders = ORDER_EQUAL,
            .sql_symbol = "=",
            .holds = comparison_equal,
            .write_sql = rule_sql_equal,
        },
    [RULE_NOT_EQUAL] =
        {
            .text = {.name = "!=",
                     .help = "Exists and is not equal; a value of another type is not equal.",
                     .example =
                         "{\"event\": \"purchase\", \"where\": [{\"property\": \"category\", \"!=\": \"shoes\"}]}",
                     .state = kept_bit,
                     .sql = "type IS NOT NULL AND (value IS NULL OR value <> operand)"},
            .operand = OPERAND_SCALAR,
            .numeric = true,
            .satisfied_by = NUMBERS | STRINGS | BOOLEANS | COMPOUNDS,
            .orders = ORDER_LESS | ORDER_GREATER,
            .sql_symbol = "<>",
            .holds = comparison_not_equal,
            .write_sql = rule_sql_not_in,
        },
    [RULE_GREATER] =
        {
            .text = {.name = ">",
                     .help = "Greater: numbers as exact decimals, strings bytewise.",
                     .example = "{\"event\": \"purchase\", \"where\": [{\"property\": \"amount\", \">\": 99.5}]}",
                     .state = kept_bit,
                     .sql = "value > operand, strings bytewise"},
            .operand = OPERAND_ORDERED,
            .numeric = true,
            .satisfied_by = NUMBERS | STRINGS,
            .orders = ORDER_GREATER,
            .sql_symbol = ">",
            .holds = comparison_ordered,
            .write_sql = rule_sql_ordered,
            .texts = rule_range_texts_above,
        },
    [RULE_GREATER_EQUAL] =
        {
            .text = {.name = ">=",
                     .help = "Greater or equal.",
                     .example = "{\"event\": \"purchase\", \"where\": [{\"property\": \"amount\", \">=\": 100}]}",
                     .state = kept_bit,
                     .sql = "value >= operand, strings bytewise"},
            .operand = OPERAND_ORDERED,
            .numeric = true,
            .satisfied_by = NUMBERS | STRINGS,
            .orders = ORDER_GREATER | ORDER_EQUAL,
            .sql_symbol = ">=",
            .holds = comparison_ordered,
            .write_sql = rule_sql_ordered,
            .texts = rule_range_texts_above,
        },
    [RULE_LESS] =
        {
            .text = {.name = "<",
                     .help = "Less.",
                     .example = "{\"event\": \"purchase\", \"where\": [{\"property\": \"amount\", \"<\": 0}]}",
                     .state = kept_bit,
                     .sql = "value < operand, strings bytewise"},
            .operand = OPERAND_ORDERED,
            .numeric = true,
            .satisfied_by = NUMBERS | STRINGS,
            .orders = ORDER_LESS,
            .sql_symbol = "<",
            .holds = comparison_ordered,
            .write_sql = rule_sql_ordered,
            .texts = rule_range_texts_below,
        },
    [RULE_LESS_EQUAL] =
        {
            .text = {.name = "<=",
                     .help = "Less or equal.",
                     .example = "{\"event\": \"purchase\", \"where\": [{\"property\": \"amount\", \"<=\": 10}]}",
                     .state = kept_bit,
                     .sql = "value <= operand, strings bytewise"},
            .operand = OPERAND_ORDERED,
            .numeric = true,
            .satisfied_by = NUMBERS | STRINGS,
            .orders = ORDER_LESS | ORDER_EQUAL,
            .sql_symbol = "<=",
            .holds = comparison_ordered,
            .write_sql = rule_sql_ordered,
            .texts = rule_range_texts_below,
        },
    [RULE_IN] =
        {
            .text =
                {.name = "in",
                 .help = "Equal to one of the list.",
                 .example =
                     "{\"event\": \"purchase\", \"where\": [{\"property\": \"country\", \"in\": [\"DE\", \"AT\"]}]}",
                 .state = kept_bit,
                 .sql = "value = operand OR value = operand ..."},
            .operand = OPERAND_LIST,
            .names_values = true,
            .satisfied_by = NUMBERS | STRINGS | BOOLEANS,
            .holds = comparison_in,
            .write_sql = rule_sql_in,
        },
    [RULE_NOT_IN] =
        {
            .text =
                {.name = "notIn",
                 .help = "Exists and is equal to none of the list.",
                 .example =
                     "{\"event\": \"purchase\", \"where\": [{\"property\": \"country\", \"notIn\": [\"DE\", \"AT\"]}]}",
                 .state = kept_bit,
                 .sql = "type IS NOT NULL AND (value IS NULL OR value <> operand) ..."},
            .operand = OPERAND_LIST,
            .satisfied_by = NUMBERS | STRINGS | BOOLEANS | COMPOUNDS,
            .orders = ORDER_LESS | ORDER_GREATER,
            .holds = comparison_not_in,
            .write_sql = rule_sql_not_in,
        },
    [RULE_EXISTS] =
        {
            .text = {.name = "exists",
                     .help = "Whether there is a value; null is none.",
                     .example = "{\"trait\": \"tier\", \"exists\": true}",
                     .state = kept_bit,
                     .sql = "type IS NOT NULL"},
            .operand = OPERAND_BOOLEAN,
            .satisfied_by = NUMBERS | STRINGS | BOOLEANS | COMPOUNDS,
            .holds = comparison_exists,
            .write_sql = rule_sql_exists,
            .texts = rule_range_texts_existing,
        },
    [RULE_CONTAINS] =
        {
            .text = {.name = "contains",
                     .help = "A string with this part, or an array with an equal element.",
                     .example = "{\"trait\": \"tags\", \"contains\": \"vip\"}",
                     .state = kept_bit,
                     .sql = "position(), or the elements of the array; refused for numbers of 1e9 or more in "
                            "DuckDB, which reads them inexactly"},
            .operand = OPERAND_SCALAR,
            .satisfied_by = STRINGS | COMPOUNDS,
            .holds = comparison_contains,
            .write_sql = rule_sql_contains,
            .texts = rule_range_texts_containing,
        },
    [RULE_STARTS_WITH] =
        {
            .text = {.name = "startsWith",
                     .help = "A string that begins so.",
                     .example =
                         "{\"event\": \"purchase\", \"where\": [{\"property\": \"sku\", \"startsWith\": \"A-\"}]}",
                     .state = kept_bit,
                     .sql = "starts_with()"},
            .operand = OPERAND_STRING,
            .satisfied_by = STRINGS,
            .holds = comparison_starts_with,
            .write_sql = rule_sql_starts_with,
            .texts = rule_range_texts_beginning,
        },
    [RULE_ENDS_WITH] =
        {
            .text = {.name = "endsWith",
                     .help = "A string that ends so.",
                     .example =
                         "{\"event\": \"purchase\", \"where\": [{\"property\": \"sku\", \"endsWith\": \"-XL\"}]}",
                     .state = kept_bit,
                     .sql = "right() = operand, ends_with()"},
            .operand = OPERAND_STRING,
            .satisfied_by = STRINGS,
            .holds = comparison_ends_with,
            .write_sql = rule_sql_ends_with,
            .texts = rule_range_texts_ending,
        },
};
