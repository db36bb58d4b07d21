#include "common/domain/pile_text.h"

enum {
    SHARED_MAX = 15,  /* bytes that a text can share with the one before */
    LONG_TEXT = 0xff, /* instead of both sizes in one byte: the sizes follow */
};

/* Of fewer than all. */
static inline uint128 low_bytes(size_t count)
{
    return ((uint128)1 << 8 * count) - 1;
}

/* ---- plain ---- */

/* How many bytes they share, `size` and SHARED_MAX at most. */
static inline size_t shared(uint128 head, const struct pile_text_before *before, size_t size)
{
    size_t count = pile_text_shared_bits(head, before) / 8;

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

/* ---- all but serials ---- */

enum pile_text_form pile_text_put_other(unsigned char **out, const struct pile_text *text,
                                        struct pile_text_before *before)
{
    bool upper;

    if (pack_uuid(text->text, *out, &upper)) {
        *out += PACK_UUID_SIZE;
        return upper ? PILE_TEXT_UUID_UPPER : PILE_TEXT_UUID_LOWER;
    }
    *out = put_plain(*out, text, before);
    return PILE_TEXT_PLAIN;
}

const unsigned char *pile_text_take_other(enum pile_text_form form, const unsigned char *at,
                                          struct pile_text_reader *reader)
{
    if (form == PILE_TEXT_PLAIN) {
        return take_plain(at, reader);
    }
    pack_uuid_text(at, form == PILE_TEXT_UUID_UPPER, reader->bytes);
    reader->size = PACK_UUID_TEXT_SIZE;
    reader->head = pile_text_read_head(reader->bytes);
    return at + PACK_UUID_SIZE;
}
