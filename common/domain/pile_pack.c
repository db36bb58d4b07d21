#include "common/domain/pile_pack.h"

/* A fact's first five bytes, as a number, from the lowest bit: the forms of user and id, whether time and line are
 * long, the size of the rest, the content without its lowest bits. */
enum {
    FLAGS_SIZE = 5,
    USER_BITS = 2, /* the form, less one: a user has an id */
    ID_SHIFT = USER_BITS,
    ID_BITS = 3,
    TIME_SHIFT = ID_SHIFT + ID_BITS,
    LINE_SHIFT = TIME_SHIFT + 1,
    REST_SHIFT = LINE_SHIFT + 1,
    REST_BITS = 5,
    CONTENT_SHIFT = REST_SHIFT + REST_BITS,
    CONTENT_BITS = 8 * FLAGS_SIZE - CONTENT_SHIFT,
    LONG_REST = (1 << REST_BITS) - 1, /* instead of the size: four bytes of it follow, before the id */
};

_Static_assert(FACT_CONTENT_SHIFT + CONTENT_BITS == 32, "a content fits, but for its lowest bits");
_Static_assert(PILE_TEXT_UUID_UPPER - 1 < 1 << USER_BITS && PILE_TEXT_UUID_UPPER < 1 << ID_BITS, "forms fit");

/* Bytes of what differs from the fact before; a long one has so many more. */
enum { TIME_SIZE = 3, LINE_SIZE = 2, MORE_SIZE = 4 };

_Static_assert(TIMESTAMP_MAX - TIMESTAMP_MIN < INT64_C(1) << (8 * (TIME_SIZE + MORE_SIZE) - 1), "any time fits");

static inline bool is_long(uint64_t number, size_t size)
{
    return number >> 8 * size != 0;
}

static inline unsigned char *put_bytes(unsigned char *out, uint64_t number, size_t size)
{
    pack_put_word(out, number);
    return out + size + MORE_SIZE * (size_t)is_long(number, size);
}

static inline uint64_t take_bytes(const unsigned char **at, size_t more, size_t size)
{
    uint64_t number = pack_word(*at);

    size += MORE_SIZE * more;
    *at += size;
    return number & UINT64_MAX >> (64 - 8 * size);
}

static inline unsigned field(uint64_t flags, unsigned shift, unsigned bits)
{
    return (unsigned)(flags >> shift) & ((1U << bits) - 1);
}

size_t pack_bound(const struct shape *shape, struct slice user, const struct fact *fact)
{
    size_t size = PACK_FIXED_SIZE_MAX + user.size + fact->id.size + shape->tested_count;

    for (size_t i = 0; fact->matched && i < shape->column_count; i++) {
        size += PILE_VALUE_SIZE_MAX + fact->values[i].text.size;
    }
    return size;
}

/* The shape, where a selector took the fact that does not take all of the shape, and the values. */
static inline unsigned char *put_rest(const struct shape *shape, const struct fact *fact, unsigned char *out)
{
    size_t taken_size = pack_taken_size(shape);

    out = pack_put_number(out, fact->shape);
    for (size_t i = 0; i < taken_size; i += sizeof *fact->taken) {
        pack_put_word(out + i, fact->taken[i / sizeof *fact->taken]);
    }
    out += taken_size;
    return fact->matched && shape->column_count > 0 ? pile_values_put(out, fact->values, shape->column_count) : out;
}

/* Most are UUIDs. */
static inline enum pile_text_form put_id(unsigned char **out, struct slice id, struct pile_text_before *before)
{
    struct pile_text text;
    bool upper;

    if (pack_uuid(id, *out, &upper)) {
        *out += PACK_UUID_SIZE;
        return upper ? PILE_TEXT_UUID_UPPER : PILE_TEXT_UUID_LOWER;
    }
    text = pile_text_of(id);
    return pile_text_put(out, &text, before);
}

unsigned char *pack_write(const struct shape *shape, const struct pile_text *user, const struct fact *fact,
                          int64_t line, struct pack_before *before, unsigned char *out)
{
    uint64_t later = pack_folded(fact->time_ms - before->time_ms);
    uint64_t lines = (uint64_t)(line - before->line);
    uint64_t flags = (uint64_t)(fact->content >> FACT_CONTENT_SHIFT) << CONTENT_SHIFT |
                     (uint64_t)is_long(later, TIME_SIZE) << TIME_SHIFT |
                     (uint64_t)is_long(lines, LINE_SIZE) << LINE_SHIFT;
    unsigned char *begin = out;
    unsigned char *behind_user;
    unsigned char *rest;
    uint32_t size;

    out = put_bytes(out + FLAGS_SIZE, later, TIME_SIZE);
    out = put_bytes(out, lines, LINE_SIZE);
    before->time_ms = fact->time_ms;
    before->line = line;
    flags |= pile_text_put(&out, user, &before->user) - 1U;
    behind_user = out;
    if (fact->has_id) {
        flags |= (uint64_t)put_id(&out, fact->id, &before->id) << ID_SHIFT;
    }
    rest = out;
    out = put_rest(shape, fact, out);
    size = (uint32_t)(out - rest);
    if (size >= LONG_REST) {
        memmove(behind_user + sizeof size, behind_user, (size_t)(out - behind_user));
        memcpy(behind_user, &size, sizeof size);
        out += sizeof size;
        size = LONG_REST;
    }
    flags |= (uint64_t)size << REST_SHIFT;
    pack_put_word(begin, flags | later << 8 * FLAGS_SIZE); /* over the time's first bytes once more */
    return out;
}

const unsigned char *pack_read(const unsigned char *at, struct pack_facts *facts, struct packed *out)
{
    uint64_t flags = pack_word(at);
    uint32_t rest_size = field(flags, REST_SHIFT, REST_BITS);
    enum pile_text_form id_form = field(flags, ID_SHIFT, ID_BITS);

    at += FLAGS_SIZE;
    facts->time_ms += pack_unfolded(take_bytes(&at, field(flags, TIME_SHIFT, 1), TIME_SIZE));
    facts->line += (int64_t)take_bytes(&at, field(flags, LINE_SHIFT, 1), LINE_SIZE);
    at = pile_text_take(field(flags, 0, USER_BITS) + 1, at, &facts->user);
    if (rest_size == LONG_REST) {
        memcpy(&rest_size, at, sizeof rest_size);
        at += sizeof rest_size;
    }
    *out = (struct packed){
        .time_ms = facts->time_ms,
        .line = facts->line,
        .id = (const char *)at,
        .content = field(flags, CONTENT_SHIFT, CONTENT_BITS) << FACT_CONTENT_SHIFT,
        .rest_size = rest_size,
        .id_form = (uint8_t)id_form,
    };
    if (id_form >= PILE_TEXT_UUID_LOWER) {
        out->id_size = PACK_UUID_SIZE;
        return at + PACK_UUID_SIZE + rest_size;
    }
    if (id_form != PILE_TEXT_NONE) {
        at = pile_text_take(id_form, at, &facts->id);
        out->id = (const char *)at;
        out->id_size = (uint16_t)facts->id.size;
        out->id_form = PILE_TEXT_PLAIN;
    }
    return at + rest_size;
}

struct slice pack_id_text(const struct packed *packed, char room[PACK_UUID_TEXT_SIZE])
{
    if (packed->id_form < PILE_TEXT_UUID_LOWER) {
        return slice_of(packed->id, packed->id_size);
    }
    pack_uuid_text((const unsigned char *)packed->id, packed->id_form == PILE_TEXT_UUID_UPPER, room);
    return slice_of(room, PACK_UUID_TEXT_SIZE);
}

void pack_read_fact(const struct ruleset *ruleset, const struct packed *packed, struct pack_room *room,
                    struct fact *out)
{
    const struct shape *shape;
    struct packed_rest rest;
    struct pile_values values;

    pack_read_rest(ruleset, packed, &rest);
    shape = &ruleset->shapes[rest.shape];
    values = pack_values(shape, &rest);
    *out = (struct fact){
        .time_ms = packed->time_ms,
        .content = packed->content,
        .id = pack_id_text(packed, room->id),
        .shape = rest.shape,
        .has_id = packed->id_form != PILE_TEXT_NONE,
        .matched = rest.matched,
        .mask = room->mask,
        .values = room->values,
    };
    bits_copy(room->mask, shape->takes_all, ruleset->selector_words);
    for (size_t i = 0; i < shape->tested_count; i += 8) {
        for (unsigned bits = rest.taken[i / 8]; bits != 0; bits &= bits - 1) {
            bit_set(room->mask, shape->tested[i + (size_t)__builtin_ctz(bits)]);
        }
    }
    for (size_t i = 0; rest.matched && i < shape->column_count; i++) {
        room->values[i] = pile_values_take(&values);
    }
}
