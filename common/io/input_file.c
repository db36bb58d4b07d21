#include "common/io/input_file.h"

#include "common/base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK_SIZE = 1 << 16, WINDOW_SIZE = INPUT_LINE_SIZE_MAX + CHUNK_SIZE };

/* The window holds bytes [begin, end) of which [begin, scanned) have no LF. */
struct input_file {
    int fd;
    bool owned; /* fd is closed with the file */
    bool seekable;
    bool at_end;
    bool skipping; /* inside a line that was too large */
    bool started;
    char *name;
    char *window;
    size_t begin;
    size_t scanned;
    size_t end;
    off_t origin; /* where in a seekable file the input begins */
    uint64_t size;
    uint64_t offset;
    int64_t line_number;
};

static bool failed(const struct input_file *file, const char *what, struct error *err)
{
    return error_set(err, ERROR_UNREACHABLE, "could not %s %s: %s", what, file->name, strerror(errno));
}

static bool look(struct input_file *file, struct error *err)
{
    struct stat status;

    if (fstat(file->fd, &status) != 0) {
        return failed(file, "open", err);
    }
    if (S_ISDIR(status.st_mode)) {
        errno = EISDIR;
        return failed(file, "open", err);
    }
    file->seekable = S_ISREG(status.st_mode);
    if (file->seekable) {
        file->origin = lseek(file->fd, 0, SEEK_CUR);
        if (file->origin < 0) {
            return failed(file, "open", err);
        }
        file->size = status.st_size > file->origin ? (uint64_t)(status.st_size - file->origin) : 0;
        (void)posix_fadvise(file->fd, file->origin, 0, POSIX_FADV_SEQUENTIAL);
    }
    return true;
}

bool input_file_open(const char *path, struct input_file **out, struct error *err)
{
    struct input_file *file = memory_allocate_zeroed(1, sizeof *file);
    bool standard = strcmp(path, "-") == 0;

    if (file == NULL) {
        return error_no_memory(err, "an input file");
    }
    file->fd = -1;
    file->name = memory_copy_text(slice_from(standard ? "standard input" : path));
    file->window = memory_allocate(WINDOW_SIZE + INPUT_LINE_SPARE);
    if (file->name == NULL || file->window == NULL) {
        (void)error_no_memory(err, "an input file");
        goto failure;
    }
    file->owned = !standard;
    file->fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0) {
        (void)failed(file, "open", err);
        goto failure;
    }
    if (!look(file, err)) {
        goto failure;
    }
    *out = file;
    return true;

failure:
    input_file_close(file);
    return false;
}

void input_file_close(struct input_file *file)
{
    if (file == NULL) {
        return;
    }
    if (file->owned && file->fd >= 0) {
        (void)close(file->fd);
    }
    memory_free(file->name);
    memory_free(file->window);
    memory_free(file);
}

/* Reads up to `room` bytes; 0 at the end. */
static bool read_some(const struct input_file *file, char *into, size_t room, size_t *out_size, struct error *err)
{
    ssize_t size;

    do {
        size = read(file->fd, into, room);
    } while (size < 0 && errno == EINTR);
    if (size < 0) {
        return failed(file, "read", err);
    }
    *out_size = (size_t)size;
    return true;
}

static bool write_all(int fd, const char *data, size_t size, struct error *err)
{
    while (size > 0) {
        ssize_t written = write(fd, data, size);

        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return error_set(err, ERROR_INTERNAL, "could not copy the input to a temporary file: %s", strerror(errno));
        }
        data += written;
        size -= (size_t)written;
    }
    return true;
}

/* An unnamed file that is gone with the process. */
static bool open_spool(int *out, struct error *err)
{
    const char *folder = getenv("TMPDIR");
    char path[4096];
    int length;

    if (folder == NULL || folder[0] == '\0') {
        folder = "/var/tmp";
    }
    length = snprintf(path, sizeof path, "%s/muster-XXXXXX", folder);
    if (length < 0 || (size_t)length >= sizeof path) {
        return error_set(err, ERROR_USAGE, "TMPDIR is too long");
    }
    *out = mkostemp(path, O_CLOEXEC);
    if (*out < 0) {
        (void)error_set(err, ERROR_INTERNAL, "could not create a temporary file in %s: %s", folder, strerror(errno));
        return error_hint(err, "set TMPDIR to a folder that can be written");
    }
    (void)unlink(path);
    return true;
}

/* Reads everything, adds it to the digest and, where spool is no -1, copies it there. */
static bool read_all(struct input_file *file, struct sha256 *sha256, int spool, struct error *err)
{
    size_t size;

    do {
        if (!read_some(file, file->window, WINDOW_SIZE, &size, err) ||
            !sha256_add(sha256, slice_of(file->window, size), err)) {
            return false;
        }
        if (spool >= 0 && !write_all(spool, file->window, size, err)) {
            return false;
        }
        file->size = file->seekable ? file->size : file->size + size;
    } while (size > 0);
    return true;
}

bool input_file_digest(struct input_file *file, unsigned char digest[SHA256_SIZE], struct error *err)
{
    struct sha256 sha256 = {0};
    int spool = -1;
    bool good = false;

    if (file->started) {
        return error_set(err, ERROR_INTERNAL, "the digest of %s was asked for after its first line", file->name);
    }
    if (!file->seekable && !open_spool(&spool, err)) {
        return false;
    }
    if (!sha256_begin(&sha256, err) || !read_all(file, &sha256, spool, err) || !sha256_end(&sha256, digest, err)) {
        goto done;
    }
    if (spool >= 0) {
        if (file->owned) {
            (void)close(file->fd);
        }
        file->fd = spool;
        file->owned = true;
        file->seekable = true;
        file->origin = 0;
        spool = -1;
    }
    if (lseek(file->fd, file->origin, SEEK_SET) < 0) {
        (void)failed(file, "rewind", err);
        goto done;
    }
    good = true;

done:
    if (spool >= 0) {
        (void)close(spool);
    }
    sha256_clear(&sha256);
    return good;
}

/* Bytes that the input may begin with, and that are none of its first line. */
static const char mark[] = "\xef\xbb\xbf";

enum { MARK_SIZE = sizeof mark - 1 };

/* More bytes into the window, which is moved to its beginning first. The first ones are as many as tell a mark, in
 * whatever pieces a pipe hands them out. */
static bool fill(struct input_file *file, struct error *err)
{
    size_t size = file->end - file->begin;

    if (file->begin > 0) {
        memmove(file->window, file->window + file->begin, size);
        file->scanned -= file->begin;
        file->begin = 0;
        file->end = size;
    }
    do {
        size_t room = WINDOW_SIZE - file->end;

        if (!read_some(file, file->window + file->end, CHUNK_SIZE < room ? CHUNK_SIZE : room, &size, err)) {
            return false;
        }
        file->end += size;
    } while (!file->started && size > 0 && file->end < MARK_SIZE);
    if (!file->started) {
        file->started = true;
        if (file->end >= MARK_SIZE && memcmp(file->window, mark, MARK_SIZE) == 0) {
            file->begin = file->scanned = file->offset = MARK_SIZE;
        }
    }
    memset(file->window + file->end, 0, INPUT_LINE_SPARE);
    file->at_end = size == 0;
    return true;
}

/* Hands out [begin, end_of_line) and goes behind `next`. */
static inline void take_line(struct input_file *file, size_t end_of_line, size_t next, struct input_line *out)
{
    size_t size = end_of_line - file->begin;

    if (size > 0 && file->window[end_of_line - 1] == '\r') {
        size--;
    }
    out->number = ++file->line_number;
    out->text.data = file->window + file->begin;
    out->text.size = size > INPUT_LINE_SIZE_MAX ? INPUT_LINE_SIZE_MAX : size;
    out->too_large = size > INPUT_LINE_SIZE_MAX;
    file->offset += next - file->begin;
    file->begin = file->scanned = next;
}

/* Drops what is left of a line that was too large. True when its end was found. */
static bool skip_rest(struct input_file *file)
{
    const char *found = memchr(file->window + file->begin, '\n', file->end - file->begin);
    size_t next = found == NULL ? file->end : (size_t)(found + 1 - file->window);

    file->offset += next - file->begin;
    file->begin = file->scanned = next;
    file->skipping = found == NULL;
    return !file->skipping;
}

/* The next line where it is not in the window as a whole. */
static __attribute__((noinline)) bool find_line(struct input_file *file, struct input_line *out, bool *more,
                                                struct error *err)
{
    for (;;) {
        const char *found;

        if (file->skipping && !skip_rest(file)) {
            if (file->at_end) {
                *more = false;
                return true;
            }
            if (!fill(file, err)) {
                return false;
            }
            continue;
        }
        found = memchr(file->window + file->scanned, '\n', file->end - file->scanned);
        if (found != NULL) {
            size_t end_of_line = (size_t)(found - file->window);

            take_line(file, end_of_line, end_of_line + 1, out);
            return true;
        }
        file->scanned = file->end;
        if (file->end - file->begin > INPUT_LINE_SIZE_MAX + 1) {
            take_line(file, file->end, file->end, out);
            file->skipping = true;
            return true;
        }
        if (file->at_end) {
            *more = file->end > file->begin;
            if (*more) {
                take_line(file, file->end, file->end, out);
            }
            return true;
        }
        if (!fill(file, err)) {
            return false;
        }
    }
}

bool input_file_line(struct input_file *file, struct input_line *out, bool *more, struct error *err)
{
    const char *found = file->skipping ? NULL : memchr(file->window + file->scanned, '\n', file->end - file->scanned);

    *more = true;
    if (__builtin_expect(found == NULL, 0)) {
        return find_line(file, out, more, err);
    }
    take_line(file, (size_t)(found - file->window), (size_t)(found - file->window) + 1, out);
    return true;
}

struct slice input_file_ahead(const struct input_file *file)
{
    return slice_of(file->window + file->begin, file->skipping ? 0 : file->end - file->begin);
}

int64_t input_file_take(struct input_file *file, size_t size)
{
    const char *end = file->window + file->begin + size;

    size += *end == '\r' ? 2 : 1;
    file->offset += size;
    file->begin += size;
    file->scanned = file->begin;
    return ++file->line_number;
}

const char *input_file_name(const struct input_file *file)
{
    return file->name;
}

uint64_t input_file_size(const struct input_file *file)
{
    return file->size;
}

uint64_t input_file_offset(const struct input_file *file)
{
    return file->offset;
}
