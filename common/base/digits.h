/* Up to eight decimal digits at a time, in a word whose lowest byte is the first of them. */
#ifndef MUSTER_BASE_DIGITS_H
#define MUSTER_BASE_DIGITS_H

#include <stdint.h>

enum { DIGITS_MAX = 8 };

#define DIGITS_EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* 0 where all are digits. Else the highest bit of each byte that is none, and perhaps of digits behind it. */
static inline uint64_t digits_other(uint64_t text)
{
    uint64_t values = text ^ DIGITS_EACH('0');

    return ((values + DIGITS_EACH(0x7f - 9)) | values) & DIGITS_EACH(0x80);
}

/* What eight digits say. */
static inline uint64_t digits_number(uint64_t text)
{
    uint64_t values = text ^ DIGITS_EACH('0');
    uint64_t pairs = values * 10 + (values >> 8);

    return ((pairs & 0x000000ff000000ff) * (100 + (UINT64_C(1000000) << 32)) +
            (pairs >> 16 & 0x000000ff000000ff) * (1 + (UINT64_C(10000) << 32))) >>
           32;
}

/* The eight digits of a number below 10^8. */
static inline uint64_t digits_text(uint64_t number)
{
    uint64_t fours = number / 10000 | number % 10000 << 32;
    uint64_t hundreds = (fours * 10486 >> 20) & 0x0000007f0000007f;
    uint64_t pairs = hundreds | (fours - hundreds * 100) << 16;
    uint64_t tens = (pairs * 103 >> 10) & 0x000f000f000f000f;

    return (tens | (pairs - tens * 10) << 8) + DIGITS_EACH('0');
}

#endif
