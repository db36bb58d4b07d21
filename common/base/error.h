/* Errors: a code that fixes the exit status, what the caller may do next, a message and a hint.
 *
 * The lowest level that knows the reason sets the error, callers add context in front, and only the top prints it,
 * once. A fallible function returns false and has filled `*err`; `err` is never NULL. On true `*err` is untouched. */
#ifndef MUSTER_BASE_ERROR_H
#define MUSTER_BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_index, first_index) __attribute__((format(printf, format_index, first_index)))

/* Why something failed. The value decides the exit status of a program (error_exit_status). */
enum error_code {
    ERROR_NONE = 0,
    ERROR_FOUND,       /* a check found what it looks for: exit 1 */
    ERROR_USAGE,       /* wrong command line or configuration: exit 2 */
    ERROR_UNREACHABLE, /* a server or file that must be there is not: exit 3 */
    ERROR_INPUT,       /* bad input data or definition: exit 4 */
    ERROR_INTERNAL,    /* no memory, disk full, a broken invariant: exit 70 */
    ERROR_CLOSED_PIPE, /* the reader of standard output went away: exit 0, quietly */
};

/* What the caller may do about it. */
enum error_action {
    ERROR_STOP = 0, /* nothing here: report it */
    ERROR_RETRY,    /* the same call may succeed later */
    ERROR_SKIP,     /* this item cannot succeed, others may */
};

enum { ERROR_MESSAGE_SIZE = 1024, ERROR_HINT_SIZE = 512 };

struct error {
    enum error_code code;
    enum error_action action;
    char message[ERROR_MESSAGE_SIZE]; /* short, lower case, with the reason */
    char hint[ERROR_HINT_SIZE];       /* what to do next; empty if nothing helps */
};

/* clang-format off */
#define ERROR_INIT {.code = ERROR_NONE, .action = ERROR_STOP, .message = {0}, .hint = {0}}
/* clang-format on */

/* Sets code and message (printf format; too long is cut), clears action and hint. Always returns false, so that
 * `return error_set(...)` is the idiom. */
bool error_set(struct error *err, enum error_code code, const char *format, ...) PRINTF_LIKE(3, 4);

/* The same for "no memory" while doing `what`. Always returns false. */
bool error_no_memory(struct error *err, const char *what);

/* Puts "context: " in front of the message. Always returns false. */
bool error_context(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* Sets the hint. Always returns false. */
bool error_hint(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* Sets what the caller may do. Always returns false. */
bool error_action(struct error *err, enum error_action action);

/* Exit status of a program that ends with this code. */
int error_exit_status(enum error_code code);

/* "usage", "unreachable", ... */
const char *error_code_name(enum error_code code);

#endif
