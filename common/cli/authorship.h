/* Who changes definitions, and by which commit, as far as the machine knows. */
#ifndef MUSTER_CLI_AUTHORSHIP_H
#define MUSTER_CLI_AUTHORSHIP_H

#include "common/base/command.h"

enum { AUTHORSHIP_TEXT_SIZE = 256 };

struct authorship {
    char author[AUTHORSHIP_TEXT_SIZE];    /* never empty */
    char commit_id[AUTHORSHIP_TEXT_SIZE]; /* empty where there is none; "+changes" behind it where files differ from it
                                           */
};

/* Asks git about the folder (or the folder of the file), where there is git and a repository: the configured user,
 * HEAD, and whether `path` differs from it. Else the author is $USER or the name of the process's user. Never fails. */
void authorship_find(const char *path, struct authorship *out);
/* The same, and then what --author and --commit say instead. ERROR_USAGE for an author without a name, and for texts
 * that are too long. */
bool authorship_choose(const struct command_line *line, const char *path, struct authorship *out,
                       struct error *err) MUST_CHECK;

#endif
