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

/* Most names and ids have 8 to 24 bytes: three words cover them, which lie over one another where there are fewer. */
struct slice_words {
    uint64_t first;
    uint64_t middle;
    uint64_t last;
};

static inline bool slice_fits_words(struct slice slice)
{
    return slice.size >= sizeof(uint64_t) && slice.size <= sizeof(struct slice_words);
}

static inline struct slice_words slice_words(struct slice slice)
{
    const size_t behind = slice.size - sizeof(uint64_t);
    struct slice_words words;

    memcpy(&words.first, slice.data, sizeof words.first);
    memcpy(&words.middle, slice.data + behind / 2, sizeof words.middle);
    memcpy(&words.last, slice.data + behind, sizeof words.last);
    return words;
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    if (a.size != b.size) {
        return false;
    }
    if (slice_fits_words(a)) {
        struct slice_words x = slice_words(a);
        struct slice_words y = slice_words(b);

        return ((x.first ^ y.first) | (x.middle ^ y.middle) | (x.last ^ y.last)) == 0;
    }
    if (a.size >= sizeof(uint32_t) && a.size < sizeof(uint64_t)) {
        const size_t behind = a.size - sizeof(uint32_t);
        uint32_t x[2];
        uint32_t y[2];

        memcpy(&x[0], a.data, sizeof x[0]);
        memcpy(&x[1], a.data + behind, sizeof x[1]);
        memcpy(&y[0], b.data, sizeof y[0]);
        memcpy(&y[1], b.data + behind, sizeof y[1]);
        return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
    }
    return a.size == 0 || memcmp(a.data, b.data, a.size) == 0;
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
