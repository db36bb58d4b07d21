/* Quarantined lines of a file, told to a person: the first ones each with file, line and reason, then how many of each
 * reason. Goes to standard error. */
#ifndef MUSTER_IO_REFUSALS_H
#define MUSTER_IO_REFUSALS_H

#include "common/io/source.h"

#include <stdint.h>

struct refusals {
    uint64_t counts[QUARANTINE_COUNT]; /* by reason */
    uint64_t total;
    uint64_t shown_max; /* so many lines are told one by one */
};

enum { REFUSALS_SHOWN_MAX = 20 };

void refusals_init(struct refusals *refusals, uint64_t shown_max);
/* Counts a SOURCE_REFUSED item, and tells it: "FILE:LINE: quarantined: REASON: DETAIL". */
void refusals_add(struct refusals *refusals, const char *file, const struct source_item *item);
/* Tells the counts, "FILE: 3 lines quarantined: 2 user, 1 timestamp"; nothing where there are none. */
void refusals_report(const struct refusals *refusals, const char *file);

#endif
