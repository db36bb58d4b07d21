#include "common/domain/pile_pack.h"

enum {
    HEAD_SIZE = 16,
    WORD_SIZE = 8,
    SHARED_MAX = 15,     /* bytes that a text can share with the one before */
    LONG_TEXT = 0xff,    /* instead of both sizes in one byte: the sizes follow */
    FIXED_SIZE_MAX = 96, /* flags, sizes, times, content, shape, and what words write behind their end */
};

/* A fact's byte of flags: how many bytes its time and its line take, less one, and the form of its id. */
enum { SIZE_MASK = 7, LINE_SHIFT = 3, FORM_SHIFT = 6 };

/* ---- texts ---- */

static inline uint128 join(uint64_t low, uint64_t high)
{
    return (uint128)high << 64 | low;
}

/* Of fewer than all. */
static inline uint128 low_bytes(size_t count)
{
    return ((uint128)1 << 8 * count) - 1;
}

static inline uint128 read_head(const unsigned char *at)
{
    return join(pack_word(at), pack_word(at + WORD_SIZE));
}

static inline void write_head(void *out, uint128 head)
{
    pack_put_word(out, (uint64_t)head);
    pack_put_word((unsigned char *)out + WORD_SIZE, (uint64_t)(head >> 64));
}

static inline uint128 head_of(struct slice text)
{
    const unsigned char *bytes = (const unsigned char *)text.data;
    unsigned char few[WORD_SIZE] = {0};

    if (text.size >= HEAD_SIZE) {
        return read_head(bytes);
    }
    if (text.size > WORD_SIZE) {
        return join(pack_word(bytes), pack_word(bytes + text.size - WORD_SIZE) >> 8 * (HEAD_SIZE - text.size));
    }
    memcpy(few, bytes, text.size);
    return pack_word(few);
}

/* How many bytes the heads share, `size` and SHARED_MAX at most. */
static inline size_t shared(uint128 a, uint128 b, size_t size)
{
    uint64_t low = (uint64_t)(a ^ b);
    uint64_t high = (uint64_t)((a ^ b) >> 64);
    size_t count = HEAD_SIZE;

    if (low != 0) {
        count = (size_t)__builtin_ctzll(low) / 8;
    } else if (high != 0) {
        count = WORD_SIZE + (size_t)__builtin_ctzll(high) / 8;
    }
    size = size < SHARED_MAX ? size : SHARED_MAX;
    return count < size ? count : size;
}

/* What the text shares with the one before is left out. */
static inline unsigned char *put_text(unsigned char *out, struct slice text, uint128 *before)
{
    uint128 head = head_of(text);
    size_t front = shared(head, *before, text.size);
    size_t rest = text.size - front;

    *before = head;
    if (rest < SHARED_MAX) {
        *out++ = (unsigned char)(front << 4 | rest);
    } else {
        *out++ = LONG_TEXT;
        *out++ = (unsigned char)front;
        out = pack_put_number(out, rest);
    }
    if (text.size <= HEAD_SIZE) {
        write_head(out, head >> 8 * front);
    } else {
        memcpy(out, text.data + front, rest);
    }
    return out + rest;
}

static inline const unsigned char *take_text(const unsigned char *at, uint128 *before, char *into, size_t *size)
{
    size_t front = *at >> 4;
    uint64_t rest = *at & 15;

    if (*at++ == LONG_TEXT) {
        front = *at++;
        at = pack_take_known(at, &rest);
    }
    /* What lies behind the text is never taken for a part of it: no id holds U+0000, which was behind it in writing. */
    *before = (*before & low_bytes(front)) | read_head(at) << 8 * front;
    *size = front + rest;
    write_head(into, *before);
    if (*size > HEAD_SIZE) {
        memcpy(into + front, at, rest);
    }
    return at + rest;
}

/* ---- numbers, of as many bytes as they need, which is said elsewhere ---- */

static inline size_t size_of_number(uint64_t number)
{
    return (size_t)(63 - __builtin_clzll(number | 1)) / 8 + 1;
}

static inline uint64_t take_number(const unsigned char *at, size_t size)
{
    return pack_word(at) & UINT64_MAX >> (64 - 8 * size);
}

/* ---- facts ---- */

size_t pack_bound(const struct shape *shape, struct slice user, const struct fact *fact)
{
    size_t size = FIXED_SIZE_MAX + user.size + fact->id.size;

    if (fact->matched) {
        size += shape->selector_count / 8 + shape->column_count * PACK_VALUE_SIZE_MAX;
        for (size_t i = 0; i < shape->column_count; i++) {
            size += fact->values[i].text.size;
        }
    }
    return size;
}

/* The content, the shape, and where a selector took the fact: one bit for each that the shape tests, and the values. */
static unsigned char *put_rest(const struct shape *shape, const struct fact *fact, unsigned char *out)
{
    size_t mask_size = (shape->selector_count + 7) / 8;

    if (fact->has_id) {
        memcpy(out, &fact->content, sizeof fact->content);
        out += sizeof fact->content;
    }
    out = pack_put_number(out, (uint64_t)fact->shape << 1 | fact->matched);
    if (!fact->matched) {
        return out;
    }
    for (size_t i = 0; i < mask_size; i += WORD_SIZE) {
        pack_put_word(out + i, fact->taken[i / WORD_SIZE]);
    }
    out += mask_size;
    for (size_t i = 0; i < shape->column_count; i++) {
        out = pack_put_value(out, &fact->values[i]);
    }
    return out;
}

/* Writes the id; returns its form. */
static inline enum pack_id put_id(unsigned char **out, const struct fact *fact, uint128 *before)
{
    bool upper;

    if (pack_uuid(fact->id, *out, &upper)) {
        *out += PACK_UUID_SIZE;
        return upper ? PACK_ID_UUID_UPPER : PACK_ID_UUID_LOWER;
    }
    *out = put_text(*out, fact->id, before);
    return PACK_ID_TEXT;
}

unsigned char *pack_write(const struct shape *shape, struct slice user, const struct fact *fact, int64_t line,
                          struct pack_before *before, unsigned char *out)
{
    uint64_t later = pack_folded(fact->time_ms - before->time_ms);
    unsigned char *flags = put_text(out, user, &before->user);
    unsigned char *end;
    uint32_t size;

    out = flags + 1;
    *flags = (unsigned char)(size_of_number(later) - 1);
    pack_put_word(out, later);
    out += size_of_number(later);
    before->time_ms = fact->time_ms;
    if (fact->has_id) {
        uint64_t lines = (uint64_t)(line - before->line);

        pack_put_word(out, lines);
        out += size_of_number(lines);
        before->line = line;
        *flags = (unsigned char)(*flags | (size_of_number(lines) - 1) << LINE_SHIFT |
                                 (unsigned)put_id(&out, fact, &before->id) << FORM_SHIFT);
    }
    end = put_rest(shape, fact, out + 1);
    size = (uint32_t)(end - out - 1);
    if (size < PACK_LONG_REST) {
        *out = (unsigned char)size;
        return end;
    }
    memmove(out + 1 + sizeof size, out + 1, size);
    *out = PACK_LONG_REST;
    memcpy(out + 1, &size, sizeof size);
    return end + sizeof size;
}

const unsigned char *pack_read(const unsigned char *at, struct pack_before *before, struct pack_texts *texts,
                               struct packed *out)
{
    unsigned flags;
    size_t size;
    uint32_t rest_size;

    at = take_text(at, &before->user, texts->user, &texts->user_size);
    flags = *at++;
    size = (flags & SIZE_MASK) + 1;
    before->time_ms += pack_unfolded(take_number(at, size));
    at += size;
    *out = (struct packed){.time_ms = before->time_ms, .id_form = (uint8_t)(flags >> FORM_SHIFT)};
    if (out->id_form != PACK_ID_NONE) {
        size = (flags >> LINE_SHIFT & SIZE_MASK) + 1;
        before->line += (int64_t)take_number(at, size);
        at += size;
        out->line = before->line;
        out->id = (const char *)at;
        size = PACK_UUID_SIZE;
        if (out->id_form == PACK_ID_TEXT) {
            at = take_text(at, &before->id, texts->id, &size);
            out->id = texts->id;
        } else {
            at += PACK_UUID_SIZE;
        }
        out->id_size = (uint16_t)size;
    }
    out->rest = at;
    at = pack_take_rest_size(at, &rest_size);
    return at + rest_size;
}

struct slice pack_id_text(const struct packed *packed, char room[PACK_UUID_TEXT_SIZE])
{
    if (packed->id_form < PACK_ID_UUID_LOWER) {
        return slice_of(packed->id, packed->id_size);
    }
    pack_uuid_text((const unsigned char *)packed->id, packed->id_form == PACK_ID_UUID_UPPER, room);
    return slice_of(room, PACK_UUID_TEXT_SIZE);
}

void pack_read_fact(const struct ruleset *ruleset, const struct packed *packed, struct pack_room *room,
                    struct fact *out)
{
    const struct shape *shape;
    struct packed_rest rest;
    struct pack_reader values;

    pack_read_rest(packed, &rest);
    shape = &ruleset->shapes[rest.shape];
    values = pack_values(shape, &rest);
    *out = (struct fact){
        .time_ms = packed->time_ms,
        .content = rest.content,
        .id = pack_id_text(packed, room->id),
        .shape = rest.shape,
        .has_id = packed->id_form != PACK_ID_NONE,
        .matched = rest.matched,
        .mask = room->mask,
        .values = room->values,
    };
    bits_clear(room->mask, ruleset->selector_words);
    for (size_t i = 0; rest.matched && i < shape->selector_count; i += 8) {
        for (unsigned bits = rest.taken[i / 8]; bits != 0; bits &= bits - 1) {
            bit_set(room->mask, shape->selectors[i + (size_t)__builtin_ctz(bits)]);
        }
    }
    for (size_t i = 0; rest.matched && i < shape->column_count; i++) {
        room->values[i] = pack_take_value(&values);
    }
}
