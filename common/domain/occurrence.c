#include "common/domain/occurrence.h"

static bool any_bit(const struct entry *entry, const uint32_t *selectors, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bit_is_set(entry->mask, selectors[i])) {
            return true;
        }
    }
    return false;
}

/* The first entry from `index` on that one of the selectors took, or the end. */
static size_t next_of_any(const struct evaluation *evaluation, const uint32_t *selectors, size_t count, size_t index)
{
    size_t end = evaluation->entry_count;

    if (evaluation->log_taken == NULL) {
        while (index < end && !any_bit(evaluation_entry(evaluation, index), selectors, count)) {
            index++;
        }
        return index;
    }
    /* Word by word, so that a selector without events does not cost a look at all that is left for each of another. */
    while (index < end) {
        size_t word_end = (index / 64 + 1) * 64 < end ? (index / 64 + 1) * 64 : end;
        size_t next = word_end;

        for (size_t i = 0; i < count; i++) {
            next = user_taken_next(evaluation->log_taken, selectors[i], index, next);
        }
        if (next < word_end) {
            return next;
        }
        index = word_end;
    }
    return end;
}

static void number_keys(struct evaluation *evaluation, const uint32_t *same, size_t same_count, struct links *links)
{
    size_t size = 16;
    size_t kept = 0;
    uint32_t *table;

    while (size < 2 * links->count) {
        size *= 2;
    }
    table = evaluation_allocate(evaluation, size, sizeof *table);
    if (table == NULL) {
        links->count = 0;
        return;
    }
    links->key_count = 0;
    for (size_t i = 0; i < links->count; i++) {
        struct link link = links->items[i];
        uint64_t hash;
        size_t slot;

        if (!values_hash(evaluation, link.entry, same, same_count, &hash)) {
            continue;
        }
        slot = (size_t)hash & (size - 1);
        while (table[slot] != 0 &&
               !values_equal(evaluation, links->items[table[slot] - 1].entry, link.entry, same, same_count)) {
            slot = (slot + 1) & (size - 1);
        }
        if (table[slot] == 0) {
            table[slot] = (uint32_t)kept + 1;
            link.key = (uint32_t)links->key_count++;
        } else {
            link.key = links->items[table[slot] - 1].key;
        }
        links->items[kept++] = link;
    }
    links->count = kept;
}

void links_gather(struct evaluation *evaluation, size_t first, const uint32_t *selectors, size_t selector_count,
                  const uint32_t *same, size_t same_count, struct links *out)
{
    size_t count = 0;

    *out = (struct links){.key_count = 1};
    for (size_t i = first; (i = next_of_any(evaluation, selectors, selector_count, i)) < evaluation->entry_count; i++) {
        count++;
    }
    out->items = count == 0 ? NULL : evaluation_allocate(evaluation, count, sizeof *out->items);
    if (out->items == NULL) {
        return;
    }
    for (size_t i = first; (i = next_of_any(evaluation, selectors, selector_count, i)) < evaluation->entry_count; i++) {
        out->items[out->count++].entry = evaluation_entry(evaluation, i);
    }
    if (same_count > 0) {
        number_keys(evaluation, same, same_count, out);
    }
}
