/* How a fact is packed. Small numbers take a byte; time, line, user and message id are written as what differs from the
 * fact before in the same pile, so a pile can be read from its beginning only. For pile.c. */
#ifndef MUSTER_DOMAIN_PILE_PACK_H
#define MUSTER_DOMAIN_PILE_PACK_H

#include "common/domain/fact.h"

enum { PACK_HEAD_SIZE = 16 };

/* What the next fact is compared with: of the ids the beginning, with zeros behind. No id holds U+0000. */
struct pack_before {
    int64_t time_ms;
    int64_t line;
    char user[PACK_HEAD_SIZE];
    char id[PACK_HEAD_SIZE];
};

/* A fact that is read but for its rest, which waits for the user's turn. */
struct packed {
    int64_t time_ms;
    int64_t line; /* of one with an id; ascends */
    const char *id;
    const unsigned char *rest;
    const unsigned char *rest_end;
    uint32_t content;
    uint32_t newer; /* for the reader's use */
    uint16_t id_size;
    bool has_id;
};

/* A bound of the bytes that the fact needs. */
size_t pack_bound(const struct shape *shape, struct slice user, const struct fact *fact);
/* Writes, and returns where the fact ends; `before` becomes this fact. */
unsigned char *pack_write(const struct shape *shape, struct slice user, const struct fact *fact, int64_t line,
                          struct pack_before *before, unsigned char *out);

/* Reads and returns where the fact ends; `before` becomes this fact. The ids are put together in `user` and `id`, which
 * have room for EVENT_ID_SIZE_MAX bytes each; packed->id borrows the latter. */
const unsigned char *pack_read(const unsigned char *at, struct pack_before *before, char *user, size_t *user_size,
                               char *id, struct packed *out);
/* The fact with its rest. `mask` (selector_words words) and `values` (one per slot) are the caller's; texts are
 * borrowed from the packed bytes. */
void pack_read_rest(const struct ruleset *ruleset, const struct packed *packed, uint64_t *mask, struct value *values,
                    struct fact *out);

#endif
