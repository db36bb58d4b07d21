/* How the ids of a pile are packed: of each only what one before does not say. Of one that differs in the number at its
 * end alone, that number; of a UUID its 16 bytes; of others what follows the beginning that they share with the last
 * such one. For pile_pack.c and pile.c. */
#ifndef MUSTER_DOMAIN_PILE_TEXT_H
#define MUSTER_DOMAIN_PILE_TEXT_H

#include "common/base/digits.h"
#include "common/base/hash.h"
#include "common/base/int128.h"
#include "common/domain/event.h"
#include "common/domain/pack.h"

enum pile_text_form {
    PILE_TEXT_NONE = 0,
    PILE_TEXT_PLAIN,
    PILE_TEXT_SERIAL,     /* as the one before but for the digits at its end */
    PILE_TEXT_UUID_LOWER, /* these two share nothing with one before, nor with one behind */
    PILE_TEXT_UUID_UPPER,
};

/* What the next text is compared with: the last plain one. */
struct pile_text_before {
    uint64_t low; /* the first eight bytes, the first one lowest, zeros behind */
    uint64_t high;
    uint8_t size;        /* of one that serials can follow, else 0 */
    uint8_t digit_count; /* at the end of that */
};

/* A text with its first 16 bytes in hand. */
struct pile_text {
    struct slice text;
    uint128 head;
};

/* So many bytes behind what is read are read as well, whatever they hold. */
enum { PILE_TEXT_HEAD_SIZE = 16, PILE_TEXT_SLACK = 16 };

/* One that is read; it stays with the reader, for the next. */
struct pile_text_reader {
    struct pile_text_before before;
    uint128 front; /* of that what is before the digits */
    uint128 head;
    size_t size;
    char bytes[EVENT_ID_SIZE_MAX + PILE_TEXT_SLACK]; /* of a text longer than its head */
};

enum { PILE_TEXT_WORD_SIZE = 8 };

static inline uint128 pile_text_join(uint64_t low, uint64_t high)
{
    return (uint128)high << 64 | low;
}

static inline uint128 pile_text_read_head(const void *at)
{
    const unsigned char *bytes = at;

    return pile_text_join(pack_word(bytes), pack_word(bytes + PILE_TEXT_WORD_SIZE));
}

static inline void pile_text_write_head(void *out, uint128 head)
{
    pack_put_word(out, (uint64_t)head);
    pack_put_word((unsigned char *)out + PILE_TEXT_WORD_SIZE, (uint64_t)(head >> 64));
}

static inline struct pile_text pile_text_of(struct slice text)
{
    const unsigned char *bytes = (const unsigned char *)text.data;
    unsigned char few[PILE_TEXT_WORD_SIZE] = {0};

    if (text.size >= PILE_TEXT_HEAD_SIZE) {
        return (struct pile_text){text, pile_text_read_head(bytes)};
    }
    if (text.size >= PILE_TEXT_WORD_SIZE) {
        uint64_t last = pack_word(bytes + text.size - PILE_TEXT_WORD_SIZE);

        return (struct pile_text){text, pack_word(bytes) | (uint128)last << 8 * (text.size - PILE_TEXT_WORD_SIZE)};
    }
    if (text.size > 0) {
        memcpy(few, bytes, text.size);
    }
    return (struct pile_text){text, pack_word(few)};
}

/* Of one of at most PILE_TEXT_HEAD_SIZE bytes, all of it is in its head: no id holds U+0000. */
static inline uint64_t pile_text_hash(const struct pile_text *text, uint64_t seed)
{
    if (text->text.size > PILE_TEXT_HEAD_SIZE) {
        return hash_short(text->text, seed);
    }
    return hash_pair((uint64_t)text->head, (uint64_t)(text->head >> 64), seed);
}

/* How many bits the heads share from the first byte on; of all that are the same one less. */
static inline size_t pile_text_shared_bits(uint128 head, const struct pile_text_before *before)
{
    uint64_t low = (uint64_t)head ^ before->low;
    uint64_t high = (uint64_t)(head >> 64) ^ before->high;

    return (size_t)(low != 0 ? __builtin_ctzll(low) : 64 + __builtin_ctzll(high | UINT64_C(1) << 63));
}

/* Bytes that a number of so many digits needs. */
static inline size_t pile_text_number_size(size_t digit_count)
{
    return (digit_count * 27 >> 6) + 1;
}

/* Of forms that are not serials. */
enum pile_text_form pile_text_put_other(unsigned char **out, const struct pile_text *text,
                                        struct pile_text_before *before);
const unsigned char *pile_text_take_other(enum pile_text_form form, const unsigned char *at,
                                          struct pile_text_reader *reader);

/* So many bytes more than the text has are needed to write it. */
enum { PILE_TEXT_EXTRA_SIZE_MAX = 24 };

/* Writes the text; `*out` becomes its end, `before` this text. */
static inline enum pile_text_form pile_text_put(unsigned char **out, const struct pile_text *text,
                                                struct pile_text_before *before)
{
    const size_t size = text->text.size;
    const size_t digit_count = before->digit_count;

    if (size == before->size && digit_count > 0 &&
        pile_text_shared_bits(text->head, before) >= 8 * (size - digit_count)) {
        uint64_t last = pack_word((const unsigned char *)text->text.data + size - PILE_TEXT_WORD_SIZE);
        uint64_t others = (UINT64_C(1) << 8 * (DIGITS_MAX - digit_count)) - 1; /* bits before the digits */
        uint64_t digits = ((last ^ DIGITS_EACH('0')) & ~others) ^ DIGITS_EACH('0');

        if (digits_other(digits) == 0) {
            pack_put_word(*out, digits_number(digits));
            *out += pile_text_number_size(digit_count);
            return PILE_TEXT_SERIAL;
        }
    }
    return pile_text_put_other(out, text, before);
}

/* Reads one that was written in this form, not none; returns its end. */
static inline const unsigned char *pile_text_take(enum pile_text_form form, const unsigned char *at,
                                                  struct pile_text_reader *reader)
{
    if (form == PILE_TEXT_SERIAL) {
        const size_t digit_count = reader->before.digit_count;
        const size_t size = pile_text_number_size(digit_count);
        uint64_t digits = digits_text(pack_word(at) & UINT64_MAX >> (64 - 8 * size));

        digits >>= 8 * (DIGITS_MAX - digit_count);
        reader->size = reader->before.size;
        reader->head = reader->front | (uint128)digits << 8 * (reader->before.size - digit_count);
        return at + size;
    }
    return pile_text_take_other(form, at, reader);
}

/* The text that was read last. Borrowed from the reader. */
static inline struct pile_text pile_text_read(struct pile_text_reader *reader)
{
    if (reader->size <= PILE_TEXT_HEAD_SIZE) {
        pile_text_write_head(reader->bytes, reader->head);
    }
    return (struct pile_text){slice_of(reader->bytes, reader->size), reader->head};
}

#endif
