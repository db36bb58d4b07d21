/* The parsed form of a mapping: shared by its parser (mapping_parse.c) and by what applies it (mapping.c). */
#ifndef MUSTER_DOMAIN_MAPPING_INTERNAL_H
#define MUSTER_DOMAIN_MAPPING_INTERNAL_H

#include "common/base/memory.h"
#include "common/domain/mapping.h"

enum mapping_target {
    MAPPING_TARGET_NONE = 0,
    MAPPING_TYPE,
    MAPPING_MESSAGE_ID,
    MAPPING_USER,
    MAPPING_ANONYMOUS,
    MAPPING_TIME,
    MAPPING_EVENT,
    MAPPING_NAME,
    MAPPING_PROPERTY,
    MAPPING_TRAIT,
    MAPPING_PURPOSE,
    MAPPING_CONST,
};

enum mapping_value_kind {
    MAPPING_VALUE_NONE = 0,
    MAPPING_BARE,   /* not bound yet: a column, or the word itself where `literal_allowed` */
    MAPPING_COLUMN, /* [name]; bound: column_index */
    MAPPING_LITERAL,
    MAPPING_LINE, /* #line */
};

enum mapping_as { MAPPING_AS_STRING = 0, MAPPING_AS_NUMBER, MAPPING_AS_BOOLEAN };

enum mapping_filter_kind {
    MAPPING_FILTER_NONE = 0,
    MAPPING_STRIP,
    MAPPING_TRIM,
    MAPPING_LOWER,
    MAPPING_UPPER,
};

struct mapping_filter {
    enum mapping_filter_kind kind;
    struct slice text; /* MAPPING_STRIP */
};

enum mapping_operator {
    MAPPING_OPERATOR_NONE = 0,
    MAPPING_EQUAL,
    MAPPING_NOT_EQUAL,
    MAPPING_BEGINS,
    MAPPING_ENDS,
    MAPPING_CONTAINS,
};

enum { MAPPING_FILTER_COUNT_MAX = 8, MAPPING_CHOICE_COUNT_MAX = 64, MAPPING_RULE_COUNT_MAX = 1000 };

/* One alternative of an expression. */
struct mapping_choice {
    enum mapping_value_kind kind;
    struct slice text; /* name of the column, or the literal */
    size_t column_index;
    bool literal_allowed;
    struct mapping_filter filters[MAPPING_FILTER_COUNT_MAX];
    size_t filter_count;
    enum mapping_as as;
    struct slice format; /* time; empty: RFC 3339 or epoch ms */
    int32_t zone_minutes;
    enum mapping_operator condition; /* none: always */
    struct slice condition_column;
    size_t condition_index;
    struct slice condition_text;
    struct mapping_choice *next; /* after `else` */
};

struct mapping_rule {
    enum mapping_target target;
    struct slice key;  /* X of property.X, trait.X, purpose.X, const.X */
    struct slice name; /* the target as written */
    size_t line;
    struct mapping_choice *first;
};

struct mapping {
    struct arena arena;
    char *name; /* of the file, for messages */
    struct mapping_rule *rules;
    size_t rule_count;
    size_t rule_capacity;
    size_t column_count; /* of the header it is bound to */
    struct buffer scratch;
};

/* A JSON number's text, normalised ("+5" and "05" are 5, ".5" is 0.5), or false when it is none. `out` is empty before.
 */
bool mapping_number(struct slice text, struct buffer *out);

#endif
