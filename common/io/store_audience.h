/* The one way to write effective membership and history: decided rows in, through the store function that locks the consent
 * they rely on. */
#ifndef MUSTER_IO_STORE_AUDIENCE_H
#define MUSTER_IO_STORE_AUDIENCE_H

#include "common/base/error.h"
#include "common/base/slice.h"
#include "common/io/pg.h"

#include <stddef.h>
#include <stdint.h>

enum { AUDIENCE_POSITIONS_MAX = 8, AUDIENCE_ROWS_MAX = 1000 };

/* Where a column may be NULL: *_at and entered_at TIMESTAMP_ALWAYS, valid_until TIMESTAMP_NEVER, uncertain_until
 * TIMESTAMP_ALWAYS (certain enough; TIMESTAMP_NEVER is open), numbers 0. */
struct audience_row {
    int32_t segment_no;
    int64_t user_no;
    int32_t lane;

    bool s_present; /* newest stream record of the build in force, or none */
    int32_t s_build_no;
    int64_t s_step;
    int32_t s_seq;
    bool s_member;
    int64_t s_entered_at;
    int64_t s_effective_at;
    int64_t s_valid_until;
    int64_t s_positions[AUDIENCE_POSITIONS_MAX];
    size_t s_position_count;
    bool s_certain;
    int64_t s_uncertain_until;
    int64_t s_grant_no;
    int64_t s_written_at_us; /* microseconds since 1970 */

    int64_t b_run_no;      /* 0: no run looked at yet */
    const char *b_verdict; /* "member", "excluded", "no"; NULL with b_run_no 0 */
    int64_t b_entered_at;
    int64_t b_valid_until;
    int64_t b_grant_no;

    bool member;
    int64_t entered_at;
    int64_t valid_until;
    int64_t valid_from;
    const char *decision;
    int32_t version;
    int32_t build_no;
    int64_t run_no;
    int32_t purpose_no; /* 0: not subject to consent; must be what the definition (segment_no, version) says */
    int64_t grant_no;   /* of the consent in force when it was decided; 0: not allowed (then member must be false) */
};

struct history_row {
    int32_t segment_no;
    int64_t user_no;
    const char *change; /* "entered", "exited", "renewed", "confirmed" */
    bool member;
    int64_t valid_from;
    int64_t entered_at;
    int64_t valid_until;
    const char *decision;
    int32_t version;
    int32_t build_no;
    int64_t run_no;
    bool from_stream; /* lane, step, seq and positions of the stream record that it speaks of */
    int32_t lane;
    int64_t step;
    int32_t seq;
    int64_t positions[AUDIENCE_POSITIONS_MAX];
    size_t position_count;
    int32_t purpose_no;
    int64_t grant_no;
    int64_t as_of;       /* TIMESTAMP_ALWAYS: none */
    struct slice detail;
};

/* Working memory for the calls; one per connection. */
struct store_audience;
bool store_audience_new(struct pg *pg, struct store_audience **out, struct error *err) MUST_CHECK;
void store_audience_free(struct store_audience *audience);

/* What a call did not write because the grant it was decided under is no longer in force: decide again. */
struct audience_refused {
    int64_t rows;
    int64_t history;
};
/* Writes at most AUDIENCE_ROWS_MAX rows and as many history rows (in this order) within the open READ COMMITTED transaction, or in
 * one of its own. One row per (segment, user). A row that has history rows in the same call gets the newest as its history_id. */
bool store_audience_apply(struct store_audience *audience, const struct audience_row *rows, size_t row_count,
                          const struct history_row *history, size_t history_count, struct audience_refused *refused,
                          struct error *err) MUST_CHECK;

#endif
