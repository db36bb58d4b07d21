#include "common/domain/user_state_pack_parts.h"

enum { ENTRY_SIZE_MIN = 3 };

/* What a reader takes: far more than there is, far less than overflows. */
#define COUNT_MAX ((uint64_t)1 << 32)
#define SUM_MAX ((int128)COUNT_MAX * DECIMAL_MAX)
#define BEYOND_MS ((int64_t)1 << 52)

/* ---- numbers ---- */

static int128 take_wide(struct pack_reader *reader)
{
    uint128 number = 0;
    int128 unfolded;

    for (unsigned shift = 0; reader->at < reader->end && shift < 127; shift += 7) {
        unsigned group = *reader->at++;

        number |= (uint128)(group & 0x7f) << shift;
        if (group < 0x80) {
            unfolded = (int128)(number >> 1) ^ -(int128)(number & 1);
            if (unfolded < -SUM_MAX || unfolded > SUM_MAX) {
                break;
            }
            return unfolded;
        }
    }
    reader->failed = true;
    return 0;
}

int64_t user_state_take_since(struct pack_reader *reader, int64_t since_ms)
{
    int64_t at_ms = (int64_t)((uint64_t)pack_unfolded(pack_take_number(reader)) + (uint64_t)since_ms);

    if (at_ms < -BEYOND_MS || at_ms > BEYOND_MS) {
        reader->failed = true;
        return 0;
    }
    return at_ms;
}

uint64_t user_state_take_count(struct pack_reader *reader, uint64_t count_max)
{
    uint64_t count = pack_take_number(reader);

    if (count > count_max) {
        reader->failed = true;
        return 0;
    }
    return count;
}

/* ---- the selectors that took an entry ---- */

/* Returns whether any is set. */
static bool take_bitmap(struct pack_reader *reader, const struct shape *shape, uint64_t *mask)
{
    const unsigned char *bytes = pack_take_bytes(reader, (shape->selector_count + 7) / 8);
    bool any = false;

    for (size_t i = 0; bytes != NULL && i < shape->selector_count; i += 8) {
        for (unsigned bits = bytes[i / 8]; bits != 0; bits &= bits - 1) {
            size_t index = i + (size_t)__builtin_ctz(bits);

            if (index >= shape->selector_count) {
                reader->failed = true;
                return false;
            }
            bit_set(mask, shape->selectors[index]);
            any = true;
        }
    }
    return any;
}

static void take_mask(struct pack_reader *reader, const struct shape *shape, uint64_t *mask)
{
    const unsigned char *count = shape->selector_count <= BITMAP_SIZE_MAX * 8 ? NULL : pack_take_bytes(reader, 1);
    uint64_t next = 0;

    if (count == NULL || *count == 0) {
        reader->failed = !take_bitmap(reader, shape, mask) || reader->failed;
        return;
    }
    for (unsigned i = 0; i < *count; i++) {
        uint64_t index = user_state_take_count(reader, shape->selector_count) + next;

        if (reader->failed || index >= shape->selector_count) {
            reader->failed = true;
            return;
        }
        bit_set(mask, shape->selectors[index]);
        next = index + 1;
    }
}

/* ---- the base ---- */

/* The number of the next thing that is there, and what of it; false where there is none. */
static bool take_next(struct pack_reader *reader, size_t *next, size_t count, size_t *index, unsigned *has)
{
    uint64_t number = pack_take_number(reader);

    if (number == 0) {
        return false;
    }
    *has = number & HAS_MASK;
    number >>= HAS_BITS;
    if (*has == 0 || number == 0 || number > count - *next) {
        reader->failed = true;
        return false;
    }
    *index = *next + (size_t)number - 1;
    *next = *index + 1;
    return true;
}

/* An instant that is not behind the base, or what stands for none. */
static int64_t take_past(struct pack_reader *reader, const struct user_base *base, bool there, int64_t none)
{
    int64_t at_ms = there ? user_state_take_since(reader, base->at_ms) : none;

    reader->failed = reader->failed || (there && at_ms > base->at_ms);
    return at_ms;
}

static bool unpack_base(const struct ruleset *ruleset, struct pack_reader *reader, struct user_state *state,
                        struct error *err)
{
    struct user_base *base;
    size_t next = 0;
    size_t index;
    unsigned has;

    if (user_state_take_count(reader, 1) == 0) {
        return true;
    }
    base = user_base_new(ruleset, user_state_take_since(reader, state->known_since));
    if (base == NULL) {
        return error_no_memory(err, "a user's state");
    }
    state->base = base;
    reader->failed = reader->failed || base->at_ms < state->known_since;
    while (take_next(reader, &next, ruleset->base_count, &index, &has)) {
        struct base_summary *summary = &base->summaries[index];

        summary->sum = (has & HAS_SUM) != 0 ? take_wide(reader) : 0;
        summary->count = (has & HAS_COUNT) != 0 ? (int64_t)user_state_take_count(reader, COUNT_MAX) : 0;
        summary->last_ms = take_past(reader, base, (has & HAS_LAST) != 0, 0);
    }
    next = 0;
    while (take_next(reader, &next, ruleset->segment_count, &index, &has)) {
        struct carry *carry = &base->carries[index];

        carry->qualified_at = take_past(reader, base, (has & HAS_QUALIFIED) != 0, INT64_MIN);
        carry->entered_at = take_past(reader, base, (has & HAS_ENTERED) != 0, INT64_MIN);
        carry->blocked_until = (has & HAS_BLOCKED) != 0 ? user_state_take_since(reader, base->at_ms) : INT64_MIN;
    }
    return true;
}

/* ---- entries ---- */

struct unpacking {
    const struct ruleset *ruleset;
    struct user_state *state;
    struct pack_reader reader;
    size_t stride;
};

/* Writes it to `text`, where there is room for EVENT_ID_SIZE_MAX bytes. */
static bool take_id(struct pack_reader *reader, enum entry_form form, char *text, struct record *record)
{
    const unsigned char *bytes;
    unsigned char uuid[PACK_UUID_SIZE];
    bool upper = form == FORM_UUID_UPPER || form == FORM_ONLY_UUID_UPPER;
    bool read_upper;

    if (form == FORM_TEXT || form == FORM_ONLY_TEXT) {
        record->id_size = (uint16_t)user_state_take_count(reader, EVENT_ID_SIZE_MAX);
        bytes = pack_take_bytes(reader, record->id_size);
        if (bytes == NULL || record->id_size == 0) {
            return false;
        }
        memcpy(text, bytes, record->id_size);
        return !pack_uuid(slice_of(text, record->id_size), uuid, &read_upper);
    }
    bytes = pack_take_bytes(reader, PACK_UUID_SIZE);
    if (bytes == NULL) {
        return false;
    }
    record->id_size = PACK_UUID_TEXT_SIZE;
    pack_uuid_text(bytes, upper, text);
    return !upper || (pack_uuid(slice_of(text, PACK_UUID_TEXT_SIZE), uuid, &read_upper) && read_upper);
}

/* Room for so many bytes behind the heap; NULL with an error for no memory. */
static char *heap_room(struct unpacking *unpacking, size_t size, struct error *err)
{
    struct user_state *state = unpacking->state;

    if (state->heap_capacity - state->heap_size < size && !user_log_reserve(unpacking->ruleset, state, 0, size, err)) {
        return NULL;
    }
    return state->heap + state->heap_size;
}

/* Text in the heap is followed by zeros up to a multiple of 8 bytes. */
static size_t pad(char *text, size_t size)
{
    while (size % 8 != 0) {
        text[size++] = 0;
    }
    return size;
}

/* The values of an entry whose record begins at `record` and whose slots lie at `slots`; returns where they end. */
static char *take_values(struct pack_reader *reader, const struct shape *shape, const char *record, char *slots)
{
    char *text = slots + shape->column_count * sizeof(struct slot);

    for (size_t i = 0; i < shape->column_count; i++) {
        const struct value value = pack_take_value(reader);
        struct slot slot = {.type = (uint8_t)value.type};

        if (value.type == VALUE_NUMBER) {
            slot.number = value.micros;
        } else if (value.type == VALUE_BOOLEAN) {
            slot.number = value.boolean;
        } else if (value.type != VALUE_MISSING) {
            slot.number = text - record;
            slot.size = (uint32_t)value.text.size;
            memcpy(text, value.text.data, value.text.size);
            text += pad(text, value.text.size);
        }
        memcpy(slots + i * sizeof slot, &slot, sizeof slot);
    }
    return text;
}

/* Whether the base is one that such a pane belongs to: of what had begun to count then. */
static bool has_pane(const struct unpacking *unpacking, uint64_t number, int64_t time_ms)
{
    const struct ruleset *ruleset = unpacking->ruleset;
    const struct user_base *base = unpacking->state->base;

    return number < ruleset->pane_count && base != NULL &&
           time_ms <= window_begun_ms(ruleset->panes[number], base->at_ms);
}

static bool take_pane(struct unpacking *unpacking, uint64_t number, struct entry *entry, struct error *err)
{
    struct pack_reader *reader = &unpacking->reader;
    struct record record = {.time_ms = entry->time_ms};
    struct pane pane;
    int128 sum = take_wide(reader);
    char *room;

    pane.sum_low = (uint64_t)(uint128)sum;
    pane.sum_high = (int64_t)(sum >> 64);
    pane.count = (int64_t)user_state_take_count(reader, COUNT_MAX);
    pane.numeric_count = (int64_t)user_state_take_count(reader, (uint64_t)pane.count);
    if (pane.count == 0 || !has_pane(unpacking, number, entry->time_ms)) {
        reader->failed = true;
        return true;
    }
    entry->shape = SHAPE_PANE + (uint32_t)number;
    room = heap_room(unpacking, sizeof record + sizeof pane, err);
    if (room == NULL) {
        return false;
    }
    memcpy(room, &record, sizeof record);
    memcpy(room + sizeof record, &pane, sizeof pane);
    unpacking->state->heap_size += sizeof record + sizeof pane;
    return true;
}

static bool take_record(struct unpacking *unpacking, enum entry_form form, const struct shape *shape, uint64_t *mask,
                        int64_t time_ms, struct error *err)
{
    struct pack_reader *reader = &unpacking->reader;
    struct record record = {.time_ms = time_ms, .has_id = form != FORM_NONE};
    bool values = form < FORM_ONLY_UUID;
    size_t column_count = values ? shape->column_count : 0;
    size_t left = (size_t)(reader->end - reader->at);
    char *room;
    char *end;

    if (left < column_count) {
        reader->failed = true; /* each value takes a byte: no memory for those that cannot be there */
        return true;
    }
    /* Texts and what they are padded with included. */
    room =
        heap_room(unpacking, sizeof record + EVENT_ID_SIZE_MAX + left + column_count * (sizeof(struct slot) + 8), err);
    if (room == NULL) {
        return false;
    }
    end = room + sizeof record;
    if (record.has_id) {
        const unsigned char *content;

        if (!take_id(reader, form, end, &record)) {
            reader->failed = true;
            return true;
        }
        content = pack_take_bytes(reader, CONTENT_SIZE);
        if (content != NULL) {
            memcpy(&record.content, content, CONTENT_SIZE);
        }
        end += pad(end, record.id_size);
    }
    memcpy(room, &record, sizeof record);
    if (values) {
        take_mask(reader, shape, mask);
        end = take_values(reader, shape, room, end);
    }
    unpacking->state->heap_size += (size_t)(end - room);
    return true;
}

/* Whether entries of one time stand as in section 2: those without an id first, then by id, none twice. */
static bool is_in_order(const struct unpacking *unpacking, const struct entry *before, const struct entry *entry)
{
    const struct record *left = entry_record(unpacking->state, before);
    const struct record *right = entry_record(unpacking->state, entry);

    return before->time_ms != entry->time_ms || !left->has_id ||
           (right->has_id && slice_compare(record_id(left), record_id(right)) < 0);
}

/* Appends one entry, for which there is room. Damage is the reader's; false for no memory. */
static bool unpack_entry(struct unpacking *unpacking, struct error *err)
{
    struct user_state *state = unpacking->state;
    struct pack_reader *reader = &unpacking->reader;
    char *place = state->entries + state->entry_count * unpacking->stride;
    struct entry *entry = (struct entry *)(void *)place;
    int64_t before_ms = state->entry_count == 0 ? state->known_since
                                                : entry_at(state, unpacking->stride, state->entry_count - 1)->time_ms;
    uint64_t apart = pack_take_number(reader);
    uint64_t number = pack_take_number(reader);
    enum entry_form form = number & FORM_MASK;
    bool done;

    number >>= FORM_BITS;
    if (apart > (uint64_t)(TIMESTAMP_MAX - before_ms) ||
        (form != FORM_PANE && number >= unpacking->ruleset->shape_count) ||
        (form != FORM_PANE && form >= FORM_ONLY_UUID && number != SHAPE_OTHER)) {
        reader->failed = true;
        return true;
    }
    memset(entry->mask, 0, unpacking->ruleset->selector_words * sizeof *entry->mask);
    entry->time_ms = before_ms + (int64_t)apart;
    entry->shape = (uint32_t)number;
    entry->record = (uint32_t)(state->heap_size / 8);
    done = form == FORM_PANE
               ? take_pane(unpacking, number, entry, err)
               : take_record(unpacking, form, &unpacking->ruleset->shapes[number], entry->mask, entry->time_ms, err);
    if (!done || reader->failed) {
        return done;
    }
    if (entry->time_ms > state->newest ||
        (state->entry_count > 0 &&
         !is_in_order(unpacking, entry_at(state, unpacking->stride, state->entry_count - 1), entry))) {
        reader->failed = true;
        return true;
    }
    state->id_count += entry_record(state, entry)->has_id;
    state->entry_count++;
    return true;
}

static bool unpack_entries(struct unpacking *unpacking, size_t count, struct error *err)
{
    struct pack_reader *reader = &unpacking->reader;

    if (count > (size_t)(reader->end - reader->at) / ENTRY_SIZE_MIN) {
        reader->failed = true;
        return true;
    }
    if (!user_log_reserve(unpacking->ruleset, unpacking->state, count, 0, err)) {
        return false;
    }
    for (size_t i = 0; i < count && !reader->failed; i++) {
        if (!unpack_entry(unpacking, err)) {
            return false;
        }
    }
    return reader->failed || user_log_index(unpacking->ruleset, unpacking->state, err);
}

/* ---- at rest ---- */

bool user_state_unpack(const struct ruleset *ruleset, const struct user_state_head *head, struct slice bytes,
                       struct user_state *state, struct error *err)
{
    const unsigned char *at = (const unsigned char *)bytes.data;
    struct unpacking unpacking = {
        .ruleset = ruleset,
        .state = state,
        .reader = {.at = at, .end = at + bytes.size},
        .stride = entry_stride(ruleset),
    };

    user_state_clear(ruleset, state);
    state->known_since = head->known_since;
    state->newest = head->newest;
    state->prune_count = head->prune_count;
    if (!unpack_base(ruleset, &unpacking.reader, state, err) || !unpack_entries(&unpacking, head->entry_count, err)) {
        user_state_clear(ruleset, state);
        return false;
    }
    if (unpacking.reader.failed || unpacking.reader.at < unpacking.reader.end) {
        user_state_clear(ruleset, state);
        return error_set(err, ERROR_INPUT, "a user's state is damaged");
    }
    return true;
}
