/* The log: one line per event to standard error, "TIME LEVEL program: text". Identifiers and secrets must be passed
 * through log_user, or never at all. */
#ifndef MUSTER_BASE_LOG_H
#define MUSTER_BASE_LOG_H

#include "common/base/error.h"
#include "common/base/progress.h"
#include "common/base/slice.h"

#include <stdint.h>

enum log_level { LOG_LEVEL_NONE = 0, LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Sets program name (borrowed) and level for the process; call once at start. */
void log_open(const char *program, enum log_level level);
/* Changes the level, once the configuration is known. */
void log_set_level(enum log_level level);
/* "error", "warning", ... */
const char *log_level_name(enum log_level level);
/* True when such a line would be written: for messages that are dear to make. */
bool log_shows(enum log_level level);
/* The text becomes one line: control characters are written as blanks; longer than 2000 bytes it is cut. Thread-safe.
 */
void log_error(const char *format, ...) PRINTF_LIKE(1, 2);
void log_warning(const char *format, ...) PRINTF_LIKE(1, 2);
void log_info(const char *format, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *format, ...) PRINTF_LIKE(1, 2);

enum { LOG_USER_SIZE = 24 };
/* A user identifier as it may stand in a log: "user#" and 12 hex digits of its SHA-256, never the identifier. Writes
 * into `text` and returns it. */
const char *log_user(struct slice user_id, char text[LOG_USER_SIZE]);

/* Prints "program: message" and the hint to standard error (nothing for a closed pipe, or without a message), and
 * returns the exit status. The end of every program. */
int log_failure(const char *program, const struct error *err);

#endif
