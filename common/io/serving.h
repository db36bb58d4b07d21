/* From the audience store to the serving layer: whole memberships of users, read in one snapshot with the version they
 * are written under. Always the present state, so that doing it again, or late, is harmless. */
#ifndef MUSTER_IO_SERVING_H
#define MUSTER_IO_SERVING_H

#include "common/base/error.h"
#include "common/io/pg.h"
#include "common/io/redis.h"

#include <stddef.h>
#include <stdint.h>

/* Writes what the store says about these users now; users without an identifier (erased) are left out. rebuild_no: what
 * redis_rebuild_number said. Adds to *written. */
bool serving_publish(struct pg *pg, struct redis *redis, int64_t rebuild_no, const int64_t *user_nos, size_t count,
                     struct redis_written *written, struct error *err) MUST_CHECK;

/* Fills an emptied Redis with every membership of the snapshot that is open on `pg` (between redis_rebuild_begin and
 * _end). */
bool serving_fill(struct pg *pg, struct redis *redis, int64_t rebuild_no, struct redis_written *written,
                  struct error *err) MUST_CHECK;

#endif
