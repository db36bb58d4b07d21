/* The operators of the segment language: criterion forms, measures, comparisons. One operator is one row of one of the
 * three tables: what it is called, what it is for, how it is read, what it means, what a user's state keeps for it, how
 * SQL says it. Whatever differs from operator to operator is looked up here, so adding one is adding a row and the
 * functions that it names. The reference (rule_reference.h) prints the rows. */
#ifndef MUSTER_DOMAIN_RULE_OPERATORS_H
#define MUSTER_DOMAIN_RULE_OPERATORS_H

#include "common/domain/comparison.h"
#include "common/domain/rule.h"

struct buffer;
struct rule_sql;

/* What every row has. All text is static. */
struct operator_text {
    const char *name;    /* the word of the language */
    const char *help;    /* one sentence */
    const char *example; /* a whole criterion that shows it */
    const char *state;   /* what a user's state keeps for it */
    const char *sql;     /* how a query says it, and where it is refused */
};

/* ---- comparisons ---- */

enum operand_kind {
    OPERAND_NONE = 0,
    OPERAND_SCALAR,  /* a string, number or boolean */
    OPERAND_ORDERED, /* a string or number: booleans have no order */
    OPERAND_LIST,    /* a non-empty array of scalars */
    OPERAND_BOOLEAN,
    OPERAND_STRING,
};

/* Orders of a value to an operand. */
enum operator_order { ORDER_NONE = 0, ORDER_LESS = 1, ORDER_EQUAL = 2, ORDER_GREATER = 4, ORDER_ANY = 7 };

/* A term on a value that exists. */
typedef bool operator_holds(const struct rule_term *term, const struct value *value,
                            struct comparison_scratch *scratch);
/* The condition of a term on the value whose columns begin with `value`. */
typedef void operator_sql(struct rule_sql *sql, struct buffer *out, const struct criterion *criterion,
                          const char *value, const struct rule_term *term);
/* What a term leaves of the strings. */
struct text_range;
typedef void operator_texts(struct text_range *texts, const struct rule_term *term);

struct comparison_operator {
    struct operator_text text;
    enum operand_kind operand; /* in a comparison of values */
    bool numeric;              /* may stand in a comparison of numbers or durations too */
    bool names_values;         /* its operands are all the values that satisfy it */
    unsigned satisfied_by;     /* bits 1 << enum value_type: types of values that can satisfy it */
    unsigned orders;           /* operator_order: the orders to each operand with which it holds; NONE: not told so */
    const char *sql_symbol;    /* of a numeric one */
    operator_holds *holds;
    operator_sql *write_sql;
    operator_texts *texts; /* NULL: leaves all */
};

enum { COMPARISON_OPERATOR_COUNT = RULE_ENDS_WITH + 1 };
/* By enum rule_operator; the first row stands for none. */
extern const struct comparison_operator comparison_operators[COMPARISON_OPERATOR_COUNT];

/* Whether it holds where the value compares so with the operand: negative, 0 or positive. */
static inline bool operator_takes_order(enum rule_operator op, int order)
{
    return (comparison_operators[op].orders & (order < 0 ? ORDER_LESS : order > 0 ? ORDER_GREATER : ORDER_EQUAL)) != 0;
}

#endif
