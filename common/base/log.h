/* The log: one line per event to standard error, "TIME LEVEL program: text". Identifiers and secrets must be passed
 * through log_user / never at all. Progress bars only on a terminal. */
#ifndef MUSTER_BASE_LOG_H
#define MUSTER_BASE_LOG_H

#include "common/base/error.h"
#include "common/base/slice.h"

#include <stdint.h>

enum log_level { LOG_LEVEL_NONE = 0, LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Sets program name and level for the process; call once at start. */
void log_open(const char *program, enum log_level level);
void log_error(const char *format, ...) PRINTF_LIKE(1, 2);
void log_warning(const char *format, ...) PRINTF_LIKE(1, 2);
void log_info(const char *format, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *format, ...) PRINTF_LIKE(1, 2);

enum { LOG_USER_SIZE = 24 };
/* A user identifier as it may stand in a log: "user#" and 12 hex digits of its SHA-256, never the identifier. Writes
 * into `text` and returns it. */
const char *log_user(struct slice user_id, char text[LOG_USER_SIZE]);

/* Prints "program: message" and the hint to standard error, and returns the exit status. The end of every program. */
int log_failure(const char *program, const struct error *err);

/* A progress line on a terminal (nothing elsewhere), rewritten at most ten times a second: "evaluate  41%  1.2 M/s". */
struct progress {
    const char *what;
    uint64_t total; /* 0: unknown */
    uint64_t done;
    int64_t begun_ms;
    int64_t shown_ms;
    bool terminal;
};
void progress_begin(struct progress *progress, const char *what, uint64_t total);
void progress_update(struct progress *progress, uint64_t done);
void progress_end(struct progress *progress);

#endif
