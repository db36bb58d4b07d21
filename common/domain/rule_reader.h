/* Reading one JSON document of a definition by tables: what the parts of the parser share. Internal to rule_*.c.
 *
 * A form is one kind of JSON object of the language: its keys, and which comparison operators may stand among them. An
 * object with any other key is refused, so a misspelt rule never becomes a wider audience. */
#ifndef MUSTER_DOMAIN_RULE_READER_H
#define MUSTER_DOMAIN_RULE_READER_H

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/base/memory.h"
#include "common/domain/json.h"
#include "common/domain/rule.h"
#include "common/domain/rule_names.h"
#include "common/domain/rule_problem.h"

struct rule_reader {
    const struct json_document *document;
    struct arena *arena; /* owns all that is read */
    struct slice file;
    const struct rule_place *root; /* the place of the definition being read */
    struct buffer path;            /* scratch for paths, in messages and in the tree */
    struct error *err;
    struct rule_problems *problems; /* NULL: the first error ends the reading */
    int32_t culprit;                /* token that the next problem is about; JSON_ABSENT: what stands at its place */
    const char *suggestion;         /* what the next problem's word probably meant; NULL: nothing is near */
};

/* Where a value stands: a chain of keys and indexes that ends at the root, whose key is "$". Lives on the C stack. */
struct rule_place {
    const struct rule_place *parent;
    const char *key; /* NULL: element `index` of an array */
    size_t index;
};

/* Which operands a form's comparison takes. */
enum rule_operands {
    RULE_OPERANDS_NONE = 0, /* no comparison */
    RULE_OPERANDS_NUMBERS,  /* = != > >= < <= with numbers */
    RULE_OPERANDS_VALUES,   /* every operator */
    RULE_OPERANDS_SPANS,    /* = != > >= < <= with durations */
    RULE_OPERANDS_AGES,     /* the same, years too */
};

struct rule_key;
/* Reads the value at `token` into `target`, the struct that the form fills. */
typedef bool rule_key_read(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                           const struct rule_key *key, void *target);

struct rule_key {
    const char *name;
    rule_key_read *read;
    bool required;
    size_t offset;                  /* of the member in the target, for the readers below */
    const struct rule_words *words; /* rule_key_word */
    const char *help;               /* one sentence for the reference */
    const char *takes;              /* for the reference, where the reader does not tell; else NULL */
};

struct rule_form {
    const char *name;            /* as in schemas/segment-definition.schema.json */
    const char *what;            /* in messages: "an event criterion" */
    const char *example;         /* for messages; NULL: none */
    const struct rule_key *keys; /* ends with a zeroed element */
    enum rule_operands operands;
    size_t comparison_offset; /* of struct rule_comparison or rule_span_comparison in the target */
};

/* The forms that the tables of operators name (rule_criterion.c, rule_event.c). */
extern const struct rule_form rule_form_event;
extern const struct rule_form rule_form_absence;
extern const struct rule_form rule_form_condition;
extern const struct rule_form rule_form_sequence;
extern const struct rule_form rule_form_compare;
extern const struct rule_form rule_form_trait;
extern const struct rule_form rule_form_age;
extern const struct rule_form rule_form_until;
extern const struct rule_form rule_form_segment;
extern const struct rule_form rule_form_all;
extern const struct rule_form rule_form_any;
extern const struct rule_form rule_form_not;
extern const struct rule_form rule_form_percentile;
extern const struct rule_form rule_form_count;
extern const struct rule_form rule_form_number;
extern const struct rule_form rule_form_distinct;
extern const struct rule_form rule_form_span;
extern const struct rule_form rule_form_value;
extern const struct rule_form rule_form_count_operand;
extern const struct rule_form rule_form_number_operand;
extern const struct rule_form rule_form_distinct_operand;

/* All of the language's forms (ends with NULL), for the test that compares them with the JSON Schema. */
extern const struct rule_form *const rule_forms_event[];
extern const struct rule_form *const rule_forms_criterion[];
extern const struct rule_form *const rule_forms_definition[];
/* Whether the operator may stand in a comparison of that kind. */
bool rule_operands_take(enum rule_operands operands, enum rule_operator op);

/* What a comparison of values takes behind the operator. */
const char *rule_operand_text(enum rule_operator op);

/* ---- errors: each sets reader->err and returns false ---- */

bool rule_fail(struct rule_reader *reader, const struct rule_place *place, const char *format, ...) PRINTF_LIKE(3, 4);
/* "expected WHAT, got GOT" */
bool rule_expected(struct rule_reader *reader, const struct rule_place *place, int32_t token, const char *what);
bool rule_no_memory(struct rule_reader *reader);
/* Whether what failed was put into the list of problems, so that the rest can be read. */
bool rule_goes_on(const struct rule_reader *reader);

/* The place as text on the arena: "$[3].criteria[0]" from the very top, or "criteria[0]" within the definition. */
bool rule_place_text(struct rule_reader *reader, const struct rule_place *place, bool within,
                     struct slice *out) MUST_CHECK;

/* ---- objects and arrays ---- */

enum json_type rule_type(const struct rule_reader *reader, int32_t token);
/* Reads the object by its form. A comparison that the form has must not be empty. */
bool rule_read_object(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                      const struct rule_form *form, void *target) MUST_CHECK;
/* The array's elements one by one into a new array on the arena of `size`-byte elements, zeroed. Fewer than count_min
 * or more than RULE_ARRAY_MAX elements are an error. `what` names the elements. */
enum {
    RULE_ARRAY_MAX = 100000, /* what in and notIn compare with, above all */
    RULE_CRITERION_MAX = 10000,
    RULE_NAME_MAX = 1000, /* event names of one selector, predicates of one, tags */
    RULE_STEP_MAX = 100,  /* steps of a sequence, properties in same: what an evaluation pays for by the square */
};
/* False, with an error, when the value is an array of more than count_max elements. */
bool rule_count_limit(struct rule_reader *reader, int32_t token, const struct rule_place *place, size_t count_max,
                      const char *what) MUST_CHECK;
typedef bool rule_element_read(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                               void *element);
bool rule_read_array(struct rule_reader *reader, int32_t token, const struct rule_place *place, size_t count_min,
                     const char *what, size_t size, rule_element_read *read, void *array_out,
                     size_t *count_out) MUST_CHECK;

/* ---- values ---- */

/* A string, unescaped; not empty. */
bool rule_read_name(struct rule_reader *reader, int32_t token, const struct rule_place *place, const char *what,
                    struct slice *out) MUST_CHECK;
bool rule_read_path(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                    struct rule_path *out) MUST_CHECK;
bool rule_read_duration(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                        int64_t *out_ms) MUST_CHECK;
/* A number from `least` to `greatest` micros; `what` says so in words. */
bool rule_read_decimal(struct rule_reader *reader, int32_t token, const struct rule_place *place, int64_t least,
                       int64_t greatest, const char *what, int64_t *out_micros) MUST_CHECK;
bool rule_read_integer(struct rule_reader *reader, int32_t token, const struct rule_place *place, int64_t least,
                       int64_t greatest, const char *what, int64_t *out) MUST_CHECK;
bool rule_read_word(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                    const struct rule_words *words, int *out) MUST_CHECK;
bool rule_read_zone(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                    struct slice *out) MUST_CHECK;

/* The same as table rows: into the member at key->offset. */
rule_key_read rule_key_text;     /* struct slice; may be empty */
rule_key_read rule_key_path;     /* struct rule_path */
rule_key_read rule_key_duration; /* int64_t, ms */
rule_key_read rule_key_boolean;  /* bool */
rule_key_read rule_key_zone;     /* struct slice */
rule_key_read rule_key_word;     /* an enum, by key->words */

/* ---- comparisons (rule_comparison.c) ---- */

/* Reads the operators among the object's members; at least one must be there. */
bool rule_read_comparison(struct rule_reader *reader, int32_t object, const struct rule_place *place,
                          enum rule_operands operands, void *target) MUST_CHECK;

/* ---- criteria (rule_criterion.c) ---- */

bool rule_read_criteria(struct rule_reader *reader, int32_t token, const struct rule_place *place, size_t count_min,
                        struct criterion **out, size_t *count_out) MUST_CHECK;

/* ---- selectors, windows, measures (rule_event.c) ---- */

rule_key_read rule_key_event;           /* struct rule_selector */
rule_key_read rule_key_where;           /* struct rule_selector */
rule_key_read rule_key_window;          /* struct rule_window */
rule_key_read rule_key_measure;         /* struct rule_measure, with its comparison */
rule_key_read rule_key_measure_operand; /* without: inside compare and percentile */
/* An object of "event" and "where" alone. */
bool rule_read_selector(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                        struct rule_selector *out) MUST_CHECK;
/* The name, names or "*" at `token`. */
bool rule_read_event_names(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                           struct rule_selector *out) MUST_CHECK;
/* offset and slide need a sliding window. */
bool rule_finish_window(struct rule_reader *reader, const struct rule_place *place,
                        const struct rule_window *window) MUST_CHECK;
/* A non-empty array of property paths. */
bool rule_read_paths(struct rule_reader *reader, int32_t token, const struct rule_place *place, struct rule_path **out,
                     size_t *count_out) MUST_CHECK;

#endif
