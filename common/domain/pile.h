/* Batch's memory of what it has read: facts put aside until all of a user's are there.
 *
 * Events come in the order of time, so one user's are far apart. Folding each into its user's state at once costs a few
 * cache misses and an allocation or two per event. Instead the facts are written, packed, behind one another into one
 * of some hundred piles, chosen by the user's hash; once all is read, one pile after the other, which fits the
 * processor's cache, is unpacked and sorted by user, and each user's facts go through one state whose memory is used
 * again. */
#ifndef MUSTER_DOMAIN_PILE_H
#define MUSTER_DOMAIN_PILE_H

#include "common/base/error.h"
#include "common/domain/user_state.h"

#include <stddef.h>
#include <stdint.h>

struct piles;

/* Borrows the ruleset. */
bool piles_new(const struct ruleset *ruleset, struct piles **out, struct error *err) MUST_CHECK;
void piles_free(struct piles *piles);

/* Puts an event aside (consent and delete: does nothing). `line` must ascend from call to call; it says where a copy
 * was read. */
bool piles_add(struct piles *piles, const struct event *event, int64_t line, struct evaluation *evaluation,
               struct error *err) MUST_CHECK;

typedef bool piles_visit(void *context, struct slice user, struct user_state *state, struct error *err);

struct piles_tour {
    piles_visit *visit;
    void *context;
    bool last; /* the piles are emptied on the way */
    bool ids;  /* the states hold message ids, as writing and explaining them needs */
    /* NULL: all users are visited. Else only those of whom user_state_standing may find something at `at`. */
    struct evaluation *standing;
    int64_t at;
};

/* Visits users, in no order, each with the state that has absorbed its events in the order in which they were added, to
 * be evaluated; both are borrowed until visit returns. Stops where visit returns false. Nothing may be added between
 * the visits. */
bool piles_each(struct piles *piles, const struct piles_tour *tour, struct error *err) MUST_CHECK;

/* What the first piles_each found; bytes that the piles held at most. */
struct piles_counts {
    size_t user_count;
    uint64_t copy_count;
    uint64_t copy_different_count;
    const int64_t *lines_different; /* of copies with other content, ascending; borrowed */
    size_t size;
};
struct piles_counts piles_counts(const struct piles *piles);

#endif
