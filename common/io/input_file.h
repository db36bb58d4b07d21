/* Reading a file, or "-" for standard input, line by line in large chunks.
 *
 * A digest of the whole file can be taken before the lines are read; what cannot be read twice (a pipe) is copied to an
 * unnamed temporary file first (in TMPDIR, else /var/tmp). */
#ifndef MUSTER_IO_INPUT_FILE_H
#define MUSTER_IO_INPUT_FILE_H

#include "common/base/error.h"
#include "common/base/sha256.h"
#include "common/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    INPUT_LINE_SIZE_MAX = 1 << 20,
    INPUT_LINE_SPARE = 128, /* bytes behind each line that can be read, whatever they are */
};

struct input_file;

struct input_line {
    int64_t number;    /* from 1; every line counts, also a blank one */
    struct slice text; /* without LF or CR LF; borrowed until the next call */
    bool too_large;    /* more than INPUT_LINE_SIZE_MAX bytes: text is its beginning, the rest was skipped */
};

/* Opens. A byte order mark at the beginning is skipped. ERROR_UNREACHABLE with the reason where the file cannot be
 * opened, or is a directory. */
bool input_file_open(const char *path, struct input_file **out, struct error *err) MUST_CHECK;
void input_file_close(struct input_file *file); /* NULL is fine */

/* SHA-256 of all bytes. Must come before the first line. ERROR_INTERNAL where a pipe cannot be copied (disk full). */
bool input_file_digest(struct input_file *file, unsigned char digest[SHA256_SIZE], struct error *err) MUST_CHECK;

/* The next line; *more is false at the end. A last line without LF counts. */
bool input_file_line(struct input_file *file, struct input_line *out, bool *more, struct error *err) MUST_CHECK;

/* What is at hand of the next line and those behind it, and behind that INPUT_LINE_SPARE zeros: perhaps nothing,
 * perhaps not all of the line. */
struct slice input_file_ahead(const struct input_file *file);
/* Takes the next line, which has `size` bytes before its LF or CR LF, all of them at hand. Returns its number. */
int64_t input_file_take(struct input_file *file, size_t size);

/* "standard input" or the path, for messages. */
const char *input_file_name(const struct input_file *file);
/* Bytes in all (0: unknown, a pipe) and bytes whose lines were handed out, for progress. */
uint64_t input_file_size(const struct input_file *file);
uint64_t input_file_offset(const struct input_file *file);

#endif
