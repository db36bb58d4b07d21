/* The oracle's own reading of definitions (segment-language, sections 3 to 5). What it is given has passed the
 * product's parser, so nothing is checked here. */
#ifndef MUSTER_TESTS_ORACLE_RULES_H
#define MUSTER_TESTS_ORACLE_RULES_H

#include "tests/oracle/calendar.h"
#include "tests/oracle/tree.h"

#include <stdint.h>

/* In the order of section 2: the greater one is chosen where events tie. */
enum answer_kind { ANSWER_MISSING = 0, ANSWER_BOOLEAN, ANSWER_NUMBER, ANSWER_STRING, ANSWER_OTHER };

/* A value of an event or a definition. */
struct answer {
    enum answer_kind kind;
    bool truth;
    int64_t micros;
    struct slice text;
    const struct tree *tree; /* OTHER: the array or object */
};

struct path {
    struct slice *keys;
    size_t count;
};

struct term {
    struct slice op;
    struct answer *operands; /* one, but for in and notIn */
    size_t operand_count;
    bool wanted; /* exists */
    int64_t ms;  /* comparisons of durations */
    int64_t years;
};

struct terms {
    struct term *items;
    size_t count;
};

struct predicate {
    struct path path;
    struct terms terms;
};

/* E(where) */
struct selector {
    struct slice *names;
    size_t name_count;
    struct predicate *where;
    size_t where_count;
};

struct counting {
    bool limited; /* there is a window */
    int64_t length_ms;
    int64_t offset_ms;
    int64_t slide_ms;
    enum calendar_unit unit; /* calendar window */
    int64_t last;
    bool complete;
    struct slice zone;
};

/* An event while it counts: [from, until). */
struct span {
    bool selected;
    int64_t from;
    int64_t until;
    struct answer value; /* of the measure's property or product */
};

enum form {
    FORM_NONE = 0,
    FORM_MEASURE,
    FORM_ABSENCE,
    FORM_SEQUENCE,
    FORM_COMPARE,
    FORM_TRAIT,
    FORM_AGE,
    FORM_UNTIL,
    FORM_SEGMENT,
    FORM_ALL,
    FORM_ANY,
    FORM_NOT,
    FORM_PERCENTILE,
};

struct rule {
    enum form form;
    struct selector selector; /* MEASURE, ABSENCE (a) */
    struct counting window;
    struct slice measure; /* "count", ... */
    struct path property;
    struct path factor; /* product: the other one */
    bool product;
    enum calendar_unit period; /* distinct periods */
    struct slice zone;
    struct terms terms;    /* of the measure, the trait, the durations */
    struct selector ender; /* ABSENCE (b) */
    int64_t within_ms;
    bool or_later;
    struct path *same;
    size_t same_count;
    struct selector *steps;
    size_t step_count;
    struct slice op; /* COMPARE */
    int64_t times_micros;
    struct path trait; /* TRAIT, AGE, UNTIL; by of PERCENTILE */
    struct slice segment;
    struct rule *children; /* ALL, ANY, NOT; left and right of COMPARE; of PERCENTILE */
    size_t child_count;
    int64_t percent_micros;

    /* For the user in hand, one per event: when it counts. For a sequence: when it counts as a last one. */
    struct span *spans;
};

struct segment {
    struct slice id;
    struct rule *criteria;
    size_t criterion_count;
    struct rule *exclude;
    size_t exclude_count;
    int64_t duration_ms; /* 0: none */
    bool sticky;
    int64_t exclusion_ms; /* 0: none */
    bool ranked;          /* needs a percentile, also through references */
};

struct segment *rules_read(struct arena *arena, const struct tree *document, size_t *count);

struct answer answer_of(const struct tree *tree);
/* A comparison of values. */
bool terms_hold(const struct terms *terms, const struct answer *value);

#endif
