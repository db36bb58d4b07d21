/* Numbers keep their decimal meaning from text to decision: 0.1 + 0.2 is 0.3, and 9007199254740993 is not ...992.
 *
 * A number is read as a run of significant digits and the power of ten of its first one. So an exponent of any length,
 * or a million zeros in front, costs one pass and cannot overflow. */
#include "common/domain/decimal.h"

#include "common/base/digits.h"
#include "common/domain/value.h"

#include <endian.h>

enum { FRACTION_DIGITS = 6, INT64_DIGITS_MAX = 19 };

/* Beyond any text's length, far from overflow when a length is added. */
#define EXPONENT_LIMIT INT64_C(1000000000000000)

/* digits d1 d2 d3 ... (d1 not 0) with the point after `point` of them: d1 is worth 10^(point - 1). */
struct significant {
    bool negative;
    const char *digits; /* d1; may have a '.' among what follows */
    const char *end;    /* behind the last digit of the mantissa */
    int64_t point;
    bool zero; /* no digit but 0 */
};

static int64_t read_exponent(const char *at, const char *end)
{
    bool negative = false;
    int64_t exponent = 0;

    if (at < end && (*at == '-' || *at == '+')) {
        negative = *at == '-';
        at++;
    }
    for (; at < end; at++) {
        if (exponent < EXPONENT_LIMIT) {
            exponent = exponent * 10 + (*at - '0');
        }
    }
    return negative ? -exponent : exponent;
}

static struct significant read_significant(struct slice text)
{
    struct significant number = {.zero = true};
    const char *at = text.data;
    const char *end = text.data + text.size;
    bool fraction = false;

    if (at < end && *at == '-') {
        number.negative = true;
        at++;
    }
    for (; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            fraction = true;
            continue;
        }
        if (number.zero && *at != '0') {
            number.zero = false;
            number.digits = at;
        }
        if (!number.zero && !fraction) {
            number.point++;
        } else if (number.zero && fraction) {
            number.point--;
        }
    }
    number.end = at;
    if (at < end) {
        number.point += read_exponent(at + 1, end);
    }
    return number;
}

/* The first `count` digits (zeros behind the last) as a number; moves *at behind them. count <= 19. */
static uint64_t take_digits(const char **at, const char *end, int64_t count)
{
    uint64_t number = 0;

    while (count > 0) {
        unsigned digit = 0;

        if (*at < end) {
            char byte = *(*at)++;

            if (byte == '.') {
                continue;
            }
            digit = (unsigned)(byte - '0');
        }
        number = number * 10 + digit;
        count--;
    }
    return number;
}

static bool any_digit_left(const char *at, const char *end)
{
    for (; at < end; at++) {
        if (*at != '0' && *at != '.') {
            return true;
        }
    }
    return false;
}

/* Half-even: `number` stands, the digits from `at` are cut off. */
static uint64_t round_half_even(uint64_t number, const char *at, const char *end)
{
    uint64_t next = take_digits(&at, end, 1);

    if (next > 5 || (next == 5 && ((number & 1) != 0 || any_digit_left(at, end)))) {
        number++;
    }
    return number;
}

static bool parse_any(struct slice text, int64_t *out_micros)
{
    struct significant number = read_significant(text);
    int64_t count = number.point + FRACTION_DIGITS; /* digits that remain */
    const char *at = number.digits;
    uint64_t micros;

    if (number.zero || count < 0) {
        *out_micros = 0;
        return true;
    }
    if (count > INT64_DIGITS_MAX) {
        return false;
    }
    micros = take_digits(&at, number.end, count);
    micros = round_half_even(micros, at, number.end);
    if (micros > (uint64_t)DECIMAL_MAX) {
        return false;
    }
    *out_micros = number.negative ? -(int64_t)micros : (int64_t)micros;
    return true;
}

/* What a unit of the last of so many decimals counts, in micros. */
static const int64_t scale[FRACTION_DIGITS + 1] = {1000000, 100000, 10000, 1000, 100, 10, 1};

/* Two to eight bytes, the first one lowest, behind as many zeros as make it eight. */
static inline uint64_t last_bytes(struct slice text)
{
    uint32_t first;
    uint32_t last;
    uint16_t few;

    if (text.size < sizeof first) {
        memcpy(&few, text.data, sizeof few);
        first = le16toh(few);
        last = (unsigned char)text.data[text.size - 1];
        return (uint64_t)(first | last << 8 * (text.size - 1)) << 8 * (DIGITS_MAX - text.size);
    }
    memcpy(&first, text.data, sizeof first);
    memcpy(&last, text.data + text.size - sizeof last, sizeof last);
    return (uint64_t)le32toh(last) << 32 | (uint64_t)le32toh(first) << 8 * (DIGITS_MAX - text.size);
}

/* Two to eight bytes of digits with a point among them, or none, without a look at each. False where it is otherwise.
 */
static inline bool parse_few(struct slice text, int64_t *out_micros)
{
    uint64_t digits = last_bytes(text);
    uint64_t points = digits ^ DIGITS_EACH('.');
    size_t empty = DIGITS_MAX - text.size; /* bytes in front */
    size_t fraction_size = 0;

    points = (points - DIGITS_EACH(1)) & ~points & DIGITS_EACH(0x80);
    if (points != 0) {
        size_t place = (size_t)__builtin_ctzll(points) / 8;
        uint64_t below = (UINT64_C(1) << 8 * place) - 1;

        digits = (digits & below) << 8 | (digits & ~(below << 8 | 0xff));
        fraction_size = DIGITS_MAX - 1 - place;
        empty++;
    }
    digits |= DIGITS_EACH('0') & ((UINT64_C(1) << 8 * empty) - 1);
    if (digits_other(digits) != 0 || fraction_size > FRACTION_DIGITS) {
        return false;
    }
    *out_micros = (int64_t)digits_number(digits) * scale[fraction_size];
    return true;
}

/* Nearly every number is up to 12 digits, perhaps a point and up to six more: one loop, no rounding. */
bool decimal_parse(struct slice text, int64_t *out_micros)
{
    const char *at = text.data;
    const char *end = text.data + text.size;
    bool negative = at < end && *at == '-';
    int64_t number = 0;
    size_t fraction_size = 0;

    if (text.size >= 2 && text.size <= DIGITS_MAX && parse_few(text, out_micros)) {
        return true;
    }
    at += negative;
    if (end - at > 13) {
        return parse_any(text, out_micros);
    }
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        number = number * 10 + (*at - '0');
    }
    if (at < end && *at == '.') {
        const char *first = ++at;

        for (; at < end && *at >= '0' && *at <= '9'; at++) {
            number = number * 10 + (*at - '0');
        }
        fraction_size = (size_t)(at - first);
    }
    if (at < end || fraction_size > FRACTION_DIGITS || number >= INT64_C(1000000000000)) {
        return parse_any(text, out_micros);
    }
    number *= scale[fraction_size];
    *out_micros = negative ? -number : number;
    return true;
}

bool decimal_parse_integral(struct slice text, int64_t *out)
{
    struct significant number = read_significant(text);
    const char *at = number.digits;
    uint64_t magnitude;

    if (number.zero) {
        *out = 0;
        return true;
    }
    if (number.point <= 0 || number.point > INT64_DIGITS_MAX) {
        return false;
    }
    magnitude = take_digits(&at, number.end, number.point);
    if (magnitude > (uint64_t)INT64_MAX || any_digit_left(at, number.end)) {
        return false;
    }
    *out = number.negative ? -(int64_t)magnitude : (int64_t)magnitude;
    return true;
}

bool decimal_multiply(int64_t a, int64_t b, int64_t *out_micros)
{
    int128 product = (int128)a * b; /* at most 8.5e37: fits */
    int128 quotient = product / DECIMAL_ONE;
    int64_t rest = (int64_t)(product % DECIMAL_ONE); /* has the sign of the product */
    int64_t distance = rest < 0 ? -rest : rest;

    if (distance > DECIMAL_ONE / 2 || (distance == DECIMAL_ONE / 2 && (quotient & 1) != 0)) {
        quotient += product < 0 ? -1 : 1;
    }
    if (quotient > DECIMAL_MAX || quotient < DECIMAL_MIN) {
        return false;
    }
    *out_micros = (int64_t)quotient;
    return true;
}

void decimal_append_wide(struct buffer *out, int128 micros)
{
    char digits[48]; /* 39 digits, a point, a sign */
    char *first = digits + sizeof digits;
    bool negative = micros < 0;
    bool started = false; /* zeros at the end of a fraction are not written */

    for (int place = 0; place < FRACTION_DIGITS; place++) {
        int digit = (int)(micros % 10);

        digit = digit < 0 ? -digit : digit;
        if (digit != 0 || started) {
            started = true;
            *--first = (char)('0' + digit);
        }
        micros /= 10;
    }
    if (started) {
        *--first = '.';
    }
    do {
        int digit = (int)(micros % 10);

        *--first = (char)('0' + (digit < 0 ? -digit : digit));
        micros /= 10;
    } while (micros != 0);
    if (negative) {
        *--first = '-';
    }
    buffer_append(out, first, (size_t)(digits + sizeof digits - first));
}

void decimal_append(struct buffer *out, int64_t micros)
{
    decimal_append_wide(out, micros);
}
