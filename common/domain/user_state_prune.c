/* The base of a user's state: what is carried and summed up as of an instant up to which events are final, in the place
 * of all that nobody needs any more.
 *
 * Pruning evaluates every segment up to that instant, from the base before, finds what must be kept (user_keep.c), and
 * writes log and heap anew. What was carried from event to event rests on entries that may be gone: it is found again
 * from the new base. */
#include "common/base/timestamp.h"
#include "common/domain/measure_parts.h"
#include "common/domain/optimisation.h"
#include "common/domain/user_keep.h"

struct user_base *user_base_new(const struct ruleset *ruleset, int64_t at_ms)
{
    size_t summaries_size = ruleset->base_count * sizeof(struct base_summary);
    size_t head_size = (sizeof(struct user_base) + 15) & ~(size_t)15;
    size_t size = head_size + summaries_size + ruleset->segment_count * sizeof(struct carry);
    char *block = memory_allocate_zeroed(1, size);
    struct user_base *base = (struct user_base *)(void *)block;

    if (block == NULL) {
        return NULL;
    }
    base->summaries = (struct base_summary *)(void *)(block + head_size);
    base->carries = (struct carry *)(void *)(block + head_size + summaries_size);
    base->at_ms = at_ms;
    for (size_t i = 0; i < ruleset->segment_count; i++) {
        base->carries[i] = carry_none;
    }
    return base;
}

int64_t user_state_final(const struct user_state *state)
{
    return user_base_at(state);
}

bool user_state_prune_due(const struct ruleset *ruleset, const struct user_state *state, int64_t final_ms)
{
    size_t due = state->prune_count > PRUNE_COUNT_MIN ? state->prune_count : PRUNE_COUNT_MIN;

    return state->entry_count >= due && final_ms > user_base_at(state) &&
           entry_at(state, entry_stride(ruleset), state->entry_count / 2)->time_ms <= final_ms;
}

/* ---- summaries ---- */

void base_give_count(const struct base_summary *base, struct summary *summary)
{
    (void)base;
    (void)summary;
}

void base_give_numeric(const struct base_summary *base, struct summary *summary)
{
    summary->numeric_count = base->count;
}

void base_give_extreme(const struct base_summary *base, struct summary *summary)
{
    summary->numeric_count = base->count;
    summary->extreme = (int64_t)base->sum;
}

void base_give_different(const struct base_summary *base, struct summary *summary)
{
    summary->distinct_count = (int64_t)base->sum;
    summary->last_ms = base->last_ms;
}

void base_give_first(const struct base_summary *base, struct summary *summary)
{
    summary->first_ms = base->last_ms;
}

void base_give_last(const struct base_summary *base, struct summary *summary)
{
    summary->last_ms = base->last_ms;
}

void base_take_count(const struct summary *summary, struct base_summary *base)
{
    base->count = summary->count;
}

void base_take_sum(const struct summary *summary, struct base_summary *base)
{
    base->sum = summary->sum;
}

void base_take_numeric(const struct summary *summary, struct base_summary *base)
{
    base->sum = summary->sum;
    base->count = summary->numeric_count;
}

void base_take_extreme(const struct summary *summary, struct base_summary *base)
{
    base->count = summary->numeric_count;
    base->sum = summary->numeric_count > 0 ? summary->extreme : 0;
}

void base_take_different(const struct summary *summary, struct base_summary *base)
{
    base->sum = summary->distinct_count;
    base->count = summary->count;
    base->last_ms = summary->count > 0 ? summary->last_ms : 0;
}

void base_take_first(const struct summary *summary, struct base_summary *base)
{
    base->count = summary->count;
    base->last_ms = summary->count > 0 ? summary->first_ms : 0;
}

void base_take_last(const struct summary *summary, struct base_summary *base)
{
    base->count = summary->count;
    base->last_ms = summary->count > 0 ? summary->last_ms : 0;
}

struct summary user_base_summed(const struct user_state *state, const struct node *node)
{
    struct summary summary = {.at_ms = INT64_MIN};
    const struct base_summary *base;

    if (state->base == NULL || node->base == RULESET_NONE) {
        return summary;
    }
    base = &state->base->summaries[node->base];
    summary.at_ms = state->base->at_ms;
    summary.sum = base->sum;
    if (node->plan.tallied) {
        summary.passed_ms = summary.at_ms;
        return summary;
    }
    summary.count = base->count;
    if (node->criterion->kind == CRITERION_EVENT) {
        measure_operator(node->plan.measure)->from_base(base, &summary);
    }
    return summary;
}

/* The opposite. */
static struct base_summary base_of(const struct node *node, const struct summary *summary)
{
    struct base_summary base = {0};

    if (summary->at_ms == INT64_MIN) {
        return base; /* nobody knew the user yet: there are no events */
    }
    if (node->criterion->kind != CRITERION_EVENT) {
        base.count = summary->count;
        return base;
    }
    if (node->plan.tallied) {
        base.sum = summary->sum;
        return base;
    }
    measure_operator(node->plan.measure)->to_base(summary, &base);
    return base;
}

static void take_summaries(const struct node *nodes, size_t count, const struct summary *summaries,
                           struct user_base *base)
{
    for (size_t i = 0; i < count; i++) {
        if (nodes[i].base != RULESET_NONE) {
            base->summaries[nodes[i].base] = base_of(&nodes[i], &summaries[nodes[i].carry]);
        }
        take_summaries(nodes[i].children, nodes[i].child_count, summaries, base);
    }
}

/* Evaluates everything up to the new base, and fills it. */
static void fill_base(struct evaluation *evaluation, struct user_base *base)
{
    const struct ruleset *ruleset = evaluation->ruleset;
    const struct user_base *before = evaluation->state->base;

    evaluation->thorough = true;
    evaluation->carry_at = base->at_ms;
    for (size_t i = 0; i < ruleset->segment_count; i++) {
        size_t segment = ruleset->set->evaluation_order[i];
        const struct segment_plan *plan = &ruleset->segments[segment];
        struct summary *summaries = evaluation_allocate(evaluation, plan->summary_count, sizeof *summaries);

        if (plan->definition->needs_percentile || summaries == NULL) {
            continue;
        }
        for (uint32_t k = 0; k < plan->summary_count; k++) {
            summaries[k].at_ms = INT64_MIN;
        }
        evaluation->summing = summaries;
        evaluate_segment(evaluation, segment, before == NULL ? &carry_none : &before->carries[segment], base->at_ms,
                         &base->carries[segment]);
        take_summaries(plan->criteria, plan->definition->criterion_count, summaries, base);
        take_summaries(plan->exclude, plan->definition->exclude_count, summaries, base);
    }
    evaluation->summing = NULL;
    evaluation->thorough = false;
}

/* ---- the log, written anew ---- */

struct writing {
    const struct user_state *state;
    size_t stride;
    size_t mask_size;
    char *entries;
    size_t entry_count;
    size_t entry_capacity;
    char *heap;
    size_t heap_size;
    size_t heap_capacity;
    size_t id_count;
};

/* What is behind the id of an entry's record: its slots and texts. Records lie in the heap in no order, so their size
 * is found from the slots. */
static size_t values_size(const struct ruleset *ruleset, const struct entry *entry, const char *slots)
{
    const struct shape *shape = &ruleset->shapes[entry->shape];
    size_t size = shape->column_count * sizeof(struct slot);

    for (size_t i = 0; i < shape->column_count; i++) {
        const struct slot *slot = (const struct slot *)(const void *)(slots + i * sizeof *slot);

        if (slot->type == VALUE_STRING || slot->type == VALUE_COMPOUND) {
            size += padded(slot->size);
        }
    }
    return size;
}

static bool has_values(const struct entry *entry, size_t word_count)
{
    uint64_t any = 0;

    for (size_t i = 0; i < word_count; i++) {
        any |= entry->mask[i];
    }
    return any != 0;
}

/* Bytes of the entry's record that are kept. */
static size_t entry_size(const struct user_state *state, const struct ruleset *ruleset, const struct entry *entry,
                         unsigned kind)
{
    const struct record *record = entry_record(state, entry);
    size_t id_size = padded(record->id_size);
    bool values = kind != KEEP_ID && has_values(entry, ruleset->selector_words);

    return sizeof *record + (kind == KEEP_VALUES ? 0 : id_size) +
           (values ? values_size(ruleset, entry, (const char *)(record + 1) + id_size) : 0);
}

static void write_entry(struct writing *writing, const struct ruleset *ruleset, const struct entry *entry,
                        enum keep_kind kind)
{
    const struct record *old = entry_record(writing->state, entry);
    bool values = kind != KEEP_ID && has_values(entry, ruleset->selector_words);
    const char *slots = (const char *)(old + 1) + padded(old->id_size);
    size_t size = values ? values_size(ruleset, entry, slots) : 0;
    struct entry head = {.time_ms = entry->time_ms,
                         .record = (uint32_t)(writing->heap_size / 8),
                         .shape = entry->shape};
    struct record record = *old;
    char *out = writing->entries + writing->entry_count++ * writing->stride;
    char *behind;
    size_t id_size;

    if (kind == KEEP_VALUES) {
        record = (struct record){.time_ms = old->time_ms};
    }
    memcpy(out, &head, sizeof head);
    if (values) {
        memcpy(out + sizeof head, entry->mask, writing->mask_size);
    } else {
        memset(out + sizeof head, 0, writing->mask_size);
    }
    id_size = padded(record.id_size);
    behind = writing->heap + writing->heap_size;
    memcpy(behind, &record, sizeof record);
    memcpy(behind + sizeof record, old + 1, id_size);
    memcpy(behind + sizeof record + id_size, slots, size);
    /* Where texts lie is counted from the record's begin: behind an id that was dropped they come nearer. */
    for (size_t i = 0; values && i < ruleset->shapes[entry->shape].column_count; i++) {
        struct slot *slot = (struct slot *)(void *)(behind + sizeof record + id_size + i * sizeof *slot);

        if (slot->type == VALUE_STRING || slot->type == VALUE_COMPOUND) {
            slot->number -= (int64_t)(padded(old->id_size) - id_size);
        }
    }
    writing->heap_size += sizeof record + id_size + size;
    writing->id_count += record.has_id;
}

static void write_pane(struct writing *writing, const struct kept_pane *kept)
{
    struct entry head = {.time_ms = kept->time_ms, .record = (uint32_t)(writing->heap_size / 8), .shape = kept->shape};
    struct record record = {.time_ms = kept->time_ms};
    char *out = writing->entries + writing->entry_count++ * writing->stride;

    memcpy(out, &head, sizeof head);
    memset(out + sizeof head, 0, writing->mask_size);
    memcpy(writing->heap + writing->heap_size, &record, sizeof record);
    memcpy(writing->heap + writing->heap_size + sizeof record, &kept->pane, sizeof kept->pane);
    writing->heap_size += sizeof record + sizeof kept->pane;
}

/* Makes room for exactly what will be written. */
static bool reserve(struct writing *writing, const struct ruleset *ruleset, const struct kept *kept, struct error *err)
{
    const struct user_state *state = writing->state;

    writing->entry_capacity = kept->pane_count * writing->stride;
    writing->heap_capacity = kept->pane_count * (sizeof(struct record) + sizeof(struct pane));
    for (size_t i = 0; i < state->entry_count; i++) {
        if (kept->kinds[i] != KEEP_NONE) {
            writing->entry_capacity += writing->stride;
            writing->heap_capacity += entry_size(state, ruleset, entry_at(state, writing->stride, i), kept->kinds[i]);
        }
    }
    writing->entries = memory_allocate(writing->entry_capacity);
    writing->heap = memory_allocate(writing->heap_capacity);
    if (writing->entries == NULL || writing->heap == NULL) {
        memory_free(writing->entries);
        memory_free(writing->heap);
        return error_no_memory(err, "pruning a user's events");
    }
    return true;
}

static void write_all(struct writing *writing, const struct ruleset *ruleset, const struct kept *kept)
{
    const struct user_state *state = writing->state;
    size_t pane = 0;

    for (size_t i = 0; i < state->entry_count; i++) {
        const struct entry *entry = entry_at(state, writing->stride, i);

        if (kept->kinds[i] == KEEP_NONE) {
            continue;
        }
        while (pane < kept->pane_count && kept->panes[pane].time_ms <= entry->time_ms) {
            write_pane(writing, &kept->panes[pane++]);
        }
        write_entry(writing, ruleset, entry, (enum keep_kind)kept->kinds[i]);
    }
    while (pane < kept->pane_count) {
        write_pane(writing, &kept->panes[pane++]);
    }
}

static void replace_log(struct user_state *state, const struct writing *writing)
{
    memory_free(state->entries);
    memory_free(state->heap);
    memory_free(state->ids);
    if (state->taken != NULL) {
        user_taken_clear(state->taken);
    }
    state->entries = writing->entries;
    state->entry_count = writing->entry_count;
    state->entry_capacity = writing->entry_capacity;
    state->heap = writing->heap;
    state->heap_size = writing->heap_size;
    state->heap_capacity = writing->heap_capacity;
    state->ids = NULL; /* made again by the next event that has one */
    state->id_capacity = 0;
    state->id_count = writing->id_count;
}

static bool prune(struct evaluation *evaluation, struct user_state *state, struct user_base *base, struct error *err)
{
    const struct ruleset *ruleset = evaluation->ruleset;
    struct writing writing = {.state = state,
                              .stride = entry_stride(ruleset),
                              .mask_size = ruleset->selector_words * sizeof(uint64_t)};
    struct kept kept;

    evaluation_begin(evaluation, state, base->at_ms, TIMESTAMP_ALWAYS);
    fill_base(evaluation, base);
    if (!evaluation_finish(evaluation, err)) {
        return false;
    }
    evaluation_begin(evaluation, state, TIMESTAMP_NEVER, TIMESTAMP_ALWAYS);
    keep_find(evaluation, base, &kept);
    if (!evaluation_finish(evaluation, err)) {
        return false;
    }
    if (!reserve(&writing, ruleset, &kept, err)) {
        return false;
    }
    write_all(&writing, ruleset, &kept);
    replace_log(state, &writing);
    return true;
}

bool user_state_prune(const struct ruleset *ruleset, struct user_state *state, int64_t final_ms,
                      struct evaluation *evaluation, struct error *err)
{
    struct user_base *base;

    if (!optimisation_on(OPTIMISATION_PRUNE) || final_ms <= user_base_at(state) || state->entry_count == 0 ||
        entry_at(state, entry_stride(ruleset), 0)->time_ms > final_ms) {
        return true;
    }
    base = user_base_new(ruleset, final_ms);
    if (base == NULL) {
        return error_no_memory(err, "pruning a user's events");
    }
    if (!prune(evaluation, state, base, err)) {
        memory_free(base);
        return false;
    }
    memory_free(state->base);
    state->base = base;
    state->prune_count = 2 * state->entry_count;
    for (size_t i = 0; state->carried_until != NULL && i < ruleset->segment_count; i++) {
        state->carried_until[i] = TIMESTAMP_ALWAYS;
    }
    return true;
}
