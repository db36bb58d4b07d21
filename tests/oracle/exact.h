/* Exact numbers for the oracle: decimals by schoolbook, and integers of 512 bits. */
#ifndef MUSTER_TESTS_ORACLE_EXACT_H
#define MUSTER_TESTS_ORACLE_EXACT_H

#include "common/base/slice.h"

#include <stdint.h>

/* A JSON number's text in millionths, rounded half-even; false outside +-9.2e12 after rounding. */
bool exact_decimal(struct slice text, int64_t *micros);
/* A JSON number that is an integer, however written (1.5e1); false for any other, or where it is far too great. */
bool exact_integer(struct slice text, int64_t *number);
/* The product of two numbers in millionths, rounded half-even; false out of range. */
bool exact_product(int64_t a, int64_t b, int64_t *micros);

enum { EXACT_LIMBS = 16 };

struct wide {
    bool negative;
    uint32_t limbs[EXACT_LIMBS]; /* lowest first */
};

struct wide wide_from(int64_t number);
struct wide wide_add(struct wide a, struct wide b);
struct wide wide_multiply(struct wide a, struct wide b);
int wide_compare(struct wide a, struct wide b);

#endif
