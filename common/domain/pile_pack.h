/* How a fact is packed. A word of five bytes says what forms and sizes the rest has; time and line are written as what
 * differs from the fact before in the same pile, and ids as pile_text.h says, so a pile can be read from its beginning
 * only. What waits for the user's turn stays packed until then. For pile.c. */
#ifndef MUSTER_DOMAIN_PILE_PACK_H
#define MUSTER_DOMAIN_PILE_PACK_H

#include "common/domain/fact.h"
#include "common/domain/pile_text.h"
#include "common/domain/pile_value.h"

/* So many bytes behind a packed fact are read as well, whatever they hold. */
enum { PACK_SLACK = PILE_TEXT_SLACK };
/* Flags, size, time, line, shape, beside the ids' own bytes, and what words write behind their end. */
enum { PACK_FIXED_SIZE_MAX = 64 + 2 * PILE_TEXT_EXTRA_SIZE_MAX };

/* What the next fact is compared with. */
struct pack_before {
    int64_t time_ms;
    int64_t line;
    struct pile_text_before user;
    struct pile_text_before id;
};

/* A fact of which so much is read as is needed before the user's turn. */
struct packed {
    int64_t time_ms;
    int64_t line;
    const char *id; /* the rest is behind it; of a UUID its 16 bytes */
    uint32_t content;
    uint32_t rest_size;
    uint16_t id_size;
    uint8_t id_form; /* enum pile_text_form, but none is a serial */
};

/* A bound of the bytes that the fact needs. */
size_t pack_bound(const struct shape *shape, struct slice user, const struct fact *fact);
/* One that is found sooner; `text_size`: of the text that all of the event is borrowed from. */
static inline size_t pack_rough_bound(const struct shape *shape, size_t text_size)
{
    return PACK_FIXED_SIZE_MAX + shape->tested_count + (shape->column_count + 2) * (PILE_VALUE_SIZE_MAX + text_size);
}

/* Writes, and returns where the fact ends; `before` becomes this fact. */
unsigned char *pack_write(const struct shape *shape, const struct pile_text *user, const struct fact *fact,
                          int64_t line, struct pack_before *before, unsigned char *out);

/* What a pile's facts are read with, one after the other; zeros before the first. */
struct pack_facts {
    int64_t time_ms;
    int64_t line;
    struct pile_text_reader user;
    struct pile_text_reader id;
};

/* Reads a fact, and its user, and returns where it ends. Where the id is a text it is
 * in `facts`, and out->id is where the rest begins: the caller has to bring them together. */
const unsigned char *pack_read(const unsigned char *at, struct pack_facts *facts, struct packed *out);

/* The same, its values still packed. */
struct packed_rest {
    const unsigned char *taken; /* a bit for each of the selectors that the shape tests; the values are behind them */
    uint32_t shape;
    bool matched;
};

static inline size_t pack_taken_size(const struct shape *shape)
{
    return (shape->tested_count + 7) / 8;
}

/* Field by field: what is written in parts and read as a whole has to wait. */
static inline void pack_read_rest(const struct ruleset *ruleset, const struct packed *packed, struct packed_rest *out)
{
    uint64_t number;
    const unsigned char *at = pack_take_known((const unsigned char *)packed->id + packed->id_size, &number);
    const struct shape *shape = &ruleset->shapes[number];
    bool matched = shape->certain_count > 0;

    for (size_t i = 0; !matched && i < pack_taken_size(shape); i++) {
        matched = at[i] != 0;
    }
    out->taken = at;
    out->shape = (uint32_t)number;
    out->matched = matched;
}

/* Where matched: as many as the shape has columns. */
static inline struct pile_values pack_values(const struct shape *shape, const struct packed_rest *rest)
{
    return pile_values_of(rest->taken + pack_taken_size(shape), shape->column_count);
}

/* The message id; one that is packed is written to `room`. */
struct slice pack_id_text(const struct packed *packed, char room[PACK_UUID_TEXT_SIZE]);

/* What a fact borrows besides the packed bytes; the caller's. */
struct pack_room {
    uint64_t *mask;       /* selector_words words */
    struct value *values; /* as many as a shape has slots */
    char id[PACK_UUID_TEXT_SIZE];
};
/* The whole fact. */
void pack_read_fact(const struct ruleset *ruleset, const struct packed *packed, struct pack_room *room,
                    struct fact *out);

#endif
