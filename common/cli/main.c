/* muster: the operator's tool. */
#include "common/base/command.h"
#include "common/cli/commands.h"

int main(int argc, char **argv)
{
    static const struct command *const commands[] = {
        &command_produce, &command_eval,    &command_segments, &command_members, &command_history,
        &command_explain, &command_consent, &command_drift,    &command_status,
    };
    enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };
    struct command table[COMMAND_COUNT + 1] = {{0}};

    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        table[i] = *commands[i];
    }
    const struct command root = {
        .name = "muster",
        .arguments = "",
        .summary = "audience lists: try rules, feed events, ask who is a member and why",
        .subcommands = table,
    };
    return command_main(&root, argc, argv);
}
