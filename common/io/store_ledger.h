/* The ledger: blocks of history rows, each hashed over its rows and the block before. */
#ifndef MUSTER_IO_STORE_LEDGER_H
#define MUSTER_IO_STORE_LEDGER_H

#include "common/base/error.h"
#include "common/io/pg.h"

#include <stdint.h>

enum { LEDGER_HASH_SIZE = 32 };

struct ledger_block {
    int64_t block_no; /* 0: none */
    int64_t last_id;
    int64_t row_count;
    unsigned char hash[LEDGER_HASH_SIZE]; /* zero for block 0 */
};

/* The newest block, or block 0. */
bool store_ledger_head(struct pg *pg, struct ledger_block *out, struct error *err) MUST_CHECK;

/* Seals every history row that is committed by now into one block behind the newest one. Not within a transaction: it
 * begins its own. *out is the new block, or one with row_count 0 when there was nothing to seal. hash =
 * SHA-256(previous hash || SHA-256(the rows' canonical texts, each followed by LF)). */
bool store_ledger_seal(struct pg *pg, struct ledger_block *out, struct error *err) MUST_CHECK;

#endif
