/* A borrowed run of bytes. Never NUL-terminated by promise; may hold any byte. */
#ifndef MUSTER_BASE_SLICE_H
#define MUSTER_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
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

/* Of 8 to 16 bytes, as most ids and names, without a call: the first eight and the last eight. */
static inline bool slice_equal(struct slice a, struct slice b)
{
    uint64_t words[4];

    if (a.size != b.size) {
        return false;
    }
    if (a.size < sizeof words[0] || a.size > 2 * sizeof words[0]) {
        return a.size == 0 || memcmp(a.data, b.data, a.size) == 0;
    }
    memcpy(&words[0], a.data, sizeof words[0]);
    memcpy(&words[1], b.data, sizeof words[0]);
    memcpy(&words[2], a.data + a.size - sizeof words[0], sizeof words[0]);
    memcpy(&words[3], b.data + b.size - sizeof words[0], sizeof words[0]);
    return ((words[0] ^ words[1]) | (words[2] ^ words[3])) == 0;
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
