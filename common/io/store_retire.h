/* Taking a segment out of use. Its versions stay in the store; pipelines leave it out from then on, and the reconciler
 * ends its memberships. */
#ifndef MUSTER_IO_STORE_RETIRE_H
#define MUSTER_IO_STORE_RETIRE_H

#include "common/base/slice.h"
#include "common/io/pg.h"

/* Retires the segment, in one transaction with the control line that announces it; `author` goes with the line.
 * *out_version: its newest version. ERROR_USAGE for a segment that the store does not have, that is retired already, or
 * that others refer to (the message names them). */
bool store_retire(struct pg *pg, struct slice segment_id, struct slice author, int32_t *out_version,
                  struct error *err) MUST_CHECK;

#endif
