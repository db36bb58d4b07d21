/* The commands of muster-reconcile: each file defines one, main.c lists them. */
#ifndef MUSTER_RECONCILE_COMMANDS_H
#define MUSTER_RECONCILE_COMMANDS_H

#include "common/base/command.h"

extern const struct command command_migrate;
extern const struct command command_run;
extern const struct command command_watch;

#endif
