#include "common/base/memory.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

static atomic_size_t allocations;
static atomic_size_t fail_at;

static bool must_fail(void)
{
    size_t limit = atomic_load_explicit(&fail_at, memory_order_relaxed);

    if (limit == 0) {
        return false;
    }
    return atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed) + 1 >= limit;
}

size_t memory_fail_at(size_t k)
{
    size_t asked = atomic_exchange(&allocations, 0);

    atomic_store(&fail_at, k);
    return asked;
}

void *memory_allocate(size_t size)
{
    return must_fail() ? NULL : malloc(size == 0 ? 1 : size);
}

void *memory_allocate_zeroed(size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes) || must_fail()) {
        return NULL;
    }
    return calloc(1, bytes == 0 ? 1 : bytes);
}

void *memory_resize(void *block, size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes) || must_fail()) {
        return NULL;
    }
    return realloc(block, bytes == 0 ? 1 : bytes);
}

void memory_free(void *block)
{
    free(block);
}

char *memory_copy_text(struct slice text)
{
    char *copy = memory_allocate(text.size + 1);

    if (copy == NULL) {
        return NULL;
    }
    if (text.size > 0) {
        memcpy(copy, text.data, text.size);
    }
    copy[text.size] = '\0';
    return copy;
}

bool memory_grow(void *array, size_t *capacity, size_t count, size_t count_max, size_t size, const char *what,
                 struct error *err)
{
    size_t wanted = *capacity < 4 ? 8 : *capacity * 2;
    void *block;
    void *grown;

    if (count < *capacity) {
        return true;
    }
    if (count >= count_max) {
        return error_set(err, ERROR_INTERNAL, "too many %s: at most %zu", what, count_max);
    }
    if (wanted > count_max) {
        wanted = count_max;
    }
    memcpy(&block, array, sizeof block);
    grown = memory_resize(block, wanted, size);
    if (grown == NULL) {
        return error_no_memory(err, what);
    }
    memcpy(array, &grown, sizeof grown);
    *capacity = wanted;
    return true;
}

struct arena_block {
    struct arena_block *older;
    size_t size; /* bytes in data */
    alignas(max_align_t) char data[];
};

enum { ARENA_BLOCK_MIN = 4096, ARENA_BLOCK_MAX = 1 << 20 };

void arena_init(struct arena *arena, size_t size_max)
{
    *arena = (struct arena){.size_max = size_max};
}

void arena_clear(struct arena *arena)
{
    struct arena_block *block = arena->blocks;

    while (block != NULL) {
        struct arena_block *older = block->older;

        memory_free(block);
        block = older;
    }
    *arena = (struct arena){.size_max = arena->size_max};
}

void arena_reset_used(struct arena *arena)
{
    struct arena_block *largest = arena->blocks;

    for (struct arena_block *block = largest->older; block != NULL; block = block->older) {
        if (block->size > largest->size) {
            largest = block;
        }
    }
    for (struct arena_block *block = arena->blocks; block != NULL;) {
        struct arena_block *older = block->older;

        if (block != largest) {
            memory_free(block);
        }
        block = older;
    }
    largest->older = NULL;
    arena->blocks = largest;
    arena->next = largest->data;
    arena->end = largest->data + largest->size;
    arena->size_used = 0;
}

static bool arena_add_block(struct arena *arena, size_t size)
{
    size_t wanted = arena->blocks == NULL ? ARENA_BLOCK_MIN : arena->blocks->size * 2;
    struct arena_block *block;

    if (wanted > ARENA_BLOCK_MAX) {
        wanted = ARENA_BLOCK_MAX;
    }
    if (wanted < size) {
        wanted = size;
    }
    block = memory_allocate(sizeof *block + wanted);
    if (block == NULL) {
        return false;
    }
    block->older = arena->blocks;
    block->size = wanted;
    arena->blocks = block;
    arena->next = block->data;
    arena->end = block->data + wanted;
    return true;
}

void *arena_allocate_growing(struct arena *arena, size_t size)
{
    const size_t align = alignof(max_align_t);
    size_t rounded;
    void *result;

    if (size > SIZE_MAX - align || arena->size_used > arena->size_max) {
        return NULL;
    }
    rounded = (size + align - 1) / align * align;
    if (rounded == 0) {
        rounded = align;
    }
    if (rounded > arena->size_max - arena->size_used) {
        return NULL;
    }
    if ((size_t)(arena->end - arena->next) < rounded && !arena_add_block(arena, rounded)) {
        return NULL;
    }
    result = arena->next;
    arena->next += rounded;
    arena->size_used += rounded;
    return result;
}

void *arena_allocate_zeroed(struct arena *arena, size_t count, size_t size)
{
    size_t bytes;
    void *result;

    if (__builtin_mul_overflow(count, size, &bytes)) {
        return NULL;
    }
    result = arena_allocate(arena, bytes);
    if (result != NULL) {
        memset(result, 0, bytes);
    }
    return result;
}

bool arena_copy(struct arena *arena, struct slice bytes, struct slice *out)
{
    char *copy = arena_allocate(arena, bytes.size + 1);

    if (copy == NULL) {
        return false;
    }
    if (bytes.size > 0) {
        memcpy(copy, bytes.data, bytes.size);
    }
    copy[bytes.size] = '\0';
    *out = (struct slice){.data = copy, .size = bytes.size};
    return true;
}
