#include "common/domain/pile_text.h"

#include "common/base/digits.h"

enum {
    SHARED_MAX = 15,  /* bytes that a text can share with the one before */
    LONG_TEXT = 0xff, /* instead of both sizes in one byte: the sizes follow */
};

/* Of fewer than all. */
static inline uint128 low_bytes(size_t count)
{
    return ((uint128)1 << 8 * count) - 1;
}

/* ---- numbers ---- */

/* Bytes that a number of so many digits needs. */
static inline size_t number_size(size_t digit_count)
{
    return (digit_count * 27 >> 6) + 1;
}

static inline uint64_t last_word(const struct pile_text *text)
{
    return pack_word((const unsigned char *)text->text.data + text->text.size - PILE_TEXT_WORD_SIZE);
}

/* ---- plain ---- */

/* How many bits the heads share from the first byte on; of all that are the same one less. */
static inline size_t shared_bits(uint128 head, const struct pile_text_before *before)
{
    uint64_t low = (uint64_t)head ^ before->low;
    uint64_t high = (uint64_t)(head >> 64) ^ before->high;

    return (size_t)(low != 0 ? __builtin_ctzll(low) : 64 + __builtin_ctzll(high | UINT64_C(1) << 63));
}

/* How many bytes they share, `size` and SHARED_MAX at most. */
static inline size_t shared(uint128 head, const struct pile_text_before *before, size_t size)
{
    size_t count = shared_bits(head, before) / 8;

    size = size < SHARED_MAX ? size : SHARED_MAX;
    return count < size ? count : size;
}

static void note_plain(struct slice text, uint128 head, struct pile_text_before *before)
{
    uint64_t others;

    before->low = (uint64_t)head;
    before->high = (uint64_t)(head >> 64);
    before->size = 0;
    before->digit_count = 0;
    if (text.size < PILE_TEXT_WORD_SIZE || text.size > PILE_TEXT_HEAD_SIZE) {
        return;
    }
    others = digits_other((uint64_t)(head >> 8 * (text.size - PILE_TEXT_WORD_SIZE)));
    before->digit_count = (uint8_t)(others == 0 ? DIGITS_MAX : __builtin_clzll(others) / 8);
    before->size = (uint8_t)(before->digit_count == 0 ? 0 : text.size);
}

/* What the text shares with the one before is left out. */
static unsigned char *put_plain(unsigned char *out, const struct pile_text *text, struct pile_text_before *before)
{
    size_t front = shared(text->head, before, text->text.size);
    size_t rest = text->text.size - front;

    note_plain(text->text, text->head, before);
    if (rest < SHARED_MAX) {
        *out++ = (unsigned char)(front << 4 | rest);
    } else {
        *out++ = LONG_TEXT;
        *out++ = (unsigned char)front;
        out = pack_put_number(out, rest);
    }
    if (text->text.size <= PILE_TEXT_HEAD_SIZE) {
        pile_text_write_head(out, text->head >> 8 * front);
    } else {
        memcpy(out, text->text.data + front, rest);
    }
    return out + rest;
}

static const unsigned char *take_plain(const unsigned char *at, struct pile_text_reader *reader)
{
    uint128 before = pile_text_join(reader->before.low, reader->before.high);
    size_t front = *at >> 4;
    uint64_t rest = *at & 15;

    if (*at++ == LONG_TEXT) {
        front = *at++;
        at = pack_take_known(at, &rest);
    }
    reader->size = front + rest;
    reader->head = (before & low_bytes(front)) | pile_text_read_head(at) << 8 * front;
    if (reader->size < PILE_TEXT_HEAD_SIZE) {
        reader->head &= low_bytes(reader->size);
    } else {
        pile_text_write_head(reader->bytes, reader->head);
        memcpy(reader->bytes + front, at, rest);
    }
    note_plain(slice_of(reader->bytes, reader->size), reader->head, &reader->before);
    reader->front = reader->head & low_bytes(reader->before.size - reader->before.digit_count);
    return at + rest;
}

/* ---- all forms ---- */

static inline bool put_serial(unsigned char **out, const struct pile_text *text, const struct pile_text_before *before)
{
    size_t digit_count = before->digit_count;
    size_t size = text->text.size;
    uint64_t other_bits; /* of the last word, before the digits */
    uint64_t digits;

    if (size != before->size || digit_count == 0 || shared_bits(text->head, before) < 8 * (size - digit_count)) {
        return false;
    }
    other_bits = (UINT64_C(1) << 8 * (DIGITS_MAX - digit_count)) - 1;
    digits = ((last_word(text) ^ DIGITS_EACH('0')) & ~other_bits) ^ DIGITS_EACH('0');
    if (digits_other(digits) != 0) {
        return false;
    }
    pack_put_word(*out, digits_number(digits));
    *out += number_size(digit_count);
    return true;
}

enum pile_text_form pile_text_put(unsigned char **out, const struct pile_text *text, struct pile_text_before *before)
{
    bool upper;

    if (put_serial(out, text, before)) {
        return PILE_TEXT_SERIAL;
    }
    if (pack_uuid(text->text, *out, &upper)) {
        *out += PACK_UUID_SIZE;
        return upper ? PILE_TEXT_UUID_UPPER : PILE_TEXT_UUID_LOWER;
    }
    *out = put_plain(*out, text, before);
    return PILE_TEXT_PLAIN;
}

static inline const unsigned char *take_serial(const unsigned char *at, struct pile_text_reader *reader)
{
    size_t digit_count = reader->before.digit_count;
    size_t size = number_size(digit_count);
    uint64_t digits = digits_text(pack_word(at) & UINT64_MAX >> (64 - 8 * size));
    size_t front = reader->before.size - digit_count;

    digits >>= 8 * (DIGITS_MAX - digit_count);
    reader->size = reader->before.size;
    reader->head = reader->front | (uint128)digits << 8 * front;
    return at + size;
}

static const unsigned char *take_uuid(const unsigned char *at, bool upper, struct pile_text_reader *reader)
{
    pack_uuid_text(at, upper, reader->bytes);
    reader->size = PACK_UUID_TEXT_SIZE;
    reader->head = pile_text_read_head(reader->bytes);
    return at + PACK_UUID_SIZE;
}

const unsigned char *pile_text_take(enum pile_text_form form, const unsigned char *at, struct pile_text_reader *reader)
{
    if (form == PILE_TEXT_SERIAL) {
        return take_serial(at, reader);
    }
    return form == PILE_TEXT_PLAIN ? take_plain(at, reader) : take_uuid(at, form == PILE_TEXT_UUID_UPPER, reader);
}
