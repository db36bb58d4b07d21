/* The parsed form of segment definitions: a tree that mirrors the document (segment-language, sections 3 to 6).
 *
 * Everything hangs on the arena of its segment_set and lives as long as it. Parsing and checking is in rule_parse.h;
 * evaluation compiles this tree into a ruleset (ruleset.h). Nothing here is evaluated directly. */
#ifndef MUSTER_DOMAIN_RULE_H
#define MUSTER_DOMAIN_RULE_H

#include "common/base/memory.h"
#include "common/base/slice.h"
#include "common/domain/value.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- comparisons ---- */

enum rule_operator {
    RULE_OPERATOR_NONE = 0,
    RULE_EQUAL,
    RULE_NOT_EQUAL,
    RULE_GREATER,
    RULE_GREATER_EQUAL,
    RULE_LESS,
    RULE_LESS_EQUAL,
    RULE_IN,
    RULE_NOT_IN,
    RULE_EXISTS,
    RULE_CONTAINS,
    RULE_STARTS_WITH,
    RULE_ENDS_WITH,
};

/* One operator with its operands. */
struct rule_term {
    enum rule_operator op;
    struct value *operands; /* one, except for in / notIn; none for exists */
    size_t operand_count;
    bool exists; /* RULE_EXISTS: the operand */
};

/* All terms must hold. Numeric comparisons (count, sum, ...) have number operands only. */
struct rule_comparison {
    struct rule_term *terms;
    size_t term_count;
};

/* A length of time compared with: milliseconds, or (only for trait age) whole years. Exactly one is > 0. */
struct rule_span {
    int64_t ms;
    int32_t years;
};

struct rule_span_term {
    enum rule_operator op; /* RULE_EQUAL .. RULE_LESS_EQUAL */
    struct rule_span span;
};

struct rule_span_comparison {
    struct rule_span_term *terms;
    size_t term_count;
};

/* ---- events, windows, measures ---- */

/* A dotted path, split: keys[0].keys[1]... without escapes. */
struct rule_path {
    struct slice *keys; /* one or more, none empty */
    size_t key_count;
    struct slice text; /* as written, for messages */
};

struct rule_predicate {
    struct rule_path property;
    struct rule_comparison comparison;
};

/* E(where): the events of these names for which all predicates hold. */
struct rule_selector {
    bool any_name;       /* "*" */
    struct slice *names; /* otherwise one or more */
    size_t name_count;
    struct rule_predicate *where;
    size_t where_count;
};

enum rule_period { RULE_PERIOD_NONE = 0, RULE_DAY, RULE_WEEK, RULE_MONTH, RULE_QUARTER, RULE_YEAR };

enum rule_window_kind { RULE_WINDOW_NONE = 0, RULE_WINDOW_SLIDING, RULE_WINDOW_CALENDAR };

/* Which events count at T (section 5). RULE_WINDOW_NONE: all with t <= T. */
struct rule_window {
    enum rule_window_kind kind;
    int64_t length_ms;       /* sliding */
    int64_t offset_ms;       /* sliding; 0 = none */
    int64_t slide_ms;        /* sliding; 0 = none */
    enum rule_period period; /* calendar */
    int32_t last;            /* calendar, >= 1 */
    bool complete;           /* calendar */
    struct slice zone;       /* calendar; "UTC" by default */
};

enum rule_measure_kind {
    RULE_MEASURE_NONE = 0, /* count >= 1 */
    RULE_COUNT,
    RULE_SUM,
    RULE_AVG,
    RULE_MIN,
    RULE_MAX,
    RULE_DISTINCT,
    RULE_FIRST,
    RULE_LAST,
    RULE_LATEST,
    RULE_EARLIEST,
};

struct rule_measure {
    enum rule_measure_kind kind;
    struct rule_path property; /* key_count 0 where none is taken */
    bool product;              /* property times factor */
    struct rule_path factor;
    enum rule_period period;               /* RULE_DISTINCT of periods instead of a property */
    struct slice zone;                     /* with period */
    struct rule_comparison comparison;     /* empty inside compare and percentile, and for first / last */
    struct rule_span_comparison durations; /* first, last */
};

/* ---- criteria ---- */

enum criterion_kind {
    CRITERION_NONE = 0,
    CRITERION_EVENT,    /* selector, window, measure */
    CRITERION_COMPARE,  /* left, op, right, times */
    CRITERION_ABSENCE,  /* notFollowedBy and the condition shorthand (or_later) */
    CRITERION_SEQUENCE, /* steps, within */
    CRITERION_TRAIT,    /* trait, comparison */
    CRITERION_TRAIT_AGE,
    CRITERION_TRAIT_UNTIL,
    CRITERION_SEGMENT,
    CRITERION_ALL,
    CRITERION_ANY,
    CRITERION_NOT, /* one child */
    CRITERION_PERCENTILE,
};

struct criterion {
    enum criterion_kind kind;
    struct slice json_path; /* where it stands, for messages: "criteria[0].any[1]" */

    /* EVENT; also the `a` of ABSENCE and what a PERCENTILE is `of` */
    struct rule_selector selector;
    struct rule_window window; /* EVENT, ABSENCE, SEQUENCE, PERCENTILE */
    struct rule_measure measure;

    /* COMPARE: two EVENT criteria with a measure and no comparison */
    struct criterion *left;
    struct criterion *right;
    enum rule_operator op;
    int64_t times_micros;

    /* ABSENCE */
    struct rule_selector followed_by;
    bool or_later;

    /* ABSENCE, SEQUENCE */
    int64_t within_ms;
    struct rule_path *same;
    size_t same_count;

    /* SEQUENCE */
    struct rule_selector *steps;
    size_t step_count;

    /* TRAIT, TRAIT_AGE, TRAIT_UNTIL; PERCENTILE: `by`, key_count 0 where absent */
    struct rule_path trait;
    struct rule_comparison comparison;     /* TRAIT */
    struct rule_span_comparison durations; /* TRAIT_AGE, TRAIT_UNTIL */

    /* SEGMENT */
    struct slice segment_id;
    size_t segment_index; /* into the set; filled by the check */

    /* ALL, ANY, NOT */
    struct criterion *children;
    size_t child_count;

    /* PERCENTILE: p in micros, 0 < p <= 100 */
    int64_t percentile_micros;
};

/* ---- definitions ---- */

enum lawful_basis {
    BASIS_NONE = 0,
    BASIS_CONSENT,
    BASIS_CONTRACT,
    BASIS_LEGAL_OBLIGATION,
    BASIS_LEGITIMATE_INTEREST,
};
enum membership_mode { MODE_NONE = 0, MODE_WHILE_TRUE, MODE_STICKY };
enum evaluation_mode { EVALUATION_NONE = 0, EVALUATION_HYBRID, EVALUATION_BATCH, EVALUATION_STREAM };
enum merge_strategy {
    MERGE_NONE = 0,
    MERGE_STREAMING_FIRST,
    MERGE_STREAMING_UPDATES,
    MERGE_LAST_WRITER_WINS,
    MERGE_UNION_WITH_BATCH_EXCLUSIONS,
};

struct definition {
    struct slice segment_id;
    struct slice description; /* empty when absent, as owner */
    struct slice owner;
    struct slice *tags;
    size_t tag_count;
    struct slice purpose;
    enum lawful_basis basis;
    struct criterion *criteria;
    size_t criterion_count;
    struct criterion *exclude;
    size_t exclude_count;
    int64_t duration_ms; /* 0 = none */
    enum membership_mode mode;
    bool mode_given;             /* written in the document, even as the default */
    int64_t exclusion_window_ms; /* 0 = none */
    enum evaluation_mode evaluation;
    enum merge_strategy merge;
    int64_t divergence_threshold_micros;
    int32_t divergence_passes;
    int64_t expected_min; /* -1 = none */
    int64_t expected_max; /* -1 = none */
    int64_t expected_max_drop_micros;

    int32_t version;    /* of the store; 0 for a definition from a file */
    size_t *references; /* indexes into the set, each once, ascending; filled by the check */
    size_t reference_count;
    bool needs_percentile;  /* itself or through references; filled by the check */
    bool streams;           /* itself and all it refers to have bounded state per user; filled by the check */
    struct slice file;      /* where it came from, for messages */
    struct slice json_path; /* "$" or "$[3]" */
    struct slice text;      /* the document as written */
    struct slice source;    /* the whole file, which `text` is a part of */
    bool broken;            /* something of it could not be read: only in a set that collects problems */
};

struct rule_problems;

/* Definitions that are evaluated together: closed under references, each id once. */
struct segment_set {
    struct arena arena;
    struct definition *definitions; /* in the order read */
    size_t definition_count;
    size_t definition_capacity;
    size_t *by_id;            /* indexes in the order of segment ids; filled by the check */
    size_t *evaluation_order; /* indexes: referenced before referring; filled by the check */
    /* NULL: the first error ends the reading. Otherwise (borrowed) reading and checking go on to the end and put all
     * that is wrong there: definitions may then be `broken` and references unresolved (segment_index SIZE_MAX), so a
     * set with errors must not be compiled. */
    struct rule_problems *problems;
};

/* Visits the criterion and all below it (children, and both sides of a comparison), parents first; stops and returns
 * false where `visit` does. */
typedef bool criterion_visit(void *context, const struct criterion *criterion);
bool criterion_each(const struct criterion *criterion, criterion_visit *visit, void *context);

/* Whether a stream can keep the definition's state bounded per user; where not, *why names the form (static text).
 * References are not looked at: after the check `streams` says it for all of them. */
bool rule_streams(const struct definition *definition, const char **why);

/* The words of the language for each enumerator; "none" for 0. */
const char *rule_operator_name(enum rule_operator op);
const char *rule_measure_name(enum rule_measure_kind kind);
const char *rule_period_name(enum rule_period period);
const char *criterion_kind_name(enum criterion_kind kind);
const char *lawful_basis_name(enum lawful_basis basis);
const char *membership_mode_name(enum membership_mode mode);
const char *evaluation_mode_name(enum evaluation_mode mode);
const char *merge_strategy_name(enum merge_strategy merge);

#endif
