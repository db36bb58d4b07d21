#include "common/domain/timer.h"

#include "common/base/memory.h"

void timer_heap_init(struct timer_heap *heap)
{
    *heap = (struct timer_heap){.timers = NULL};
}

void timer_heap_clear(struct timer_heap *heap)
{
    memory_free(heap->timers);
    timer_heap_init(heap);
}

bool timer_heap_push(struct timer_heap *heap, int64_t at_ms, void *owner, struct error *err)
{
    size_t hole = heap->count;

    if (!memory_grow(&heap->timers, &heap->capacity, heap->count, SIZE_MAX / sizeof *heap->timers, sizeof *heap->timers,
                     "timers", err)) {
        return false;
    }
    heap->count++;
    while (hole > 0 && heap->timers[(hole - 1) / 2].at_ms > at_ms) {
        heap->timers[hole] = heap->timers[(hole - 1) / 2];
        hole = (hole - 1) / 2;
    }
    heap->timers[hole] = (struct timer){.at_ms = at_ms, .owner = owner};
    return true;
}

bool timer_heap_pop(struct timer_heap *heap, int64_t until_ms, struct timer *out)
{
    struct timer last;
    size_t hole = 0;

    if (heap->count == 0 || heap->timers[0].at_ms > until_ms) {
        return false;
    }
    *out = heap->timers[0];
    last = heap->timers[--heap->count];
    for (;;) {
        size_t child = 2 * hole + 1;
        if (child >= heap->count) {
            break;
        }
        if (child + 1 < heap->count && heap->timers[child + 1].at_ms < heap->timers[child].at_ms) {
            child++;
        }
        if (heap->timers[child].at_ms >= last.at_ms) {
            break;
        }
        heap->timers[hole] = heap->timers[child];
        hole = child;
    }
    if (heap->count > 0) {
        heap->timers[hole] = last;
    }
    return true;
}
