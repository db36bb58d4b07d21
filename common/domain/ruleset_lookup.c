#include "common/domain/ruleset_lookup.h"

enum { LOOKUP_COUNT_MIN = 3 }; /* fewer selectors are tested one by one */

/* The term that only certain texts satisfy: the first of the selector's, or NULL; and whose property it asks. */
static const struct rule_term *find_term(const struct selector *selector, uint32_t *source)
{
    for (size_t i = 0; i < selector->predicate_count; i++) {
        const struct rule_comparison *comparison = selector->predicates[i].comparison;

        for (size_t k = 0; k < comparison->term_count; k++) {
            const struct rule_term *term = &comparison->terms[k];
            size_t text_count = 0;

            for (size_t n = 0; n < term->operand_count; n++) {
                text_count += term->operands[n].type == VALUE_STRING;
            }
            if ((term->op == RULE_EQUAL || term->op == RULE_IN) && text_count > 0 &&
                text_count == term->operand_count) {
                *source = selector->predicates[i].source;
                return term;
            }
        }
    }
    return NULL;
}

/* Working memory: by source how many texts lead to a selector of the present shape, and its lookup. */
struct tally_by_source {
    uint32_t selector_count;
    uint32_t text_count;
    uint32_t lookup; /* + 1 */
};

static void add_text(const struct ruleset *ruleset, struct shape_lookup *lookup, struct slice text, bool decides,
                     uint32_t position)
{
    uint32_t hash = lookup_hash(ruleset, text);
    size_t slot = hash & lookup->slot_mask;

    while (lookup->slots[slot].position != 0) {
        slot = (slot + 1) & lookup->slot_mask;
    }
    lookup->slots[slot] = (struct lookup_slot){.hash = hash, .position = position + 1};
    lookup->texts[slot] = (struct lookup_text){.text = text, .decides = decides};
}

static bool make_lookup(struct ruleset *ruleset, struct shape *shape, struct tally_by_source *source, uint32_t number,
                        struct error *err)
{
    struct shape_lookup *lookup = &shape->lookups[shape->lookup_count];
    size_t slot_count = 4;

    while (slot_count < 2 * (size_t)source->text_count) {
        slot_count *= 2;
    }
    *lookup = (struct shape_lookup){.source = number, .slot_mask = slot_count - 1};
    lookup->slots = ruleset_allocate(ruleset, slot_count, sizeof *lookup->slots, err);
    lookup->texts = ruleset_allocate(ruleset, slot_count, sizeof *lookup->texts, err);
    source->lookup = (uint32_t)++shape->lookup_count;
    return lookup->slots != NULL && lookup->texts != NULL;
}

/* Counts what each source would lead to; returns how many sources are worth a lookup. */
static size_t count_texts(const struct ruleset *ruleset, const struct shape *shape, struct tally_by_source *sources)
{
    size_t count = 0;

    for (size_t i = 0; i < shape->source_count; i++) {
        sources[shape->sources[i]] = (struct tally_by_source){0};
    }
    for (size_t i = 0; i < shape->tested_count; i++) {
        uint32_t source;
        const struct rule_term *term = find_term(&ruleset->selectors[shape->tested[i]], &source);

        if (term != NULL) {
            count += ++sources[source].selector_count == LOOKUP_COUNT_MIN;
            sources[source].text_count += (uint32_t)term->operand_count;
        }
    }
    return count;
}

/* Tells those that take every event from those that have to be tested. */
static bool part_selectors(struct ruleset *ruleset, struct shape *shape, struct error *err)
{
    shape->certain = ruleset_allocate(ruleset, shape->selector_count, sizeof *shape->certain, err);
    shape->takes_all = ruleset_allocate(ruleset, ruleset->selector_words, sizeof *shape->takes_all, err);
    shape->tested = ruleset_allocate(ruleset, shape->selector_count, sizeof *shape->tested, err);
    if (shape->certain == NULL || shape->takes_all == NULL || shape->tested == NULL) {
        return false;
    }
    for (size_t i = 0; i < shape->selector_count; i++) {
        const struct selector *selector = &ruleset->selectors[shape->selectors[i]];

        if (selector->trait || selector->predicate_count > 0) {
            shape->tested[shape->tested_count++] = shape->selectors[i];
        } else {
            shape->certain[shape->certain_count++] = shape->selectors[i];
            bit_set(shape->takes_all, shape->selectors[i]);
        }
    }
    return true;
}

static bool compile_shape(struct ruleset *ruleset, struct shape *shape, struct tally_by_source *sources,
                          struct error *err)
{
    size_t lookup_count;

    if (!part_selectors(ruleset, shape, err)) {
        return false;
    }
    lookup_count = count_texts(ruleset, shape, sources);
    shape->plain = ruleset_allocate(ruleset, shape->tested_count, sizeof *shape->plain, err);
    shape->lookups = ruleset_allocate(ruleset, lookup_count, sizeof *shape->lookups, err);
    if (shape->plain == NULL || shape->lookups == NULL) {
        return false;
    }
    for (size_t i = 0; i < shape->tested_count; i++) {
        uint32_t source = 0;
        const struct selector *selector = &ruleset->selectors[shape->tested[i]];
        const struct rule_term *term = find_term(selector, &source);

        if (term == NULL || sources[source].selector_count < LOOKUP_COUNT_MIN) {
            shape->plain[shape->plain_count++] = (uint32_t)i;
            continue;
        }
        if (sources[source].lookup == 0 && !make_lookup(ruleset, shape, &sources[source], source, err)) {
            return false;
        }
        for (size_t k = 0; k < term->operand_count; k++) {
            add_text(ruleset, &shape->lookups[sources[source].lookup - 1], term->operands[k].text,
                     selector->predicate_count == 1 && selector->predicates[0].comparison->term_count == 1,
                     (uint32_t)i);
        }
    }
    return true;
}

bool ruleset_lookup_compile(struct ruleset *ruleset, struct error *err)
{
    struct tally_by_source *sources = ruleset_allocate(ruleset, ruleset->source_count, sizeof *sources, err);

    for (size_t i = 0; sources != NULL && i < ruleset->shape_count; i++) {
        if (!compile_shape(ruleset, &ruleset->shapes[i], sources, err)) {
            return false;
        }
    }
    return sources != NULL;
}
