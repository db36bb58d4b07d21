#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

const struct fuzz_target fuzz_targets[] = {
    {"definition", fuzz_definition}, {"event", fuzz_event}, {"mapping", fuzz_mapping},
    {"rules", fuzz_rules},           {"state", fuzz_state}, {NULL, NULL},
};

const struct fuzz_target *fuzz_find(const char *name)
{
    for (const struct fuzz_target *target = fuzz_targets; target->name != NULL; target++) {
        if (strcmp(target->name, name) == 0) {
            return target;
        }
    }
    return NULL;
}

_Noreturn void fuzz_fail(const char *file, int line, const char *format, ...)
{
    va_list arguments;

    (void)fprintf(stderr, "%s:%d: ", file, line);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
    abort();
}

void fuzz_append_string(struct buffer *out, struct slice text)
{
    buffer_append_char(out, '"');
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.data[i];

        if (byte < 0x20) {
            buffer_append_format(out, "\\u%04x", byte);
        } else if (byte == '"' || byte == '\\') {
            buffer_append_char(out, '\\');
            buffer_append_char(out, (char)byte);
        } else {
            buffer_append_char(out, (char)byte);
        }
    }
    buffer_append_char(out, '"');
}
