#include "common/domain/rule_cost.h"

#include "common/base/timestamp.h"
#include "common/domain/user_log.h"

/* Ids are hashed into a table that is between a quarter and half full. */
enum { GROWTH = 2, ID_SLOTS_MAX = 4 };

/* What user_state.c reserves for the first event. */
enum { HEAP_FIRST = 256, ENTRIES_FIRST = 4 };

static bool concerns(const struct selector *selector, size_t segment)
{
    return segment == SIZE_MAX || bit_is_set(selector->segments, segment);
}

/* Values that the segment's selectors need of one event of this shape. */
static size_t value_count(const struct ruleset *ruleset, const struct shape *shape, size_t segment)
{
    size_t count = 0;

    for (size_t i = 0; i < shape->column_count; i++) {
        bool needed = false;

        for (size_t k = 0; !needed && k < shape->selector_count; k++) {
            const struct selector *selector = &ruleset->selectors[shape->selectors[k]];

            needed = concerns(selector, segment) && bit_is_set(selector->columns, shape->columns[i]);
        }
        count += needed ? 1 : 0;
    }
    return count;
}

static void judge_stream(const struct ruleset *ruleset, size_t segment, struct rule_cost *out)
{
    const struct definition *definition = &ruleset->set->definitions[segment];
    const char *why = "";

    out->streams = definition->streams;
    if (!definition->streams) {
        out->why = rule_streams(definition, &why) ? "it refers to a segment that does not stream" : why;
    }
}

static void add_segment(const struct ruleset *ruleset, size_t segment, struct rule_cost *out)
{
    const struct segment_plan *plan = &ruleset->segments[segment];

    for (size_t i = 0; i < plan->closure_count; i++) {
        out->fixed_bytes += (int64_t)(ruleset->segments[plan->closure[i]].summary_count * sizeof(struct summary));
    }
    out->fixed_bytes += (int64_t)(sizeof(struct carry) + sizeof(int64_t));
    out->reach_ms = plan->reach_ms > out->reach_ms ? plan->reach_ms : out->reach_ms;
}

void rule_cost(const struct ruleset *ruleset, size_t segment, const struct rule_cost_assumptions *assumptions,
               struct rule_cost *out)
{
    size_t mask_bytes;
    int64_t record_bytes;

    *out = (struct rule_cost){.streams = true, .why = "", .fixed_bytes = (int64_t)sizeof(struct user_state)};
    for (size_t i = 0; i < ruleset->segment_count; i++) {
        if (segment == SIZE_MAX || segment == i) {
            add_segment(ruleset, i, out);
        }
    }
    if (segment != SIZE_MAX) {
        judge_stream(ruleset, segment, out);
    }
    for (size_t i = 0; i < ruleset->selector_count; i++) {
        out->selector_count += concerns(&ruleset->selectors[i], segment) ? 1 : 0;
    }
    for (size_t i = 0; i < ruleset->shape_count; i++) {
        size_t count = value_count(ruleset, &ruleset->shapes[i], segment);

        out->value_count_max = count > out->value_count_max ? count : out->value_count_max;
    }
    mask_bytes = (out->selector_count + 63) / 64 * sizeof(uint64_t);
    record_bytes =
        (int64_t)(sizeof(struct entry) + mask_bytes + sizeof(struct record) + padded((size_t)assumptions->id_size) +
                  out->value_count_max * (sizeof(struct slot) + padded((size_t)assumptions->text_size)));
    out->event_bytes = GROWTH * record_bytes + ID_SLOTS_MAX * (int64_t)sizeof(uint64_t);
}
