/* The commands of muster-reconcile: each file defines one, main.c lists them. */
#ifndef MUSTER_RECONCILE_COMMANDS_H
#define MUSTER_RECONCILE_COMMANDS_H

#include "common/base/command.h"

/* Weak: a command whose file is not part of this build is left out of the list. */
#define COMMAND_OPTIONAL __attribute__((weak))

extern const struct command command_migrate;
extern const struct command command_run COMMAND_OPTIONAL;
extern const struct command command_watch COMMAND_OPTIONAL;

#endif
