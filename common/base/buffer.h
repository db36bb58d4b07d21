/* A byte buffer that grows up to a maximum. A failed append (no memory, maximum reached) is remembered: later appends
 * do nothing, and buffer_finish, which must be called before the bytes are used, reports it. So a writer of many pieces
 * needs one check. */
#ifndef MUSTER_BASE_BUFFER_H
#define MUSTER_BASE_BUFFER_H

#include "common/base/error.h"
#include "common/base/slice.h"

#include <stddef.h>
#include <stdint.h>

struct buffer {
    char *data;
    size_t size;
    size_t capacity;
    size_t size_max;
    bool failed;
};

/* An empty buffer that grows to size_max bytes at most. Owns nothing yet. */
void buffer_init(struct buffer *buffer, size_t size_max);
/* Frees the bytes; the buffer can be used again. */
void buffer_clear(struct buffer *buffer);
/* Empties the buffer and forgets a failure, but keeps its memory. */
void buffer_reset(struct buffer *buffer);

/* The part of an append that is rarely needed: grows, or remembers a failure. */
void buffer_append_growing(struct buffer *buffer, const void *data, size_t size);

static inline void buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    /* One byte of the capacity is kept for a NUL. */
    if (size > 0 && size < buffer->capacity - buffer->size && !buffer->failed) {
        memcpy(buffer->data + buffer->size, data, size);
        buffer->size += size;
    } else if (size > 0) {
        buffer_append_growing(buffer, data, size);
    }
}

static inline void buffer_append_slice(struct buffer *buffer, struct slice bytes)
{
    buffer_append(buffer, bytes.data, bytes.size);
}

static inline void buffer_append_char(struct buffer *buffer, char byte)
{
    buffer_append(buffer, &byte, 1);
}

/* Remembers a failure of whoever fills the buffer. */
static inline void buffer_fail(struct buffer *buffer)
{
    buffer->failed = true;
}
/* Room for `size` more bytes, or NULL where the append would fail (which is remembered). What is written there counts
 * once buffer_advance has said how much it was. */
void *buffer_room(struct buffer *buffer, size_t size);
static inline void buffer_advance(struct buffer *buffer, size_t size)
{
    buffer->size += size;
}

void buffer_append_text(struct buffer *buffer, const char *text);
void buffer_append_integer(struct buffer *buffer, int64_t number);
void buffer_append_format(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);
/* Big-endian, as PostgreSQL's binary COPY has them. */
static inline void buffer_append_int16(struct buffer *buffer, int16_t number)
{
    uint16_t bits = __builtin_bswap16((uint16_t)number);

    buffer_append(buffer, &bits, sizeof bits);
}

static inline void buffer_append_int32(struct buffer *buffer, int32_t number)
{
    uint32_t bits = __builtin_bswap32((uint32_t)number);

    buffer_append(buffer, &bits, sizeof bits);
}

static inline void buffer_append_int64(struct buffer *buffer, int64_t number)
{
    uint64_t bits = __builtin_bswap64((uint64_t)number);

    buffer_append(buffer, &bits, sizeof bits);
}

/* True when every append since the last reset worked. `what` names the content in the message. */
bool buffer_finish(const struct buffer *buffer, const char *what, struct error *err) MUST_CHECK;
/* The bytes so far, borrowed until the next append. */
struct slice buffer_slice(const struct buffer *buffer);
/* The bytes with a NUL behind them (not counted), borrowed; "" after a failure. */
const char *buffer_text(struct buffer *buffer);

#endif
