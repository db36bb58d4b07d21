/* Two rulesets with one fingerprint mean the same and number everything the same way: what was kept for one can be read
 * for the other. */
#include "common/domain/ruleset_parts.h"

#include "common/domain/json.h"

/* No secret: the number is compared with what another process wrote. */
enum { SEED = 0x6d757374 };

enum { DEPTH_MAX = 64 };

static uint64_t hash_text(struct slice text, uint64_t hash)
{
    return hash_bytes(text, hash_integer(text.size, hash));
}

/* ---- what the definitions say ---- */

/* Shown to people, never evaluated. */
static bool is_remark(struct slice key)
{
    return slice_equal_text(key, "description") || slice_equal_text(key, "owner") || slice_equal_text(key, "tags");
}

/* Whatever the order of an object's members is. The depth is the parser's. */
static uint64_t hash_value(const struct json_document *document, uint32_t index)
{
    const struct json_token *token = &document->tokens[index];
    uint64_t hash = hash_integer(token->type, SEED);
    uint64_t sum = 0;

    if (token->type == JSON_OBJECT) {
        for (uint32_t key = index + 1; key < token->end_token; key = document->tokens[key + 1].end_token) {
            struct slice name = json_raw(document, (int32_t)key);

            if (index > 0 || !is_remark(name)) {
                sum += hash_integer(hash_value(document, key + 1), hash_text(name, hash));
            }
        }
        return hash_integer(sum, hash);
    }
    if (token->type == JSON_ARRAY) {
        for (uint32_t item = index + 1; item < token->end_token; item = document->tokens[item].end_token) {
            hash = hash_integer(hash_value(document, item), hash);
        }
        return hash;
    }
    return hash_text(json_raw(document, (int32_t)index), hash);
}

static bool hash_definitions(const struct ruleset *ruleset, uint64_t *hash, struct error *err)
{
    struct json_document document;
    bool done = true;

    json_document_init(&document);
    for (size_t i = 0; done && i < ruleset->segment_count; i++) {
        struct slice text = ruleset->segments[i].definition->text;
        struct json_limits limits = {.depth_max = DEPTH_MAX, .size_max = text.size};

        done = json_parse(&document, text, &limits, err);
        if (done) {
            *hash = hash_integer(hash_value(&document, 0), *hash);
        }
    }
    json_document_clear(&document);
    return done;
}

/* ---- how they were numbered ---- */

static uint64_t hash_numbers(const uint32_t *numbers, size_t count, uint64_t hash)
{
    return hash_text(slice_of((const char *)numbers, count * sizeof *numbers), hash);
}

static uint64_t hash_selector(const struct selector *selector, uint64_t hash)
{
    hash = hash_integer((uint64_t)selector->trait << 1 | selector->any_name, hash);
    hash = hash_text(selector->key, hash_integer(selector->predicate_count, hash));
    for (size_t i = 0; i < selector->name_count; i++) {
        hash = hash_text(selector->names[i], hash);
    }
    return hash;
}

static uint64_t hash_column(const struct ruleset *ruleset, const struct rule_column *column, uint64_t hash)
{
    const struct rule_source *source = &ruleset->sources[column->source];

    hash = hash_integer((uint64_t)column->factor << 1 | column->trait, hash);
    for (size_t i = 0; i < source->key_count; i++) {
        hash = hash_text(source->keys[i], hash);
    }
    return hash;
}

/* The machine's zones belong to the meaning of calendar windows. */
static uint64_t hash_zone(const struct zone *zone, uint64_t hash)
{
    if (zone == NULL || zone->instant_count == 0) {
        return hash;
    }
    hash = hash_bytes(slice_of((const char *)zone->instants_ms, zone->instant_count * sizeof *zone->instants_ms), hash);
    return hash_bytes(slice_of((const char *)zone->offsets_ms, (zone->instant_count + 1) * sizeof *zone->offsets_ms),
                      hash);
}

static uint64_t hash_nodes(const struct node *nodes, size_t count, uint64_t hash)
{
    for (size_t i = 0; i < count; i++) {
        const struct node *node = &nodes[i];

        hash = hash_integer(node->base, hash);
        hash = hash_zone(node->plan.period_zone, hash_zone(node->plan.zone, hash));
        hash = hash_nodes(node->children, node->child_count, hash);
    }
    return hash;
}

bool ruleset_fingerprint_compile(struct ruleset *ruleset, struct error *err)
{
    uint64_t hash = hash_integer((uint64_t)ruleset->dedup_ms, SEED);

    if (!hash_definitions(ruleset, &hash, err)) {
        return false;
    }
    for (size_t i = 0; i < ruleset->selector_count; i++) {
        hash = hash_selector(&ruleset->selectors[i], hash);
    }
    for (size_t i = 0; i < ruleset->column_count; i++) {
        hash = hash_column(ruleset, &ruleset->columns[i], hash);
    }
    for (size_t i = 0; i < ruleset->shape_count; i++) {
        const struct shape *shape = &ruleset->shapes[i];

        hash = hash_text(shape->name, hash);
        hash = hash_numbers(shape->selectors, shape->selector_count, hash);
        hash = hash_numbers(shape->columns, shape->column_count, hash);
    }
    for (size_t i = 0; i < ruleset->segment_count; i++) {
        const struct segment_plan *segment = &ruleset->segments[i];

        hash = hash_nodes(segment->criteria, segment->definition->criterion_count, hash);
        hash = hash_nodes(segment->exclude, segment->definition->exclude_count, hash);
    }
    hash = hash_integer(ruleset->base_count, hash_integer(ruleset->pane_count, hash));
    ruleset->fingerprint = hash;
    return true;
}

uint64_t ruleset_fingerprint(const struct ruleset *ruleset)
{
    return ruleset->fingerprint;
}
