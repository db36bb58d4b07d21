/* The control log: what programs must tell one another, in order of commit. */
#ifndef MUSTER_IO_STORE_CONTROL_H
#define MUSTER_IO_STORE_CONTROL_H

#include "common/base/error.h"
#include "common/base/slice.h"
#include "common/io/pg.h"

#include <stdint.h>

enum control_kind {
    CONTROL_NONE = 0,
    CONTROL_DEFINITION_APPLIED,
    CONTROL_DEFINITION_RETIRED,
    CONTROL_LOAD_COMPLETED,
    CONTROL_RUN_ACTIVATED,
    CONTROL_BUILD_BEGUN,
    CONTROL_BUILD_READY,
    CONTROL_CONSENT_GRANTED,
    CONTROL_CONSENT_WITHDRAWN,
    CONTROL_ERASURE_REQUESTED,
    CONTROL_REBUILD_REQUESTED,
};
const char *control_kind_name(enum control_kind kind);

/* Numbers that a line does not have are 0 (lane: -1); `at_ms` TIMESTAMP_ALWAYS for none. */
struct control_line {
    int64_t control_no;
    enum control_kind kind;
    int32_t segment_no;
    int32_t version;
    int64_t user_no;
    int32_t purpose_no;
    int64_t grant_no;
    int32_t load_no;
    int64_t run_no;
    int32_t build_no;
    int32_t lane;
    int64_t at_ms;
    struct slice detail; /* borrowed: of the caller when appending, valid during the visit when reading */
};
#define CONTROL_LINE_INIT                                                                                              \
    {                                                                                                                  \
        .lane = -1, .at_ms = INT64_MIN                                                                                 \
    }

/* Appends a line within the open transaction and NOTIFYs muster_control. Takes a lock that all writers of the control
 * log share and that lasts until COMMIT: call it last. control_no and the consent fields are ignored (consent lines are
 * written by the consent functions). *control_no (may be NULL) gets the line's number. */
bool store_control_append(struct pg *pg, const struct control_line *line, int64_t *control_no,
                          struct error *err) MUST_CHECK;
/* Visits the lines after `after_no` in order. */
typedef bool store_control_visit(void *context, const struct control_line *line, struct error *err);
bool store_control_read(struct pg *pg, int64_t after_no, store_control_visit *visit, void *context,
                        struct error *err) MUST_CHECK;
/* The number of the newest line. */
bool store_control_head(struct pg *pg, int64_t *control_no, struct error *err) MUST_CHECK;

#endif
