#include "tests/oracle/case.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { STATUS_INPUT = 4 };

struct slice case_text(struct arena *arena, const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text;
    long size;

    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0 || fseek(file, 0, SEEK_SET) != 0) {
        fprintf(stderr, "oracle: could not read %s\n", path);
        exit(STATUS_INPUT);
    }
    text = take(arena, (size_t)size + 1, 1);
    if (fread(text, 1, (size_t)size, file) != (size_t)size) {
        fprintf(stderr, "oracle: could not read %s\n", path);
        exit(STATUS_INPUT);
    }
    (void)fclose(file);
    return slice_of(text, (size_t)size);
}

struct slice *case_lines(struct arena *arena, struct slice text, size_t *count)
{
    struct slice *lines;
    size_t begin = 0;
    size_t lines_max = 1;

    for (size_t i = 0; i < text.size; i++) {
        lines_max += text.data[i] == '\n';
    }
    lines = take(arena, lines_max, sizeof *lines);
    *count = 0;
    for (size_t i = 0; i <= text.size; i++) {
        if (i == text.size ? begin < i : text.data[i] == '\n') {
            lines[(*count)++] = slice_of(text.data + begin, i - begin);
            begin = i + 1;
        }
    }
    return lines;
}

bool case_read(struct arena *arena, const char *path, struct oracle_case *out)
{
    size_t count;
    struct slice *lines = case_lines(arena, case_text(arena, path), &count);
    const char *at;

    *out = (struct oracle_case){0};
    if (count < 2) {
        fprintf(stderr, "oracle: %s is no case\n", path);
        return false;
    }
    out->definitions = lines[0];
    at = lines[1].data;
    out->seed = strtoull(at, (char **)&at, 10);
    for (int i = 0; i < CASE_INSTANTS; i++) {
        out->instants[i] = strtoll(at, (char **)&at, 10);
    }
    out->lines = lines + 2;
    out->line_count = count - 2;
    return true;
}

void case_write(const struct oracle_case *test, struct buffer *out)
{
    buffer_append_format(out, "%.*s\n%" PRIu64, (int)test->definitions.size, test->definitions.data, test->seed);
    for (int i = 0; i < CASE_INSTANTS; i++) {
        buffer_append_format(out, " %" PRId64, test->instants[i]);
    }
    buffer_append_text(out, "\n");
    for (size_t i = 0; i < test->line_count; i++) {
        buffer_append_format(out, "%.*s\n", (int)test->lines[i].size, test->lines[i].data);
    }
}
