/* The words of the segment language, one table per enumerator: reading and printing use the same. */
#ifndef MUSTER_DOMAIN_RULE_NAMES_H
#define MUSTER_DOMAIN_RULE_NAMES_H

#include "common/base/slice.h"

#include <stddef.h>

/* Words that stand in a table, by enumerator. The first stands for "none" and is never a word of the language. */
struct rule_words {
    const char *const *first;
    size_t stride; /* bytes from one to the next */
    size_t count;  /* with the first */
};

static inline const char *rule_words_at(const struct rule_words *words, size_t index)
{
    return *(const char *const *)(const void *)((const char *)words->first + index * words->stride);
}

extern const struct rule_words rule_words_operator;
extern const struct rule_words rule_words_compare; /* the first six of them */
extern const struct rule_words rule_words_period;
extern const struct rule_words rule_words_basis;
extern const struct rule_words rule_words_mode;
extern const struct rule_words rule_words_evaluation;
extern const struct rule_words rule_words_merge;

/* The enumerator of that word, 0 when it is none. */
int rule_words_find(const struct rule_words *words, struct slice text);
#endif
