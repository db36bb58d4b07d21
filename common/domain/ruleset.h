/* A checked segment_set, compiled for evaluation: which events touch which segments, which paths are read, what each
 * user's state must keep. Immutable; shared by all user states made for it. */
#ifndef MUSTER_DOMAIN_RULESET_H
#define MUSTER_DOMAIN_RULESET_H

#include "common/base/error.h"
#include "common/domain/event_projection.h"
#include "common/domain/rule.h"
#include "common/domain/zone.h"

#include <stddef.h>
#include <stdint.h>

struct ruleset;

/* What is evaluated together: each condition has a bit in the sets of others, so the numbers are bounded: far above
 * what people write, far below what hurts. More is ERROR_INPUT. */
enum {
    RULESET_SEGMENT_COUNT_MAX = 10000,
    RULESET_CONDITION_COUNT_MAX = 20000, /* different ones, on events and traits */
    RULESET_NAME_COUNT_MAX = 20000,      /* different events */
    RULESET_PROPERTY_COUNT_MAX = 20000,  /* different properties and traits */
};

struct ruleset_options {
    int64_t dedup_ms; /* copies of a messageId at most this far apart are one event; 0 stands for 24 h */
    zone_find *zones; /* NULL: UTC only. Zones found must outlive the ruleset (common/io/zone_files.h) */
    void *zones_context;
};

/* Compiles. The set must outlive the ruleset. What this version cannot evaluate is refused by name and path:
 * ERROR_INPUT "cart.json: $.criteria[0]: not supported in this version: sequence". */
bool ruleset_new(const struct segment_set *set, const struct ruleset_options *options, struct ruleset **out,
                 struct error *err) MUST_CHECK;
void ruleset_free(struct ruleset *ruleset);

/* Segments are numbered as in the set. */
size_t ruleset_segment_count(const struct ruleset *ruleset);
const struct definition *ruleset_definition(const struct ruleset *ruleset, size_t segment);
/* Whether this version can evaluate the definition (references not included); where not, `what` is the form's name and
 * `path` where it stands. So a caller can leave out single definitions. */
bool ruleset_supports(const struct definition *definition, const char **what, struct slice *path);

/* Equal for two rulesets of the same definitions, options and time zones; what was kept of users for one of them is
 * good for the other. */
uint64_t ruleset_fingerprint(const struct ruleset *ruleset);

/* What these rules read of a message, for event_decode_projected; lives as long as the ruleset. An event decoded with
 * it can be folded into states of this ruleset only. */
const struct event_projection *ruleset_projection(const struct ruleset *ruleset);

/* How far back the segment's state can depend (reconciliation, section 2, "reach"): ms, or TIMESTAMP_NEVER when
 * unlimited. References included. */
int64_t ruleset_reach_ms(const struct ruleset *ruleset, size_t segment);

#endif
