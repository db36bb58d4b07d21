/* muster-batch: archives files and the log, and recomputes every segment from all of it. */
#include "batch/batch.h"

int main(int argc, char **argv)
{
    const struct command commands[] = {batch_command_load, batch_command_run, batch_command_runs, {.name = NULL}};
    const struct command root = {
        .name = "muster-batch",
        .arguments = "",
        .summary = "archive events, and recompute who belongs to each segment from all of them",
        .subcommands = commands,
    };

    return command_main(&root, argc, argv);
}
