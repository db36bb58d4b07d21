#include "common/domain/pile_fold.h"

#include "common/domain/evaluation_parts.h"

/* Spreads the keys of ids that differ in few places. */
#define KEY_MULTIPLIER UINT64_C(0x9e3779b97f4a7c15)

/* ---- copies ---- */

/* The end of the id: beginnings are often the same. */
static inline uint64_t key_of(const struct packed *packed)
{
    const unsigned char *id = (const unsigned char *)packed->id;
    unsigned char few[sizeof(uint64_t)] = {0};

    if (packed->id_size >= sizeof few) {
        return pack_word(id + packed->id_size - sizeof few);
    }
    memcpy(few, id, packed->id_size);
    return pack_word(few);
}

static bool is_copy(const struct pile_fold_item *item, const struct packed *packed, uint64_t key, int64_t dedup_ms)
{
    const struct packed *kept = item->packed;
    int64_t apart = kept->time_ms > packed->time_ms ? kept->time_ms - packed->time_ms : packed->time_ms - kept->time_ms;

    return item->key == key && kept->id_form == packed->id_form && kept->id_size == packed->id_size &&
           memcmp(kept->id, packed->id, packed->id_size) == 0 && apart <= dedup_ms;
}

/* The item that the fact is a copy of; NULL where it is none. One that might be a copy of several is of another time
 * than all of them, and so of other content. */
static const struct pile_fold_item *find_copy(const struct pile_fold *fold, const struct packed *packed, uint64_t key,
                                              int64_t dedup_ms)
{
    for (size_t i = 0; i < fold->item_count; i++) {
        if (is_copy(&fold->items[i], packed, key, dedup_ms)) {
            return &fold->items[i];
        }
    }
    return NULL;
}

/* Whether the fact is a copy, which is then noted. Else the item, the next one, gets its key. */
static inline bool note_copy(struct pile_fold *fold, struct pile_fold_item *item, int64_t dedup_ms)
{
    uint64_t key = key_of(item->packed);
    uint64_t mixed = key * KEY_MULTIPLIER;
    uint64_t *word = &fold->keys[mixed >> 61];
    uint64_t bit = UINT64_C(1) << (mixed >> 55 & 63);
    const struct pile_fold_item *kept = (*word & bit) == 0 ? NULL : find_copy(fold, item->packed, key, dedup_ms);

    if (kept != NULL) {
        fold->copies[fold->copy_count++] =
            (struct pile_fold_copy){.line = item->packed->line,
                                    .different = kept->packed->content != item->packed->content};
        return true;
    }
    *word |= bit;
    item->key = key;
    return false;
}

/* ---- the log ---- */

/* Whether the fact stands behind one of the same time: by message id, a missing one first. */
static bool stands_behind(const struct packed *packed, const struct packed *before)
{
    char room[PACK_UUID_TEXT_SIZE];
    char before_room[PACK_UUID_TEXT_SIZE];

    return before->id_form == PILE_TEXT_NONE ||
           (packed->id_form != PILE_TEXT_NONE &&
            slice_compare(pack_id_text(before, before_room), pack_id_text(packed, room)) <= 0);
}

/* Makes room for an entry where it belongs, before some that were added before it. */
static char *insert_place(const struct pile_fold *fold, const struct packed *packed, size_t stride,
                          const struct user_state *state)
{
    char *end = state->entries + state->entry_count * stride;
    char *place = end;

    for (; place > state->entries; place -= stride) {
        const struct entry *before = (const struct entry *)(const void *)(place - stride);

        if (before->time_ms < packed->time_ms ||
            (before->time_ms == packed->time_ms && stands_behind(packed, fold->items[before->record].packed))) {
            break;
        }
    }
    memmove(place + stride, place, (size_t)(end - place));
    return place;
}

/* Room for an entry where it belongs, mostly at the end. */
static inline struct entry *add_entry(const struct pile_fold *fold, const struct packed *packed, size_t stride,
                                      struct user_state *state)
{
    char *place = state->entries + state->entry_count * stride;

    if (state->entry_count > 0 && packed->time_ms <= state->newest) {
        place = insert_place(fold, packed, stride, state);
    }
    state->entry_count++;
    return (struct entry *)(void *)place;
}

/* What took the event, as the packed bits of its shape tell. */
static inline void write_mask(const struct ruleset *ruleset, const struct pile_fold_item *item,
                              struct evaluation *seeing, struct entry *entry)
{
    const struct shape *shape = &ruleset->shapes[item->rest.shape];

    bits_copy(entry->mask, shape->takes_all, ruleset->selector_words);
    for (size_t i = 0; seeing != NULL && i < shape->certain_count; i++) {
        evaluation_see_one(seeing, shape->certain[i], entry->time_ms);
    }
    for (size_t i = 0; i < shape->tested_count; i += 8) {
        for (unsigned bits = item->rest.taken[i / 8]; bits != 0; bits &= bits - 1) {
            uint32_t selector = shape->tested[i + (size_t)__builtin_ctz(bits)];

            bit_set(entry->mask, selector);
            if (seeing != NULL) {
                evaluation_see_one(seeing, selector, entry->time_ms);
            }
        }
    }
}

bool pile_fold(const struct ruleset *ruleset, struct pile_fold *fold, const struct packed *facts, const uint32_t *order,
               size_t count, struct evaluation *seeing, int64_t at, struct user_state *state, struct error *err)
{
    const size_t stride = entry_stride(ruleset);

    fold->item_count = 0;
    fold->copy_count = 0;
    memset(fold->keys, 0, sizeof fold->keys);
    if (!user_log_reserve(ruleset, state, PILE_FOLD_MAX, 0, err)) {
        return false;
    }
    if (seeing != NULL) {
        evaluation_see_nothing(seeing);
    }
    for (size_t i = 0; i < count; i++) {
        const struct packed *packed = &facts[order[i]];
        struct pile_fold_item *item = &fold->items[fold->item_count];

        item->packed = packed;
        pack_read_rest(ruleset, packed, &item->rest);
        if (packed->id_form != PILE_TEXT_NONE && note_copy(fold, item, ruleset->dedup_ms)) {
            continue;
        }
        if (item->rest.matched) {
            struct entry *entry = add_entry(fold, packed, stride, state);

            entry->time_ms = packed->time_ms;
            entry->record = (uint32_t)fold->item_count;
            entry->shape = item->rest.shape;
            write_mask(ruleset, item, packed->time_ms <= at ? seeing : NULL, entry);
        }
        fold->item_count++;
        state->known_since = packed->time_ms < state->known_since ? packed->time_ms : state->known_since;
        state->newest = packed->time_ms > state->newest ? packed->time_ms : state->newest;
    }
    return true;
}

/* ---- values ---- */

/* Returns where it ends, filled up with zeros. */
static char *write_text(char *out, const char *text, size_t size)
{
    char *end = out + padded(size);

    if (size > 0) {
        memset(end - 8, 0, 8);
        memcpy(out, text, size);
    }
    return end;
}

/* The record of an event, for which there is room at `out`; returns where it ends. */
static char *write_record(const struct ruleset *ruleset, const struct pile_fold_item *item, bool ids, char *out)
{
    const struct packed *packed = item->packed;
    const struct shape *shape = &ruleset->shapes[item->rest.shape];
    struct pile_values values = pack_values(shape, &item->rest);
    struct record *record = (struct record *)(void *)out;
    struct slot *slots;
    char *end = (char *)(record + 1);

    *record = (struct record){.time_ms = packed->time_ms,
                              .content = packed->content,
                              .has_id = packed->id_form != PILE_TEXT_NONE};
    if (ids && record->has_id) {
        char room[PACK_UUID_TEXT_SIZE];
        struct slice id = pack_id_text(packed, room);

        record->id_size = (uint16_t)id.size;
        end = write_text(end, id.data, id.size);
    }
    slots = (struct slot *)(void *)end;
    end = (char *)(slots + shape->column_count);
    for (size_t i = 0; i < shape->column_count; i++) {
        struct value value = pile_values_take(&values);

        slots[i] = (struct slot){.type = (uint8_t)value.type};
        if (value.type == VALUE_NUMBER) {
            slots[i].number = value.micros;
        } else if (value.type == VALUE_BOOLEAN) {
            slots[i].number = value.boolean;
        } else if (value.type != VALUE_MISSING) {
            slots[i].number = end - out;
            slots[i].size = (uint32_t)value.text.size;
            end = write_text(end, value.text.data, value.text.size);
        }
    }
    return end;
}

/* What events without values share, as long as nobody asks for more than whether they have a message id: two records at
 * the heap's begin, of which the second has one. */
static uint32_t write_shared(struct user_state *state)
{
    const struct record records[] = {{.has_id = false}, {.has_id = true}};

    memcpy(state->heap, records, sizeof records);
    state->heap_size = sizeof records;
    return sizeof records[0] / 8;
}

bool pile_fold_values(const struct ruleset *ruleset, const struct pile_fold *fold, bool ids, struct user_state *state,
                      struct error *err)
{
    size_t stride = entry_stride(ruleset);
    uint32_t second;

    if (!user_log_reserve(ruleset, state, 0, 2 * sizeof(struct record), err)) {
        return false;
    }
    second = write_shared(state);
    for (size_t i = 0; i < state->entry_count; i++) {
        struct entry *entry = (struct entry *)(void *)(state->entries + i * stride);
        const struct pile_fold_item *item = &fold->items[entry->record];
        size_t column_count = ruleset->shapes[entry->shape].column_count;
        char *place;

        if (column_count == 0 && !ids) {
            entry->record = item->packed->id_form == PILE_TEXT_NONE ? 0 : second;
            continue;
        }
        /* Texts and what they are padded with included. */
        if (!user_log_reserve(ruleset, state, 0,
                              sizeof(struct record) + padded(EVENT_ID_SIZE_MAX) + item->packed->rest_size +
                                  column_count * (sizeof(struct slot) + 8),
                              err)) {
            return false;
        }
        place = state->heap + state->heap_size;
        entry->record = (uint32_t)(state->heap_size / 8);
        state->heap_size += (size_t)(write_record(ruleset, item, ids, place) - place);
    }
    return true;
}
