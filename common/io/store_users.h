/* User identifiers to surrogate keys, batched, with a cache: a program asks the store once per user it meets. */
#ifndef MUSTER_IO_STORE_USERS_H
#define MUSTER_IO_STORE_USERS_H

#include "common/base/error.h"
#include "common/base/slice.h"
#include "common/io/pg.h"

#include <stddef.h>
#include <stdint.h>

struct store_users; /* the cache; not thread-safe: one per thread */

bool store_users_new(struct store_users **out, struct error *err) MUST_CHECK;
void store_users_free(struct store_users *users);

/* The number of a user the cache knows; 0 when it does not (numbers begin at 1). */
int64_t store_users_find(const struct store_users *users, struct slice user_id);
/* Numbers for count identifiers (repeats allowed), in order, into user_nos; lanes[i] is the user's lane. Unknown users
 * are created in the transaction that is open on `pg` (or in one of its own), which must be READ COMMITTED. Numbers
 * asked for in a transaction that is then aborted stay in the cache although the user was not made: call
 * store_users_forget after an abort. */
bool store_users_intern(struct store_users *users, struct pg *pg, const struct slice *user_ids, const int32_t *lanes,
                        size_t count, int64_t *user_nos, struct error *err) MUST_CHECK;
/* Empties the cache. */
void store_users_forget(struct store_users *users);
/* Without creating: *user_no is 0 for an unknown user. No cache involved. */
bool store_users_look_up(struct pg *pg, struct slice user_id, int64_t *user_no, int32_t *lane,
                         struct error *err) MUST_CHECK;

#endif
