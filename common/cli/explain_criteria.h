/* `muster explain SEGMENT USER --at T`: what the criteria find in the user's archived events. */
#ifndef MUSTER_CLI_EXPLAIN_CRITERIA_H
#define MUSTER_CLI_EXPLAIN_CRITERIA_H

#include "common/base/command.h"
#include "common/io/pg.h"

/* Prints the explanation as of --at by the version in force, or else the newest; *member says what it came to. Where
 * the definition compares with all users, all archived events are read. */
bool explain_criteria(const struct command_line *line, struct pg *pg, int32_t segment_no, int64_t user_no, bool *member,
                      struct error *err) MUST_CHECK;

#endif
