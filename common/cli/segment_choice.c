#include "common/cli/segment_choice.h"

#include "common/base/nearest.h"

#include <stdio.h>

enum { ID_SIZE = 64 }; /* of a segment's id, with its end */

bool segment_choice_find(const struct segment_set *set, const char *segment_id, size_t *index, struct error *err)
{
    struct nearest nearest;
    char best[ID_SIZE];
    char name[ID_SIZE];

    *index = segment_set_find(set, slice_from(segment_id));
    if (*index != SIZE_MAX) {
        return true;
    }
    nearest_begin(&nearest, slice_from(segment_id));
    for (size_t i = 0; i < set->definition_count; i++) {
        struct slice offered = set->definitions[i].segment_id;

        (void)snprintf(name, sizeof name, "%.*s", (int)offered.size, offered.data);
        nearest_offer(&nearest, name);
        if (nearest.name == name) {
            (void)snprintf(best, sizeof best, "%s", name);
            nearest.name = best;
        }
    }
    (void)error_set(err, ERROR_INPUT, "no segment \"%s\" among the definitions", segment_id);
    return nearest.name != NULL && error_hint(err, "did you mean %s?", nearest.name);
}

void segment_choice_unknown(const char *segment_id, int64_t version, struct error *err)
{
    if (version != 0) {
        (void)error_set(err, ERROR_INPUT, "no version %lld of a segment \"%s\" in the store", (long long)version,
                        segment_id);
        (void)error_hint(err, "muster segments show %s says how many there are", segment_id);
        return;
    }
    (void)error_set(err, ERROR_INPUT, "no segment \"%s\" in the store", segment_id);
    (void)error_hint(err, "muster segments list shows them");
}
