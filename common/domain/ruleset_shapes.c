/* What each event name means: which conditions take such an event, which properties are read of it and kept. */
#include "common/domain/ruleset_parts.h"

/* Working memory for all shapes: what one of them reads, in the order found, and which shape found it last. */
struct gathering {
    uint32_t *sources;
    uint32_t *source_shapes; /* by source: number of the shape + 1 */
    size_t source_count;
    uint32_t *columns;
    uint32_t *column_shapes;
    size_t column_count;
};

static void gather_source(struct gathering *gathering, size_t shape, uint32_t source)
{
    if (gathering->source_shapes[source] != shape + 1) {
        gathering->source_shapes[source] = (uint32_t)shape + 1;
        gathering->sources[gathering->source_count++] = source;
    }
}

static void gather_columns(const struct ruleset *ruleset, struct gathering *gathering, size_t shape,
                           const struct selector *selector)
{
    for (size_t word = 0; word < ruleset->column_words; word++) {
        for (uint64_t bits = selector->columns[word]; bits != 0; bits &= bits - 1) {
            uint32_t column = (uint32_t)(word * 64) + (uint32_t)__builtin_ctzll(bits);

            if (gathering->column_shapes[column] != shape + 1) {
                gathering->column_shapes[column] = (uint32_t)shape + 1;
                gathering->columns[gathering->column_count++] = column;
            }
            gather_source(gathering, shape, ruleset->columns[column].source);
            if (ruleset->columns[column].factor != RULESET_NONE) {
                gather_source(gathering, shape, ruleset->columns[column].factor);
            }
        }
    }
}

static bool copy_numbers(struct ruleset *ruleset, const uint32_t *numbers, size_t count, uint32_t **out,
                         struct error *err)
{
    *out = ruleset_allocate(ruleset, count, sizeof **out, err);
    if (*out != NULL && count > 0) {
        memcpy(*out, numbers, count * sizeof **out);
    }
    return *out != NULL;
}

static bool compile_shape(struct ruleset *ruleset, size_t index, struct gathering *gathering, struct error *err)
{
    struct shape *shape = &ruleset->shapes[index];

    gathering->source_count = 0;
    gathering->column_count = 0;
    for (size_t i = 0; i < shape->selector_count; i++) {
        const struct selector *selector = &ruleset->selectors[shape->selectors[i]];

        for (size_t k = 0; k < selector->predicate_count; k++) {
            gather_source(gathering, index, selector->predicates[k].source);
        }
        gather_columns(ruleset, gathering, index, selector);
    }
    if (gathering->column_count >= SHAPE_NO_SLOT) {
        return error_set(err, ERROR_INPUT, "the definitions read too many properties of one event: at most %d",
                         SHAPE_NO_SLOT - 1);
    }
    shape->source_count = gathering->source_count;
    shape->column_count = gathering->column_count;
    shape->slot_of = ruleset_allocate(ruleset, ruleset->column_count, sizeof *shape->slot_of, err);
    if (shape->slot_of == NULL ||
        !copy_numbers(ruleset, gathering->sources, gathering->source_count, &shape->sources, err) ||
        !copy_numbers(ruleset, gathering->columns, gathering->column_count, &shape->columns, err)) {
        return false;
    }
    for (size_t i = 0; i < ruleset->column_count; i++) {
        shape->slot_of[i] = SHAPE_NO_SLOT;
    }
    for (size_t i = 0; i < shape->column_count; i++) {
        shape->slot_of[shape->columns[i]] = (uint16_t)i;
    }
    return true;
}

/* Gives the selector to a shape, once; a shape without room yet only counts. */
static void give_selector(struct shape *shape, uint32_t selector)
{
    if (shape->selectors == NULL) {
        shape->selector_count++;
    } else if (shape->selector_count == 0 || shape->selectors[shape->selector_count - 1] != selector) {
        shape->selectors[shape->selector_count++] = selector;
    }
}

static void give_selectors(struct ruleset *ruleset)
{
    for (uint32_t i = 0; i < ruleset->selector_count; i++) {
        const struct selector *selector = &ruleset->selectors[i];

        for (size_t k = 0; !selector->trait && selector->any_name && k < ruleset->shape_count; k++) {
            if (k != SHAPE_IDENTIFY) {
                give_selector(&ruleset->shapes[k], i);
            }
        }
        for (size_t k = 0; !selector->trait && !selector->any_name && k < selector->name_count; k++) {
            struct slice name = selector->names[k];
            size_t slot = ruleset_shape_slot(ruleset, name, ruleset_name_hash(name));

            give_selector(&ruleset->shapes[ruleset->shape_table[slot]], i);
        }
        if (selector->trait) {
            give_selector(&ruleset->shapes[SHAPE_IDENTIFY], i);
        }
    }
}

static bool name_shapes(struct ruleset *ruleset, struct error *err)
{
    size_t name_count = 0;
    size_t table_size = 16;

    for (size_t i = 0; i < ruleset->selector_count; i++) {
        name_count += ruleset->selectors[i].name_count;
    }
    while (table_size < 8 * (name_count + 1)) { /* few names, to be found at the first look */
        table_size *= 2;
    }
    ruleset->shapes = ruleset_allocate(ruleset, SHAPE_FIRST_NAMED + name_count, sizeof *ruleset->shapes, err);
    ruleset->shape_table = ruleset_allocate(ruleset, table_size, sizeof *ruleset->shape_table, err);
    if (ruleset->shapes == NULL || ruleset->shape_table == NULL) {
        return false;
    }
    ruleset->shape_table_mask = table_size - 1;
    ruleset->shape_count = SHAPE_FIRST_NAMED;
    for (size_t i = 0; i < ruleset->selector_count; i++) {
        for (size_t k = 0; k < ruleset->selectors[i].name_count; k++) {
            struct slice name = ruleset->selectors[i].names[k];
            size_t slot = ruleset_shape_slot(ruleset, name, ruleset_name_hash(name));

            if (ruleset->shape_table[slot] != 0) {
                continue;
            }
            if (ruleset->shape_count == SHAPE_FIRST_NAMED + RULESET_NAME_COUNT_MAX) {
                return error_set(err, ERROR_INPUT, "the definitions name more than %d different events",
                                 (int)RULESET_NAME_COUNT_MAX);
            }
            ruleset->shape_table[slot] = (uint32_t)ruleset->shape_count;
            ruleset->shapes[ruleset->shape_count++].name = name;
        }
    }
    return true;
}

bool ruleset_shapes_compile(struct ruleset *ruleset, struct error *err)
{
    struct gathering gathering = {0};

    if (!name_shapes(ruleset, err)) {
        return false;
    }
    give_selectors(ruleset);
    for (size_t i = 0; i < ruleset->shape_count; i++) {
        struct shape *shape = &ruleset->shapes[i];

        shape->selectors = ruleset_allocate(ruleset, shape->selector_count, sizeof *shape->selectors, err);
        if (shape->selectors == NULL) {
            return false;
        }
        shape->selector_count = 0;
    }
    give_selectors(ruleset);
    gathering.sources = ruleset_allocate(ruleset, ruleset->source_count, sizeof *gathering.sources, err);
    gathering.source_shapes = ruleset_allocate(ruleset, ruleset->source_count, sizeof *gathering.source_shapes, err);
    gathering.columns = ruleset_allocate(ruleset, ruleset->column_count, sizeof *gathering.columns, err);
    gathering.column_shapes = ruleset_allocate(ruleset, ruleset->column_count, sizeof *gathering.column_shapes, err);
    if (gathering.sources == NULL || gathering.source_shapes == NULL || gathering.columns == NULL ||
        gathering.column_shapes == NULL) {
        return false;
    }
    for (size_t i = 0; i < ruleset->shape_count; i++) {
        if (!compile_shape(ruleset, i, &gathering, err)) {
            return false;
        }
    }
    return true;
}
