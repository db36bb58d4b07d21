/* The serving layer in Redis (schemas/redis.md): per user the segments and their valid_until, per segment its members.
 *
 * A user's whole membership is written by one script, guarded by a version (the user's largest history id), so that a
 * late write never undoes a newer one, and by the number of the rebuild it belongs to: a Redis that does not hold that
 * number takes nothing. Writes are queued and sent in pipelines. The URL's password never reaches a message. Errors:
 * ERROR_USAGE for a URL that cannot be read, ERROR_UNREACHABLE (action ERROR_RETRY) when the server cannot be reached
 * or the connection breaks, ERROR_INTERNAL for what the server refuses. */
#ifndef MUSTER_IO_REDIS_H
#define MUSTER_IO_REDIS_H

#include "common/base/error.h"
#include "common/base/slice.h"

#include <stddef.h>
#include <stdint.h>

struct redis;

/* Connects to redis://[[user]:password@]host[:port][/db] or unix:///path, authenticates, selects, loads the script. */
bool redis_open(const char *url, struct redis **out, struct error *err) MUST_CHECK;
/* NULL is fine. */
void redis_close(struct redis *redis);

/* The number of the rebuild that filled this Redis; 0 when it holds none. */
bool redis_rebuild_number(struct redis *redis, int64_t *out, struct error *err) MUST_CHECK;

struct redis_membership {
    struct slice segment_id;
    int64_t valid_until; /* TIMESTAMP_NEVER: open */
};
/* What became of the writes since the last redis_flush. */
struct redis_written {
    int64_t applied;
    int64_t stale;   /* a newer version was there already */
    int64_t foreign; /* refused: another rebuild number, or none */
};

/* Queues the user's whole membership (count 0: none). Sends when enough is queued. */
bool redis_put_user(struct redis *redis, struct slice user_id, int64_t version, int64_t rebuild_no,
                    const struct redis_membership *memberships, size_t count, struct error *err) MUST_CHECK;
/* Sends what is queued, waits for all answers, and says what became of them. */
bool redis_flush(struct redis *redis, struct redis_written *out, struct error *err) MUST_CHECK;

/* Begins a rebuild: takes the number away, so that readers and other writers see an empty Redis, and removes every key
 * of the layout. Until redis_rebuild_end only writes that carry rebuild_no are taken. */
bool redis_rebuild_begin(struct redis *redis, int64_t rebuild_no, struct error *err) MUST_CHECK;
/* Ends it: from here on the content counts. ERROR_INTERNAL when another rebuild has begun meanwhile. */
bool redis_rebuild_end(struct redis *redis, int64_t rebuild_no, struct error *err) MUST_CHECK;

/* The parts of a URL (exposed for tests). Texts are owned by the struct. */
struct redis_address {
    char host[256]; /* or the socket's path */
    char user[128];
    char password[512];
    int port; /* 0: a socket */
    int database;
};
bool redis_address_parse(const char *url, struct redis_address *out, struct error *err) MUST_CHECK;

#endif
