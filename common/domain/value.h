/* One value of a property or trait, or an operand of a rule.
 *
 * Numbers are decimals: an int64_t count of millionths ("micros"), from the decimal text, rounded half-even, in
 * [DECIMAL_MIN, DECIMAL_MAX]. Segment language, section 4. */
#ifndef MUSTER_DOMAIN_VALUE_H
#define MUSTER_DOMAIN_VALUE_H

#include "common/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

#define DECIMAL_ONE INT64_C(1000000)
#define DECIMAL_MAX INT64_C(9200000000000000000) /* 9.2e12 */
#define DECIMAL_MIN (-DECIMAL_MAX)

/* In the order in which ties are broken: the greater one is chosen (section 2). */
enum value_type {
    VALUE_MISSING = 0,
    VALUE_BOOLEAN,
    VALUE_NUMBER,
    VALUE_STRING,
    VALUE_COMPOUND, /* an array or object: exists, and little else */
};

struct value {
    enum value_type type;
    bool boolean;      /* VALUE_BOOLEAN */
    int64_t micros;    /* VALUE_NUMBER */
    struct slice text; /* VALUE_STRING: unescaped UTF-8; VALUE_COMPOUND: its JSON text. Borrowed. */
};

/* The total order of section 2: by type, then by value (false < true, numbers, strings bytewise; compounds by text). */
int value_compare(const struct value *a, const struct value *b);
/* Same type and same value; a missing value equals nothing. */
bool value_equal(const struct value *a, const struct value *b);

#endif
