/* The words of the segment language, one table per enumerator: reading and printing use the same. */
#ifndef MUSTER_DOMAIN_RULE_NAMES_H
#define MUSTER_DOMAIN_RULE_NAMES_H

#include "common/base/slice.h"

#include <stddef.h>

/* names[0] stands for "none" and is never a word of the language. */
struct rule_words {
    const char *const *names;
    size_t count; /* with names[0] */
};

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
