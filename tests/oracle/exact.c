#include "tests/oracle/exact.h"

#include "common/base/int128.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define MICROS_MAX INT64_C(9200000000000000000)

enum { DIGITS_MAX = 4096, EXPONENT_MAX = 100000 };

/* ---- integers ---- */

struct wide wide_from(int64_t number)
{
    struct wide wide = {.negative = number < 0};
    uint64_t magnitude = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

    wide.limbs[0] = (uint32_t)magnitude;
    wide.limbs[1] = (uint32_t)(magnitude >> 32);
    return wide;
}

static int compare_magnitudes(const struct wide *a, const struct wide *b)
{
    for (int i = EXACT_LIMBS - 1; i >= 0; i--) {
        if (a->limbs[i] != b->limbs[i]) {
            return a->limbs[i] < b->limbs[i] ? -1 : 1;
        }
    }
    return 0;
}

static bool is_zero(const struct wide *a)
{
    const struct wide zero = {0};

    return compare_magnitudes(a, &zero) == 0;
}

int wide_compare(struct wide a, struct wide b)
{
    if (is_zero(&a) && is_zero(&b)) {
        return 0;
    }
    a.negative = a.negative && !is_zero(&a);
    b.negative = b.negative && !is_zero(&b);
    if (a.negative != b.negative) {
        return a.negative ? -1 : 1;
    }
    return a.negative ? -compare_magnitudes(&a, &b) : compare_magnitudes(&a, &b);
}

struct wide wide_add(struct wide a, struct wide b)
{
    struct wide sum = {.negative = a.negative};
    int64_t carry = 0;

    if (a.negative != b.negative && compare_magnitudes(&a, &b) < 0) {
        return wide_add(b, a);
    }
    for (int i = 0; i < EXACT_LIMBS; i++) {
        int64_t other = a.negative == b.negative ? (int64_t)b.limbs[i] : -(int64_t)b.limbs[i];
        int64_t digit = (int64_t)a.limbs[i] + other + carry;

        sum.limbs[i] = (uint32_t)digit;
        carry = digit < 0 ? -1 : digit >> 32;
    }
    return sum;
}

struct wide wide_multiply(struct wide a, struct wide b)
{
    struct wide product = {.negative = a.negative != b.negative};

    for (int i = 0; i < EXACT_LIMBS; i++) {
        uint64_t carry = 0;

        for (int k = 0; i + k < EXACT_LIMBS; k++) {
            uint64_t digit = (uint64_t)a.limbs[i] * b.limbs[k] + product.limbs[i + k] + carry;

            product.limbs[i + k] = (uint32_t)digit;
            carry = digit >> 32;
        }
        if (carry != 0) {
            fputs("oracle: a number is too wide\n", stderr);
            exit(70);
        }
    }
    return product;
}

/* ---- decimals ---- */

bool exact_product(int64_t a, int64_t b, int64_t *micros)
{
    int128 product = (int128)a * b;
    int128 whole = product / 1000000;
    int64_t rest = (int64_t)(product % 1000000);
    int64_t size = rest < 0 ? -rest : rest;

    if (size > 500000 || (size == 500000 && whole % 2 != 0)) {
        whole += product < 0 ? -1 : 1;
    }
    if (whole > MICROS_MAX || whole < -MICROS_MAX) {
        return false;
    }
    *micros = (int64_t)whole;
    return true;
}

/* The exponent behind an e, held within what matters. */
static long read_exponent(const char *at, const char *end)
{
    bool negative = at < end && *at == '-';
    long exponent = 0;

    for (at += at < end && (*at == '-' || *at == '+'); at < end; at++) {
        exponent = exponent > EXPONENT_MAX ? exponent : exponent * 10 + (*at - '0');
    }
    return negative ? -exponent : exponent;
}

bool exact_decimal(struct slice text, int64_t *micros)
{
    const char *at = text.data;
    const char *end = at + text.size;
    bool negative = at < end && *at == '-';
    char digits[DIGITS_MAX];
    long count = 0;
    long point = -1; /* digits before the point */
    uint64_t whole = 0;
    bool up = false;

    for (at += negative; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            point = count;
        } else if (count < DIGITS_MAX) {
            digits[count++] = *at;
        }
    }
    point = (point < 0 ? count : point) + (at < end ? read_exponent(at + 1, end) : 0) + 6;
    /* Now the number in millionths is digits[0 .. point) before its point, padded with zeros where there are none. */
    for (long i = 0; i < point; i++) {
        uint64_t digit = i < count ? (uint64_t)(digits[i] - '0') : 0;

        if (whole > UINT64_MAX / 20 && (whole > 0 || digit > 0)) {
            return false;
        }
        whole = whole * 10 + digit;
        if (whole == 0 && i >= count) {
            break;
        }
    }
    if (point >= 0 && point < count) {
        bool more = false;

        for (long i = point + 1; i < count; i++) {
            more = more || digits[i] != '0';
        }
        up = digits[point] > '5' || (digits[point] == '5' && (more || whole % 2 != 0));
    }
    whole += up;
    if (whole > (uint64_t)MICROS_MAX) {
        return false;
    }
    *micros = negative ? -(int64_t)whole : (int64_t)whole;
    return true;
}

bool exact_integer(struct slice text, int64_t *number)
{
    const char *end = text.data + text.size;
    long count = 0;
    long point = -1;
    int64_t whole = 0;
    char digits[DIGITS_MAX];
    const char *at = text.data;

    for (at += *at == '-'; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            point = count;
        } else if (count < DIGITS_MAX) {
            digits[count++] = *at;
        }
    }
    point = (point < 0 ? count : point) + (at < end ? read_exponent(at + 1, end) : 0);
    for (long i = 0; i < count; i++) {
        if (i >= point && digits[i] != '0') {
            return false;
        }
    }
    for (long i = 0; i < point && (i < count || whole != 0); i++) {
        if (whole > INT64_MAX / 100) {
            return false;
        }
        whole = whole * 10 + (i < count ? digits[i] - '0' : 0);
    }
    *number = *text.data == '-' ? -whole : whole;
    return true;
}
