/* A byte buffer that grows up to a maximum. A failed append (no memory, maximum reached) is remembered: later appends do
 * nothing, and buffer_finish, which must be called before the bytes are used, reports it. So a writer of many pieces
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

void buffer_append(struct buffer *buffer, const void *data, size_t size);
void buffer_append_slice(struct buffer *buffer, struct slice bytes);
void buffer_append_text(struct buffer *buffer, const char *text);
void buffer_append_char(struct buffer *buffer, char byte);
void buffer_append_integer(struct buffer *buffer, int64_t number);
void buffer_append_format(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);
/* Big-endian, as PostgreSQL's binary COPY has them. */
void buffer_append_int16(struct buffer *buffer, int16_t number);
void buffer_append_int32(struct buffer *buffer, int32_t number);
void buffer_append_int64(struct buffer *buffer, int64_t number);

/* True when every append since the last reset worked. `what` names the content in the message. */
bool buffer_finish(const struct buffer *buffer, const char *what, struct error *err) MUST_CHECK;
/* The bytes so far, borrowed until the next append. */
struct slice buffer_slice(const struct buffer *buffer);
/* The bytes with a NUL behind them (not counted), borrowed; "" after a failure. */
const char *buffer_text(struct buffer *buffer);

#endif
