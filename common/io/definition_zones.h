/* Whether the time zones that definitions name exist. The parser is pure and can check only the form of a name. */
#ifndef MUSTER_IO_DEFINITION_ZONES_H
#define MUSTER_IO_DEFINITION_ZONES_H

#include "common/domain/rule.h"
#include "common/io/zone_files.h"

/* ERROR_INPUT with file and JSON path for the first zone of the set that this machine's database does not have. With
 * set->problems all of them are put there and the answer is true. */
bool definition_zones_check(const struct segment_set *set, struct error *err) MUST_CHECK;

/* Says of each definition of the set, which is checked, whether it or one that it refers to has calendar periods in
 * another zone than UTC, so that the version of the time zone database matters to it. Reads these zones. */
void definition_zones_used(const struct segment_set *set, struct zone_files *files, bool *used);

#endif
