#include "common/domain/pack.h"

#include <endian.h>

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

/* Eight digits at a time, each in a byte of a word, the first in the lowest one. The letters A to F, and a to f, stand
 * that far from where they would follow the digit 9. */
enum { UUID_WORD_COUNT = 4, LETTER_BIT = 0x40, UPPER_GAP = 'A' - '9' - 1, LOWER_GAP = 'a' - '9' - 1 };

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Where the halves of each word stand. */
static const unsigned char half_places[UUID_WORD_COUNT][2] = {{0, 4}, {9, 14}, {19, 24}, {28, 32}};

static inline uint64_t load_word(const char *text, size_t i)
{
    uint32_t first;
    uint32_t second;

    memcpy(&first, text + half_places[i][0], sizeof first);
    memcpy(&second, text + half_places[i][1], sizeof second);
    return (uint64_t)le32toh(second) << 32 | le32toh(first);
}

static inline void store_word(char *text, size_t i, uint64_t word)
{
    uint32_t first = htole32((uint32_t)word);
    uint32_t second = htole32((uint32_t)(word >> 32));

    memcpy(text + half_places[i][0], &first, sizeof first);
    memcpy(text + half_places[i][1], &second, sizeof second);
}

/* The digits that say the values, each below 16. */
static inline uint64_t digits_of(uint64_t values, uint64_t gap)
{
    uint64_t letters = (values + EACH_BYTE(6)) >> 4 & EACH_BYTE(1);

    return values + EACH_BYTE('0') + letters * gap;
}

/* Whatever the text is, it is taken for digits; it is a UUID where these give the same text again. */
bool pack_uuid(struct slice text, unsigned char out[PACK_UUID_SIZE], bool *upper)
{
    uint64_t uppers = 0;
    uint64_t wrong = 0;

    if (text.size != PACK_UUID_TEXT_SIZE || text.data[8] != '-' || text.data[13] != '-' || text.data[18] != '-' ||
        text.data[23] != '-') {
        return false;
    }
    for (size_t i = 0; i < UUID_WORD_COUNT; i++) {
        uint64_t word = load_word(text.data, i);

        uppers |= word & ~(word << 1) & EACH_BYTE(LETTER_BIT);
    }
    *upper = uppers != 0;
    for (size_t i = 0; i < UUID_WORD_COUNT; i++) {
        uint64_t word = load_word(text.data, i);
        uint64_t values = ((word & EACH_BYTE(15)) + (word >> 6 & EACH_BYTE(1)) * 9) & EACH_BYTE(15);
        uint64_t pairs = (values << 4 | values >> 8) & UINT64_C(0x00ff00ff00ff00ff);
        uint32_t bytes;

        wrong |= word ^ digits_of(values, uppers != 0 ? UPPER_GAP : LOWER_GAP);
        pairs = (pairs | pairs >> 8) & UINT64_C(0x0000ffff0000ffff);
        bytes = htole32((uint32_t)(pairs | pairs >> 16));
        memcpy(out + i * sizeof bytes, &bytes, sizeof bytes);
    }
    return wrong == 0;
}

void pack_uuid_text(const unsigned char uuid[PACK_UUID_SIZE], bool upper, char out[PACK_UUID_TEXT_SIZE])
{
    out[8] = out[13] = out[18] = out[23] = '-';
    for (size_t i = 0; i < UUID_WORD_COUNT; i++) {
        uint32_t bytes;
        uint64_t pairs;

        memcpy(&bytes, uuid + i * sizeof bytes, sizeof bytes);
        pairs = le32toh(bytes);
        pairs = (pairs | pairs << 16) & UINT64_C(0x0000ffff0000ffff);
        pairs = (pairs | pairs << 8) & UINT64_C(0x00ff00ff00ff00ff);
        store_word(out, i, digits_of((pairs >> 4 | pairs << 8) & EACH_BYTE(15), upper ? UPPER_GAP : LOWER_GAP));
    }
}
