#include "common/base/log.h"

#include "common/base/sha256.h"
#include "common/base/timestamp.h"

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum { LINE_SIZE = 2200 };

static const char *program_name = "muster";
static _Atomic int level_shown = LOG_LEVEL_INFO;

void log_open(const char *program, enum log_level level)
{
    program_name = program;
    log_set_level(level);
}

void log_set_level(enum log_level level)
{
    atomic_store(&level_shown, (int)level);
}

const char *log_level_name(enum log_level level)
{
    static const char *const names[] = {"none", "error", "warning", "info", "debug"};

    return (size_t)level < sizeof names / sizeof names[0] ? names[level] : "unknown";
}

bool log_shows(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&level_shown, memory_order_relaxed);
}

/* Bytes of the printable UTF-8 character beyond ASCII that begins here; 0 where there is none: a stray byte, a cut or
 * overlong sequence, a surrogate, or a control character of the upper half, which some terminals obey. */
static size_t character_size(const unsigned char *at)
{
    size_t size = at[0] >= 0xf0 && at[0] <= 0xf4  ? 4
                  : at[0] >= 0xe0 && at[0] < 0xf0 ? 3
                  : at[0] >= 0xc2 && at[0] < 0xe0 ? 2
                                                  : 0;

    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((at[0] == 0xc2 && at[1] < 0xa0) || (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] >= 0xa0) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] >= 0x90)) {
        return 0;
    }
    return size;
}

/* What a server or a file says may hold line ends, escape sequences and broken text; a log line must stay one line and
 * harmless. */
static void make_harmless(char *text)
{
    char *at = text;

    while (*at != '\0') {
        unsigned char byte = (unsigned char)*at;
        size_t size = byte < 0x80 ? 1 : character_size((unsigned char *)at);

        if (byte < 0x20 || byte == 0x7f) {
            *at = ' ';
        } else if (size == 0) {
            *at = '?';
        }
        at += size == 0 ? 1 : size;
    }
}

/* One write per line, so that lines of several threads and processes do not mix. */
static void write_line(const char *line, size_t size)
{
    if (progress_shown()) {
        (void)!write(STDERR_FILENO, "\r\033[K", 4);
    }
    while (size > 0) {
        ssize_t written = write(STDERR_FILENO, line, size);

        if (written <= 0) {
            return; /* there is nowhere left to complain */
        }
        line += written;
        size -= (size_t)written;
    }
}

static void PRINTF_LIKE(2, 0) log_line(enum log_level level, const char *format, va_list arguments)
{
    char line[LINE_SIZE];
    char now[TIMESTAMP_TEXT_SIZE];
    int head;
    int body;
    size_t size;

    if (!log_shows(level)) {
        return;
    }
    head = snprintf(line, sizeof line, "%s %s %.64s: ", timestamp_text(timestamp_now(), now), log_level_name(level),
                    program_name);
    body = vsnprintf(line + head, sizeof line - 1 - (size_t)head, format, arguments);
    if (body < 0) {
        return;
    }
    size = (size_t)head + (size_t)body;
    if (size > sizeof line - 2) {
        size = sizeof line - 2;
    }
    make_harmless(line);
    line[size] = '\n';
    write_line(line, size + 1);
}

#define LOG_FUNCTION(function, level)                                                                                  \
    void function(const char *format, ...)                                                                             \
    {                                                                                                                  \
        va_list arguments;                                                                                             \
                                                                                                                       \
        va_start(arguments, format);                                                                                   \
        log_line(level, format, arguments);                                                                            \
        va_end(arguments);                                                                                             \
    }

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warning, LOG_LEVEL_WARNING)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)

const char *log_user(struct slice user_id, char text[LOG_USER_SIZE])
{
    unsigned char digest[SHA256_SIZE];
    char hex[SHA256_HEX_SIZE];
    struct error ignored = ERROR_INIT;

    if (sha256_of(user_id, digest, &ignored)) {
        (void)snprintf(text, LOG_USER_SIZE, "user#%.12s", sha256_hex(digest, hex));
    } else {
        (void)snprintf(text, LOG_USER_SIZE, "user#?");
    }
    return text;
}

int log_failure(const char *program, const struct error *err)
{
    char line[ERROR_MESSAGE_SIZE + ERROR_HINT_SIZE + 128];
    int size;

    if (err->code != ERROR_CLOSED_PIPE && err->message[0] != '\0') {
        struct error shown = *err;

        make_harmless(shown.message);
        make_harmless(shown.hint);
        size = snprintf(line, sizeof line, "%.64s: %s%s%s\n", program, shown.message,
                        shown.hint[0] == '\0' ? "" : "\nhint: ", shown.hint);
        write_line(line, (size_t)size);
    }
    return error_exit_status(err->code);
}
