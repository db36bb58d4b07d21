/* What a ruleset is made of: shared by the files that compile and evaluate it, and by nobody else.
 *
 * Selectors (names and `where`) and the values that rules read are interned over all definitions. So an event's
 * predicates are evaluated once, when it is folded; its log entry keeps one bit per selector that took it, and the
 * values that these selectors' rules read. An identify event is an entry as well: a trait is a selector of the
 * identifies that set it. */
#ifndef MUSTER_DOMAIN_RULESET_PARTS_H
#define MUSTER_DOMAIN_RULESET_PARTS_H

#include "common/base/hash.h"
#include "common/domain/comparison.h"
#include "common/domain/rule_operators.h"
#include "common/domain/ruleset.h"

#define RULESET_NONE UINT32_MAX

/* A property or trait that rules read. */
struct rule_source {
    const struct slice *keys;
    size_t key_count;
};

/* A value kept with an entry: a source, or the product of two. */
struct rule_column {
    bool trait;
    uint32_t source;
    uint32_t factor; /* RULESET_NONE: no product */
};

struct predicate {
    uint32_t source;
    const struct rule_comparison *comparison;
};

/* Without so many events of the selector, one of them in the last reach_ms, or those of one of the alternatives behind
 * it, the segment does not hold. */
struct need {
    int64_t reach_ms;
    size_t count_min; /* from 1 */
    uint32_t selector;
    uint32_t next; /* index behind the alternatives */
};

/* A segment that is found by one of its needs. */
struct needing {
    int64_t reach_ms;
    uint32_t count_min;
    uint32_t rank;
};

/* Takes track, page, screen events; or, for a trait, the identifies that set its first key. */
struct selector {
    bool trait;
    bool any_name;
    const struct slice *names;
    size_t name_count;
    struct predicate *predicates;
    size_t predicate_count;
    struct slice key;   /* trait */
    uint64_t *columns;  /* bits: what its rules read */
    uint64_t *segments; /* bits: what its events can change, through references too */
};

/* Selectors that hold only where a source equals one of some texts. */
struct lookup_slot {
    uint32_t hash;     /* of the text */
    uint32_t position; /* among those that the shape tests, + 1; 0: empty */
};
struct lookup_text {
    struct slice text;
    bool decides; /* the selector asks for nothing else */
};
struct shape_lookup {
    uint32_t source;
    size_t slot_mask;
    struct lookup_slot *slots; /* open addressing; those of one text follow one another up to an empty one */
    struct lookup_text *texts; /* by slot */
};

/* What is done with the events of one name. shapes[0]: names that no rule mentions; shapes[1]: identify. */
struct shape {
    struct slice name;
    uint32_t *selectors; /* that regard such events */
    size_t selector_count;
    uint32_t *certain; /* those of them that take every such event */
    size_t certain_count;
    uint64_t *takes_all; /* bits: the same */
    uint32_t *tested;    /* the others */
    size_t tested_count;
    uint32_t *sources; /* read once per event for predicates and columns */
    size_t source_count;
    uint32_t *columns; /* kept, in this order, in the entry's slots */
    size_t column_count;
    uint16_t *slot_of; /* by column; SHAPE_NO_SLOT */
    uint32_t *plain;   /* places in `tested` of selectors that are tested one by one; lookups have the others */
    size_t plain_count;
    struct shape_lookup *lookups;
    size_t lookup_count;
};

enum { SHAPE_OTHER = 0, SHAPE_IDENTIFY = 1, SHAPE_FIRST_NAMED = 2, SHAPE_NO_SLOT = UINT16_MAX };

/* Added to a pane's number: the shape of its entries. There are far fewer shapes and panes. */
#define SHAPE_PANE UINT32_C(0x80000000)

/* An event measure: the counting events and what is taken of them. */
struct measure_plan {
    const struct rule_window *window;
    const struct rule_measure *measure;
    const struct measure_operator *row;
    int64_t begins_ms;              /* an event counts from so long after its time on ... */
    int64_t ends_ms;                /* ... until so long after; TIMESTAMP_NEVER: without end */
    bool stepped;                   /* it does not: that depends on the calendar, or a grid */
    const struct zone *zone;        /* of a calendar window */
    const struct zone *period_zone; /* of distinct periods */
    uint32_t selector;
    uint32_t column;     /* RULESET_NONE where none is read */
    uint32_t pane_shape; /* of the panes that its events are taken together in; RULESET_NONE: in none */
    int64_t count_max;   /* count, distinct: the answer is the same for this many and for more */
    bool tallied;        /* a count or sum that is kept from one evaluation to the next (tally.c) */
    struct comparison_bound bound;
};

/* A criterion, compiled. */
struct node {
    const struct criterion *criterion;
    criterion_evaluate *evaluate; /* of its row */
    bool combines;
    struct node *children; /* ALL, ANY, NOT; COMPARE: left and right */
    size_t child_count;
    struct measure_plan plan; /* EVENT, PERCENTILE; ABSENCE and SEQUENCE: the window, ABSENCE: `a` */
    uint32_t followed_by;     /* ABSENCE: selector */
    uint32_t *same;           /* ABSENCE, SEQUENCE: columns */
    uint32_t *steps;          /* SEQUENCE: selectors */
    uint32_t trait;           /* TRAIT...: selector; PERCENTILE: `by`, or RULESET_NONE */
    uint32_t trait_column;
    uint32_t percentile; /* PERCENTILE: number in the ruleset */
    uint32_t carry;      /* number among the segment's summaries; RULESET_NONE: nothing is summed up */
    uint32_t base;       /* number among the summaries of a user's base; RULESET_NONE: none */
};

struct segment_plan {
    const struct definition *definition;
    uint32_t criterion_count; /* what a look at it asks of the definition lies here with what it looks at */
    uint32_t exclude_count;
    uint32_t reference_count;
    bool sticky;
    bool lasting;                /* has a duration */
    bool barring;                /* has an exclusion window */
    bool alone;                  /* none of these, refers to none, none refers to it, needs no percentile */
    const struct node **easiest; /* the criteria, those first whose truth takes least */
    struct need *needs;          /* all must be met */
    size_t need_count;
    struct node *criteria;
    struct node *exclude;
    uint32_t *closure; /* the segments it refers to, directly or not, in evaluation order, itself last */
    size_t closure_count;
    uint32_t summary_count; /* criteria whose past is summed up */
    size_t summary_index;   /* of the first of them in a user's state */
    int64_t reach_ms;
};

struct ruleset {
    struct arena arena;
    const struct segment_set *set;
    int64_t dedup_ms;
    uint64_t seed; /* of all hashes */
    uint64_t fingerprint;
    zone_find *zones;
    void *zones_context;

    struct rule_source *sources;
    size_t source_count;
    struct event_projection projection; /* of the sources, by their index */
    struct rule_column *columns;
    size_t column_count;
    struct selector *selectors;
    size_t selector_count;
    struct shape *shapes;
    size_t shape_count;
    uint32_t *shape_table; /* open addressing over names; 0 = empty, else shape index */
    size_t shape_table_mask;
    struct segment_plan *segments;
    size_t segment_count;
    uint32_t *rank_of;        /* by segment: its place in the evaluation order */
    struct needing *needings; /* of one selector after the other, those that need least events first */
    uint32_t *needings_begin; /* by selector, and where the last one's end */
    uint64_t *needless;       /* bits by rank: may hold whatever has happened */
    uint64_t *needful;        /* bits by rank: need more than that by which they are found */
    const struct node **percentiles;
    size_t percentile_count;

    size_t selector_words;
    size_t segment_words;
    size_t column_words;
    size_t summary_count;
    size_t base_count;                 /* criteria that a user's base sums up */
    const struct measure_plan **panes; /* by pane: one of the measures that use it */
    size_t pane_count;
};

/* With a known seed: tables of what definitions name cannot be crowded by what events name. */
static inline uint64_t ruleset_name_hash(struct slice name)
{
    enum { SEED = 0x6e616d65 };

    return hash_short(name, SEED);
}

/* Where the name stands in the table, or could. */
static inline size_t ruleset_shape_slot(const struct ruleset *ruleset, struct slice name, uint64_t name_hash)
{
    size_t slot = (size_t)name_hash & ruleset->shape_table_mask;

    while (ruleset->shape_table[slot] != 0 && !slice_equal(ruleset->shapes[ruleset->shape_table[slot]].name, name)) {
        slot = (slot + 1) & ruleset->shape_table_mask;
    }
    return slot;
}

/* The shape of an event name (not for identify). */
static inline const struct shape *ruleset_shape(const struct ruleset *ruleset, struct slice name, uint64_t name_hash)
{
    return &ruleset->shapes[ruleset->shape_table[ruleset_shape_slot(ruleset, name, name_hash)]];
}

static inline bool bit_is_set(const uint64_t *bits, size_t index)
{
    return (bits[index / 64] >> (index % 64) & 1) != 0;
}

static inline void bit_set(uint64_t *bits, size_t index)
{
    bits[index / 64] |= UINT64_C(1) << (index % 64);
}

/* Mostly one word, which is not worth a call. */
static inline void bits_clear(uint64_t *bits, size_t word_count)
{
    if (word_count == 1) {
        bits[0] = 0;
    } else {
        memset(bits, 0, word_count * sizeof *bits);
    }
}

static inline void bits_copy(uint64_t *to, const uint64_t *from, size_t word_count)
{
    if (word_count == 1) {
        to[0] = from[0];
    } else {
        memcpy(to, from, word_count * sizeof *to);
    }
}

/* Zeroed, on the ruleset's arena, or NULL with an error: no memory, or (ERROR_INPUT) the definitions are too large. */
void *ruleset_allocate(struct ruleset *ruleset, size_t count, size_t size, struct error *err) MUST_CHECK;
/* Fills the fingerprint, once everything else is there. */
bool ruleset_fingerprint_compile(struct ruleset *ruleset, struct error *err) MUST_CHECK;
/* Fills shapes and shape_table, once the selectors and their columns are there. */
bool ruleset_shapes_compile(struct ruleset *ruleset, struct error *err) MUST_CHECK;

#endif
