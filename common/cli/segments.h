/* The subcommands of `muster segments`; their table is in segments.c. */
#ifndef MUSTER_CLI_SEGMENTS_H
#define MUSTER_CLI_SEGMENTS_H

#include "common/base/command.h"
#include "common/base/output.h"
#include "common/domain/rule_problem.h"

/* validate FILE_OR_DIR */
bool segments_validate(const struct command_line *line, struct error *err) MUST_CHECK;
/* operators */
bool segments_operators(const struct command_line *line, struct error *err) MUST_CHECK;
/* diff SEGMENT | FILE FILE */
bool segments_diff(const struct command_line *line, struct error *err) MUST_CHECK;
/* cost FILE_OR_DIR */
bool segments_cost(const struct command_line *line, struct error *err) MUST_CHECK;
/* apply FILE_OR_DIR */
bool segments_apply(const struct command_line *line, struct error *err) MUST_CHECK;
/* retire SEGMENT; ERROR_INPUT where there is none, ERROR_USAGE where others refer to it */
bool segments_retire(const struct command_line *line, struct error *err) MUST_CHECK;
/* list */
bool segments_list(const struct command_line *line, struct error *err) MUST_CHECK;
/* show SEGMENT; ERROR_INPUT when there is no such segment or version */
bool segments_show(const struct command_line *line, struct error *err) MUST_CHECK;
/* sql SEGMENT; ERROR_INPUT where a form of it has no SQL */
bool segments_sql(const struct command_line *line, struct error *err) MUST_CHECK;
/* sql-tables */
bool segments_sql_tables(const struct command_line *line, struct error *err) MUST_CHECK;
/* sql-events FILE */
bool segments_sql_events(const struct command_line *line, struct error *err) MUST_CHECK;

/* Prints the problems, sorted, to `file`: as text one line each, FILE:LINE: PATH: MESSAGE. */
bool segments_print_problems(FILE *file, enum output_format format, struct rule_problems *problems,
                             struct error *err) MUST_CHECK;

#endif
