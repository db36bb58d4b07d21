#include "common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static bool read_all(int descriptor, const char *path, struct buffer *out, struct error *err)
{
    char chunk[16384];

    for (;;) {
        ssize_t size = read(descriptor, chunk, sizeof chunk);

        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size < 0) {
            return error_set(err, ERROR_UNREACHABLE, "%s: could not read: %s", path, strerror(errno));
        }
        if (size == 0) {
            return buffer_finish(out, path, err);
        }
        if ((size_t)size > out->size_max - out->size) {
            return error_set(err, ERROR_INPUT, "%s: larger than %zu bytes", path, out->size_max);
        }
        buffer_append(out, chunk, (size_t)size);
    }
}

bool file_read(const char *path, struct buffer *out, struct error *err)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    bool done;

    if (descriptor < 0) {
        return error_set(err, ERROR_UNREACHABLE, "%s: could not open: %s", path, strerror(errno));
    }
    done = read_all(descriptor, path, out, err);
    (void)close(descriptor);
    return done;
}
