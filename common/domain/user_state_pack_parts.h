/* What the files that pack and unpack users' states share, and nobody else. */
#ifndef MUSTER_DOMAIN_USER_STATE_PACK_PARTS_H
#define MUSTER_DOMAIN_USER_STATE_PACK_PARTS_H

#include "common/domain/evaluation_parts.h"
#include "common/domain/fact.h"
#include "common/domain/user_state_pack.h"

/* How an entry is packed: what of it is there. Its first number is its shape, or pane, and this. */
enum entry_form {
    FORM_NONE = 0, /* no id */
    FORM_UUID,
    FORM_UUID_UPPER,
    FORM_TEXT,
    FORM_ONLY_UUID, /* the id alone: no selector took the event, or nothing needs it any more */
    FORM_ONLY_UUID_UPPER,
    FORM_ONLY_TEXT,
    FORM_PANE,
};
enum { FORM_BITS = 3, FORM_MASK = (1 << FORM_BITS) - 1, FORM_ONLY = FORM_ONLY_UUID - FORM_UUID };

/* What of a summary, or of what is carried, is there. */
enum { HAS_SUM = 1, HAS_COUNT = 2, HAS_LAST = 4 };
enum { HAS_QUALIFIED = 1, HAS_ENTERED = 2, HAS_BLOCKED = 4, HAS_BITS = 3, HAS_MASK = 7 };

enum {
    CONTENT_SIZE = 4,
    CHECKSUM_SIZE = 4,
    BITMAP_SIZE_MAX = 2,  /* a longer one can be a list instead */
    LIST_COUNT_MAX = 255, /* its count takes a byte */
};

/* Of everything before it. */
uint32_t user_state_checksum(struct slice bytes);
/* One entry, with its time as what it is later than `before_ms`. */
void user_state_pack_entry(const struct ruleset *ruleset, const struct user_state *state, const struct entry *entry,
                           int64_t before_ms, struct buffer *out);
void user_state_pack_base(const struct ruleset *ruleset, const struct user_state *state, struct buffer *out);
unsigned char *user_state_put_since(unsigned char *out, int64_t since_ms, int64_t at_ms);
/* An instant near enough to compute with; otherwise the reader has failed. */
int64_t user_state_take_since(struct pack_reader *reader, int64_t since_ms);
/* A number of at most count_max; otherwise the reader has failed. */
uint64_t user_state_take_count(struct pack_reader *reader, uint64_t count_max);

#endif
