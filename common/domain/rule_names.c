#include "common/domain/rule_names.h"

#include "common/domain/rule_operators.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define WORDS(name)                                                                                                    \
    const struct rule_words rule_words_##name = {.first = name##_names,                                                \
                                                 .stride = sizeof name##_names[0],                                     \
                                                 .count = COUNT_OF(name##_names)}

static const char *const period_names[] = {
    [RULE_PERIOD_NONE] = "none", [RULE_DAY] = "day",         [RULE_WEEK] = "week",
    [RULE_MONTH] = "month",      [RULE_QUARTER] = "quarter", [RULE_YEAR] = "year",
};

static const char *const basis_names[] = {
    [BASIS_NONE] = "none",
    [BASIS_CONSENT] = "consent",
    [BASIS_CONTRACT] = "contract",
    [BASIS_LEGAL_OBLIGATION] = "legal_obligation",
    [BASIS_LEGITIMATE_INTEREST] = "legitimate_interest",
};

static const char *const mode_names[] = {
    [MODE_NONE] = "none",
    [MODE_WHILE_TRUE] = "while_true",
    [MODE_STICKY] = "sticky",
};

static const char *const evaluation_names[] = {
    [EVALUATION_NONE] = "none",
    [EVALUATION_HYBRID] = "hybrid",
    [EVALUATION_BATCH] = "batch",
    [EVALUATION_STREAM] = "stream",
};

static const char *const merge_names[] = {
    [MERGE_NONE] = "none",
    [MERGE_STREAMING_FIRST] = "streaming_first",
    [MERGE_STREAMING_UPDATES] = "streaming_updates",
    [MERGE_LAST_WRITER_WINS] = "last_writer_wins",
    [MERGE_UNION_WITH_BATCH_EXCLUSIONS] = "union_with_batch_exclusions",
};

const struct rule_words rule_words_operator = {.first = &comparison_operators[0].text.name,
                                               .stride = sizeof comparison_operators[0],
                                               .count = COMPARISON_OPERATOR_COUNT};
const struct rule_words rule_words_compare = {.first = &comparison_operators[0].text.name,
                                              .stride = sizeof comparison_operators[0],
                                              .count = RULE_LESS_EQUAL + 1};
WORDS(period);
WORDS(basis);
WORDS(mode);
WORDS(evaluation);
WORDS(merge);

static const char *name_at(const char *const *names, size_t count, size_t index)
{
    return names[index < count ? index : 0];
}

const char *rule_operator_name(enum rule_operator op)
{
    return comparison_operators[(size_t)op < COMPARISON_OPERATOR_COUNT ? op : RULE_OPERATOR_NONE].text.name;
}

const char *rule_measure_name(enum rule_measure_kind kind)
{
    return measure_operators[(size_t)kind < MEASURE_OPERATOR_COUNT ? kind : RULE_MEASURE_NONE].text.name;
}

const char *rule_period_name(enum rule_period period)
{
    return name_at(period_names, COUNT_OF(period_names), (size_t)period);
}

const char *criterion_kind_name(enum criterion_kind kind)
{
    return criterion_operators[(size_t)kind < CRITERION_OPERATOR_COUNT ? kind : CRITERION_NONE].form.text.name;
}

const char *lawful_basis_name(enum lawful_basis basis)
{
    return name_at(basis_names, COUNT_OF(basis_names), (size_t)basis);
}

const char *membership_mode_name(enum membership_mode mode)
{
    return name_at(mode_names, COUNT_OF(mode_names), (size_t)mode);
}

const char *evaluation_mode_name(enum evaluation_mode mode)
{
    return name_at(evaluation_names, COUNT_OF(evaluation_names), (size_t)mode);
}

const char *merge_strategy_name(enum merge_strategy merge)
{
    return name_at(merge_names, COUNT_OF(merge_names), (size_t)merge);
}

int rule_words_find(const struct rule_words *words, struct slice text)
{
    for (size_t i = 1; i < words->count; i++) {
        if (slice_equal_text(text, rule_words_at(words, i))) {
            return (int)i;
        }
    }
    return 0;
}
