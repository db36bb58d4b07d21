/* Definitions from text: the whole language is accepted, everything else is rejected (segment-language, sections 3, 4).
 *
 * An error names the file, the JSON path and what was expected: "cart.json: $.criteria[0].window: expected a duration
 * such as \"30m\", got \"30 min\"". */
#ifndef MUSTER_DOMAIN_RULE_PARSE_H
#define MUSTER_DOMAIN_RULE_PARSE_H

#include "common/base/duration.h"
#include "common/base/error.h"
#include "common/domain/rule.h"
#include "common/domain/rule_problem.h"

/* An empty set. */
void segment_set_init(struct segment_set *set);
void segment_set_clear(struct segment_set *set);

/* Adds the document (one object, or an array of them) of `file` to the set. On false (ERROR_INPUT, or ERROR_INTERNAL
 * for no memory) the set must only be cleared. The text is copied. `version` is 0 for files. With set->problems what is
 * wrong is put there and the answer is true. */
bool segment_set_add(struct segment_set *set, struct slice file, struct slice text, int32_t version,
                     struct error *err) MUST_CHECK;

/* Once all are added: two documents with one id, unknown references, cycles, percentile rules; fills segment_index,
 * needs_percentile and evaluation_order. With set->problems what is wrong is put there and the answer is true. */
bool segment_set_check(struct segment_set *set, struct error *err) MUST_CHECK;

/* Index of the definition with that id, or SIZE_MAX. Fast once the set is checked. */
size_t segment_set_find(const struct segment_set *set, struct slice segment_id);

#endif
