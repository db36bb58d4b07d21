/* Loads: files on their way into the archive. A load is known by the SHA-256 of its file and mapping, and durable up to
 * line_next, which advances in the transaction that writes the lines before it: so loading a file twice changes
 * nothing, and a load that was killed goes on where it was. */
#ifndef MUSTER_IO_ARCHIVE_LOAD_H
#define MUSTER_IO_ARCHIVE_LOAD_H

#include "common/base/sha256.h"
#include "common/base/timestamp.h"
#include "common/io/pg.h"

#include <stdint.h>

struct archive_load {
    int32_t load_no;
    bool completed;
    int64_t line_next;   /* lines before it are archived or quarantined */
    int64_t events;      /* archived so far */
    int64_t quarantined; /* so far */
};

/* Finds the load of this file, or begins it where archive_load_allowed. `mapping` is the mapping's SHA-256, or NULL. */
bool archive_load_begin(struct pg *pg, const char *source, const unsigned char sha256[SHA256_SIZE],
                        const unsigned char *mapping, struct archive_load *out, struct error *err) MUST_CHECK;

/* What one transaction adds. */
struct archive_load_step {
    int64_t line_next;
    int64_t events;
    int64_t quarantined;
    int64_t event_time_max_ms; /* TIMESTAMP_ALWAYS: no event */
    bool completed;
};
/* Advances by compare-and-set on line_next, in the caller's transaction, and updates *load. ERROR_INTERNAL when another
 * process loads the same file. */
bool archive_load_advance(struct pg *pg, struct archive_load *load, const struct archive_load_step *step,
                          struct error *err) MUST_CHECK;

/* ERROR_USAGE when the stream has begun a build already: file loads come before that, for now. */
bool archive_load_allowed(struct pg *pg, struct error *err) MUST_CHECK;

#endif
