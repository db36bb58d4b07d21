/* The reference of the segment language, from the rows and forms that the parser reads by: what it says is what the
 * parser takes. schemas/segment-language.md is its committed form; a test compares the two. */
#ifndef MUSTER_DOMAIN_RULE_REFERENCE_H
#define MUSTER_DOMAIN_RULE_REFERENCE_H

#include "common/base/buffer.h"
#include "common/base/error.h"

enum rule_entry_kind { RULE_ENTRY_NONE = 0, RULE_ENTRY_CRITERION, RULE_ENTRY_MEASURE, RULE_ENTRY_COMPARISON };

/* One operator of the language. All text is static, but for `place`, which lasts until the visit returns. */
struct rule_entry {
    enum rule_entry_kind kind;
    const char *name;
    const char *place;   /* where it may stand */
    const char *operand; /* what it takes */
    const char *help;
    const char *example; /* a whole criterion */
    const char *state;   /* what a user's state keeps for it */
    const char *sql;     /* how a query says it, and where it is refused */
};

/* "criterion", "measure", "comparison"; "none" for 0. */
const char *rule_entry_kind_name(enum rule_entry_kind kind);

/* Visits every criterion form, measure and comparison operator, in the order of the language's page; stops and returns
 * false where `visit` does. */
typedef bool rule_entry_visit(void *context, const struct rule_entry *entry);
bool rule_reference_each(rule_entry_visit *visit, void *context);

/* The whole reference as Markdown: the operators, and the keys of every object. The caller finishes the buffer. */
void rule_reference_markdown(struct buffer *out);

#endif
