/* Consent: changes through the store's one function, and a map of the grants in force for pipelines. */
#ifndef MUSTER_IO_STORE_CONSENT_H
#define MUSTER_IO_STORE_CONSENT_H

#include "common/base/error.h"
#include "common/base/slice.h"
#include "common/io/pg.h"

#include <stddef.h>
#include <stdint.h>

/* What became of a change. */
enum consent_outcome {
    CONSENT_NONE = 0,
    CONSENT_CHANGED,
    CONSENT_UNCHANGED,
    CONSENT_OLDER,   /* older than what is known, or a grant at the instant of a withdrawal: recorded only */
    CONSENT_FUTURE,  /* dated further ahead of its receipt than the skew allows: refused */
    CONSENT_REFUSED, /* of a purpose that nothing has named yet, where messages have brought too many: not recorded */
};
const char *consent_outcome_name(enum consent_outcome outcome);

/* Where the message of a change was read, for the quarantine. Zeroed: nowhere (an operator). */
struct consent_origin {
    bool from_log;   /* lane of topic_no, at the offset `position` */
    int32_t load_no; /* else of this load, where it is not 0, at the line `position` */
    int16_t topic_no;
    int32_t lane;
    int64_t position;
};

struct consent_change {
    int64_t user_no;
    struct slice purpose; /* any name; a new one is made while there are fewer than 1000. Ignored for a delete */
    bool is_delete;       /* a delete message: every purpose at once, and a pending erasure */
    bool granted;
    int64_t changed_at_ms;
    int64_t received_at_ms; /* the Kafka message's own timestamp; TIMESTAMP_ALWAYS: none (now; with clock = event no
                               check) */
    struct consent_origin origin;
    enum consent_outcome outcome; /* filled */
};

/* Applies the changes within the open transaction (or in one of its own), which must be READ COMMITTED; `source` is
 * "stream", "load" or "operator". They count by their own timestamps, so applying one twice or out of order does no
 * harm. A withdrawal ends memberships in the same transaction. It writes control lines: call it late in the transaction
 * (see store_control.h). A deadlock or lock timeout is ERROR_RETRY. At most CONSENT_CHANGES_MAX a call. What is
 * CONSENT_REFUSED is in the quarantine afterwards, one row for a message. */
enum { CONSENT_CHANGES_MAX = 10000 };
bool store_consent_apply(struct pg *pg, struct consent_change *changes, size_t count, const char *source,
                         struct error *err) MUST_CHECK;

/* (user, purpose) -> number of the grant in force; 0: not allowed. */
struct consent_map;
bool consent_map_new(struct consent_map **out, struct error *err) MUST_CHECK;
void consent_map_free(struct consent_map *map);
int64_t consent_map_grant(const struct consent_map *map, int64_t user_no, int32_t purpose_no);
/* grant_no 0 takes it away. */
bool consent_map_set(struct consent_map *map, int64_t user_no, int32_t purpose_no, int64_t grant_no,
                     struct error *err) MUST_CHECK;
/* Adds the grants in force of the users of one lane, or of all (lane -1), as `pg`'s snapshot has them. */
bool store_consent_load(struct pg *pg, int32_t lane, struct consent_map *map, struct error *err) MUST_CHECK;
/* The map follows the control log by consent_map_set(user, purpose, grant) on CONTROL_CONSENT_GRANTED and (..., 0) on
 * CONTROL_CONSENT_WITHDRAWN. Users interned later have grants by default where a purpose is opt_out: this adds those of
 * the given users. */
bool store_consent_load_users(struct pg *pg, const int64_t *user_nos, size_t count, struct consent_map *map,
                              struct error *err) MUST_CHECK;

#endif
