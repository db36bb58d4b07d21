#include "common/base/error.h"

#include <stdio.h>
#include <string.h>

bool error_set(struct error *err, enum error_code code, const char *format, ...)
{
    va_list arguments;

    err->code = code;
    err->action = ERROR_STOP;
    err->hint[0] = '\0';
    va_start(arguments, format);
    (void)vsnprintf(err->message, sizeof err->message, format, arguments);
    va_end(arguments);
    return false;
}

bool error_no_memory(struct error *err, const char *what)
{
    return error_set(err, ERROR_INTERNAL, "no memory for %s", what);
}

bool error_context(struct error *err, const char *format, ...)
{
    char context[ERROR_MESSAGE_SIZE];
    char joined[ERROR_MESSAGE_SIZE * 2 + 2];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(context, sizeof context, format, arguments);
    va_end(arguments);
    (void)snprintf(joined, sizeof joined, "%s: %s", context, err->message);
    memcpy(err->message, joined, sizeof err->message - 1);
    err->message[sizeof err->message - 1] = '\0';
    return false;
}

bool error_hint(struct error *err, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(err->hint, sizeof err->hint, format, arguments);
    va_end(arguments);
    return false;
}

bool error_action(struct error *err, enum error_action action)
{
    err->action = action;
    return false;
}

int error_exit_status(enum error_code code)
{
    switch (code) {
    case ERROR_NONE:
    case ERROR_CLOSED_PIPE:
        return 0;
    case ERROR_FOUND:
        return 1;
    case ERROR_USAGE:
        return 2;
    case ERROR_UNREACHABLE:
        return 3;
    case ERROR_INPUT:
        return 4;
    case ERROR_INTERNAL:
        break;
    }
    return 70;
}

const char *error_code_name(enum error_code code)
{
    switch (code) {
    case ERROR_NONE:
        return "none";
    case ERROR_FOUND:
        return "found";
    case ERROR_USAGE:
        return "usage";
    case ERROR_UNREACHABLE:
        return "unreachable";
    case ERROR_INPUT:
        return "input";
    case ERROR_INTERNAL:
        return "internal";
    case ERROR_CLOSED_PIPE:
        return "closed pipe";
    }
    return "unknown";
}
