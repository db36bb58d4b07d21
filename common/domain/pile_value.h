/* How values are packed in a pile, by those who know what they have written: first half a byte for each, which says
 * what it is and in how many bytes it lies, then these. For pile_pack.c and who reads it. */
#ifndef MUSTER_DOMAIN_PILE_VALUE_H
#define MUSTER_DOMAIN_PILE_VALUE_H

#include "common/domain/value.h"

/* At most so many bytes of a value, beside its text; up to eight more are written behind the last one, and read. */
enum { PILE_VALUE_SIZE_MAX = 10 };

unsigned char *pile_values_put(unsigned char *out, const struct value *values, size_t count);

/* Values being read. */
struct pile_values {
    const unsigned char *kinds;
    const unsigned char *at;
    size_t index; /* of the next one */
};

static inline struct pile_values pile_values_of(const unsigned char *at, size_t count)
{
    return (struct pile_values){.kinds = at, .at = at + (count + 1) / 2};
}

/* The next value; its text is borrowed. */
struct value pile_values_take(struct pile_values *values);

#endif
