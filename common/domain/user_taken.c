#include "common/domain/user_taken.h"

#include "common/base/memory.h"
#include "common/domain/optimisation.h"
#include "common/domain/user_log.h"

enum { WORD_COUNT_MIN = 2 };

/* Makes room for so many entries. */
static bool grow(const struct ruleset *ruleset, struct user_taken *taken, size_t entry_count)
{
    size_t word_count = taken->word_count == 0 ? WORD_COUNT_MIN : taken->word_count;
    size_t used = (taken->entry_count + 63) / 64;
    uint64_t *rows;

    while (word_count * 64 < entry_count) {
        word_count *= 2;
    }
    if (word_count == taken->word_count) {
        return true;
    }
    rows = memory_allocate_zeroed(ruleset->selector_count * word_count, sizeof *rows);
    if (rows == NULL) {
        return false;
    }
    for (size_t i = 0; used > 0 && i < ruleset->selector_count; i++) {
        memcpy(rows + i * word_count, taken->rows + i * taken->word_count, used * sizeof *rows);
    }
    memory_free(taken->rows);
    taken->rows = rows;
    taken->word_count = word_count;
    taken->size = ruleset->selector_count * word_count * sizeof *rows;
    return true;
}

/* Sets, or clears, the bits of the entry. */
static void turn(const struct ruleset *ruleset, struct user_taken *taken, const struct entry *entry, size_t index)
{
    for (size_t word = 0; word < ruleset->selector_words; word++) {
        for (uint64_t bits = entry->mask[word]; bits != 0; bits &= bits - 1) {
            size_t selector = word * 64 + (size_t)__builtin_ctzll(bits);

            taken->rows[selector * taken->word_count + index / 64] ^= UINT64_C(1) << index % 64;
        }
    }
}

const struct user_taken *user_taken_of(const struct ruleset *ruleset, const struct user_state *state)
{
    struct user_taken *taken = state->taken;
    size_t stride = entry_stride(ruleset);

    if (taken == NULL || state->entry_count < USER_TAKEN_MIN || !optimisation_on(OPTIMISATION_TAKEN) ||
        !grow(ruleset, taken, state->entry_count)) {
        return NULL;
    }
    for (; taken->entry_count < state->entry_count; taken->entry_count++) {
        turn(ruleset, taken, entry_at(state, stride, taken->entry_count), taken->entry_count);
    }
    return taken;
}

void user_taken_cut(const struct ruleset *ruleset, const struct user_state *state, size_t index)
{
    struct user_taken *taken = state->taken;
    size_t stride = entry_stride(ruleset);

    while (taken != NULL && taken->entry_count > index) {
        taken->entry_count--;
        turn(ruleset, taken, entry_at(state, stride, taken->entry_count), taken->entry_count);
    }
}

void user_taken_clear(struct user_taken *taken)
{
    memory_free(taken->rows);
    *taken = (struct user_taken){0};
}
