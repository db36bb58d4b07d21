/* Whether the time zones that definitions name exist. The parser is pure and can check only the form of a name. */
#ifndef MUSTER_IO_DEFINITION_ZONES_H
#define MUSTER_IO_DEFINITION_ZONES_H

#include "common/domain/rule.h"

/* ERROR_INPUT with file and JSON path for the first zone of the set that this machine's database does not have. With
 * set->problems all of them are put there and the answer is true. */
bool definition_zones_check(const struct segment_set *set, struct error *err) MUST_CHECK;

#endif
