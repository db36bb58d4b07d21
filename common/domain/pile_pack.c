#include "common/domain/pile_pack.h"

#include "common/domain/pack.h"

enum {
    SHARED_MAX = 15,   /* bytes that a text can share with the one before */
    LONG_TEXT = 0xff,  /* instead of both sizes in one byte: the sizes follow */
    UUID_LOWER = 0x0f, /* instead of them: a UUID's 16 bytes follow */
    UUID_UPPER = 0x1f,
    LONG_REST = 0xff,    /* instead of the rest's size: four bytes of it follow */
    FIXED_SIZE_MAX = 96, /* flags, sizes, times, content, shape */
};

/* ---- texts ---- */

/* Which byte in memory is the first that is not 0; one is. */
static inline size_t first_difference(uint64_t bits)
{
    if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) {
        return (size_t)__builtin_clzll(bits) / 8;
    }
    return (size_t)__builtin_ctzll(bits) / 8;
}

/* Drops the first bytes in memory, and brings zeros in behind. */
static inline uint64_t drop_front(uint64_t word, size_t count)
{
    if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) {
        return word << 8 * count;
    }
    return word >> 8 * count;
}

/* In words: bytes that are written one by one and read together at once make the processor wait. */
static inline void head_of(struct slice text, char head[PACK_HEAD_SIZE])
{
    const size_t word_size = sizeof(uint64_t);
    uint64_t front = 0;
    uint64_t back = 0;

    if (text.size >= PACK_HEAD_SIZE) {
        memcpy(head, text.data, PACK_HEAD_SIZE);
        return;
    }
    if (text.size < word_size) {
        memcpy(&front, text.data, text.size);
    } else {
        memcpy(&front, text.data, word_size);
        if (text.size > word_size) {
            memcpy(&back, text.data + text.size - word_size, word_size);
            back = drop_front(back, PACK_HEAD_SIZE - text.size);
        }
    }
    memcpy(head, &front, word_size);
    memcpy(head + word_size, &back, word_size);
}

/* How many bytes the heads share, `size` and SHARED_MAX at most. */
static inline size_t shared(const char *a, const char *b, size_t size)
{
    size_t count = 0;

    for (size_t half = 0; half < PACK_HEAD_SIZE; half += sizeof(uint64_t)) {
        uint64_t left;
        uint64_t right;

        memcpy(&left, a + half, sizeof left);
        memcpy(&right, b + half, sizeof right);
        if (left != right) {
            count += first_difference(left ^ right);
            break;
        }
        count += sizeof left;
    }
    size = size < SHARED_MAX ? size : SHARED_MAX;
    return count < size ? count : size;
}

/* What the text shares with `before` is left out; `before` becomes the text. */
static unsigned char *put_id(unsigned char *out, struct slice text, char before[PACK_HEAD_SIZE])
{
    char head[PACK_HEAD_SIZE];
    size_t front;
    size_t rest;

    head_of(text, head);
    front = shared(head, before, text.size);
    rest = text.size - front;
    if (rest < SHARED_MAX) {
        *out++ = (unsigned char)(front << 4 | rest);
    } else {
        *out++ = LONG_TEXT;
        *out++ = (unsigned char)front;
        out = pack_put_number(out, rest);
    }
    memcpy(out, text.data + front, rest);
    memcpy(before, head, PACK_HEAD_SIZE);
    return out + rest;
}

static const unsigned char *take_id(const unsigned char *at, char before[PACK_HEAD_SIZE], char *into, struct slice *out)
{
    size_t front = *at >> 4;
    uint64_t rest = *at & 15;

    if (*at++ == LONG_TEXT) {
        front = *at++;
        at = pack_take_known(at, &rest);
    }
    memcpy(into, before, front);
    memcpy(into + front, at, rest);
    *out = slice_of(into, front + rest);
    head_of(*out, before);
    return at + rest;
}

/* Most message ids are UUIDs, which share nothing: those leave `before` as it is. */
static unsigned char *put_message_id(unsigned char *out, struct slice text, char before[PACK_HEAD_SIZE])
{
    bool upper;

    if (!pack_uuid(text, out + 1, &upper)) {
        return put_id(out, text, before);
    }
    *out = upper ? UUID_UPPER : UUID_LOWER;
    return out + 1 + PACK_UUID_SIZE;
}

static const unsigned char *take_message_id(const unsigned char *at, char before[PACK_HEAD_SIZE], char *into,
                                            struct slice *out)
{
    if (*at != UUID_LOWER && *at != UUID_UPPER) {
        return take_id(at, before, into, out);
    }
    pack_uuid_text(at + 1, *at == UUID_UPPER, into);
    *out = slice_of(into, PACK_UUID_TEXT_SIZE);
    return at + 1 + PACK_UUID_SIZE;
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

/* The shape, and where a selector took the fact: one bit for each that the shape tests, and the values. */
static unsigned char *put_rest(const struct shape *shape, const struct fact *fact, unsigned char *out)
{
    size_t mask_size = (shape->selector_count + 7) / 8;

    out = pack_put_number(out, (uint64_t)fact->shape << 1 | fact->matched);
    if (!fact->matched) {
        return out;
    }
    memcpy(out, fact->taken, mask_size);
    out += mask_size;
    for (size_t i = 0; i < shape->column_count; i++) {
        out = pack_put_value(out, &fact->values[i]);
    }
    return out;
}

unsigned char *pack_write(const struct shape *shape, struct slice user, const struct fact *fact, int64_t line,
                          struct pack_before *before, unsigned char *out)
{
    unsigned char *end;
    uint32_t size;

    out = put_id(out, user, before->user);
    out = pack_put_number(out, pack_folded(fact->time_ms - before->time_ms) << 1 | fact->has_id);
    before->time_ms = fact->time_ms;
    if (fact->has_id) {
        out = put_message_id(out, fact->id, before->id);
        memcpy(out, &fact->content, sizeof fact->content);
        out = pack_put_number(out + sizeof fact->content, (uint64_t)(line - before->line));
        before->line = line;
    }
    end = put_rest(shape, fact, out + 1);
    size = (uint32_t)(end - out - 1);
    if (size < LONG_REST) {
        *out = (unsigned char)size;
        return end;
    }
    memmove(out + 1 + sizeof size, out + 1, size);
    *out = LONG_REST;
    memcpy(out + 1, &size, sizeof size);
    return end + sizeof size;
}

const unsigned char *pack_read(const unsigned char *at, struct pack_before *before, char *user, size_t *user_size,
                               char *id, struct packed *out)
{
    struct slice text;
    uint64_t number;
    uint32_t size;

    *out = (struct packed){0};
    at = take_id(at, before->user, user, &text);
    *user_size = text.size;
    at = pack_take_known(at, &number);
    out->has_id = (number & 1) != 0;
    before->time_ms += pack_unfolded(number >> 1);
    out->time_ms = before->time_ms;
    if (out->has_id) {
        at = take_message_id(at, before->id, id, &text);
        out->id = text.data;
        out->id_size = (uint16_t)text.size;
        memcpy(&out->content, at, sizeof out->content);
        at = pack_take_known(at + sizeof out->content, &number);
        before->line += (int64_t)number;
        out->line = before->line;
    }
    size = *at++;
    if (size == LONG_REST) {
        memcpy(&size, at, sizeof size);
        at += sizeof size;
    }
    out->rest = at;
    out->rest_end = at + size;
    return out->rest_end;
}

void pack_read_rest(const struct ruleset *ruleset, const struct packed *packed, uint64_t *mask, struct value *values,
                    struct fact *out)
{
    struct pack_reader reader = {.at = packed->rest, .end = packed->rest_end};
    const struct shape *shape;
    uint64_t number;

    reader.at = pack_take_known(reader.at, &number);
    *out = (struct fact){
        .time_ms = packed->time_ms,
        .content = packed->content,
        .id = slice_of(packed->id, packed->id_size),
        .shape = (uint32_t)(number >> 1),
        .has_id = packed->has_id,
        .matched = (number & 1) != 0,
        .mask = mask,
        .values = values,
    };
    memset(mask, 0, ruleset->selector_words * sizeof *mask);
    if (!out->matched) {
        return;
    }
    shape = &ruleset->shapes[out->shape];
    for (size_t i = 0; i < shape->selector_count; i += 8) {
        for (unsigned bits = *reader.at++; bits != 0; bits &= bits - 1) {
            bit_set(mask, shape->selectors[i + (size_t)__builtin_ctz(bits)]);
        }
    }
    for (size_t i = 0; i < shape->column_count; i++) {
        values[i] = pack_take_value(&reader);
    }
}
