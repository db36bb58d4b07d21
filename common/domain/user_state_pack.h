/* A user's state in few bytes: written out, to be read by another process (schemas/user-state.md), and at rest in the
 * memory of a lane, where most users wait for their next event most of the time.
 *
 * What evaluation carries from event to event is not kept: it is found again from the events and the base. */
#ifndef MUSTER_DOMAIN_USER_STATE_PACK_H
#define MUSTER_DOMAIN_USER_STATE_PACK_H

#include "common/base/buffer.h"
#include "common/domain/pack.h"
#include "common/domain/user_state.h"

/* ---- written out ---- */

enum { USER_STATE_VERSION = 1 };

/* Appends the state with version, fingerprint of the ruleset and checksum. Equal states give equal bytes, in whatever
 * order their events came. A failure (no memory) is the buffer's. */
void user_state_write(const struct ruleset *ruleset, const struct user_state *state, struct buffer *out);

/* Fills the state, which is emptied first, from bytes of anywhere. ERROR_INPUT where they are of another version, of
 * other definitions or damaged, ERROR_INTERNAL for no memory; the state is empty then. */
bool user_state_read(const struct ruleset *ruleset, struct slice bytes, struct user_state *state,
                     struct error *err) MUST_CHECK;

/* ---- at rest ---- */

/* A packed state's numbers, which its owner keeps beside the bytes. */
struct user_state_head {
    int64_t known_since;
    int64_t newest;
    uint32_t entry_count;
    uint32_t prune_count;
};

struct user_state_head user_state_head(const struct user_state *state);

/* Appends the base and the entries; or only entries from `first` on, which may follow bytes of the same state with that
 * many entries and the same base. */
void user_state_pack(const struct ruleset *ruleset, const struct user_state *state, struct buffer *out);
void user_state_pack_more(const struct ruleset *ruleset, const struct user_state *state, size_t first,
                          struct buffer *out);
/* The opposite: fills the state, which is emptied first. ERROR_INTERNAL for no memory (the state is empty then). */
bool user_state_unpack(const struct ruleset *ruleset, const struct user_state_head *head, struct slice bytes,
                       struct user_state *state, struct error *err) MUST_CHECK;

#endif
