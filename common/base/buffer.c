#include "common/base/buffer.h"

#include "common/base/memory.h"

#include <stdarg.h>
#include <stdio.h>

void buffer_init(struct buffer *buffer, size_t size_max)
{
    /* Half the address space, so that sizes computed from it do not overflow. */
    *buffer = (struct buffer){.size_max = size_max < SIZE_MAX / 2 ? size_max : SIZE_MAX / 2};
}

void buffer_clear(struct buffer *buffer)
{
    memory_free(buffer->data);
    *buffer = (struct buffer){.size_max = buffer->size_max};
}

void buffer_reset(struct buffer *buffer)
{
    buffer->size = 0;
    buffer->failed = false;
}

/* Room for `more` bytes and a NUL. */
static bool buffer_reserve(struct buffer *buffer, size_t more)
{
    size_t wanted;
    size_t capacity = buffer->capacity;
    char *grown;

    if (buffer->failed) {
        return false;
    }
    if (more > buffer->size_max - buffer->size) {
        buffer->failed = true;
        return false;
    }
    wanted = buffer->size + more + 1;
    if (wanted <= buffer->capacity) {
        return true;
    }
    /* Never beyond the maximum and its NUL: buffer_append tests the capacity alone. */
    capacity = capacity < 32 ? 64 : capacity * 2;
    if (capacity < wanted) {
        capacity = wanted;
    }
    if (capacity > buffer->size_max + 1) {
        capacity = buffer->size_max + 1;
    }
    grown = memory_resize(buffer->data, capacity, 1);
    if (grown == NULL) {
        buffer->failed = true;
        return false;
    }
    buffer->data = grown;
    buffer->capacity = capacity;
    return true;
}

void buffer_append_growing(struct buffer *buffer, const void *data, size_t size)
{
    if (buffer_reserve(buffer, size)) {
        memcpy(buffer->data + buffer->size, data, size);
        buffer->size += size;
    }
}

void *buffer_room(struct buffer *buffer, size_t size)
{
    return buffer_reserve(buffer, size) ? buffer->data + buffer->size : NULL;
}

void buffer_append_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void buffer_append_integer(struct buffer *buffer, int64_t number)
{
    char digits[24];
    char *first = digits + sizeof digits;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

    do {
        *--first = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0) {
        *--first = '-';
    }
    buffer_append(buffer, first, (size_t)(digits + sizeof digits - first));
}

void buffer_append_format(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_list again;
    int size;

    va_start(arguments, format);
    va_copy(again, arguments);
    size = vsnprintf(NULL, 0, format, arguments);
    if (size < 0) {
        buffer->failed = true;
    } else if (buffer_reserve(buffer, (size_t)size)) {
        (void)vsnprintf(buffer->data + buffer->size, (size_t)size + 1, format, again);
        buffer->size += (size_t)size;
    }
    va_end(again);
    va_end(arguments);
}

bool buffer_finish(const struct buffer *buffer, const char *what, struct error *err)
{
    if (buffer->failed) {
        return error_set(err, ERROR_INTERNAL, "%s is too large (at most %zu bytes) or there is no memory for it", what,
                         buffer->size_max);
    }
    return true;
}

struct slice buffer_slice(const struct buffer *buffer)
{
    return (struct slice){.data = buffer->data, .size = buffer->size};
}

const char *buffer_text(struct buffer *buffer)
{
    if (!buffer_reserve(buffer, 0)) {
        return "";
    }
    buffer->data[buffer->size] = '\0';
    return buffer->data;
}
