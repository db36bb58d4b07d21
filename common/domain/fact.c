#include "common/domain/fact.h"

#include "common/domain/decimal.h"
#include "common/domain/evaluation_parts.h"
#include "common/domain/optimisation.h"
#include "common/domain/ruleset_lookup.h"

/* Known seeds: what one process kept of an event is compared with what another receives. Who makes two contents with
 * one hash hides from the report that a copy differs, and no more. */
enum content_seed {
    SEED_NONE = 0,
    SEED_TIME,
    SEED_PROPERTIES = 0x100, /* above those of the time and its kind */
    SEED_TRAITS,
    SEED_PAGE_NAME,
};

static inline uint64_t hash_token(const struct event *event, int32_t token, enum content_seed seed)
{
    return token == JSON_ABSENT ? 0 : hash_long(json_raw(event->document, token), seed);
}

/* What the event says, its parts apart so that none waits for another; copies whose text differs only in form count as
 * different: better one report too many. */
static inline uint32_t hash_content(const struct event *event, uint64_t name_hash)
{
    uint64_t hash = hash_integer((uint64_t)event->time_ms, SEED_TIME + (uint64_t)event->kind);

    hash += name_hash + hash_token(event, event->properties, SEED_PROPERTIES);
    return (uint32_t)(hash + hash_token(event, event->traits, SEED_TRAITS) +
                      hash_token(event, event->page_name, SEED_PAGE_NAME));
}

/* Reads what the shape's rules need of the event into evaluation->values. */
static bool read_values(struct evaluation *evaluation, const struct shape *shape, const struct event *event,
                        struct error *err)
{
    const struct ruleset *ruleset = evaluation->ruleset;
    bool all = !optimisation_on(OPTIMISATION_TOUCH_INDEX);

    for (size_t i = 0; i < (all ? ruleset->source_count : shape->source_count); i++) {
        size_t index = all ? i : shape->sources[i];
        const struct rule_source *source = &ruleset->sources[index];

        if (!event_read(event, index, source->keys, source->key_count, &evaluation->arena,
                        &evaluation->values[index])) {
            return error_no_memory(err, "an event's properties");
        }
    }
    return true;
}

static inline bool selector_holds(struct evaluation *evaluation, const struct selector *selector,
                                  const struct event *event)
{
    if (selector->trait) {
        return event->traits != JSON_ABSENT &&
               json_member(event->document, event->traits, selector->key) != JSON_ABSENT;
    }
    for (size_t i = 0; i < selector->predicate_count; i++) {
        const struct predicate *predicate = &selector->predicates[i];

        if (!comparison_value(predicate->comparison, &evaluation->values[predicate->source], &evaluation->scratch)) {
            return false;
        }
    }
    return true;
}

/* Whether the selector looks at such events at all: what its shapes know. */
static bool selector_regards(const struct selector *selector, const struct event *event)
{
    if (selector->trait != (event->kind == EVENT_IDENTIFY)) {
        return false;
    }
    for (size_t i = 0; !selector->trait && !selector->any_name && i < selector->name_count; i++) {
        if (slice_equal(selector->names[i], event->name)) {
            return true;
        }
    }
    return selector->trait || selector->any_name;
}

/* Notes that the selector at that place among those that the shape tests takes the event. */
static inline void take(struct evaluation *evaluation, const struct shape *shape, size_t position)
{
    bit_set(evaluation->mask, shape->tested[position]);
    bit_set(evaluation->taken, position);
}

/* Tests it. */
static inline bool try_selector(struct evaluation *evaluation, const struct shape *shape, size_t position,
                                const struct event *event)
{
    if (!selector_holds(evaluation, &evaluation->ruleset->selectors[shape->tested[position]], event)) {
        return false;
    }
    take(evaluation, shape, position);
    return true;
}

/* Of the selectors that the value of a source leads to takes those that ask for nothing else, and tests the others. */
static bool look_up(struct evaluation *evaluation, const struct shape *shape, const struct shape_lookup *lookup,
                    const struct event *event)
{
    const struct value *value = &evaluation->values[lookup->source];
    bool any = false;
    uint32_t hash;

    if (value->type != VALUE_STRING) {
        return false;
    }
    hash = lookup_hash(evaluation->ruleset, value->text);
    for (size_t i = hash & lookup->slot_mask; lookup->slots[i].position != 0; i = (i + 1) & lookup->slot_mask) {
        size_t position = lookup->slots[i].position - 1;

        if (lookup->slots[i].hash != hash || !slice_equal(lookup->texts[i].text, value->text)) {
            continue;
        }
        if (lookup->texts[i].decides) {
            take(evaluation, shape, position);
            any = true;
        } else if (try_selector(evaluation, shape, position, event)) {
            any = true;
        }
    }
    return any;
}

/* Without the shape's knowledge: of all selectors those that regard such events. */
static bool match_all(struct evaluation *evaluation, const struct shape *shape, const struct event *event)
{
    bool any = false;

    for (size_t i = 0; i < evaluation->ruleset->selector_count; i++) {
        const struct selector *selector = &evaluation->ruleset->selectors[i];

        if (!selector_regards(selector, event) || !selector_holds(evaluation, selector, event)) {
            continue;
        }
        bit_set(evaluation->mask, i);
        any = true;
        for (size_t position = 0; position < shape->tested_count; position++) {
            if (shape->tested[position] == i) {
                bit_set(evaluation->taken, position);
            }
        }
    }
    return any;
}

/* Fills evaluation->mask and `taken`; returns whether any selector takes the event. */
static bool match(struct evaluation *evaluation, const struct shape *shape, const struct event *event)
{
    bool any = shape->certain_count > 0;

    bits_clear(evaluation->taken, (shape->tested_count + 63) / 64);
    if (!optimisation_on(OPTIMISATION_TOUCH_INDEX)) {
        bits_clear(evaluation->mask, evaluation->ruleset->selector_words);
        return match_all(evaluation, shape, event);
    }
    bits_copy(evaluation->mask, shape->takes_all, evaluation->ruleset->selector_words);
    for (size_t i = 0; i < shape->plain_count; i++) {
        any = try_selector(evaluation, shape, shape->plain[i], event) || any;
    }
    for (size_t i = 0; i < shape->lookup_count; i++) {
        any = look_up(evaluation, shape, &shape->lookups[i], event) || any;
    }
    return any;
}

static struct value column_value(const struct evaluation *evaluation, const struct rule_column *column)
{
    struct value value = evaluation->values[column->source];
    const struct value *factor;

    if (column->factor == RULESET_NONE) {
        return value;
    }
    factor = &evaluation->values[column->factor];
    if (value.type != VALUE_NUMBER || factor->type != VALUE_NUMBER ||
        !decimal_multiply(value.micros, factor->micros, &value.micros)) {
        value = (struct value){.type = VALUE_MISSING};
    }
    return value;
}

static void keep_values(struct evaluation *evaluation, const struct shape *shape)
{
    for (size_t i = 0; i < shape->column_count; i++) {
        evaluation->kept[i] = column_value(evaluation, &evaluation->ruleset->columns[shape->columns[i]]);
    }
}

bool fact_take(const struct ruleset *ruleset, const struct event *event, struct evaluation *evaluation,
               struct fact *out, struct error *err)
{
    uint64_t name_hash = ruleset_name_hash(event->name);
    const struct shape *shape = event->kind == EVENT_IDENTIFY ? &ruleset->shapes[SHAPE_IDENTIFY]
                                                              : ruleset_shape(ruleset, event->name, name_hash);

    if (event->projection != NULL && event->projection != &ruleset->projection) {
        return error_set(err, ERROR_INTERNAL, "an event was decoded for other rules");
    }
    *out = (struct fact){.time_ms = event->time_ms,
                         .shape = (uint32_t)(shape - ruleset->shapes),
                         .mask = evaluation->mask,
                         .taken = evaluation->taken,
                         .values = evaluation->kept};
    if (event->has_message_id) {
        out->has_id = true;
        out->id = event->message_id;
        out->content = hash_content(event, name_hash) >> FACT_CONTENT_SHIFT << FACT_CONTENT_SHIFT;
    }
    arena_reset(&evaluation->arena);
    if (!read_values(evaluation, shape, event, err)) {
        return false;
    }
    evaluation->scratch.failed = false;
    out->matched = match(evaluation, shape, event);
    if (evaluation->scratch.failed) {
        return error_no_memory(err, "an event's properties");
    }
    if (out->matched) {
        keep_values(evaluation, shape);
    }
    return true;
}
