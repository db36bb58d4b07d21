/* The inside of a user's state: the log of events and what evaluation carries from one call to the next. For the files
 * that fold and evaluate, and nobody else. */
#ifndef MUSTER_DOMAIN_USER_LOG_H
#define MUSTER_DOMAIN_USER_LOG_H

#include "common/domain/ruleset_parts.h"
#include "common/domain/user_state.h"
#include "common/domain/user_taken.h"

/* A value of an event. Text lies behind the slots of its record. */
struct slot {
    int64_t number; /* micros; of a boolean 0 or 1; of text: bytes from the record's begin */
    uint32_t size;  /* of text */
    uint8_t type;   /* enum value_type */
    uint8_t unused[3];
};

/* What is kept of an event besides its time. Behind it: the message id, padded to 8 bytes; the slots of the event's
 * shape; texts. */
struct record {
    int64_t time_ms;
    uint32_t content; /* hash of what the event says, to tell copies that differ, and where it was read (fact.h) */
    uint32_t id_hash; /* 0: nobody has asked yet */
    uint16_t id_size;
    bool has_id;
};

/* One event of the log. `mask` has selector_words words: the selectors that took it. Where none did (mask 0), only the
 * message id is kept, without slots.
 *
 * Or a pane: what a window that moves in steps needs of the events that it loses together, taken together. Its
 * shape is SHAPE_PANE + its number among the ruleset's panes, its mask 0, its time that of the newest event in it, and
 * behind its record, which has no id, lies a struct pane. */
struct entry {
    int64_t time_ms;
    uint32_t record; /* in units of 8 bytes from the heap's begin */
    uint32_t shape;
    uint64_t mask[];
};

struct pane {
    uint64_t sum_low; /* int128, micros */
    int64_t sum_high;
    int64_t count;
    int64_t numeric_count;
};

/* What evaluation needs of the past up to the instant `carried_until` of its segment. */
struct carry {
    int64_t qualified_at;  /* q; INT64_MIN where none */
    int64_t entered_at;    /* of the interval of M open then; INT64_MIN where none */
    int64_t blocked_until; /* by the exclusion window; INT64_MIN where not */
};

/* A criterion summed up as of an instant: one without a window over its events until then, one with a window over those
 * that count then. */
struct summary {
    int128 sum;
    union {
        struct {
            int64_t count; /* counting events; of an absence or sequence: 1 where it holds */
            int64_t numeric_count;
            int64_t extreme; /* min, max */
            int64_t distinct_count;
            int64_t first_ms;
            int64_t last_ms;
            uint32_t record; /* latest, earliest: the entry whose value is chosen */
            uint32_t shape;
        };
        struct { /* tally.c: places in the log are times; what the selector took up to them ... */
            int128 turn_sum;
            int64_t turn_ms;    /* ... is not in turn_sum, which all that counts later adds up to */
            int64_t left_ms;    /* ... has ceased to count */
            int64_t passed_ms;  /* ... has begun to count */
            uint32_t turn_hint; /* indexes of the first entries behind, unless entries came late */
            uint32_t low_hint;
            uint32_t high_hint;
            bool negative;
        };
    };
    int64_t at_ms; /* INT64_MIN: nothing is summed up */
};

/* A criterion that looks back without limit, summed up as of the base. What is not said to be used is 0. */
struct base_summary {
    int128 sum;      /* none, count, sum, avg: what was added up; min, max: the extreme; distinct: how many */
    int64_t count;   /* avg, min, max: numeric values; other measures: events; absence, sequence: 1 where it holds */
    int64_t last_ms; /* first: the first event; last, distinct periods: the last one; where there are events */
};

/* What takes the place of the events up to at_ms, which are final: nothing at or before it is absorbed any more, and
 * what nothing needs of them has been dropped. Where a state has none, everything is found from the beginning. */
struct user_base {
    struct base_summary *summaries; /* by node.base: ruleset->base_count; behind this struct, in one block */
    struct carry *carries;          /* by segment, as of at_ms; behind the summaries */
    int64_t at_ms;
};

struct user_state {
    int64_t known_since;
    int64_t newest;
    char *entries; /* entry_count entries of entry_stride bytes, in the order of section 2 */
    size_t entry_count;
    size_t entry_capacity;
    char *heap;
    size_t heap_size; /* a multiple of 8 */
    size_t heap_capacity;
    uint64_t *ids; /* open addressing over records with an id: hash << 32 | record + 1, 0 = empty; NULL while the log is
                      short */
    size_t id_count; /* entries with an id */
    size_t id_capacity;
    struct user_taken *taken;  /* NULL until the log was long; what it holds is found while evaluating */
    struct summary *summaries; /* one block with the two below; NULL until the first incremental evaluation */
    struct carry *carries;     /* by segment */
    int64_t *carried_until;    /* by segment; INT64_MIN: nothing is carried */
    struct user_base *base;    /* NULL: nothing was pruned */
    bool transient;            /* soon packed or emptied: nothing is carried to the next event */
    uint64_t cleared_count;    /* tells the contents that the struct has had apart */
    size_t prune_count;        /* pruning is due with this many entries; 0: with PRUNE_COUNT_MIN */
};

/* A log with fewer entries, or without message ids, has no table of them: it is looked through. */
enum { USER_LOG_SMALL_MAX = 32 };

/* Fewer entries are not worth it. */
enum { PRUNE_COUNT_MIN = 16 };

/* What the base says of a criterion's past, as the summary that the evaluation goes on from; a summary of nothing where
 * there is no base, or the criterion has none in it. */
struct summary user_base_summed(const struct user_state *state, const struct node *node);
/* A base as of `at_ms` in which nothing has happened, or NULL when there is no memory. Freed with memory_free. */
struct user_base *user_base_new(const struct ruleset *ruleset, int64_t at_ms);

/* A copy that comes behind `final_ms` can only be one of an event behind this instant. */
static inline int64_t copies_after(const struct ruleset *ruleset, int64_t final_ms)
{
    int64_t after_ms;

    return __builtin_sub_overflow(final_ms, ruleset->dedup_ms, &after_ms) ? INT64_MIN : after_ms;
}

/* What everything is found from where nothing is carried. */
static inline int64_t user_base_at(const struct user_state *state)
{
    return state->base == NULL ? INT64_MIN : state->base->at_ms;
}

static inline size_t entry_stride(const struct ruleset *ruleset)
{
    return sizeof(struct entry) + ruleset->selector_words * sizeof(uint64_t);
}

static inline const struct entry *entry_at(const struct user_state *state, size_t stride, size_t index)
{
    return (const struct entry *)(const void *)(state->entries + index * stride);
}

static inline const struct record *entry_record(const struct user_state *state, const struct entry *entry)
{
    return (const struct record *)(const void *)(state->heap + (size_t)entry->record * 8);
}

static inline bool entry_is_pane(const struct entry *entry)
{
    return (entry->shape & SHAPE_PANE) != 0;
}

static inline const struct pane *entry_pane(const struct user_state *state, const struct entry *entry)
{
    return (const struct pane *)(const void *)(entry_record(state, entry) + 1);
}

static inline int128 pane_sum(const struct pane *pane)
{
    return (int128)((uint128)(uint64_t)pane->sum_high << 64 | pane->sum_low);
}

static inline size_t padded(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

static inline struct slice record_id(const struct record *record)
{
    return slice_of((const char *)(record + 1), record->id_size);
}

/* The slot of a column, or NULL where the event's shape does not keep it. */
static inline const struct slot *entry_slot(const struct ruleset *ruleset, const struct user_state *state,
                                            const struct entry *entry, uint32_t column)
{
    uint16_t slot = ruleset->shapes[entry->shape].slot_of[column];

    const struct record *record = entry_record(state, entry);

    if (slot == SHAPE_NO_SLOT) {
        return NULL;
    }
    return (const struct slot *)(const void *)((const char *)(record + 1) + padded(record->id_size)) + slot;
}

/* The value in a slot (NULL: missing), borrowed from the state. */
static inline struct value slot_value(const struct user_state *state, const struct entry *entry,
                                      const struct slot *slot)
{
    struct value value = {.type = VALUE_MISSING};

    if (slot == NULL) {
        return value;
    }
    value.type = (enum value_type)slot->type;
    if (slot->type == VALUE_NUMBER) {
        value.micros = slot->number;
    } else if (slot->type == VALUE_BOOLEAN) {
        value.boolean = slot->number != 0;
    } else if (slot->type != VALUE_MISSING) {
        value.text.data = (const char *)entry_record(state, entry) + slot->number;
        value.text.size = slot->size;
    }
    return value;
}

/* The rarely needed parts of the three below. */
bool user_log_grow(const struct ruleset *ruleset, struct user_state *state, size_t entry_count, size_t heap_size,
                   struct error *err) MUST_CHECK;
bool user_log_index_grow(const struct ruleset *ruleset, struct user_state *state, struct error *err) MUST_CHECK;
size_t user_log_find_until(const struct ruleset *ruleset, const struct user_state *state, int64_t at);

/* Room for so many more entries and bytes of the heap. False when there is no memory; nothing has changed then. */
static inline MUST_CHECK bool user_log_reserve(const struct ruleset *ruleset, struct user_state *state,
                                               size_t entry_count, size_t heap_size, struct error *err)
{
    return ((state->entry_count + entry_count) * entry_stride(ruleset) <= state->entry_capacity &&
            state->heap_size + heap_size <= state->heap_capacity) ||
           user_log_grow(ruleset, state, entry_count, heap_size, err);
}

/* Makes the table of ids, or a larger one, where the log is long enough and has so many that one more needs it. */
static inline MUST_CHECK bool user_log_index(const struct ruleset *ruleset, struct user_state *state, struct error *err)
{
    return state->entry_count < USER_LOG_SMALL_MAX || state->id_count == 0 ||
           (state->ids != NULL && state->id_count * 2 < state->id_capacity) || user_log_index_grow(ruleset, state, err);
}

/* Number of entries with time <= at. Mostly the log is asked about its end. */
static inline size_t user_log_count_until(const struct ruleset *ruleset, const struct user_state *state, int64_t at)
{
    size_t count = state->entry_count;

    if (count == 0 || entry_at(state, entry_stride(ruleset), count - 1)->time_ms <= at) {
        return count;
    }
    return user_log_find_until(ruleset, state, at);
}

#endif
