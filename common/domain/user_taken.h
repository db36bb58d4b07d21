/* By selector which entries of a long log it took, a bit for each: so that what a criterion costs follows the events of
 * its selector, and not all that the user ever did. Found when a long log is evaluated, kept with the state, and moved
 * along with what is folded. */
#ifndef MUSTER_DOMAIN_USER_TAKEN_H
#define MUSTER_DOMAIN_USER_TAKEN_H

#include "common/domain/ruleset_parts.h"

struct user_state;

struct user_taken {
    uint64_t *rows;     /* by selector word_count words with entry i at bit i; bits from entry_count on are 0 */
    size_t word_count;  /* there is room for 64 times as many entries */
    size_t entry_count; /* entries that the bits tell of: the first ones of the log */
    size_t size;        /* bytes of the rows */
};

/* Shorter logs are looked through. The builds that compare (optimisation.h) have many such worlds, and small ones. */
#ifdef MUSTER_OPTIMISATIONS
enum { USER_TAKEN_MIN = 4 };
#else
enum { USER_TAKEN_MIN = 64 };
#endif

/* The bits of all entries, or NULL where the log is short, or there is no memory for them: it is looked through then.
 * Owned by the state; good until that changes. */
const struct user_taken *user_taken_of(const struct ruleset *ruleset, const struct user_state *state);
/* Before entries from `index` on are moved: forgets those. */
void user_taken_cut(const struct ruleset *ruleset, const struct user_state *state, size_t index);
/* Forgets all, and frees its memory but for the struct. */
void user_taken_clear(struct user_taken *taken);

/* The first of the entries [index, end) that the selector took; `end` where there is none. */
static inline size_t user_taken_next(const struct user_taken *taken, uint32_t selector, size_t index, size_t end)
{
    const uint64_t *row = taken->rows + selector * taken->word_count;
    size_t word = index / 64;
    uint64_t bits;

    if (index >= end) {
        return end;
    }
    bits = row[word] & UINT64_MAX << index % 64;
    while (bits == 0) {
        if (++word * 64 >= end) {
            return end;
        }
        bits = row[word];
    }
    index = word * 64 + (size_t)__builtin_ctzll(bits);
    return index < end ? index : end;
}

/* One more than the index of the last of the entries [0, end) that the selector took; 0 where there is none. */
static inline size_t user_taken_last(const struct user_taken *taken, uint32_t selector, size_t end)
{
    const uint64_t *row = taken->rows + selector * taken->word_count;
    size_t word = end / 64;
    uint64_t bits = end % 64 == 0 ? 0 : row[word] & (UINT64_MAX >> (64 - end % 64));

    while (bits == 0) {
        if (word == 0) {
            return 0;
        }
        bits = row[--word];
    }
    return (word + 1) * 64 - (size_t)__builtin_clzll(bits);
}

#endif
