/* muster-batch runs: the run ledger, for people and programs. */
#include "batch/batch.h"

#include "common/base/output.h"
#include "common/io/store.h"

#include <stdio.h>

static bool runs_number(const char *text, int64_t *out, struct error *err)
{
    int64_t number = 0;

    for (const char *c = text; *c != '\0'; c++) {
        if (*c < '0' || *c > '9' || c - text > 17) {
            return error_set(err, ERROR_USAGE, "RUN: expected a number, got \"%s\"", text);
        }
        number = number * 10 + (*c - '0');
    }
    *out = number;
    return true;
}

static bool runs_command(const struct command_line *line, struct error *err)
{
    const struct config *config = NULL;
    enum output_format format = OUTPUT_NONE;
    struct pg *pg = NULL;
    int64_t run_no = 0;
    bool done;

    if (!output_format_parse(command_text(line, "format"), OUTPUT_TEXT, &format, err) ||
        (command_argument_count(line) > 0 && !runs_number(command_argument(line, 0), &run_no, err)) ||
        !command_config(line, &config, err) || !store_open(config, STORE_ROLE_BATCH, &pg, err)) {
        return false;
    }
    done = command_argument_count(line) > 0 ? store_runs_print_steps(pg, run_no, format, err)
                                            : store_runs_print(pg, format, command_integer(line, "limit", 50), err);
    pg_close(pg);
    return done;
}

static const struct option runs_options[] = {
    {"format", OPTION_TEXT, "FORMAT", "text, csv or jsonl", false},
    {"limit", OPTION_INTEGER, "N", "at most so many runs (default 50)", false},
    {.name = NULL},
};

const struct command batch_command_runs = {
    .name = "runs",
    .arguments = "[RUN]",
    .summary = "list the runs, or the steps and segments of one",
    .options = runs_options,
    .argument_max = 1,
    .run = runs_command,
};
