/* `muster segments validate`: all that is wrong with definitions, at once and without any server. */
#include "common/cli/segments.h"
#include "common/domain/rule_sense.h"
#include "common/io/definition_files.h"
#include "common/io/definition_zones.h"

#include <stdio.h>

enum { LINE_SIZE_MAX = 1 << 20 };

/* "cart.json:4: $.criteria[0].windw: unknown key ...": what editors and CI understand. */
static bool print_line(FILE *file, const struct rule_problem *problem, struct buffer *text, struct error *err)
{
    buffer_reset(text);
    buffer_append_slice(text, problem->file);
    buffer_append_format(text, ":%zu: ", problem->line);
    buffer_append_slice(text, problem->path);
    buffer_append_text(text, problem->severity == RULE_WARNING ? ": warning: " : ": ");
    buffer_append_slice(text, problem->message);
    if (problem->suggestion.size > 0 &&
        memmem(problem->message.data, problem->message.size, "did you mean", 12) == NULL) {
        buffer_append_text(text, ": did you mean \"");
        buffer_append_slice(text, problem->suggestion);
        buffer_append_text(text, "\"?");
    }
    /* File names and definitions may hold bytes that steer a terminal. */
    for (size_t i = 0; i < text->size; i++) {
        unsigned char byte = (unsigned char)text->data[i];

        text->data[i] = byte < 0x20 || byte == 0x7f ? '?' : text->data[i];
    }
    buffer_append_char(text, '\n');
    return buffer_finish(text, "a problem", err) && output_write(file, buffer_slice(text), err);
}

static bool print_rows(FILE *file, enum output_format format, const struct rule_problems *problems, struct error *err)
{
    static const char *const columns[] = {"file", "line", "path", "severity", "kind", "message", "suggestion"};
    struct output *output = NULL;

    if (!output_begin(file, format, columns, 7, &output, err)) {
        return false;
    }
    for (size_t i = 0; i < problems->count; i++) {
        const struct rule_problem *problem = &problems->items[i];
        char number[24];
        int size = snprintf(number, sizeof(number), "%zu", problem->line);
        struct slice cells[7] = {problem->file,
                                 slice_of(number, size > 0 ? (size_t)size : 0),
                                 problem->path,
                                 slice_from(rule_severity_name(problem->severity)),
                                 slice_from(rule_problem_kind_name(problem->kind)),
                                 problem->message,
                                 problem->suggestion};

        if (problem->suggestion.size == 0) {
            cells[6] = (struct slice){.data = NULL, .size = 0};
        }
        if (!output_row(output, cells, err)) {
            output_abort(output);
            return false;
        }
    }
    return output_end(output, err);
}

bool segments_print_problems(FILE *file, enum output_format format, struct rule_problems *problems, struct error *err)
{
    struct buffer text;
    bool done = true;

    rule_problems_sort(problems);
    if (format != OUTPUT_TEXT) {
        return print_rows(file, format, problems, err);
    }
    buffer_init(&text, LINE_SIZE_MAX);
    for (size_t i = 0; done && i < problems->count; i++) {
        done = print_line(file, &problems->items[i], &text, err);
    }
    buffer_clear(&text);
    return done;
}

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

static bool conclude(const struct segment_set *set, size_t file_count, enum output_format format, struct error *err)
{
    const struct rule_problems *problems = set->problems;
    size_t count = problems->error_count + problems->warning_count;

    if (problems->error_count > 0) {
        (void)error_set(err, ERROR_INPUT, "%zu problem%s and %zu warning%s in %zu file%s", problems->error_count,
                        plural(problems->error_count), problems->warning_count, plural(problems->warning_count),
                        file_count, plural(file_count));
        return count <= problems->count ? false : error_hint(err, "only the first %zu are shown", problems->count);
    }
    if (format == OUTPUT_TEXT) {
        (void)printf("%zu definition%s in %zu file%s: right", set->definition_count, plural(set->definition_count),
                     file_count, plural(file_count));
        if (problems->warning_count > 0) {
            (void)printf(", with %zu warning%s", problems->warning_count, plural(problems->warning_count));
        }
        (void)printf("\n");
    }
    return output_check(stdout, err);
}

bool segments_validate(const struct command_line *line, struct error *err)
{
    const char *path = command_argument(line, 0);
    enum rule_severity impossible = command_has(line, "allow-impossible") ? RULE_WARNING : RULE_ERROR;
    enum output_format format;
    struct rule_problems problems;
    struct segment_set set;
    size_t file_count = 0;
    bool done;

    if (!output_format_parse(command_text(line, "format"), OUTPUT_TEXT, &format, err)) {
        return false;
    }
    rule_problems_init(&problems);
    segment_set_init(&set);
    set.problems = &problems;
    done = definition_files_read(path, &set, &file_count, err) && segment_set_check(&set, err) &&
           definition_zones_check(&set, err) && rule_sense_check(&set, impossible, err) &&
           segments_print_problems(stdout, format, &problems, err) && conclude(&set, file_count, format, err);
    segment_set_clear(&set);
    rule_problems_clear(&problems);
    return done;
}
