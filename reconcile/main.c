/* muster-reconcile: decides who is a member, from what the two pipelines say. */
#include "reconcile/commands.h"

int main(int argc, char **argv)
{
    static const struct command *const commands[] = {&command_migrate, &command_run, &command_watch};
    enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };
    struct command table[COMMAND_COUNT + 1] = {{0}};

    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        table[i] = *commands[i];
    }
    const struct command root = {
        .name = "muster-reconcile",
        .arguments = "",
        .summary = "merges both pipelines' records into effective membership, and keeps the store",
        .subcommands = table,
    };
    return command_main(&root, argc, argv);
}
