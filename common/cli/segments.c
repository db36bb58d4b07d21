/* `muster segments`: the life of definitions. Authored as files in git, stored version by version; pipelines read only
 * the store. This file has the table of commands. */
#include "common/cli/segments.h"

#include "common/base/command.h"
#include "common/cli/commands.h"

static const struct option retire_options[] = {
    {"author", OPTION_TEXT, "NAME", "who retires it (default: git's user, else $USER)", false},
    {.name = NULL},
};

static const struct option list_options[] = {
    {.name = "format", .kind = OPTION_TEXT, .value = "text|csv|jsonl", .help = "how to print (default text)"},
    {.name = NULL},
};

static const struct option operators_options[] = {
    {.name = "format",
     .kind = OPTION_TEXT,
     .value = "text|csv|jsonl|markdown",
     .help = "how to print (default text); markdown is the whole reference"},
    {.name = NULL},
};

static const struct option diff_options[] = {
    {.name = "from", .kind = OPTION_INTEGER, .value = "V", .help = "the older version (default: the one before)"},
    {.name = "to", .kind = OPTION_INTEGER, .value = "W", .help = "the newer version (default: the newest)"},
    {.name = "format", .kind = OPTION_TEXT, .value = "text|csv|jsonl", .help = "how to print (default text)"},
    {.name = NULL},
};

static const struct option cost_options[] = {
    {.name = "events-per-day", .kind = OPTION_INTEGER, .value = "N", .help = "events of one user a day (default 10)"},
    {.name = "lateness-days", .kind = OPTION_INTEGER, .value = "N", .help = "time.allowed_lateness (default 7)"},
    {.name = "id-bytes", .kind = OPTION_INTEGER, .value = "N", .help = "bytes of a message id (default 36)"},
    {.name = "text-bytes", .kind = OPTION_INTEGER, .value = "N", .help = "bytes of a text that is read (default 16)"},
    {.name = "format", .kind = OPTION_TEXT, .value = "text|csv|jsonl", .help = "how to print (default text)"},
    {.name = NULL},
};

static const struct option validate_options[] = {
    {.name = "allow-impossible", .kind = OPTION_FLAG, .help = "rules that nothing can satisfy are warnings only"},
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
    {.name = "allow-impossible", .kind = OPTION_FLAG, .help = "store rules that nothing can satisfy, too"},
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
    {.name = "rows",
     .kind = OPTION_TEXT,
     .value = "KIND",
     .help = "members (default), times (with entered_at and valid_until) or intervals (the history up to as_of)"},
    {.name = "table", .kind = OPTION_TEXT, .value = "NAME", .help = "the event table (default muster_events)"},
    {.name = NULL},
};

static const struct option sql_tables_options[] = {
    {.name = "dialect", .kind = OPTION_TEXT, .value = "NAME", .help = "postgres (default), duckdb or spark"},
    {.name = NULL},
};

static const struct option sql_events_options[] = {
    {.name = "dialect", .kind = OPTION_TEXT, .value = "NAME", .help = "postgres (default), duckdb or spark"},
    {.name = "map",
     .kind = OPTION_TEXT,
     .value = "M",
     .help = "FILE is CSV; M says how its columns become messages (schemas/mapping.md)"},
    {.name = NULL},
};

static const struct command segments_commands[] = {
    {.name = "validate",
     .arguments = "FILE_OR_DIR",
     .summary = "check definitions without any server",
     .help =
         "Reads the file, or the *.json of the folder, and prints all that is wrong, one problem a line: FILE:LINE:\n"
         "PATH: what was expected. Any problem is exit 4, for a pre-commit hook or CI. Also a problem is a rule that "
         "is\n"
         "well written but that nothing can satisfy (a count below 0, a window that ends before an absence matures):\n"
         "eval evaluates such rules, apply refuses them; --allow-impossible makes them warnings in both. Warnings, of\n"
         "rules that everybody satisfies for example, leave the exit status at 0. A segment that is referred to must "
         "be\n"
         "among the definitions: give the folder.",
     .options = validate_options,
     .argument_min = 1,
     .argument_max = 1,
     .run = segments_validate},
    {.name = "apply",
     .arguments = "FILE_OR_DIR",
     .summary = "store definitions, all of them or none",
     .help = "Unchanged text makes no new version. A new version of a segment makes one of every segment that refers "
             "to it.\n"
             "A rule that nothing can satisfy is refused, unless --allow-impossible is given (see validate).\n"
             "Segments of the store without a file stay as they are: removing a file retires nothing.",
     .options = apply_options,
     .argument_min = 1,
     .argument_max = 1,
     .run = segments_apply},
    {.name = "retire",
     .arguments = "SEGMENT",
     .summary = "take a segment out of use: its memberships end",
     .help = "The pipelines leave it out from then on, and the reconciler ends its memberships (decision "
             "segment_retired), in\nhistory and serving. A segment that others refer to is refused. Its versions stay "
             "in the store; applying it again\nbrings it back as a new version.",
     .options = retire_options,
     .argument_min = 1,
     .argument_max = 1,
     .run = segments_retire},
    {.name = "list",
     .arguments = "",
     .summary = "the newest version of every stored segment",
     .options = list_options,
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
     .help =
         "Prints a query over the event table (schemas/event-table.md) whose rows are the members at :as_of "
         "(milliseconds;\n"
         "$as_of for DuckDB), before consent. With --rows times or intervals a lifetime is looked at from the user's\n"
         "first event on, else no further back than it can matter. What SQL cannot express sensibly is refused by\n"
         "name (exit 4).\n\n"
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
    {.name = "cost",
     .arguments = "FILE_OR_DIR",
     .summary = "bytes of state per user, reach, and whether it can stream",
     .help =
         "Says for each definition, before it ships: whether a stream can evaluate it and why not, how far back it "
         "can\ndepend (reach), and the bytes of state per user at worst, with all it refers to. Reach is unlimited "
         "with "
         "a trait, a\nform without a window, sticky or exclusionWindow, and where having no events may be enough for "
         "all criteria,\nwhich of a compare is always assumed.",
     .options = cost_options,
     .argument_min = 1,
     .argument_max = 1,
     .run = segments_cost},
    {.name = "diff",
     .arguments = "SEGMENT | FILE_OR_DIR FILE_OR_DIR",
     .summary = "what changed between two versions, in words",
     .help =
         "Of a stored segment (by default its newest version and the one before), or of files. Where it is certain, "
         "it\nsays whether more or fewer users can be members, whatever the events are; consent and what the segments "
         "referred to\nsay is not looked at.",
     .options = diff_options,
     .argument_min = 1,
     .argument_max = 2,
     .run = segments_diff},
    {.name = "operators",
     .arguments = "",
     .summary = "the operators of the language, from the parser's own tables",
     .options = operators_options,
     .run = segments_operators},
    {.name = NULL},
};

const struct command command_segments = {
    .name = "segments",
    .arguments = "",
    .summary = "check, store and show segment definitions",
    .subcommands = segments_commands,
};
