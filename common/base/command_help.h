/* Help texts from the table of commands. Private to the command line. */
#ifndef MUSTER_BASE_COMMAND_HELP_H
#define MUSTER_BASE_COMMAND_HELP_H

#include "common/base/buffer.h"
#include "common/base/command.h"

enum { COMMAND_DEPTH_MAX = 6, COMMAND_PATH_SIZE = 200 };

/* The commands named so far: program first. */
struct command_path {
    const struct command *commands[COMMAND_DEPTH_MAX];
    size_t count;
};

/* "muster segments apply" into `text`, which it returns. */
const char *command_path_text(const struct command_path *path, char text[COMMAND_PATH_SIZE]);
/* The help of the last command of the path; for the program itself with exit statuses and settings. */
void command_help(const struct command_path *path, const struct option *common_options,
                  const struct option *program_options, struct buffer *out);

#endif
