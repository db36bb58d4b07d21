#include "common/domain/pack.h"

#include <limits.h>

/* A value's first byte holds its type and how a number is written: most have no more than two decimals. */
enum { TYPE_MASK = 7, FORM_SHIFT = 3, NUMBER_CENTS = 1 << FORM_SHIFT, BOOLEAN_TRUE = 1 << FORM_SHIFT };
enum { MICROS_PER_CENT = 10000 };

unsigned char *pack_put_value(unsigned char *out, const struct value *value)
{
    switch (value->type) {
    case VALUE_BOOLEAN:
        *out++ = (unsigned char)(VALUE_BOOLEAN | (value->boolean ? BOOLEAN_TRUE : 0));
        return out;
    case VALUE_NUMBER:
        if (value->micros % MICROS_PER_CENT == 0) {
            *out++ = VALUE_NUMBER | NUMBER_CENTS;
            return pack_put_number(out, pack_folded(value->micros / MICROS_PER_CENT));
        }
        *out++ = VALUE_NUMBER;
        return pack_put_number(out, pack_folded(value->micros));
    case VALUE_STRING:
    case VALUE_COMPOUND:
        *out++ = (unsigned char)value->type;
        out = pack_put_number(out, value->text.size);
        if (value->text.size > 0) {
            memcpy(out, value->text.data, value->text.size);
        }
        return out + value->text.size;
    case VALUE_MISSING:
    default:
        *out++ = VALUE_MISSING;
        return out;
    }
}

static struct value refuse(struct pack_reader *reader)
{
    reader->failed = true;
    reader->at = reader->end;
    return (struct value){.type = VALUE_MISSING};
}

static struct value take_decimal(struct pack_reader *reader, bool cents)
{
    struct value value = {.type = VALUE_NUMBER};
    int64_t number = pack_unfolded(pack_take_number(reader));

    if (reader->failed || __builtin_mul_overflow(number, cents ? MICROS_PER_CENT : 1, &value.micros) ||
        value.micros < DECIMAL_MIN || value.micros > DECIMAL_MAX || (!cents && value.micros % MICROS_PER_CENT == 0)) {
        return refuse(reader);
    }
    return value;
}

struct value pack_take_value(struct pack_reader *reader)
{
    const unsigned char *first = pack_take_bytes(reader, 1);
    struct value value = {.type = first == NULL ? VALUE_MISSING : (enum value_type)(*first & TYPE_MASK)};
    unsigned form = first == NULL ? 0 : *first >> FORM_SHIFT;
    uint64_t size;

    if (form > 1 || (form == 1 && value.type != VALUE_BOOLEAN && value.type != VALUE_NUMBER)) {
        return refuse(reader);
    }
    switch (value.type) {
    case VALUE_MISSING:
        return value;
    case VALUE_BOOLEAN:
        value.boolean = form == 1;
        return value;
    case VALUE_NUMBER:
        return take_decimal(reader, form == 1);
    case VALUE_STRING:
    case VALUE_COMPOUND:
        size = pack_take_number(reader);
        first = pack_take_bytes(reader, size);
        if (reader->failed) {
            return refuse(reader);
        }
        value.text = slice_of((const char *)first, size);
        return value;
    default:
        return refuse(reader);
    }
}

/* ---- UUIDs ---- */

/* A hexadecimal digit's value, and of letters the case. */
enum { DIGIT_LOWER = 0x10, DIGIT_UPPER = 0x20, DIGIT_GOOD = 0x40 };

#define DIGIT(value) (DIGIT_GOOD | (value))
#define LOWER(value) (DIGIT_GOOD | DIGIT_LOWER | (value))
#define UPPER(value) (DIGIT_GOOD | DIGIT_UPPER | (value))
static const unsigned char digits[UCHAR_MAX + 1] = {
    ['0'] = DIGIT(0),  ['1'] = DIGIT(1),  ['2'] = DIGIT(2),  ['3'] = DIGIT(3),  ['4'] = DIGIT(4),  ['5'] = DIGIT(5),
    ['6'] = DIGIT(6),  ['7'] = DIGIT(7),  ['8'] = DIGIT(8),  ['9'] = DIGIT(9),  ['a'] = LOWER(10), ['b'] = LOWER(11),
    ['c'] = LOWER(12), ['d'] = LOWER(13), ['e'] = LOWER(14), ['f'] = LOWER(15), ['A'] = UPPER(10), ['B'] = UPPER(11),
    ['C'] = UPPER(12), ['D'] = UPPER(13), ['E'] = UPPER(14), ['F'] = UPPER(15),
};

/* Where the two digits of each byte stand. */
static const unsigned char places[PACK_UUID_SIZE] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};

bool pack_uuid(struct slice text, unsigned char out[PACK_UUID_SIZE], bool *upper)
{
    unsigned all = DIGIT_GOOD;
    unsigned any = 0;

    if (text.size != PACK_UUID_TEXT_SIZE || text.data[8] != '-' || text.data[13] != '-' || text.data[18] != '-' ||
        text.data[23] != '-') {
        return false;
    }
    for (size_t i = 0; i < PACK_UUID_SIZE; i++) {
        unsigned high = digits[(unsigned char)text.data[places[i]]];
        unsigned low = digits[(unsigned char)text.data[places[i] + 1]];

        all &= high & low;
        any |= high | low;
        out[i] = (unsigned char)((high & 15) << 4 | (low & 15));
    }
    *upper = (any & DIGIT_UPPER) != 0;
    return all != 0 && (any & (DIGIT_LOWER | DIGIT_UPPER)) != (DIGIT_LOWER | DIGIT_UPPER);
}

void pack_uuid_text(const unsigned char uuid[PACK_UUID_SIZE], bool upper, char out[PACK_UUID_TEXT_SIZE])
{
    const char *texts = upper ? "0123456789ABCDEF" : "0123456789abcdef";

    out[8] = out[13] = out[18] = out[23] = '-';
    for (size_t i = 0; i < PACK_UUID_SIZE; i++) {
        out[places[i]] = texts[uuid[i] >> 4];
        out[places[i] + 1] = texts[uuid[i] & 15];
    }
}
