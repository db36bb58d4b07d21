/* What is wrong with definitions, all of it: a set that has such a list (segment_set.problems) is read to its end, and
 * every problem is put here with its file, line, JSON path and, for a misspelt word, what was probably meant.
 *
 * Without a list the first error ends the reading, as the pipelines want it. */
#ifndef MUSTER_DOMAIN_RULE_PROBLEM_H
#define MUSTER_DOMAIN_RULE_PROBLEM_H

#include "common/base/error.h"
#include "common/base/memory.h"
#include "common/base/slice.h"

#include <stddef.h>

struct definition;

enum rule_severity { RULE_SEVERITY_NONE = 0, RULE_ERROR, RULE_WARNING };

enum rule_problem_kind {
    RULE_PROBLEM_NONE = 0,
    RULE_PROBLEM_SYNTAX,     /* not JSON */
    RULE_PROBLEM_FORM,       /* a key, a type or a value that the language does not have there */
    RULE_PROBLEM_REFERENCE,  /* unknown segments, ids that occur twice, cycles, what depends on a percentile */
    RULE_PROBLEM_ZONE,       /* a time zone that this machine does not know */
    RULE_PROBLEM_IMPOSSIBLE, /* right, but nothing can ever satisfy it */
    RULE_PROBLEM_ALWAYS,     /* right, but every known user satisfies it */
    RULE_PROBLEM_STREAM,     /* right, but no stream can evaluate it */
};

struct rule_problem {
    enum rule_severity severity;
    enum rule_problem_kind kind;
    struct slice file;
    size_t line;             /* from 1 */
    struct slice path;       /* "$.criteria[0].window" */
    struct slice message;    /* without file and path */
    struct slice suggestion; /* the word that was probably meant; empty: none */
};

/* Kept in the order found until rule_problems_sort. Beyond RULE_PROBLEMS_MAX they are only counted. */
enum { RULE_PROBLEMS_MAX = 1000 };
struct rule_problems {
    struct arena arena;
    struct rule_problem *items;
    size_t count;
    size_t capacity;
    size_t error_count;   /* with those left off */
    size_t warning_count; /* with those left off */
};

/* An empty list. */
void rule_problems_init(struct rule_problems *problems);
void rule_problems_clear(struct rule_problems *problems);

/* Adds a copy of the problem. ERROR_INTERNAL when there is no memory. */
bool rule_problems_add(struct rule_problems *problems, const struct rule_problem *problem,
                       struct error *err) MUST_CHECK;

/* Adds a problem of a definition that was read: `path` is the place within it ("criteria[0].window"; empty: itself),
 * which also gives the line. */
bool rule_problems_add_at(struct rule_problems *problems, enum rule_severity severity, enum rule_problem_kind kind,
                          const struct definition *definition, struct slice path, const char *message,
                          const char *suggestion, struct error *err) MUST_CHECK;

/* By file, line, path and message. */
void rule_problems_sort(struct rule_problems *problems);

/* "error", "warning"; "syntax", "form", ... ; "none" for 0. */
const char *rule_severity_name(enum rule_severity severity);
const char *rule_problem_kind_name(enum rule_problem_kind kind);

#endif
