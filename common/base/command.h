/* Command lines as data: a tree of commands with their options; help, errors and parsing come from the table. Requested
 * help goes to standard output with exit 0; a wrong command prints the path and its siblings to standard error, exit 2.
 */
#ifndef MUSTER_BASE_COMMAND_H
#define MUSTER_BASE_COMMAND_H

#include "common/base/config.h"
#include "common/base/error.h"

#include <stddef.h>

enum option_kind { OPTION_NONE = 0, OPTION_FLAG, OPTION_TEXT, OPTION_INTEGER, OPTION_INSTANT, OPTION_DURATION };

struct option {
    const char *name; /* "as-of", given as --as-of T or --as-of=T */
    enum option_kind kind;
    const char *value; /* name of the value in help: "T"; NULL for flags */
    const char *help;
    bool required;
};

struct command_line; /* the parsed line */

struct command {
    const char *name;
    const char *arguments;        /* "FILE" or "" */
    const char *summary;          /* one line */
    const char *help;             /* further text, examples; NULL for none */
    const struct option *options; /* ends with a zeroed element; NULL for none */
    size_t argument_min;
    size_t argument_max;
    bool (*run)(const struct command_line *line, struct error *err); /* NULL where there are subcommands */
    const struct command *subcommands;                               /* ends with a zeroed element */
};

/* Every command also takes --help, --config FILE and --set SECTION.KEY=VALUE (repeatable); programs take --version and
 * --sample-config. Options may stand before and behind arguments; "--" ends them. */

/* Finds the command, parses, runs, reports (log_failure), flushes standard output (a closed pipe: exit 0; full disk:
 * 70). Returns the exit status: what main returns. */
int command_main(const struct command *root, int argc, char **argv);

bool command_has(const struct command_line *line, const char *option);
/* NULL when not given. */
const char *command_text(const struct command_line *line, const char *option);
/* `fallback` when not given. The value was checked when the line was parsed. */
int64_t command_integer(const struct command_line *line, const char *option, int64_t fallback);
int64_t command_instant(const struct command_line *line, const char *option, int64_t fallback_ms);
int64_t command_duration_ms(const struct command_line *line, const char *option, int64_t fallback_ms);
size_t command_argument_count(const struct command_line *line);
const char *command_argument(const struct command_line *line, size_t index);
/* The configuration with --config and --set applied: opened on first use, owned by the line. */
bool command_config(const struct command_line *line, const struct config **out, struct error *err) MUST_CHECK;

/* Set by SIGTERM and SIGINT once command_catch_signals was called: long commands end cleanly with exit 0. */
void command_catch_signals(void);
bool command_stopping(void);

#endif
