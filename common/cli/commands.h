/* The commands of `muster`: each file of common/cli defines one, main.c lists them. */
#ifndef MUSTER_CLI_COMMANDS_H
#define MUSTER_CLI_COMMANDS_H

#include "common/base/command.h"

extern const struct command command_produce;
extern const struct command command_eval;
extern const struct command command_segments;
extern const struct command command_members;
extern const struct command command_history;
extern const struct command command_explain;
extern const struct command command_consent;
extern const struct command command_drift;
extern const struct command command_status;

#endif
