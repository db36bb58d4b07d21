/* A lane's watermark: the event time up to which the lane is thought to have read everything.
 *
 * Per topic it is the greatest event time read minus a bound; the lane's is the smallest over its topics. A topic that
 * is read to its end is idle: with a wall clock it then follows the wall clock (minus the bound), with the clock of
 * events it is left out; where all are idle that clock stands still. A watermark never goes back. */
#ifndef MUSTER_DOMAIN_WATERMARK_H
#define MUSTER_DOMAIN_WATERMARK_H

#include "common/base/timestamp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WATERMARK_TOPICS_MAX = 3 };

struct watermark {
    size_t topic_count;
    int64_t bound_ms;
    int64_t ceiling_ms; /* never beyond; TIMESTAMP_NEVER for none */
    int64_t value_ms;   /* TIMESTAMP_ALWAYS: nothing is known yet */
    struct {
        int64_t time_max_ms; /* greatest event time read; TIMESTAMP_ALWAYS: none */
        bool idle;
    } topics[WATERMARK_TOPICS_MAX];
};

/* `value_ms` is where it stood before a restart, else TIMESTAMP_ALWAYS. No topic is idle yet. */
void watermark_init(struct watermark *watermark, size_t topic_count, int64_t bound_ms, int64_t value_ms);
/* What a topic had reached before a restart. */
void watermark_restore(struct watermark *watermark, size_t topic, int64_t time_max_ms);
/* A message of the topic with this event time was read: the topic is not idle. Moves the watermark. */
void watermark_event(struct watermark *watermark, size_t topic, int64_t time_ms);
/* The topic is read to its end. Moves the watermark where the others allow more. */
void watermark_idle(struct watermark *watermark, size_t topic);
/* Wall clock only: idle topics stand at `now_ms` minus the bound. */
void watermark_wall(struct watermark *watermark, int64_t now_ms);
/* To `value_ms`, if that is forward. */
void watermark_move(struct watermark *watermark, int64_t value_ms);

#endif
