#include "common/domain/pack.h"

#ifdef __SSE2__
#include <emmintrin.h>
#else
#include <endian.h>
#endif

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

/* ---- UUIDs ----
 *
 * Many digits at a time. Whatever a text is, it is taken for digits; it is a UUID where these give the same text again.
 */

/* How far the letters A to F, and a to f, stand from where they would follow the digit 9. */
enum { UPPER_GAP = 'A' - '9' - 1, LOWER_GAP = 'a' - '9' - 1 };

static inline bool has_hyphens(const char *text)
{
    return text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-';
}

#ifdef __SSE2__

/* The digits 0 to 15, and 16 to 31. */
struct digits {
    __m128i front;
    __m128i back;
};

static inline __m128i load_four(const char *text)
{
    int word;

    memcpy(&word, text, sizeof word);
    return _mm_cvtsi32_si128(word);
}

static inline __m128i load_eight(const char *text)
{
    return _mm_loadl_epi64((const __m128i *)(const void *)text);
}

static inline struct digits load_digits(const char *text)
{
    __m128i middle = _mm_unpacklo_epi32(load_four(text + 9), load_four(text + 14));
    __m128i after = _mm_unpacklo_epi32(load_four(text + 19), load_four(text + 24));

    return (struct digits){_mm_unpacklo_epi64(load_eight(text), middle),
                           _mm_unpacklo_epi64(after, load_eight(text + 28))};
}

static inline void store_four(char *text, __m128i digits)
{
    int word = _mm_cvtsi128_si32(digits);

    memcpy(text, &word, sizeof word);
}

static inline void store_eight(char *text, __m128i digits)
{
    _mm_storel_epi64((__m128i *)(void *)text, digits);
}

static inline void store_digits(char *text, struct digits digits)
{
    store_eight(text, digits.front);
    store_four(text + 9, _mm_srli_si128(digits.front, 8));
    store_four(text + 14, _mm_srli_si128(digits.front, 12));
    store_four(text + 19, digits.back);
    store_four(text + 24, _mm_srli_si128(digits.back, 4));
    store_eight(text + 28, _mm_srli_si128(digits.back, 8));
}

/* What 16 digits say, each below 16. */
static inline __m128i values_of(__m128i digits)
{
    __m128i letters = _mm_cmpgt_epi8(digits, _mm_set1_epi8('9'));

    return _mm_and_si128(_mm_add_epi8(digits, _mm_and_si128(letters, _mm_set1_epi8(9))), _mm_set1_epi8(15));
}

static inline __m128i digits_of(__m128i values, bool upper)
{
    __m128i letters = _mm_cmpgt_epi8(values, _mm_set1_epi8(9));
    __m128i gap = _mm_and_si128(letters, _mm_set1_epi8(upper ? UPPER_GAP : LOWER_GAP));

    return _mm_add_epi8(_mm_add_epi8(values, _mm_set1_epi8('0')), gap);
}

/* Two values to a byte, the first one above, as 16-bit words. */
static inline __m128i pairs_of(__m128i values)
{
    __m128i pairs = _mm_or_si128(_mm_slli_epi16(values, 4), _mm_srli_epi16(values, 8));

    return _mm_and_si128(pairs, _mm_set1_epi16(0xff));
}

bool pack_uuid(struct slice text, unsigned char out[PACK_UUID_SIZE], bool *upper)
{
    struct digits digits;
    struct digits values;
    __m128i uppers;
    __m128i same;

    if (text.size != PACK_UUID_TEXT_SIZE || !has_hyphens(text.data)) {
        return false;
    }
    digits = load_digits(text.data);
    /* A letter's bit without the other one, in each byte's highest place. */
    uppers = _mm_or_si128(_mm_andnot_si128(_mm_slli_epi16(digits.front, 2), _mm_slli_epi16(digits.front, 1)),
                          _mm_andnot_si128(_mm_slli_epi16(digits.back, 2), _mm_slli_epi16(digits.back, 1)));
    *upper = _mm_movemask_epi8(uppers) != 0;
    values = (struct digits){values_of(digits.front), values_of(digits.back)};
    same = _mm_and_si128(_mm_cmpeq_epi8(digits_of(values.front, *upper), digits.front),
                         _mm_cmpeq_epi8(digits_of(values.back, *upper), digits.back));
    _mm_storeu_si128((__m128i *)(void *)out, _mm_packus_epi16(pairs_of(values.front), pairs_of(values.back)));
    return _mm_movemask_epi8(same) == 0xffff;
}

void pack_uuid_text(const unsigned char uuid[PACK_UUID_SIZE], bool upper, char out[PACK_UUID_TEXT_SIZE])
{
    const __m128i low = _mm_set1_epi8(15);
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)uuid);
    __m128i firsts = _mm_and_si128(_mm_srli_epi16(bytes, 4), low);
    __m128i seconds = _mm_and_si128(bytes, low);

    out[8] = out[13] = out[18] = out[23] = '-';
    store_digits(out, (struct digits){digits_of(_mm_unpacklo_epi8(firsts, seconds), upper),
                                      digits_of(_mm_unpackhi_epi8(firsts, seconds), upper)});
}

#else

/* Eight digits at a time, each in a byte of a word, the first in the lowest one. */
enum { UUID_WORD_COUNT = 4, LETTER_BIT = 0x40 };

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

bool pack_uuid(struct slice text, unsigned char out[PACK_UUID_SIZE], bool *upper)
{
    uint64_t uppers = 0;
    uint64_t wrong = 0;

    if (text.size != PACK_UUID_TEXT_SIZE || !has_hyphens(text.data)) {
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

#endif
