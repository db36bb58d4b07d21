/* `muster segments`: the life of definitions. Authored as files in git, stored version by version; pipelines read only
 * the store. This file has the table of commands and `validate`, which needs no server. */
#include "common/cli/segments.h"

#include "common/base/command.h"
#include "common/base/output.h"
#include "common/cli/commands.h"
#include "common/io/definition_files.h"
#include "common/io/definition_zones.h"
#include "common/io/store_apply.h"

#include <stdio.h>

enum { CELL_SIZE_MAX = 1 << 20 };

/* "a, b": the ids that the definition refers to. */
static void append_references(struct buffer *out, const struct segment_set *set, const struct definition *definition)
{
    for (size_t i = 0; i < definition->reference_count; i++) {
        if (i > 0) {
            buffer_append_text(out, ", ");
        }
        buffer_append_slice(out, set->definitions[definition->references[i]].segment_id);
    }
}

static bool print_definitions(const struct segment_set *set, enum output_format format, size_t *warning_count,
                              struct error *err)
{
    static const char *const columns[] = {"segment", "evaluation", "refers_to", "file", "warning"};
    struct output *output = NULL;
    struct buffer references;
    bool done = false;

    buffer_init(&references, CELL_SIZE_MAX);
    if (!output_begin(stdout, format, columns, 5, &output, err)) {
        goto out;
    }
    for (size_t i = 0; i < set->definition_count; i++) {
        const struct definition *definition = &set->definitions[i];
        struct error refusal = ERROR_INIT;
        struct slice cells[5] = {definition->segment_id,
                                 slice_from(evaluation_mode_name(definition->evaluation)),
                                 {.data = NULL, .size = 0},
                                 definition->file,
                                 {.data = NULL, .size = 0}};

        buffer_reset(&references);
        append_references(&references, set, definition);
        if (!buffer_finish(&references, "a row of definitions", err)) {
            goto out;
        }
        if (definition->reference_count > 0) {
            cells[2] = buffer_slice(&references);
        }
        if (!store_apply_accepts(definition, &refusal)) {
            size_t prefix = definition->file.size + 2; /* the file has a column of its own */

            cells[4] = slice_from(refusal.message);
            if (cells[4].size > prefix) {
                cells[4] = slice_of(cells[4].data + prefix, cells[4].size - prefix);
            }
            ++*warning_count;
        }
        if (!output_row(output, cells, err)) {
            goto out;
        }
    }
    done = true;
out:
    buffer_clear(&references);
    if (!done) {
        output_abort(output);
        return false;
    }
    return output_end(output, err);
}

static bool run_validate(const struct command_line *line, struct error *err)
{
    const char *path = command_argument(line, 0);
    enum output_format format;
    struct segment_set set;
    size_t file_count = 0;
    size_t warning_count = 0;
    bool done = false;

    if (!output_format_parse(command_text(line, "format"), OUTPUT_TEXT, &format, err)) {
        return false;
    }
    segment_set_init(&set);
    if (!definition_files_read(path, &set, &file_count, err) || !segment_set_check(&set, err) ||
        !definition_zones_check(&set, err) || !print_definitions(&set, format, &warning_count, err)) {
        goto out;
    }
    if (format == OUTPUT_TEXT) {
        (void)printf("%zu definition%s in %zu file%s: right", set.definition_count,
                     set.definition_count == 1 ? "" : "s", file_count, file_count == 1 ? "" : "s");
        if (warning_count > 0) {
            (void)printf(", but %zu would be refused by apply (see the column \"warning\")", warning_count);
        }
        (void)printf("\n");
    }
    done = true;
out:
    segment_set_clear(&set);
    return done;
}

static const struct option validate_options[] = {
    {.name = "format", .kind = OPTION_TEXT, .value = "text|csv|jsonl", .help = "how to print (default text)"},
    {.name = NULL},
};

static const struct option apply_options[] = {
    {.name = "author",
     .kind = OPTION_TEXT,
     .value = "NAME",
     .help = "who makes the change (default: git's user, else $USER)"},
    {.name = "commit",
     .kind = OPTION_TEXT,
     .value = "ID",
     .help = "the commit it is from (default: HEAD of the folder's repository)"},
    {.name = "dry-run", .kind = OPTION_FLAG, .help = "say what would change, and change nothing"},
    {.name = "format", .kind = OPTION_TEXT, .value = "text|csv|jsonl", .help = "how to print (default text)"},
    {.name = NULL},
};

static const struct option show_options[] = {
    {.name = "version", .kind = OPTION_INTEGER, .value = "N", .help = "that version (default: the newest)"},
    {.name = "format", .kind = OPTION_TEXT, .value = "text|csv|jsonl", .help = "how to print (default text)"},
    {.name = NULL},
};

static const struct option sql_options[] = {
    {.name = "dialect", .kind = OPTION_TEXT, .value = "NAME", .help = "postgres (default), duckdb or spark"},
    {.name = "segments",
     .kind = OPTION_TEXT,
     .value = "FILE_OR_DIR",
     .help = "definitions: a file, or a folder's *.json (default: the store's newest)"},
    {.name = "as-of",
     .kind = OPTION_INSTANT,
     .value = "T",
     .help = "write the instant asked about instead of the parameter as_of"},
    {.name = "table", .kind = OPTION_TEXT, .value = "NAME", .help = "the event table (default muster_events)"},
    {.name = NULL},
};

static const struct option sql_tables_options[] = {
    {.name = "dialect", .kind = OPTION_TEXT, .value = "NAME", .help = "postgres (default), duckdb or spark"},
    {.name = NULL},
};

static const struct option sql_events_options[] = {
    {.name = "dialect", .kind = OPTION_TEXT, .value = "NAME", .help = "postgres (default), duckdb or spark"},
    {.name = "map", .kind = OPTION_TEXT, .value = "M", .help = "FILE is CSV; M says how its columns become messages"},
    {.name = NULL},
};

static const struct command segments_commands[] = {
    {.name = "validate",
     .arguments = "FILE_OR_DIR",
     .summary = "check definitions without any server",
     .help =
         "Reads the file, or the *.json of the folder, and says what is wrong with file, "
         "JSON path and what was expected (exit\n"
         "4). Forms of the language that this version does not evaluate yet are warnings here and errors for apply.",
     .options = validate_options,
     .argument_min = 1,
     .argument_max = 1,
     .run = run_validate},
    {.name = "apply",
     .arguments = "FILE_OR_DIR",
     .summary = "store definitions, all of them or none",
     .help = "Unchanged text makes no new version. A new version of a segment makes one of every segment that refers "
             "to it.\n"
             "Segments of the store without a file stay as they are: removing a file retires nothing.",
     .options = apply_options,
     .argument_min = 1,
     .argument_max = 1,
     .run = segments_apply},
    {.name = "list",
     .arguments = "",
     .summary = "the newest version of every stored segment",
     .options = validate_options,
     .run = segments_list},
    {.name = "show",
     .arguments = "SEGMENT",
     .summary = "one stored definition: text, author, versions",
     .options = show_options,
     .argument_min = 1,
     .argument_max = 1,
     .run = segments_show},
    {.name = "sql",
     .arguments = "SEGMENT",
     .summary = "the definition as a query that yields the same members",
     .help = "Prints a query over the event table (schemas/event-table.md) whose rows are the members at :as_of "
             "(milliseconds;\n"
             "$as_of for DuckDB), before consent. What SQL cannot express sensibly is refused by name (exit 4).\n\n"
             "  muster segments sql win_back --segments segments/ | psql -v as_of=1778580000000\n",
     .options = sql_options,
     .argument_min = 1,
     .argument_max = 1,
     .run = segments_sql},
    {.name = "sql-tables",
     .arguments = "",
     .summary = "the tables that the queries of sql read, and the query that removes copies of messages",
     .options = sql_tables_options,
     .run = segments_sql_tables},
    {.name = "sql-events",
     .arguments = "FILE",
     .summary = "messages as CSV rows of the table muster_messages",
     .help = "FILE has JSON lines (- for standard input), or CSV with --map. An empty cell is NULL, texts are quoted.",
     .options = sql_events_options,
     .argument_min = 1,
     .argument_max = 1,
     .run = segments_sql_events},
    {.name = NULL},
};

const struct command command_segments = {
    .name = "segments",
    .arguments = "",
    .summary = "check, store and show segment definitions",
    .subcommands = segments_commands,
};
