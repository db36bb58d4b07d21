/* The operators of the segment language: criterion forms, measures, comparisons. One operator is one row of one of the
 * three tables: what it is called, what it is for, how it is read, what it means, what a user's state keeps for it, how
 * SQL says it. Whatever differs from operator to operator is looked up here, so adding one is adding a row and the
 * functions that it names. The reference (rule_reference.h) prints the rows. */
#ifndef MUSTER_DOMAIN_RULE_OPERATORS_H
#define MUSTER_DOMAIN_RULE_OPERATORS_H

#include "common/domain/comparison.h"
#include "common/domain/rule.h"
#include "common/domain/rule_diff.h"
#include "common/domain/rule_range.h"

struct base_summary;
struct buffer;
struct compiler;
struct diff;
struct evaluation;
struct explaining;
struct explanation_node;
struct keeper;
struct measure_plan;
struct needs_list;
struct node;
struct rule_cost_assumptions;
struct rule_form;
struct rule_sql;
struct ruleset;
struct sense;
struct sql_name;
struct summary;
struct sweep;
struct timeline;

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

/* ---- measures ---- */

/* What a measure is taken of. */
enum measure_source {
    MEASURE_OF_EVENTS = 0,         /* the events themselves */
    MEASURE_OF_PROPERTY,           /* property or product */
    MEASURE_OF_PROPERTY_OR_PERIOD, /* or period with its zone */
};
/* What is compared. */
enum measure_result {
    MEASURE_NUMBER = 0,
    MEASURE_AGE,   /* the time since an event */
    MEASURE_VALUE, /* the value on an event */
};
/* Which one event it is about, where it is about one. */
enum measure_end { MEASURE_END_NONE = 0, MEASURE_END_FIRST, MEASURE_END_LAST };
enum measure_extreme { MEASURE_EXTREME_NONE = 0, MEASURE_LEAST, MEASURE_GREATEST };

/* What brings the number from `now` to the bound: so many more events or different values, or one with that value;
 * rounded down. */
typedef int128 measure_amount(const struct quotient *now, int128 bound);
/* Marks the entries [first, end), which count, that can still decide it. */
typedef void measure_need(struct keeper *keeper, const struct measure_plan *plan, size_t first, size_t end);
/* Between what evaluation carries of a measure without a window and what a pruned state keeps. */
typedef void measure_from_base(const struct base_summary *base, struct summary *summary);
typedef void measure_to_base(const struct summary *summary, struct base_summary *base);

struct measure_operator {
    struct operator_text text;
    enum measure_source source;
    const struct rule_form *form;    /* as a criterion's measure */
    const struct rule_form *operand; /* inside compare and percentile; NULL: may not stand there */
    enum measure_result result;
    enum measure_end end;
    enum measure_extreme extreme;
    enum rule_numbers numbers; /* what the number can be */
    const char *never;         /* why a comparison with it is impossible */
    bool always_exists;        /* 0 where no event counts */
    bool numeric;              /* takes the events with a numeric value */
    bool events;               /* the number of counting events itself */
    bool different;            /* counts different things */
    bool tallied;              /* tally.h */
    bool paned;                /* what leaves together can be taken together */
    /* The measure as a number now. */
    struct quotient (*number)(const struct sweep *sweep);
    /* Of numbers only: what it is after so many more events or different values, or one with that value. */
    struct quotient (*after)(const struct quotient *now, int128 amount);
    measure_amount *amount;
    measure_need *need;
    measure_from_base *from_base;
    measure_to_base *to_base;
    const char *sql_total; /* of counting events e; what is compared is total / parts */
    const char *sql_parts;
};

enum { MEASURE_OPERATOR_COUNT = RULE_EARLIEST + 1 };
/* By enum rule_measure_kind; the first row is an event form without a measure. */
extern const struct measure_operator measure_operators[MEASURE_OPERATOR_COUNT];

static inline const struct measure_operator *measure_operator(const struct rule_measure *measure)
{
    return &measure_operators[measure->kind];
}

/* ---- criteria ---- */

/* How a form is told from the others: by its first key, and a second one where forms share the first. */
struct criterion_form {
    struct operator_text text;
    const char *head;
    const char *mark; /* NULL: none */
    const struct rule_form *form;
};

typedef bool criterion_compile(struct compiler *compiler, const struct criterion *criterion, struct node *node);
/* Its truth from F on; `marked`: qualifying marks are wanted. */
typedef void criterion_evaluate(struct evaluation *evaluation, const struct node *node, bool marked,
                                struct timeline *out);
/* Marks the entries of a final past that can still decide it. */
typedef void criterion_keep(struct keeper *keeper, const struct node *node);
/* Adds what must have happened for it to hold; false where nothing must. */
typedef bool criterion_needs(struct needs_list *list, const struct node *node);
typedef bool criterion_sql(struct rule_sql *sql, const struct criterion *criterion, bool marked, struct sql_name *out);
typedef void criterion_describe(struct buffer *out, const struct criterion *criterion);
typedef void criterion_explain(struct explaining *explaining, const struct node *node, struct explanation_node *out);
/* How many of a user's events it keeps at most, children apart; INT64_MAX: no bound. */
typedef int64_t criterion_cost(const struct node *node, const struct rule_cost_assumptions *assumptions);
typedef bool criterion_test(const struct criterion *criterion);
/* Of two of this form: whether they are about the same thing, so that one may have become the other. */
typedef bool criterion_alike(const struct criterion *a, const struct criterion *b);
/* Says in words how they differ. */
typedef void criterion_diff(struct diff *diff, const struct criterion *from, const struct criterion *to);
/* What the difference means for who may be a member; false: no memory. */
typedef bool criterion_change(const struct criterion *from, const struct criterion *to, enum rule_reach_change *out,
                              struct error *err);
/* Whether it may be `wanted` for a user without any event in reach. */
typedef bool criterion_empty(const struct criterion *criterion, bool wanted);
typedef int64_t criterion_reach(const struct ruleset *ruleset, const struct criterion *criterion);

struct criterion_operator {
    struct criterion_form form;
    struct criterion_form shorthand; /* form NULL: none */
    bool combines;                   /* other criteria: marks are theirs */
    unsigned effort;                 /* that its truth at one instant takes, from 0, beside that of others */
    criterion_describe *describe;
    /* Whether it can hold at all, whether always: rule_sense.h. NULL: that depends. */
    enum rule_truth (*judge)(struct sense *sense, const struct criterion *criterion);
    criterion_compile *compile;
    criterion_test *sums_up; /* its past can be summed up; NULL: never */
    criterion_evaluate *evaluate;
    criterion_empty *empty;   /* NULL: always may */
    criterion_reach *reach;   /* ruleset_reach.h; NULL: unlimited */
    criterion_needs *needs;   /* NULL: nothing */
    criterion_keep *keep;     /* NULL: what the criteria below need */
    criterion_cost *cost;     /* NULL: nothing */
    criterion_alike *alike;   /* NULL: never */
    criterion_diff *diff;     /* NULL: only as a whole */
    criterion_change *change; /* NULL: not to be told */
    criterion_explain *explain;
    criterion_sql *write_sql;
};

enum { CRITERION_OPERATOR_COUNT = CRITERION_PERCENTILE + 1 };
/* By enum criterion_kind; the first row is a criterion that could not be read. */
extern const struct criterion_operator criterion_operators[CRITERION_OPERATOR_COUNT];

static inline const struct criterion_operator *criterion_operator(const struct criterion *criterion)
{
    return &criterion_operators[criterion->kind];
}

#endif
