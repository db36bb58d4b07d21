/* The archive: every accepted message as it came, by lane, with the position it came from; and how far the log is
 * archived. Rows are written in batches of COPY, in the transaction that advances the position they end at, so each
 * message is there exactly once. */
#ifndef MUSTER_IO_ARCHIVE_H
#define MUSTER_IO_ARCHIVE_H

#include "common/base/memory.h"
#include "common/base/timestamp.h"
#include "common/io/pg.h"

#include <stdint.h>

enum { ARCHIVE_BATCH_ROWS_MAX = 20000, ARCHIVE_BATCH_SIZE_MAX = 64 << 20, ARCHIVE_TOPICS_MAX = 3 };

/* Where a message came from: the log (topic_no >= 0: position is its offset) or a file (topic_no -1: position is its
 * line of load load_no). */
struct archive_source {
    int16_t topic_no;
    int32_t load_no;
    int64_t position;
};

/* ---- writing ---- */

struct archive_row {
    struct slice user; /* identifier */
    struct slice message;
    struct archive_source source;
    int64_t event_time_ms;
    int64_t user_no; /* filled by the caller before archive_batch_write */
    int32_t lane;
};

/* Rows on their way into the archive. Owns copies of users and messages. */
struct archive_batch {
    struct archive_row *rows;
    size_t row_count;
    size_t row_capacity;
    struct arena texts;
};

void archive_batch_init(struct archive_batch *batch);
void archive_batch_clear(struct archive_batch *batch);
/* Forgets the rows, keeps the memory. */
void archive_batch_reset(struct archive_batch *batch);
/* True when the batch should be written before more is added. */
bool archive_batch_full(const struct archive_batch *batch);
/* Copies one row in. ERROR_INTERNAL for no memory. */
bool archive_batch_add(struct archive_batch *batch, const struct archive_row *row, struct error *err) MUST_CHECK;
/* Writes all rows by COPY, in the caller's transaction. */
bool archive_batch_write(struct archive_batch *batch, struct pg *pg, struct error *err) MUST_CHECK;

/* ---- progress on the log ---- */

/* How far one partition is archived. */
struct archive_progress {
    int16_t topic_no;
    int32_t lane;
    int64_t offset_begin;      /* first offset the log held when archiving began */
    int64_t offset_next;       /* everything below it (and not below offset_begin) is archived or quarantined */
    int64_t event_time_max_ms; /* TIMESTAMP_ALWAYS: no message yet */
    bool at_end;               /* the last read reached the end that the partition had at read_at_ms */
    int64_t read_at_ms;        /* wall clock */
};

/* All rows, by (topic_no, lane). The caller frees *out with memory_free. */
bool archive_progress_load(struct pg *pg, struct archive_progress **out, size_t *out_count,
                           struct error *err) MUST_CHECK;
/* Advances one partition by compare-and-set, in the caller's transaction: offset_next must still be `offset_expected`,
 * or -1 where the partition has no row yet. ERROR_INTERNAL with ERROR_STOP when another process advanced it meanwhile.
 */
bool archive_progress_advance(struct pg *pg, const struct archive_progress *progress, int64_t offset_expected,
                              struct error *err) MUST_CHECK;

/* ---- reading ---- */

/* Which rows of a lane are read: log rows below offset_next of their topic, and the file rows of these loads. */
struct archive_range {
    int64_t offset_next[ARCHIVE_TOPICS_MAX]; /* 0: none of the topic */
    const int32_t *load_numbers;             /* borrowed */
    size_t load_count;
    bool all_loads; /* every completed load instead of load_numbers */
};

enum archive_order {
    ARCHIVE_ORDER_NONE = 0, /* as the table yields them: fastest */
    ARCHIVE_ORDER_USER,     /* by user, then as ARCHIVE_ORDER_LOG */
    ARCHIVE_ORDER_LOG,      /* file rows by (load, line), then log rows by (topic, offset): "the first in the log" */
};

/* Borrowed until the visit returns. */
struct archive_message {
    struct archive_source source;
    int64_t user_no;
    int64_t event_time_ms;
    struct slice text;
};
typedef bool archive_visit(void *context, const struct archive_message *message, struct error *err);

/* Visits the lane's rows of the range by COPY; no statement may run on `pg` meanwhile. Sorting is the server's, so
 * memory here stays that of one row. Stops and returns false where visit does. */
bool archive_read(struct pg *pg, int32_t lane, const struct archive_range *range, enum archive_order order,
                  archive_visit *visit, void *context, struct error *err) MUST_CHECK;

#endif
