/* A truth that changes with time: a value at a first instant and the ascending instants at which it flips.
 *
 * Memory comes from an arena. A timeline whose arena ran out is marked `failed`: the caller looks at the arena's owner
 * once at the end instead of at every step. */
#ifndef MUSTER_DOMAIN_TIMELINE_H
#define MUSTER_DOMAIN_TIMELINE_H

#include "common/base/memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ascending instants that grow on an arena. */
struct instants {
    int64_t *at;
    size_t count;
    size_t capacity;
};

/* Appends; sets *failed when there is no memory. */
void instants_push(struct instants *instants, int64_t at, struct arena *arena, bool *failed);

struct timeline {
    bool initial;
    struct instants flips; /* ascending, all later than the first instant */
};

static inline bool timeline_last(const struct timeline *timeline)
{
    return timeline->initial != ((timeline->flips.count & 1) != 0);
}

/* From `at` (not earlier than the last flip) on the value is `value`. */
static inline void timeline_set(struct timeline *timeline, int64_t at, bool value, struct arena *arena, bool *failed)
{
    if (timeline_last(timeline) == value) {
        return;
    }
    if (timeline->flips.count > 0 && timeline->flips.at[timeline->flips.count - 1] == at) {
        timeline->flips.count--;
        return;
    }
    instants_push(&timeline->flips, at, arena, failed);
}

/* The value at an instant not earlier than the first. */
bool timeline_at(const struct timeline *timeline, int64_t at);

/* a and b (both false: a or b) into `a`. */
void timeline_and(struct timeline *a, const struct timeline *b, struct arena *arena, bool *failed);
void timeline_or(struct timeline *a, const struct timeline *b, struct arena *arena, bool *failed);
/* True in every [begin, end) that is added, where the begins are added in ascending order; intervals that began at or
 * before the first instant have begin = first. */
struct timeline_union {
    struct timeline *timeline;
    int64_t first;
    int64_t end; /* of the interval that is open; INT64_MIN where none is */
};
void timeline_union_add(struct timeline_union *sum, int64_t begin, int64_t end, struct arena *arena, bool *failed);
void timeline_union_end(struct timeline_union *sum, struct arena *arena, bool *failed);

#endif
