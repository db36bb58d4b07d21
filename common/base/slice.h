/* A borrowed run of bytes. Never NUL-terminated by promise; may hold any byte. */
#ifndef MUSTER_BASE_SLICE_H
#define MUSTER_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
    const char *data; /* may be NULL when size is 0 */
    size_t size;      /* bytes */
};

#define SLICE_LITERAL(text) ((struct slice){.data = "" text, .size = sizeof(text) - 1})

/* The bytes of a C string, without its NUL. */
static inline struct slice slice_from(const char *text)
{
    return (struct slice){.data = text, .size = strlen(text)};
}

static inline struct slice slice_of(const char *data, size_t size)
{
    return (struct slice){.data = data, .size = size};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool slice_equal_text(struct slice a, const char *text)
{
    return slice_equal(a, slice_from(text));
}

/* Bytewise order: negative, 0 or positive. A prefix comes first. */
static inline int slice_compare(struct slice a, struct slice b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);

    if (order != 0) {
        return order;
    }
    return (a.size > b.size) - (a.size < b.size);
}

static inline bool slice_starts_with(struct slice a, struct slice prefix)
{
    return a.size >= prefix.size && (prefix.size == 0 || memcmp(a.data, prefix.data, prefix.size) == 0);
}

#endif
