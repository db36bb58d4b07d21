/* Segment definitions from files: one document or an array of them each; a folder means its *.json. */
#ifndef MUSTER_IO_DEFINITION_FILES_H
#define MUSTER_IO_DEFINITION_FILES_H

#include "common/domain/rule_parse.h"

#include <stddef.h>

/* Adds all definitions of the file, or of the *.json files of the folder (in bytewise order, names that begin with a
 * dot left out), to the set; the caller checks the set. *file_count (NULL: not wanted) is how many files were read.
 * ERROR_UNREACHABLE when something cannot be read, ERROR_INPUT for a broken definition or a folder without *.json; on
 * false the set must only be cleared. */
bool definition_files_read(const char *path, struct segment_set *set, size_t *file_count, struct error *err) MUST_CHECK;

#endif
