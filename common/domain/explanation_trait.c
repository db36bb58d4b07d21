/* Traits, their ages and the time until them. */
#include "common/base/duration.h"
#include "common/domain/explanation_parts.h"
#include "common/domain/rule_describe.h"

/* The entry that set the value: of those of one millisecond without a message id the one that has it. */
static const struct entry *setter(const struct evaluation *evaluation, const struct node *node,
                                  const struct value *value)
{
    const struct entry *last = NULL;

    for (size_t i = evaluation->entry_count; i-- > 0;) {
        const struct entry *entry = evaluation_entry(evaluation, i);
        struct value set;

        if (last != NULL && entry->time_ms != last->time_ms) {
            break;
        }
        if (!bit_is_set(entry->mask, node->trait)) {
            continue;
        }
        set = slot_value(evaluation->state, entry,
                         entry_slot(evaluation->ruleset, evaluation->state, entry, node->trait_column));
        last = last == NULL ? entry : last;
        if (value_compare(&set, value) == 0) {
            return entry;
        }
    }
    return last;
}

/* In years where the bound is in years: nobody compares 6573d with 18y. */
static void describe_age(struct buffer *words, const struct rule_span_comparison *durations, int64_t instant,
                         int64_t length_ms)
{
    int64_t rest_ms;
    int64_t years = span_years(durations, instant, instant + length_ms, &rest_ms);

    if (years > 0) {
        buffer_append_integer(words, years);
        buffer_append_char(words, 'y');
    }
    if (years == 0 || rest_ms > 0) {
        duration_append(words, rest_ms);
    }
    buffer_append_text(words, " ago");
}

static void describe_length(struct buffer *words, const struct explanation_node *out, int64_t instant)
{
    bool until = out->criterion->kind == CRITERION_TRAIT_UNTIL;

    if (!out->exists) {
        buffer_append_text(words, ", which is no timestamp");
        return;
    }
    if (out->length_ms < 0) {
        buffer_append_text(words, until ? ", which is past" : ", which is to come");
        return;
    }
    if (out->value.type == VALUE_NUMBER) {
        buffer_append_text(words, ", which is ");
        timestamp_append(words, instant);
    }
    buffer_append_text(words, until ? ", in " : ", ");
    if (until) {
        duration_append(words, out->length_ms);
    } else {
        describe_age(words, &out->criterion->durations, instant, out->length_ms);
    }
}

/* The identify that would change it. */
static void next_trait(struct explaining *explaining, const struct criterion *criterion, struct explanation_node *out)
{
    struct buffer *words = &explaining->words;

    buffer_append_text(words, out->holds ? "an identify after which it is not true that " : "an identify after which ");
    buffer_append_text(words, criterion->kind == CRITERION_TRAIT_AGE     ? "the age of "
                              : criterion->kind == CRITERION_TRAIT_UNTIL ? "the time until "
                                                                         : "");
    rule_describe_paths(words, &criterion->trait, 1);
    buffer_append_char(words, ' ');
    buffer_append_slice(words, out->bound);
    out->next = explaining_words(explaining);
}

void explaining_trait(struct explaining *explaining, const struct node *node, struct explanation_node *out)
{
    struct evaluation *evaluation = explaining->evaluation;
    const struct criterion *criterion = node->criterion;
    struct value value = trait_value(evaluation, node, evaluation->entry_count);
    const struct entry *entry = setter(evaluation, node, &value);
    bool until = criterion->kind == CRITERION_TRAIT_UNTIL;
    struct buffer *words = &explaining->words;
    int64_t instant = 0;

    out->value = explaining_copy(explaining, &value);
    out->found = EXPLANATION_VALUE;
    rule_describe_paths(words, &criterion->trait, 1);
    if (value.type == VALUE_MISSING) {
        buffer_append_text(words, entry == NULL ? " was never set" : " has no value now");
    } else {
        buffer_append_text(words, " is ");
        explanation_append_value(words, &value);
        if (criterion->kind != CRITERION_TRAIT) {
            out->found = EXPLANATION_LENGTH;
            out->exists = trait_value_instant(&value, &instant);
            out->length_ms = until ? instant - evaluation->at : evaluation->at - instant;
            describe_length(words, out, instant);
        }
    }
    out->text = explaining_words(explaining);
    if (entry != NULL) {
        (void)explaining_event(explaining, out, EXPLANATION_SETS, entry, node->trait_column);
    }
    next_trait(explaining, criterion, out);
}
