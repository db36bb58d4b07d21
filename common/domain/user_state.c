/* The log of one user's events: folding, copies, order. Evaluation is in evaluate.c. */
#include "common/domain/user_state.h"

#include "common/domain/evaluation_parts.h"
#include "common/domain/fact.h"
#include "common/domain/optimisation.h"

enum { ENTRY_COUNT_MAX = 1 << 30 };

#define HEAP_SIZE_MAX ((size_t)UINT32_MAX * 8)

bool user_state_new(const struct ruleset *ruleset, struct user_state **out, struct error *err)
{
    struct user_state *state = memory_allocate_zeroed(1, sizeof *state);

    (void)ruleset;
    if (state == NULL) {
        return error_no_memory(err, "a user's state");
    }
    state->known_since = TIMESTAMP_NEVER;
    state->newest = TIMESTAMP_ALWAYS;
    *out = state;
    return true;
}

void user_state_transient(struct user_state *state, bool transient)
{
    state->transient = transient;
}

void user_state_free(struct user_state *state)
{
    if (state != NULL) {
        memory_free(state->entries);
        memory_free(state->heap);
        memory_free(state->ids);
        if (state->taken != NULL) {
            user_taken_clear(state->taken);
            memory_free(state->taken);
        }
        memory_free(state->summaries);
        memory_free(state->base);
        memory_free(state);
    }
}

void user_state_clear(const struct ruleset *ruleset, struct user_state *state)
{
    state->known_since = TIMESTAMP_NEVER;
    state->newest = TIMESTAMP_ALWAYS;
    state->entry_count = 0;
    state->heap_size = 0;
    state->id_count = 0;
    state->cleared_count++;
    if (state->taken != NULL) {
        user_taken_clear(state->taken);
    }
    memory_free(state->ids);
    memory_free(state->base);
    state->base = NULL;
    state->prune_count = 0;
    state->ids = NULL;
    state->id_capacity = 0;
    for (size_t i = 0; state->carried_until != NULL && !state->transient && i < ruleset->segment_count; i++) {
        state->carried_until[i] = TIMESTAMP_ALWAYS;
    }
}

int64_t user_state_known_since(const struct user_state *state)
{
    return state->known_since;
}

int64_t user_state_newest(const struct user_state *state)
{
    return state->newest;
}

size_t user_state_size(const struct user_state *state)
{
    size_t taken_size = state->taken == NULL ? 0 : sizeof *state->taken + state->taken->size;

    return sizeof *state + state->heap_capacity + state->entry_capacity + state->id_capacity * sizeof *state->ids +
           taken_size;
}

size_t user_state_event_count(const struct user_state *state)
{
    return state->entry_count;
}

size_t user_log_find_until(const struct ruleset *ruleset, const struct user_state *state, int64_t at)
{
    size_t stride = entry_stride(ruleset);
    size_t low = 0;
    size_t high = state->entry_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (entry_at(state, stride, middle)->time_ms <= at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* ---- copies ---- */

static const struct record *record_at(const struct user_state *state, uint32_t record)
{
    return (const struct record *)(const void *)(state->heap + (size_t)record * 8);
}

static uint32_t hash_id(const struct ruleset *ruleset, struct slice id)
{
    return (uint32_t)hash_bytes(id, ruleset->seed);
}

/* Most ids differ, and at their ends: the beginnings are often the same. */
static inline bool same_id(struct slice a, struct slice b)
{
    uint64_t a_end;
    uint64_t b_end;

    if (a.size != b.size || a.size < sizeof a_end) {
        return slice_equal(a, b);
    }
    memcpy(&a_end, a.data + a.size - sizeof a_end, sizeof a_end);
    memcpy(&b_end, b.data + b.size - sizeof b_end, sizeof b_end);
    return a_end == b_end && memcmp(a.data, b.data, a.size) == 0;
}

static inline bool is_copy(const struct record *record, const struct fact *fact, int64_t dedup_ms)
{
    int64_t apart;

    if (!record->has_id || !same_id(record_id(record), fact->id)) {
        return false;
    }
    apart = record->time_ms > fact->time_ms ? record->time_ms - fact->time_ms : fact->time_ms - record->time_ms;
    return apart <= dedup_ms;
}

/* Looks through all entries that lie near enough, which are in the order of their times. */
static const struct record *find_copy_in_log(const struct ruleset *ruleset, const struct user_state *state,
                                             const struct fact *fact)
{
    int64_t after_ms = copies_after(ruleset, fact->time_ms);
    size_t stride = entry_stride(ruleset);

    for (size_t i = state->id_count == 0 ? 0 : state->entry_count; i-- > 0;) {
        const struct entry *entry = entry_at(state, stride, i);

        if (entry->time_ms < after_ms) {
            break;
        }
        if (is_copy(entry_record(state, entry), fact, ruleset->dedup_ms)) {
            return entry_record(state, entry);
        }
    }
    return NULL;
}

static const struct record *find_copy_by_index(const struct ruleset *ruleset, const struct user_state *state,
                                               const struct fact *fact)
{
    uint32_t hash = hash_id(ruleset, fact->id);

    for (size_t slot = hash & (state->id_capacity - 1); state->ids[slot] != 0;
         slot = (slot + 1) & (state->id_capacity - 1)) {
        const struct record *record;

        if (state->ids[slot] >> 32 != hash) {
            continue;
        }
        record = record_at(state, (uint32_t)state->ids[slot] - 1);
        if (is_copy(record, fact, ruleset->dedup_ms)) {
            return record;
        }
    }
    return NULL;
}

static const struct record *find_copy(const struct ruleset *ruleset, const struct user_state *state,
                                      const struct fact *fact)
{
    return state->ids == NULL ? find_copy_in_log(ruleset, state, fact) : find_copy_by_index(ruleset, state, fact);
}

static uint32_t id_hash_of(const struct ruleset *ruleset, struct user_state *state, uint32_t index)
{
    struct record *record = (struct record *)(void *)(state->heap + (size_t)index * 8);

    if (record->id_hash == 0) {
        record->id_hash = hash_id(ruleset, record_id(record));
    }
    return record->id_hash;
}

static void ids_insert(const struct ruleset *ruleset, struct user_state *state, uint32_t record)
{
    uint32_t hash = id_hash_of(ruleset, state, record);
    size_t slot = hash & (state->id_capacity - 1);

    while (state->ids[slot] != 0) {
        slot = (slot + 1) & (state->id_capacity - 1);
    }
    state->ids[slot] = (uint64_t)hash << 32 | (record + 1);
}

bool user_log_index_grow(const struct ruleset *ruleset, struct user_state *state, struct error *err)
{
    size_t stride = entry_stride(ruleset);
    size_t capacity = state->id_capacity == 0 ? 4 * (size_t)USER_LOG_SMALL_MAX : state->id_capacity;
    uint64_t *ids;

    while (capacity <= state->id_count * 2) {
        capacity *= 2;
    }
    ids = memory_allocate_zeroed(capacity, sizeof *ids);
    if (ids == NULL) {
        return error_no_memory(err, "message ids");
    }
    memory_free(state->ids);
    state->ids = ids;
    state->id_capacity = capacity;
    for (size_t i = 0; i < state->entry_count; i++) {
        const struct entry *entry = entry_at(state, stride, i);

        if (entry_record(state, entry)->has_id) {
            ids_insert(ruleset, state, entry->record);
        }
    }
    return true;
}

/* ---- what is kept ---- */

static bool value_has_text(const struct value *value)
{
    return value->type == VALUE_STRING || value->type == VALUE_COMPOUND;
}

/* Bytes the fact's record needs; without slots where no selector takes it. */
static size_t record_size(const struct shape *shape, const struct fact *fact)
{
    size_t size = sizeof(struct record) + padded(fact->id.size);

    for (size_t i = 0; fact->matched && i < shape->column_count; i++) {
        const struct value *value = &fact->values[i];

        size += sizeof(struct slot) + (value_has_text(value) ? padded(value->text.size) : 0);
    }
    return size;
}

static void write_slots(const struct shape *shape, const struct value *values, char *record, struct slot *slots)
{
    char *text = (char *)(slots + shape->column_count);

    for (size_t i = 0; i < shape->column_count; i++) {
        const struct value *value = &values[i];
        struct slot *slot = &slots[i];

        *slot = (struct slot){.type = (uint8_t)value->type};
        if (value->type == VALUE_NUMBER) {
            slot->number = value->micros;
        } else if (value->type == VALUE_BOOLEAN) {
            slot->number = value->boolean;
        } else if (value_has_text(value)) {
            slot->number = text - record;
            slot->size = (uint32_t)value->text.size;
            if (value->text.size > 0) {
                memcpy(text, value->text.data, value->text.size);
            }
            text += padded(value->text.size);
        }
    }
}

static void write_record(const struct shape *shape, const struct fact *fact, char *out)
{
    struct record *head = (struct record *)(void *)out;
    char *behind = (char *)(head + 1);

    *head = (struct record){
        .time_ms = fact->time_ms,
        .content = fact->content,
        .id_size = (uint16_t)fact->id.size,
        .has_id = fact->has_id,
    };
    if (fact->id.size > 0) {
        memcpy(behind, fact->id.data, fact->id.size);
    }
    if (fact->matched) {
        write_slots(shape, fact->values, out, (struct slot *)(void *)(behind + padded(fact->id.size)));
    }
}

/* ---- the log ---- */

static bool reserve(char **data, size_t *capacity, size_t wanted, size_t first, size_t size_max, struct error *err)
{
    size_t grown = *capacity == 0 ? first : *capacity;
    char *block;

    if (wanted <= *capacity) {
        return true;
    }
    if (wanted > size_max) {
        return error_set(err, ERROR_INTERNAL, "one user's events need more than %zu bytes", size_max);
    }
    while (grown < wanted) {
        grown *= 2;
    }
    block = memory_resize(*data, grown, 1);
    if (block == NULL) {
        return error_no_memory(err, "a user's events");
    }
    *data = block;
    *capacity = grown;
    return true;
}

bool user_log_grow(const struct ruleset *ruleset, struct user_state *state, size_t entry_count, size_t heap_size,
                   struct error *err)
{
    size_t stride = entry_stride(ruleset);

    if (!reserve(&state->entries, &state->entry_capacity, (state->entry_count + entry_count) * stride, 4 * stride,
                 (size_t)ENTRY_COUNT_MAX * stride, err) ||
        !reserve(&state->heap, &state->heap_capacity, state->heap_size + heap_size, 256, HEAP_SIZE_MAX, err)) {
        return false;
    }
    if (state->taken == NULL && state->entry_capacity >= USER_TAKEN_MIN * stride) {
        state->taken = memory_allocate_zeroed(1, sizeof *state->taken);
    }
    return state->taken != NULL || state->entry_capacity < USER_TAKEN_MIN * stride ||
           error_no_memory(err, "a user's events");
}

/* Where the fact belongs: by time, then message id, a missing one first. */
static size_t entry_place(const struct ruleset *ruleset, const struct user_state *state, const struct fact *fact)
{
    size_t stride = entry_stride(ruleset);
    size_t place = user_log_count_until(ruleset, state, fact->time_ms);

    while (place > 0) {
        const struct entry *before = entry_at(state, stride, place - 1);
        const struct record *record = entry_record(state, before);

        if (before->time_ms < fact->time_ms || !record->has_id ||
            (fact->has_id && slice_compare(record_id(record), fact->id) <= 0)) {
            break;
        }
        place--;
    }
    return place;
}

static bool keep(const struct ruleset *ruleset, struct user_state *state, const struct fact *fact, struct error *err)
{
    const struct shape *shape = &ruleset->shapes[fact->shape];
    size_t stride = entry_stride(ruleset);
    size_t size = record_size(shape, fact);
    size_t place = entry_place(ruleset, state, fact);
    struct entry *entry;
    char *target;

    if (!user_log_reserve(ruleset, state, 1, size, err)) {
        return false;
    }
    target = state->entries + place * stride;
    if (place < state->entry_count) {
        user_taken_cut(ruleset, state, place);
        memmove(target + stride, target, (state->entry_count - place) * stride);
    }
    entry = (struct entry *)(void *)target;
    *entry = (struct entry){.time_ms = fact->time_ms, .record = (uint32_t)(state->heap_size / 8), .shape = fact->shape};
    for (size_t i = 0; i < ruleset->selector_words; i++) {
        entry->mask[i] = fact->matched ? fact->mask[i] : 0;
    }
    write_record(shape, fact, state->heap + state->heap_size);
    state->heap_size += size;
    state->entry_count++;
    if (fact->has_id) {
        state->id_count++;
        if (state->ids != NULL) {
            ids_insert(ruleset, state, entry->record);
        }
    }
    return true;
}

/* An event changes M from its own time on: what was carried from before stays, the rest of these segments is found
 * anew. */
static void drop_carries(const struct ruleset *ruleset, struct user_state *state, const uint64_t *mask, int64_t time_ms,
                         bool all)
{
    if (state->carried_until == NULL || state->transient) {
        return;
    }
    for (size_t i = 0; all && i < ruleset->segment_count; i++) {
        state->carried_until[i] = TIMESTAMP_ALWAYS;
    }
    for (size_t s = 0; !all && s < ruleset->selector_count; s++) {
        if (!bit_is_set(mask, s)) {
            continue;
        }
        for (size_t i = 0; i < ruleset->segment_count; i++) {
            if (bit_is_set(ruleset->selectors[s].segments, i) && state->carried_until[i] >= time_ms) {
                state->carried_until[i] = TIMESTAMP_ALWAYS;
            }
        }
    }
}

/* Of an event at or before the base only this is kept: that it was, which changes nothing behind the base, and the
 * message id, as long as a copy may come that is not late. */
static bool absorb_late(const struct ruleset *ruleset, struct user_state *state, const struct fact *fact,
                        struct error *err)
{
    struct fact id_alone = *fact;

    id_alone.matched = false;
    if (fact->has_id && fact->time_ms > copies_after(ruleset, user_base_at(state)) &&
        !keep(ruleset, state, &id_alone, err)) {
        return false;
    }
    state->known_since = fact->time_ms < state->known_since ? fact->time_ms : state->known_since;
    state->newest = fact->time_ms > state->newest ? fact->time_ms : state->newest;
    return true;
}

/* What to make of a copy of the event that is kept. */
static enum fold_result judge_copy(const struct record *kept, const struct fact *fact)
{
    if ((kept->content | FACT_SOURCE_MASK) == (fact->content | FACT_SOURCE_MASK)) {
        return FOLD_COPY;
    }
    return (fact->content & FACT_SOURCE_MASK) < (kept->content & FACT_SOURCE_MASK) ? FOLD_COPY_EARLIER
                                                                                   : FOLD_COPY_DIFFERENT;
}

bool user_state_absorb(const struct ruleset *ruleset, struct user_state *state, const struct fact *fact,
                       enum fold_result *result, struct error *err)
{
    bool earlier = fact->time_ms < state->known_since;

    if (fact->has_id) {
        const struct record *kept;

        if (!user_log_index(ruleset, state, err)) {
            return false;
        }
        kept = find_copy(ruleset, state, fact);
        if (kept != NULL) {
            *result = judge_copy(kept, fact);
            return true;
        }
    }
    if (fact->time_ms <= user_base_at(state)) {
        /* What nobody looks at changes nothing, late or not. */
        *result = fact->matched || earlier ? FOLD_LATE : FOLD_APPLIED;
        return absorb_late(ruleset, state, fact, err);
    }
    if ((fact->matched || fact->has_id) && !keep(ruleset, state, fact, err)) {
        return false;
    }
    if (fact->matched || earlier) {
        drop_carries(ruleset, state, fact->mask, fact->time_ms, earlier);
    }
    state->known_since = earlier ? fact->time_ms : state->known_since;
    state->newest = fact->time_ms > state->newest ? fact->time_ms : state->newest;
    *result = FOLD_APPLIED;
    return true;
}

/* Whether the criteria read one of the selectors in the mask. */
static bool nodes_read(const struct node *nodes, size_t count, const uint64_t *mask)
{
    for (size_t i = 0; i < count; i++) {
        const struct node *node = &nodes[i];
        enum criterion_kind kind = node->criterion->kind;
        bool trait = kind == CRITERION_TRAIT || kind == CRITERION_TRAIT_AGE || kind == CRITERION_TRAIT_UNTIL;
        bool event = kind == CRITERION_EVENT || kind == CRITERION_ABSENCE || kind == CRITERION_PERCENTILE;

        for (size_t k = 0; kind == CRITERION_SEQUENCE && k < node->criterion->step_count; k++) {
            if (bit_is_set(mask, node->steps[k])) {
                return true;
            }
        }
        for (size_t k = 0; kind == CRITERION_COMPARE && k < 2; k++) {
            if (bit_is_set(mask, node->children[k].plan.selector)) {
                return true;
            }
        }
        if ((event && bit_is_set(mask, node->plan.selector)) ||
            (kind == CRITERION_ABSENCE && bit_is_set(mask, node->followed_by)) ||
            (trait && bit_is_set(mask, node->trait)) ||
            (kind == CRITERION_PERCENTILE && node->trait != RULESET_NONE && bit_is_set(mask, node->trait)) ||
            (kind != CRITERION_COMPARE && nodes_read(node->children, node->child_count, mask))) {
            return true;
        }
    }
    return false;
}

/* What touch finds by the selectors' bits, found by reading the definitions. */
static void touch_by_reading(const struct ruleset *ruleset, const uint64_t *mask, uint64_t *touched)
{
    for (size_t i = 0; i < ruleset->segment_count; i++) {
        for (size_t k = 0; k < ruleset->segments[i].closure_count; k++) {
            const struct segment_plan *plan = &ruleset->segments[ruleset->segments[i].closure[k]];

            if (nodes_read(plan->criteria, plan->definition->criterion_count, mask) ||
                nodes_read(plan->exclude, plan->definition->exclude_count, mask)) {
                bit_set(touched, i);
            }
        }
    }
}

/* The segments that an event with this mask can change; all of them where it makes the user known earlier. */
static void touch(const struct ruleset *ruleset, const uint64_t *mask, bool all, uint64_t *touched)
{
    for (size_t i = 0; all && i < ruleset->segment_count; i++) {
        bit_set(touched, i);
    }
    if (!all && !optimisation_on(OPTIMISATION_TOUCH_INDEX)) {
        touch_by_reading(ruleset, mask, touched);
        return;
    }
    for (size_t word = 0; !all && word < ruleset->selector_words; word++) {
        for (uint64_t bits = mask[word]; bits != 0; bits &= bits - 1) {
            const struct selector *selector = &ruleset->selectors[word * 64 + (size_t)__builtin_ctzll(bits)];

            for (size_t k = 0; k < ruleset->segment_words; k++) {
                touched[k] |= selector->segments[k];
            }
        }
    }
}

/* The segments that either an event or the copy of it that is kept can change; all of them where one of them makes the
 * user known, or the values of the one that is kept are gone. */
static void touch_copies(const struct ruleset *ruleset, const struct user_state *state, const struct fact *fact,
                         uint64_t *touched)
{
    const struct record *kept = find_copy(ruleset, state, fact);
    size_t stride = entry_stride(ruleset);
    size_t index = 0;

    while (index + 1 < state->entry_count && entry_record(state, entry_at(state, stride, index)) != kept) {
        index++;
    }
    touch(ruleset, fact->mask, fact->time_ms < state->known_since, touched);
    touch(ruleset, entry_at(state, stride, index)->mask,
          kept->time_ms == state->known_since || kept->time_ms <= user_base_at(state), touched);
}

bool user_state_fold(const struct ruleset *ruleset, struct user_state *state, const struct event *event,
                     struct evaluation *evaluation, enum fold_result *result, uint64_t *touched, struct error *err)
{
    return user_state_fold_from(ruleset, state, event, 0, evaluation, result, touched, err);
}

bool user_state_fold_from(const struct ruleset *ruleset, struct user_state *state, const struct event *event,
                          unsigned source, struct evaluation *evaluation, enum fold_result *result, uint64_t *touched,
                          struct error *err)
{
    bool earlier = event->time_ms < state->known_since;
    struct fact fact;

    evaluation->answered_state = NULL;
    evaluation->fresh_state = NULL;
    if (event->kind == EVENT_CONSENT || event->kind == EVENT_DELETE || event->kind == EVENT_NONE) {
        *result = FOLD_IGNORED;
        return true;
    }
    if (!fact_take(ruleset, event, evaluation, &fact, err)) {
        return false;
    }
    fact.content |= fact.has_id ? source & FACT_SOURCE_MASK : 0U;
    if (!user_state_absorb(ruleset, state, &fact, result, err)) {
        return false;
    }
    if (*result == FOLD_COPY_EARLIER && touched != NULL) {
        touch_copies(ruleset, state, &fact, touched);
    } else if (*result == FOLD_LATE && touched != NULL) {
        touch(ruleset, fact.mask, earlier, touched);
    } else if (*result == FOLD_APPLIED && touched != NULL) {
        memset(evaluation->fresh, 0, ruleset->segment_words * sizeof *evaluation->fresh);
        touch(ruleset, fact.mask, earlier, evaluation->fresh);
        evaluation->fresh_state = state;
        evaluation->fresh_cleared_count = state->cleared_count;
        for (size_t i = 0; i < ruleset->segment_words; i++) {
            touched[i] |= evaluation->fresh[i];
        }
    }
    return true;
}
