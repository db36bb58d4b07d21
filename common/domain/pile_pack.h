/* How a fact is packed. Small numbers take a byte or two; time, line, user and message id are written as what differs
 * from the fact before in the same pile, so a pile can be read from its beginning only. What waits for the user's turn
 * stays packed until then. For pile.c. */
#ifndef MUSTER_DOMAIN_PILE_PACK_H
#define MUSTER_DOMAIN_PILE_PACK_H

#include "common/base/int128.h"
#include "common/domain/fact.h"
#include "common/domain/pack.h"

/* So many bytes behind a packed fact are read as well, whatever they hold. */
enum { PACK_SLACK = 16 };

/* What the next fact is compared with: of the ids the first 16 bytes, the first one lowest, with zeros behind. */
struct pack_before {
    uint128 user;
    uint128 id; /* of those that are no UUIDs */
    int64_t time_ms;
    int64_t line;
};

enum pack_id {
    PACK_ID_NONE = 0,
    PACK_ID_TEXT,
    PACK_ID_UUID_LOWER, /* its 16 bytes; these two share nothing with one before */
    PACK_ID_UUID_UPPER,
};

#define PACK_NO_FACT UINT32_MAX

/* A fact of which so much is read as is needed before the user's turn. */
struct packed {
    int64_t time_ms;
    int64_t line; /* of one with an id; ascends */
    const char *id;
    const unsigned char *rest;
    uint32_t newer; /* for the reader's use: the index of the same user's next one, or PACK_NO_FACT */
    uint16_t id_size;
    uint8_t id_form; /* enum pack_id */
};

/* A bound of the bytes that the fact needs. */
size_t pack_bound(const struct shape *shape, struct slice user, const struct fact *fact);
/* Writes, and returns where the fact ends; `before` becomes this fact. */
unsigned char *pack_write(const struct shape *shape, struct slice user, const struct fact *fact, int64_t line,
                          struct pack_before *before, unsigned char *out);

/* Where ids are put together from what is packed of them. */
struct pack_texts {
    size_t user_size;
    char user[EVENT_ID_SIZE_MAX + PACK_SLACK];
    char id[EVENT_ID_SIZE_MAX + PACK_SLACK]; /* one that is a text */
};

/* Reads and returns where the fact ends; `before` becomes this fact, which borrows from `texts`. */
const unsigned char *pack_read(const unsigned char *at, struct pack_before *before, struct pack_texts *texts,
                               struct packed *out);

/* The same, its values still packed. */
struct packed_rest {
    const unsigned char *taken; /* where matched: a bit for each of the shape's selectors; the values behind them */
    uint32_t size;              /* bytes from there to the fact's end */
    uint32_t content;
    uint32_t shape;
    bool matched;
};

/* Instead of the rest's size in one byte: four bytes of it follow. */
enum { PACK_LONG_REST = 0xff };

static inline const unsigned char *pack_take_rest_size(const unsigned char *at, uint32_t *size)
{
    *size = *at++;
    if (*size == PACK_LONG_REST) {
        memcpy(size, at, sizeof *size);
        at += sizeof *size;
    }
    return at;
}

/* Field by field: what is written in parts and read as a whole has to wait. */
static inline void pack_read_rest(const struct packed *packed, struct packed_rest *out)
{
    uint32_t size;
    const unsigned char *at = pack_take_rest_size(packed->rest, &size);
    const unsigned char *end = at + size;
    uint64_t number;

    out->content = 0;
    if (packed->id_form != PACK_ID_NONE) {
        memcpy(&out->content, at, sizeof out->content);
        at += sizeof out->content;
    }
    at = pack_take_known(at, &number);
    out->taken = at;
    out->size = (uint32_t)(end - at);
    out->shape = (uint32_t)(number >> 1);
    out->matched = (number & 1) != 0;
}

/* Where matched: what pack_take_value takes the values from, as many as the shape has columns. */
static inline struct pack_reader pack_values(const struct shape *shape, const struct packed_rest *rest)
{
    return (struct pack_reader){.at = rest->taken + (shape->selector_count + 7) / 8, .end = rest->taken + rest->size};
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
