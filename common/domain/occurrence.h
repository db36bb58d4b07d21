/* Events that belong together: what absences and sequences are found among. Entries that any of some selectors took, in
 * the order of the log, each with the number of its `same` values. */
#ifndef MUSTER_DOMAIN_OCCURRENCE_H
#define MUSTER_DOMAIN_OCCURRENCE_H

#include "common/domain/evaluation_parts.h"

struct link {
    const struct entry *entry;
    uint32_t key;    /* equal `same` values, equal keys; 0 for all where there is no `same` */
    int64_t next_ms; /* absence: time of the first other `b` at or after it */
};

struct links {
    struct link *items;
    size_t count;
    size_t key_count; /* keys are below it */
};

/* Gathers the entries with index >= first that one of the selectors took and that have all `same` values. */
void links_gather(struct evaluation *evaluation, size_t first, const uint32_t *selectors, size_t selector_count,
                  const uint32_t *same, size_t same_count, struct links *out);

/* absence.c: the `a`s and `b`s from that index on, with `next_ms`: a b of the same millisecond follows too, whatever
 * their order, but not the event itself. */
void absence_links(struct evaluation *evaluation, const struct node *node, size_t first, struct links *out);

#endif
