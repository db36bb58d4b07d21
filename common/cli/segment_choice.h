/* The segment that a command names: finding it among definitions, and what to say where there is none. */
#ifndef MUSTER_CLI_SEGMENT_CHOICE_H
#define MUSTER_CLI_SEGMENT_CHOICE_H

#include "common/base/error.h"
#include "common/domain/rule_parse.h"

#include <stddef.h>
#include <stdint.h>

/* Where that segment stands in the set. ERROR_INPUT, with the id that is nearest, where it is not there. */
bool segment_choice_find(const struct segment_set *set, const char *segment_id, size_t *index,
                         struct error *err) MUST_CHECK;
/* Says that the store has no such segment, or no such version of it (0: of none in particular): ERROR_INPUT. */
void segment_choice_unknown(const char *segment_id, int64_t version, struct error *err);

#endif
