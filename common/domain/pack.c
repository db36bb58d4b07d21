#include "common/domain/pack.h"

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
enum { DIGIT_LOWER = 0x10, DIGIT_UPPER = 0x20, DIGIT_BAD = 0x80 };

static unsigned digit_of(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return (unsigned)(digit - '0');
    }
    if (digit >= 'a' && digit <= 'f') {
        return DIGIT_LOWER | ((unsigned)(digit - 'a') + 10);
    }
    return digit >= 'A' && digit <= 'F' ? DIGIT_UPPER | ((unsigned)(digit - 'A') + 10) : DIGIT_BAD;
}

static bool is_dash(size_t index)
{
    return index == 8 || index == 13 || index == 18 || index == 23;
}

bool pack_uuid(struct slice text, unsigned char out[PACK_UUID_SIZE], bool *upper)
{
    unsigned seen = 0;
    size_t count = 0;

    if (text.size != PACK_UUID_TEXT_SIZE) {
        return false;
    }
    for (size_t i = 0; i < text.size; i += 2) {
        unsigned high;
        unsigned low;

        if (is_dash(i)) {
            if (text.data[i] != '-') {
                return false;
            }
            i++;
        }
        high = digit_of(text.data[i]);
        low = digit_of(text.data[i + 1]);
        seen |= high | low;
        out[count++] = (unsigned char)((high & 15) << 4 | (low & 15));
    }
    *upper = (seen & DIGIT_UPPER) != 0;
    return (seen & DIGIT_BAD) == 0 && (seen & (DIGIT_LOWER | DIGIT_UPPER)) != (DIGIT_LOWER | DIGIT_UPPER);
}

void pack_uuid_text(const unsigned char uuid[PACK_UUID_SIZE], bool upper, char out[PACK_UUID_TEXT_SIZE])
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";

    for (size_t i = 0; i < PACK_UUID_SIZE; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *out++ = '-';
        }
        *out++ = digits[uuid[i] >> 4];
        *out++ = digits[uuid[i] & 15];
    }
}
