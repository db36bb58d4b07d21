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

static inline unsigned char *pack_put_number(unsigned char *out, uint64_t number)
{
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
