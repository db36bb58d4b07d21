/* Timers: a heap of (instant, owner), smallest first. An owner may stand in it several times; whether an entry still
 * means anything is the owner's business (lazy re-arming: most timers move on before they are due). */
#ifndef MUSTER_DOMAIN_TIMER_H
#define MUSTER_DOMAIN_TIMER_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer {
    int64_t at_ms;
    void *owner;
};

struct timer_heap {
    struct timer *timers;
    size_t count;
    size_t capacity;
};

void timer_heap_init(struct timer_heap *heap);
void timer_heap_clear(struct timer_heap *heap);
/* ERROR_INTERNAL for no memory. */
bool timer_heap_push(struct timer_heap *heap, int64_t at_ms, void *owner, struct error *err) MUST_CHECK;
/* Takes the earliest one if it is at or before `until_ms`. */
bool timer_heap_pop(struct timer_heap *heap, int64_t until_ms, struct timer *out);

#endif
