#include "common/domain/timeline.h"

#include <string.h>

void instants_push(struct instants *instants, int64_t at, struct arena *arena, bool *failed)
{
    if (instants->count == instants->capacity) {
        size_t capacity = instants->capacity == 0 ? 8 : instants->capacity * 2;
        int64_t *grown = arena_allocate(arena, capacity * sizeof *grown);

        if (grown == NULL) {
            *failed = true;
            return;
        }
        if (instants->count > 0) {
            memcpy(grown, instants->at, instants->count * sizeof *grown);
        }
        instants->at = grown;
        instants->capacity = capacity;
    }
    instants->at[instants->count++] = at;
}

bool timeline_at(const struct timeline *timeline, int64_t at)
{
    size_t low = 0;
    size_t high = timeline->flips.count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (timeline->flips.at[middle] <= at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return timeline->initial != ((low & 1) != 0);
}

/* Walks the flips of both in time order. `both`: and, otherwise or. */
static void merge(struct timeline *a, const struct timeline *b, bool both, struct arena *arena, bool *failed)
{
    bool left = a->initial;
    bool right = b->initial;
    struct timeline merged = {.initial = both ? left && right : left || right};
    size_t i = 0;
    size_t j = 0;

    /* A side that never changes leaves the other as it is, or decides alone. */
    if (b->flips.count == 0) {
        if (right != both) {
            *a = (struct timeline){.initial = right};
        }
        return;
    }
    if (a->flips.count == 0) {
        if (left == both) {
            *a = *b;
        }
        return;
    }
    while (i < a->flips.count || j < b->flips.count) {
        int64_t at = i < a->flips.count ? a->flips.at[i] : INT64_MAX;

        if (j < b->flips.count && b->flips.at[j] < at) {
            at = b->flips.at[j];
        }
        if (i < a->flips.count && a->flips.at[i] == at) {
            left = !left;
            i++;
        }
        if (j < b->flips.count && b->flips.at[j] == at) {
            right = !right;
            j++;
        }
        timeline_set(&merged, at, both ? left && right : left || right, arena, failed);
    }
    *a = merged;
}

void timeline_and(struct timeline *a, const struct timeline *b, struct arena *arena, bool *failed)
{
    merge(a, b, true, arena, failed);
}

void timeline_or(struct timeline *a, const struct timeline *b, struct arena *arena, bool *failed)
{
    merge(a, b, false, arena, failed);
}

void timeline_union_add(struct timeline_union *sum, int64_t begin, int64_t end, struct arena *arena, bool *failed)
{
    if (end <= begin || end <= sum->first) {
        return;
    }
    if (sum->end != INT64_MIN && begin <= sum->end) {
        sum->end = end > sum->end ? end : sum->end;
        return;
    }
    timeline_union_end(sum, arena, failed);
    if (begin <= sum->first) {
        sum->timeline->initial = true;
    } else {
        timeline_set(sum->timeline, begin, true, arena, failed);
    }
    sum->end = end;
}

void timeline_union_end(struct timeline_union *sum, struct arena *arena, bool *failed)
{
    if (sum->end != INT64_MIN && sum->end != INT64_MAX) {
        timeline_set(sum->timeline, sum->end, false, arena, failed);
    }
    sum->end = INT64_MIN;
}
