#include "common/domain/user_state_pack_parts.h"

enum {
    WIDE_SIZE_MAX = 19, /* bytes of a 128-bit number */
    ENTRY_FIXED_MAX = 5 * PACK_NUMBER_SIZE_MAX + CONTENT_SIZE + WIDE_SIZE_MAX,
};

/* ---- numbers ---- */

static unsigned char *put_wide(unsigned char *out, int128 number)
{
    uint128 rest = (uint128)number << 1 ^ (uint128)(number >> 127);

    while (rest >= 0x80) {
        *out++ = (unsigned char)((unsigned)rest | 0x80);
        rest >>= 7;
    }
    *out++ = (unsigned char)rest;
    return out;
}

/* Differences of any two instants, also of those that stand for always and never. */
unsigned char *user_state_put_since(unsigned char *out, int64_t since_ms, int64_t at_ms)
{
    return pack_put_number(out, pack_folded((int64_t)((uint64_t)at_ms - (uint64_t)since_ms)));
}

/* ---- the selectors that took an entry, among those of its shape ---- */

static unsigned char *put_bitmap(const struct shape *shape, const uint64_t *mask, unsigned char *out)
{
    size_t size = (shape->selector_count + 7) / 8;

    memset(out, 0, size);
    for (size_t i = 0; i < shape->selector_count; i++) {
        out[i / 8] = (unsigned char)(out[i / 8] | bit_is_set(mask, shape->selectors[i]) << i % 8);
    }
    return out + size;
}

/* Their indexes, each as what it differs from the one before by; NULL where a bitmap is not longer. */
static unsigned char *put_list(const struct shape *shape, const uint64_t *mask, unsigned char *out)
{
    const unsigned char *end = out + (shape->selector_count + 7) / 8;
    unsigned char *count = out++;
    size_t next = 0;

    *count = 0;
    for (size_t i = 0; i < shape->selector_count; i++) {
        unsigned char number[PACK_NUMBER_SIZE_MAX];
        size_t size;

        if (!bit_is_set(mask, shape->selectors[i])) {
            continue;
        }
        size = (size_t)(pack_put_number(number, i - next) - number);
        if (*count == LIST_COUNT_MAX || (size_t)(end - out) < size) {
            return NULL;
        }
        memcpy(out, number, size);
        out += size;
        next = i + 1;
        ++*count;
    }
    return out;
}

static unsigned char *put_mask(const struct shape *shape, const uint64_t *mask, unsigned char *out)
{
    unsigned char *end;

    if (shape->selector_count <= BITMAP_SIZE_MAX * 8) {
        return put_bitmap(shape, mask, out);
    }
    end = put_list(shape, mask, out);
    if (end != NULL) {
        return end;
    }
    *out = 0;
    return put_bitmap(shape, mask, out + 1);
}

/* ---- entries ---- */

static bool has_values(const struct ruleset *ruleset, const struct entry *entry)
{
    for (size_t i = 0; i < ruleset->selector_words; i++) {
        if (entry->mask[i] != 0) {
            return true;
        }
    }
    return false;
}

static const struct slot *slots_of(const struct record *record)
{
    return (const struct slot *)(const void *)((const char *)(record + 1) + padded(record->id_size));
}

/* A bound of the bytes that the entry needs. */
static size_t entry_bound(const struct ruleset *ruleset, const struct user_state *state, const struct entry *entry,
                          bool values)
{
    const struct record *record = entry_record(state, entry);
    size_t size = ENTRY_FIXED_MAX + record->id_size;

    if (values) {
        const struct shape *shape = &ruleset->shapes[entry->shape];
        const struct slot *slots = slots_of(record);

        size += 1 + (shape->selector_count + 7) / 8 + shape->column_count * PACK_VALUE_SIZE_MAX;
        for (size_t i = 0; i < shape->column_count; i++) {
            size += slots[i].size;
        }
    }
    return size;
}

static unsigned char *put_pane(const struct user_state *state, const struct entry *entry, unsigned char *out)
{
    const struct pane *pane = entry_pane(state, entry);

    out = pack_put_number(out, (uint64_t)(entry->shape - SHAPE_PANE) << FORM_BITS | FORM_PANE);
    out = put_wide(out, pane_sum(pane));
    out = pack_put_number(out, (uint64_t)pane->count);
    return pack_put_number(out, (uint64_t)pane->numeric_count);
}

/* All of the entry but its time. */
static unsigned char *put_entry(const struct ruleset *ruleset, const struct user_state *state,
                                const struct entry *entry, bool values, unsigned char *out)
{
    const struct shape *shape;
    const struct record *record;
    unsigned char uuid[PACK_UUID_SIZE];
    enum entry_form form = FORM_NONE;
    bool upper;

    if (entry_is_pane(entry)) {
        return put_pane(state, entry, out);
    }
    record = entry_record(state, entry);
    shape = &ruleset->shapes[values ? entry->shape : SHAPE_OTHER];
    if (record->has_id) {
        form = !pack_uuid(record_id(record), uuid, &upper) ? FORM_TEXT : upper ? FORM_UUID_UPPER : FORM_UUID;
        form += values ? 0 : FORM_ONLY;
    }
    out = pack_put_number(out, (uint64_t)(shape - ruleset->shapes) << FORM_BITS | form);
    if (record->has_id) {
        if (form == FORM_TEXT || form == FORM_ONLY_TEXT) {
            out = pack_put_number(out, record->id_size);
            memcpy(out, record_id(record).data, record->id_size);
            out += record->id_size;
        } else {
            memcpy(out, uuid, PACK_UUID_SIZE);
            out += PACK_UUID_SIZE;
        }
        memcpy(out, &record->content, CONTENT_SIZE);
        out += CONTENT_SIZE;
    }
    if (values) {
        const struct slot *slots = slots_of(record);

        out = put_mask(shape, entry->mask, out);
        for (size_t i = 0; i < shape->column_count; i++) {
            const struct value value = slot_value(state, entry, &slots[i]);

            out = pack_put_value(out, &value);
        }
    }
    return out;
}

void user_state_pack_entry(const struct ruleset *ruleset, const struct user_state *state, const struct entry *entry,
                           int64_t before_ms, struct buffer *out)
{
    bool values = has_values(ruleset, entry);
    unsigned char *at = buffer_room(out, entry_bound(ruleset, state, entry, values));

    if (at != NULL) {
        unsigned char *end = pack_put_number(at, (uint64_t)(entry->time_ms - before_ms));

        buffer_advance(out, (size_t)(put_entry(ruleset, state, entry, values, end) - at));
    }
}

void user_state_pack_more(const struct ruleset *ruleset, const struct user_state *state, size_t first,
                          struct buffer *out)
{
    size_t stride = entry_stride(ruleset);
    int64_t before_ms = first == 0 ? state->known_since : entry_at(state, stride, first - 1)->time_ms;

    for (size_t i = first; i < state->entry_count; i++) {
        const struct entry *entry = entry_at(state, stride, i);

        user_state_pack_entry(ruleset, state, entry, before_ms, out);
        before_ms = entry->time_ms;
    }
}

/* ---- the base ---- */

static void pack_summaries(const struct ruleset *ruleset, const struct user_base *base, struct buffer *out)
{
    size_t next = 0;

    for (size_t i = 0; i < ruleset->base_count; i++) {
        const struct base_summary *summary = &base->summaries[i];
        unsigned has = (summary->sum != 0 ? HAS_SUM : 0U) | (summary->count != 0 ? HAS_COUNT : 0U) |
                       (summary->last_ms != 0 ? HAS_LAST : 0U);
        unsigned char bytes[2 * PACK_NUMBER_SIZE_MAX + WIDE_SIZE_MAX + PACK_NUMBER_SIZE_MAX];
        unsigned char *at;

        if (has == 0) {
            continue;
        }
        at = pack_put_number(bytes, (uint64_t)(i - next + 1) << HAS_BITS | has);
        at = summary->sum != 0 ? put_wide(at, summary->sum) : at;
        at = summary->count != 0 ? pack_put_number(at, (uint64_t)summary->count) : at;
        at = summary->last_ms != 0 ? user_state_put_since(at, base->at_ms, summary->last_ms) : at;
        buffer_append(out, bytes, (size_t)(at - bytes));
        next = i + 1;
    }
    buffer_append_char(out, 0);
}

static void pack_carries(const struct ruleset *ruleset, const struct user_base *base, struct buffer *out)
{
    size_t next = 0;

    for (size_t i = 0; i < ruleset->segment_count; i++) {
        const struct carry *carry = &base->carries[i];
        unsigned has = (carry->qualified_at != INT64_MIN ? HAS_QUALIFIED : 0U) |
                       (carry->entered_at != INT64_MIN ? HAS_ENTERED : 0U) |
                       (carry->blocked_until != INT64_MIN ? HAS_BLOCKED : 0U);
        unsigned char bytes[4 * PACK_NUMBER_SIZE_MAX];
        unsigned char *at;

        if (has == 0) {
            continue;
        }
        at = pack_put_number(bytes, (uint64_t)(i - next + 1) << HAS_BITS | has);
        at = (has & HAS_QUALIFIED) != 0 ? user_state_put_since(at, base->at_ms, carry->qualified_at) : at;
        at = (has & HAS_ENTERED) != 0 ? user_state_put_since(at, base->at_ms, carry->entered_at) : at;
        at = (has & HAS_BLOCKED) != 0 ? user_state_put_since(at, base->at_ms, carry->blocked_until) : at;
        buffer_append(out, bytes, (size_t)(at - bytes));
        next = i + 1;
    }
    buffer_append_char(out, 0);
}

/* What is not there takes no byte: an empty summary, a segment that nothing is carried of. */
void user_state_pack_base(const struct ruleset *ruleset, const struct user_state *state, struct buffer *out)
{
    const struct user_base *base = state->base;
    unsigned char bytes[1 + PACK_NUMBER_SIZE_MAX] = {base != NULL};

    if (base == NULL) {
        buffer_append(out, bytes, 1);
        return;
    }
    buffer_append(out, bytes, (size_t)(user_state_put_since(bytes + 1, state->known_since, base->at_ms) - bytes));
    pack_summaries(ruleset, base, out);
    pack_carries(ruleset, base, out);
}

/* ---- at rest ---- */

struct user_state_head user_state_head(const struct user_state *state)
{
    return (struct user_state_head){
        .known_since = state->known_since,
        .newest = state->newest,
        .entry_count = (uint32_t)state->entry_count,
        .prune_count = (uint32_t)state->prune_count,
    };
}

void user_state_pack(const struct ruleset *ruleset, const struct user_state *state, struct buffer *out)
{
    user_state_pack_base(ruleset, state, out);
    user_state_pack_more(ruleset, state, 0, out);
}
