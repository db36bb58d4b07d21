/* What the files share that explain the forms of criteria, and nobody else. */
#ifndef MUSTER_DOMAIN_EXPLANATION_PARTS_H
#define MUSTER_DOMAIN_EXPLANATION_PARTS_H

#include "common/domain/evaluation_parts.h"
#include "common/domain/explanation.h"

struct explaining {
    struct evaluation *evaluation;
    struct explanation *out;
    const struct explanation_names *names; /* may be NULL */
    struct carry *carried;                 /* by segment: as of the instant */
    bool *explained;                       /* by segment: is in the explanation already */
    struct buffer words;                   /* the text being written */
    bool failed;                           /* no memory: the call fails at its end */
};

/* Zeroed, on the explanation's arena; NULL where there is no memory. */
void *explaining_allocate(struct explaining *explaining, size_t count, size_t size);
/* What was written to `words`, kept with the explanation; `words` is empty afterwards. */
struct slice explaining_words(struct explaining *explaining);
struct value explaining_copy(struct explaining *explaining, const struct value *value);

/* Adds an event to the node, unless it has its most; `column`: what is read of it, RULESET_NONE where nothing. */
struct explanation_event *explaining_event(struct explaining *explaining, struct explanation_node *node,
                                           enum explanation_role role, const struct entry *entry, uint32_t column);
/* Says from when an event in the window counts, where that is not at once. */
void explaining_delay(struct explaining *explaining, const struct rule_window *window);

/* Each fills what its form finds at the instant; truth, next change and bound are there already. */
criterion_explain explaining_measure;
criterion_explain explaining_compare;
criterion_explain explaining_percentile;
criterion_explain explaining_absence;
criterion_explain explaining_sequence;
criterion_explain explaining_trait;
criterion_explain explaining_reference;
criterion_explain explaining_combination;

/* A value as JSON has it, but control characters left to the writer; "missing" where there is none. */
void explanation_append_value(struct buffer *out, const struct value *value);
/* An exact number: "3", "10.5"; an average that no decimal is: "10.333333 (31 / 3)". */
void explanation_append_number(struct buffer *out, const struct quotient *number);

#endif
