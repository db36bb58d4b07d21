/* How numbers, values and message ids are packed into bytes, for whatever keeps many of them: piles (pile_pack.h), and
 * users' states at rest and written out (user_state_pack.h).
 *
 * A number is a base-128 varint, least significant group first; one of either sign is folded first (0, -1, 1, -2 ...).
 * Writers need room for the bounds below; readers that know their bytes go without a check, others use pack_reader. */
#ifndef MUSTER_DOMAIN_PACK_H
#define MUSTER_DOMAIN_PACK_H

#include "common/domain/value.h"

enum {
    PACK_NUMBER_SIZE_MAX = 10,
    PACK_VALUE_SIZE_MAX = 1 + PACK_NUMBER_SIZE_MAX, /* and its text */
    PACK_UUID_SIZE = 16,
    PACK_UUID_TEXT_SIZE = 36,
};

/* Bytes that are read with their end in sight. Once something is wrong with them `failed` is set, and all that follows
 * reads as 0. */
struct pack_reader {
    const unsigned char *at;
    const unsigned char *end;
    bool failed;
};

static inline uint64_t pack_folded(int64_t number)
{
    return (uint64_t)number << 1 ^ (uint64_t)(number >> 63);
}

static inline int64_t pack_unfolded(uint64_t number)
{
    return (int64_t)(number >> 1 ^ (~(number & 1) + 1));
}

/* Eight groups at once, as the bytes of a word: mostly numbers are instants, which take four to six. */
enum { PACK_WORD_SIZE = 8, PACK_WORD_BITS = 56 };
#define PACK_MORE ((uint64_t)0x8080808080808080)

/* The low 56 bits of a number, seven to a byte, and back. */
static inline uint64_t pack_spread(uint64_t number)
{
    number = (number & 0x0fffffff) | (number & 0xfffffff0000000) << 4;
    number = (number & 0x00003fff00003fff) | (number & 0x0fffc0000fffc000) << 2;
    return (number & 0x007f007f007f007f) | (number & 0x3f803f803f803f80) << 1;
}

static inline uint64_t pack_gathered(uint64_t groups)
{
    groups = (groups & 0x007f007f007f007f) | (groups & 0x7f007f007f007f00) >> 1;
    groups = (groups & 0x00003fff00003fff) | (groups & 0x3fff00003fff0000) >> 2;
    return (groups & 0x0fffffff) | (groups & 0x0fffffff00000000) >> 4;
}

/* A word whose first byte is the least significant one, wherever it lies. */
static inline uint64_t pack_word(const unsigned char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof word);
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(word) : word;
}

static inline void pack_put_word(unsigned char *out, uint64_t word)
{
    word = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(word) : word;
    memcpy(out, &word, sizeof word);
}

/* May write all of PACK_NUMBER_SIZE_MAX bytes; returns where the number ends. */
static inline unsigned char *pack_put_number(unsigned char *out, uint64_t number)
{
    if (number >= 0x80 && number >> PACK_WORD_BITS == 0) {
        unsigned count = (unsigned)(63 - __builtin_clzll(number)) / 7; /* of groups before the last */

        pack_put_word(out, pack_spread(number) | (PACK_MORE & (((uint64_t)1 << 8 * count) - 1)));
        return out + count + 1;
    }
    while (number >= 0x80) {
        *out++ = (unsigned char)(number | 0x80);
        number >>= 7;
    }
    *out++ = (unsigned char)number;
    return out;
}

/* Of bytes that pack_put_number wrote. */
static inline const unsigned char *pack_take_known(const unsigned char *at, uint64_t *number)
{
    unsigned shift = 0;

    *number = 0;
    while (*at >= 0x80) {
        *number |= (uint64_t)(*at++ & 0x7f) << shift;
        shift += 7;
    }
    *number |= (uint64_t)*at++ << shift;
    return at;
}

/* Of any bytes: ends within them, at the tenth group and at what 64 bits hold. */
static inline uint64_t pack_take_number(struct pack_reader *reader)
{
    uint64_t number = 0;

    if (reader->end - reader->at >= PACK_WORD_SIZE) {
        uint64_t word = pack_word(reader->at);
        uint64_t last = ~word & PACK_MORE;

        if (last != 0) {
            reader->at += __builtin_ctzll(last) / 8 + 1;
            return pack_gathered(word & (last ^ (last - 1)) & ~PACK_MORE);
        }
    }
    for (unsigned shift = 0; reader->at < reader->end && shift < 64; shift += 7) {
        uint64_t group = *reader->at++;

        number |= (group & 0x7f) << shift;
        if (group < 0x80) {
            if (shift == 63 && group > 1) {
                break;
            }
            return number;
        }
    }
    reader->failed = true;
    reader->at = reader->end;
    return 0;
}

/* The next `size` bytes, borrowed; NULL where there are fewer. */
static inline const unsigned char *pack_take_bytes(struct pack_reader *reader, size_t size)
{
    const unsigned char *bytes = reader->at;

    if ((size_t)(reader->end - reader->at) < size) {
        reader->failed = true;
        reader->at = reader->end;
        return NULL;
    }
    reader->at += size;
    return bytes;
}

/* At most PACK_VALUE_SIZE_MAX bytes and the text. */
unsigned char *pack_put_value(unsigned char *out, const struct value *value);
/* The value; its text is borrowed. One that no writer writes is missing, and the reader has failed. */
struct value pack_take_value(struct pack_reader *reader);

/* The 16 bytes of a UUID as 8-4-4-4-12 hexadecimal digits, all in lower or all in upper case (`upper`; of one without
 * letters false); false where the text is anything else. Bytewise order is that of the texts in one case. */
bool pack_uuid(struct slice text, unsigned char out[PACK_UUID_SIZE], bool *upper);
void pack_uuid_text(const unsigned char uuid[PACK_UUID_SIZE], bool upper, char out[PACK_UUID_TEXT_SIZE]);

#endif
