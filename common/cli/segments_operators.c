/* `muster segments operators`: the table of the language's operators, from the parser's own. */
#include "common/cli/segments.h"
#include "common/domain/rule_reference.h"

#include <stdio.h>
#include <string.h>

enum { REFERENCE_SIZE_MAX = 1 << 20, COLUMN_COUNT = 8, SHOWN_COUNT = 5 };

struct printing {
    struct output *output;
    enum output_format format;
    struct error *err;
};

static bool print_entry(void *context, const struct rule_entry *entry)
{
    struct printing *printing = context;
    const struct slice cells[COLUMN_COUNT] = {
        slice_from(entry->name),  slice_from(rule_entry_kind_name(entry->kind)),
        slice_from(entry->place), slice_from(entry->operand),
        slice_from(entry->help),  slice_from(entry->example),
        slice_from(entry->state), slice_from(entry->sql),
    };
    const struct slice shown[SHOWN_COUNT] = {cells[0], cells[1], cells[4], cells[6], cells[7]};

    return output_row(printing->output, printing->format == OUTPUT_TEXT ? shown : cells, printing->err);
}

static bool print_markdown(struct error *err)
{
    struct buffer text;
    bool done;

    buffer_init(&text, REFERENCE_SIZE_MAX);
    rule_reference_markdown(&text);
    done = buffer_finish(&text, "the reference", err) && output_write(stdout, buffer_slice(&text), err) &&
           output_check(stdout, err);
    buffer_clear(&text);
    return done;
}

bool segments_operators(const struct command_line *line, struct error *err)
{
    static const char *const columns[COLUMN_COUNT] = {"name", "kind",    "where", "operand",
                                                      "help", "example", "state", "sql"};
    static const char *const shown[SHOWN_COUNT] = {"name", "kind", "help", "state", "sql"};
    const char *wanted = command_text(line, "format");
    struct printing printing = {.err = err};

    if (wanted != NULL && strcmp(wanted, "markdown") == 0) {
        return print_markdown(err);
    }
    if (!output_format_parse(wanted, OUTPUT_TEXT, &printing.format, err)) {
        return error_hint(err, "or markdown, for the whole reference");
    }
    if (!output_begin(stdout, printing.format, printing.format == OUTPUT_TEXT ? shown : columns,
                      printing.format == OUTPUT_TEXT ? SHOWN_COUNT : COLUMN_COUNT, &printing.output, err)) {
        return false;
    }
    if (!rule_reference_each(print_entry, &printing)) {
        output_abort(printing.output);
        return false;
    }
    return output_end(printing.output, err);
}
