/* The users of one (segment, lane), found by number: an array in order of arrival and a table of slots with linear
 * probing. */
#include "reconcile/pass.h"

#include "common/base/timestamp.h"

#include <string.h>

enum { ITEMS_MAX = 1 << 28, SLOTS_MIN = 1024 };

void pass_items_init(struct pass_items *items)
{
    *items = (struct pass_items){.items = NULL};
}

void pass_items_clear(struct pass_items *items)
{
    memory_free(items->items);
    memory_free(items->slots);
    pass_items_init(items);
}

void pass_items_reset(struct pass_items *items)
{
    items->count = 0;
    if (items->slot_count > 0) {
        memset(items->slots, 0, items->slot_count * sizeof *items->slots);
    }
}

/* Multiplying by the golden ratio spreads consecutive numbers over the high bits. */
static size_t slot_of(int64_t user_no, size_t slot_count)
{
    return (size_t)(((uint64_t)user_no * UINT64_C(0x9E3779B97F4A7C15)) >> 20) & (slot_count - 1);
}

static uint32_t *slot_find(const struct pass_items *items, int64_t user_no)
{
    size_t slot = slot_of(user_no, items->slot_count);

    while (items->slots[slot] != 0 && items->items[items->slots[slot] - 1].user_no != user_no) {
        slot = (slot + 1) & (items->slot_count - 1);
    }
    return &items->slots[slot];
}

struct pass_item *pass_items_find(const struct pass_items *items, int64_t user_no)
{
    uint32_t found = items->slot_count == 0 ? 0 : *slot_find(items, user_no);

    return found == 0 ? NULL : &items->items[found - 1];
}

/* Twice as many slots, at most half full. */
static bool slots_grow(struct pass_items *items, struct error *err)
{
    size_t slot_count = items->slot_count == 0 ? SLOTS_MIN : items->slot_count * 2;
    uint32_t *slots = memory_allocate_zeroed(slot_count, sizeof *slots);

    if (slots == NULL) {
        return error_no_memory(err, "the users of a segment");
    }
    memory_free(items->slots);
    items->slots = slots;
    items->slot_count = slot_count;
    for (size_t index = 0; index < items->count; index++) {
        *slot_find(items, items->items[index].user_no) = (uint32_t)(index + 1);
    }
    return true;
}

bool pass_items_add(struct pass_items *items, int64_t user_no, struct pass_item **out, struct error *err)
{
    uint32_t *slot;

    if (items->count * 2 >= items->slot_count && !slots_grow(items, err)) {
        return false;
    }
    slot = slot_find(items, user_no);
    if (*slot == 0) {
        if (!memory_grow(&items->items, &items->capacity, items->count, ITEMS_MAX, sizeof *items->items,
                         "the users of a segment", err)) {
            return false;
        }
        items->items[items->count] = (struct pass_item){
            .user_no = user_no,
            .record_first = PASS_NO_RECORD,
            .record_last = PASS_NO_RECORD,
            .batch = {.verdict = BATCH_NONE, .entered_at = TIMESTAMP_ALWAYS, .valid_until = TIMESTAMP_NEVER},
            .batch_stored = {.verdict = BATCH_NONE, .entered_at = TIMESTAMP_ALWAYS, .valid_until = TIMESTAMP_NEVER},
            .verdict = {.entered_at = TIMESTAMP_ALWAYS, .valid_until = TIMESTAMP_NEVER, .valid_from = TIMESTAMP_ALWAYS},
        };
        items->count++;
        *slot = (uint32_t)items->count;
    }
    *out = &items->items[*slot - 1];
    return true;
}
