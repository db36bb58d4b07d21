/* The commands of `muster`: each file of common/cli defines one, main.c lists them. */
#ifndef MUSTER_CLI_COMMANDS_H
#define MUSTER_CLI_COMMANDS_H

#include "common/base/command.h"

/* Weak: a command whose file is not part of this build is left out of the list. */
#define COMMAND_OPTIONAL __attribute__((weak))

extern const struct command command_produce COMMAND_OPTIONAL;
extern const struct command command_eval COMMAND_OPTIONAL;
extern const struct command command_segments COMMAND_OPTIONAL;
extern const struct command command_members COMMAND_OPTIONAL;
extern const struct command command_history COMMAND_OPTIONAL;
extern const struct command command_explain COMMAND_OPTIONAL;
extern const struct command command_consent COMMAND_OPTIONAL;
extern const struct command command_drift COMMAND_OPTIONAL;
extern const struct command command_status COMMAND_OPTIONAL;
extern const struct command command_generate COMMAND_OPTIONAL;

#endif
