/* Messages that could not be used, kept with reason and position. */
#ifndef MUSTER_IO_STORE_QUARANTINE_H
#define MUSTER_IO_STORE_QUARANTINE_H

#include "common/base/error.h"
#include "common/base/slice.h"
#include "common/io/pg.h"

#include <stddef.h>
#include <stdint.h>

enum { QUARANTINE_MESSAGE_SIZE_MAX = 64 * 1024, QUARANTINE_DETAIL_SIZE_MAX = 512 };

struct quarantine_row {
    int16_t topic_no; /* -1: from a file */
    int32_t lane;     /* with topic_no; else -1 */
    int64_t log_offset;
    int32_t load_no; /* 0: from the log */
    int64_t line;
    const char *reason;   /* quarantine_reason_name */
    struct slice detail;  /* cut to QUARANTINE_DETAIL_SIZE_MAX; bytes that are no UTF-8 become '?' */
    struct slice message; /* cut to QUARANTINE_MESSAGE_SIZE_MAX; any bytes */
};

/* Inserts the rows within the open transaction. `source` is "load", "archive" or "stream". A position that is there
 * already is left as it is. *inserted (may be NULL) counts the new ones. */
bool store_quarantine_insert(struct pg *pg, const char *source, const struct quarantine_row *rows, size_t count,
                             int64_t *inserted, struct error *err) MUST_CHECK;

#endif
