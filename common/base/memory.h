/* Memory: a checked allocator that tests can make fail, and an arena.
 *
 * All heap memory of Muster's own code comes from here, so that a test can fail the k-th allocation. */
#ifndef MUSTER_BASE_MEMORY_H
#define MUSTER_BASE_MEMORY_H

#include "common/base/error.h"
#include "common/base/slice.h"

#include <stdalign.h>
#include <stddef.h>

/* Like malloc, calloc, realloc, free; NULL when there is no memory. `count * size` that overflows gives NULL.
 * Zero bytes are asked for as one. */
void *memory_allocate(size_t size) MUST_CHECK;
void *memory_allocate_zeroed(size_t count, size_t size) MUST_CHECK;
/* On NULL the old block stays valid and owned by the caller. */
void *memory_resize(void *block, size_t count, size_t size) MUST_CHECK;
void memory_free(void *block);
/* A NUL-terminated copy owned by the caller, or NULL. */
char *memory_copy_text(struct slice text) MUST_CHECK;

/* Makes room for one more element: doubles `*capacity` (in elements, starting at 8), never beyond count_max. False with
 * `*err` when there is no memory or the limit is reached; `what` names the thing in the message. `array` points at the
 * array pointer. */
bool memory_grow(void *array, size_t *capacity, size_t count, size_t count_max, size_t size, const char *what,
                 struct error *err) MUST_CHECK;

/* Test hook: the allocation number `k` from now (1 = the next) and every later one fails; 0 turns it off. Returns how
 * many allocations have been asked for since the last call. Not thread-safe. */
size_t memory_fail_at(size_t k);

/* An arena: many small blocks with one lifetime. */
struct arena_block;
struct arena {
    struct arena_block *blocks; /* newest first */
    char *next;
    char *end;
    size_t size_used; /* bytes handed out since the last reset */
    size_t size_max;  /* never hands out more */
};

/* An empty arena that never hands out more than size_max bytes. Owns nothing yet. */
void arena_init(struct arena *arena, size_t size_max);
/* Frees everything. The arena can be used again. */
void arena_clear(struct arena *arena);
/* The part of arena_reset that has something to do. */
void arena_reset_used(struct arena *arena);
/* Forgets all blocks handed out but keeps the largest piece of memory for reuse. */
static inline void arena_reset(struct arena *arena)
{
    if (arena->size_used > 0) {
        arena_reset_used(arena);
    }
}
/* The part of arena_allocate that is rarely needed: a new piece of memory, and what is too large. */
void *arena_allocate_growing(struct arena *arena, size_t size) MUST_CHECK;
/* `size` bytes aligned for any type, or NULL (no memory, or size_max reached). Contents undefined. */
static inline MUST_CHECK void *arena_allocate(struct arena *arena, size_t size)
{
    size_t rounded = (size + (alignof(max_align_t) - 1)) & ~(alignof(max_align_t) - 1);
    void *result = arena->next;

    /* Neither 0 bytes nor a size that overflowed pass: both round to 0. */
    if (rounded - 1 >= (size_t)(arena->end - arena->next) || rounded > arena->size_max - arena->size_used) {
        return arena_allocate_growing(arena, size);
    }
    arena->next += rounded;
    arena->size_used += rounded;
    return result;
}
/* `count * size` zeroed bytes, or NULL (also on overflow). */
void *arena_allocate_zeroed(struct arena *arena, size_t count, size_t size) MUST_CHECK;
/* A copy of the bytes (followed by a NUL that is not counted), owned by the arena. False when there is no memory. */
bool arena_copy(struct arena *arena, struct slice bytes, struct slice *out) MUST_CHECK;

#endif
