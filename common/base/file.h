/* Whole small files: configuration, secrets, definitions. */
#ifndef MUSTER_BASE_FILE_H
#define MUSTER_BASE_FILE_H

#include "common/base/buffer.h"
#include "common/base/error.h"

/* Appends the whole file to `out`, whose maximum bounds it. ERROR_UNREACHABLE with the reason when it cannot be opened
 * or read (a directory too), ERROR_INPUT when it is larger than the maximum. */
bool file_read(const char *path, struct buffer *out, struct error *err) MUST_CHECK;

#endif
