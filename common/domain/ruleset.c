/* Compiles definitions: interns selectors and values, finds for each event name what must be tested and kept. */
#include "common/domain/ruleset.h"

#include "common/base/timestamp.h"
#include "common/domain/criterion_parts.h"
#include "common/domain/optimisation.h"
#include "common/domain/ruleset_keep.h"
#include "common/domain/ruleset_lookup.h"
#include "common/domain/ruleset_needs.h"
#include "common/domain/ruleset_parts.h"
#include "common/domain/ruleset_reach.h"
#include "common/domain/tally.h"

enum { RULESET_SIZE_MAX = 1 << 30, DEDUP_DEFAULT_MS = 24 * 60 * 60 * 1000 };

void *ruleset_allocate(struct ruleset *ruleset, size_t count, size_t size, struct error *err)
{
    void *block = arena_allocate_zeroed(&ruleset->arena, count == 0 ? 1 : count, size);

    if (block == NULL && ruleset->arena.size_used > RULESET_SIZE_MAX / 2) {
        (void)error_set(err, ERROR_INPUT, "the definitions are too large to be evaluated together");
    } else if (block == NULL) {
        (void)error_no_memory(err, "rules");
    }
    return block;
}

/* An array on the ruleset's arena while it grows. */
struct growing {
    char *items;
    size_t count;
    size_t capacity;
};

struct pair {
    uint32_t selector;
    uint32_t other; /* a column, or a segment */
};

/* Working memory of one compilation; everything lies on the ruleset's arena. */
struct compiler {
    struct ruleset *ruleset;
    const struct definition *definition;
    uint32_t segment;
    struct growing sources;
    struct growing columns;
    struct growing selectors;
    struct growing source_hashes; /* uint64_t: so that looking for an equal one compares little */
    struct growing selector_hashes;
    struct growing percentiles;
    struct growing reads;   /* struct pair: selector reads column */
    struct growing touches; /* struct pair: selector touches segment, directly */
    struct growing refers;  /* struct pair: segment (as selector) refers to segment */
    struct error *err;
};

static void *allocate(struct compiler *compiler, size_t count, size_t size)
{
    return ruleset_allocate(compiler->ruleset, count, size, compiler->err);
}

static bool append(struct compiler *compiler, struct growing *array, const void *item, size_t size)
{
    if (array->count == array->capacity) {
        size_t capacity = array->capacity == 0 ? 16 : array->capacity * 2;
        char *grown = allocate(compiler, capacity, size);

        if (grown == NULL) {
            return false;
        }
        if (array->count > 0) {
            memcpy(grown, array->items, array->count * size);
        }
        array->items = grown;
        array->capacity = capacity;
    }
    memcpy(array->items + array->count * size, item, size);
    array->count++;
    return true;
}

static bool add_pair(struct compiler *compiler, struct growing *pairs, uint32_t selector, uint32_t other)
{
    const struct pair pair = {.selector = selector, .other = other};

    return append(compiler, pairs, &pair, sizeof pair);
}

/* ---- interning ---- */

static bool keys_equal(const struct slice *a, size_t a_count, const struct slice *b, size_t b_count)
{
    if (a_count != b_count) {
        return false;
    }
    for (size_t i = 0; i < a_count; i++) {
        if (!slice_equal(a[i], b[i])) {
            return false;
        }
    }
    return true;
}

static uint64_t keys_hash(const struct compiler *compiler, const struct slice *keys, size_t count, uint64_t hash)
{
    for (size_t i = 0; i < count; i++) {
        hash = hash_bytes(keys[i], hash ^ compiler->ruleset->seed);
    }
    return hash;
}

/* The first index at or after `index` whose hash is this one, or the number of hashes. */
static size_t find_hash(const struct growing *hashes, size_t index, uint64_t hash)
{
    const uint64_t *items = (const uint64_t *)(const void *)hashes->items;

    while (index < hashes->count && items[index] != hash) {
        index++;
    }
    return index;
}

static bool intern_source(struct compiler *compiler, const struct rule_path *path, uint32_t *out)
{
    const struct rule_source *sources = (const struct rule_source *)(const void *)compiler->sources.items;
    const struct rule_source source = {.keys = path->keys, .key_count = path->key_count};

    uint64_t hash = keys_hash(compiler, path->keys, path->key_count, path->key_count);

    for (size_t i = find_hash(&compiler->source_hashes, 0, hash); i < compiler->sources.count;
         i = find_hash(&compiler->source_hashes, i + 1, hash)) {
        if (keys_equal(sources[i].keys, sources[i].key_count, path->keys, path->key_count)) {
            *out = (uint32_t)i;
            return true;
        }
    }
    if (compiler->sources.count == RULESET_PROPERTY_COUNT_MAX) {
        return error_set(compiler->err, ERROR_INPUT,
                         "the definitions read more than %d different properties and traits",
                         (int)RULESET_PROPERTY_COUNT_MAX);
    }
    *out = (uint32_t)compiler->sources.count;
    return append(compiler, &compiler->sources, &source, sizeof source) &&
           append(compiler, &compiler->source_hashes, &hash, sizeof hash);
}

static bool intern_column(struct compiler *compiler, bool trait, const struct rule_path *path,
                          const struct rule_path *factor, uint32_t *out)
{
    struct rule_column column = {.trait = trait, .factor = RULESET_NONE};
    const struct rule_column *columns;

    if (!intern_source(compiler, path, &column.source) ||
        (factor != NULL && !intern_source(compiler, factor, &column.factor))) {
        return false;
    }
    columns = (const struct rule_column *)(const void *)compiler->columns.items;
    for (size_t i = 0; i < compiler->columns.count; i++) {
        if (columns[i].trait == trait && columns[i].source == column.source && columns[i].factor == column.factor) {
            *out = (uint32_t)i;
            return true;
        }
    }
    *out = (uint32_t)compiler->columns.count;
    return append(compiler, &compiler->columns, &column, sizeof column);
}

static bool comparisons_equal(const struct rule_comparison *a, const struct rule_comparison *b)
{
    if (a->term_count != b->term_count) {
        return false;
    }
    for (size_t i = 0; i < a->term_count; i++) {
        const struct rule_term *left = &a->terms[i];
        const struct rule_term *right = &b->terms[i];

        if (left->op != right->op || left->operand_count != right->operand_count || left->exists != right->exists) {
            return false;
        }
        for (size_t k = 0; k < left->operand_count; k++) {
            if (!value_equal(&left->operands[k], &right->operands[k])) {
                return false;
            }
        }
    }
    return true;
}

static bool selectors_equal(const struct selector *a, const struct selector *b)
{
    if (a->trait != b->trait || a->any_name != b->any_name || a->predicate_count != b->predicate_count ||
        !keys_equal(a->names, a->name_count, b->names, b->name_count) || !slice_equal(a->key, b->key)) {
        return false;
    }
    for (size_t i = 0; i < a->predicate_count; i++) {
        if (a->predicates[i].source != b->predicates[i].source ||
            !comparisons_equal(a->predicates[i].comparison, b->predicates[i].comparison)) {
            return false;
        }
    }
    return true;
}

static bool intern(struct compiler *compiler, const struct selector *selector, uint32_t *out)
{
    const struct selector *selectors = (const struct selector *)(const void *)compiler->selectors.items;
    uint64_t hash = keys_hash(compiler, selector->names, selector->name_count,
                              keys_hash(compiler, &selector->key, 1, selector->predicate_count));
    size_t index = find_hash(&compiler->selector_hashes, 0, hash);

    while (index < compiler->selectors.count && !selectors_equal(&selectors[index], selector)) {
        index = find_hash(&compiler->selector_hashes, index + 1, hash);
    }
    if (index == RULESET_CONDITION_COUNT_MAX) {
        return error_set(compiler->err, ERROR_INPUT,
                         "the definitions hold more than %d different conditions on events or traits",
                         (int)RULESET_CONDITION_COUNT_MAX);
    }
    if (index == compiler->selectors.count && (!append(compiler, &compiler->selectors, selector, sizeof *selector) ||
                                               !append(compiler, &compiler->selector_hashes, &hash, sizeof hash))) {
        return false;
    }
    *out = (uint32_t)index;
    return add_pair(compiler, &compiler->touches, *out, compiler->segment);
}

static bool intern_selector(struct compiler *compiler, const struct rule_selector *rule, uint32_t *out)
{
    struct selector selector = {.any_name = rule->any_name, .predicate_count = rule->where_count};

    if (!rule->any_name) {
        selector.names = rule->names;
        selector.name_count = rule->name_count;
    }
    selector.predicates = allocate(compiler, rule->where_count, sizeof *selector.predicates);
    if (selector.predicates == NULL) {
        return false;
    }
    for (size_t i = 0; i < rule->where_count; i++) {
        selector.predicates[i].comparison = &rule->where[i].comparison;
        if (!intern_source(compiler, &rule->where[i].property, &selector.predicates[i].source)) {
            return false;
        }
    }
    return intern(compiler, &selector, out);
}

static bool compile_trait(struct compiler *compiler, const struct rule_path *path, struct node *node)
{
    const struct selector selector = {.trait = true, .key = path->keys[0]};

    return intern(compiler, &selector, &node->trait) &&
           intern_column(compiler, true, path, NULL, &node->trait_column) &&
           add_pair(compiler, &compiler->reads, node->trait, node->trait_column);
}

/* ---- criteria ---- */

static bool refuse(struct compiler *compiler, const struct criterion *criterion, const char *what, struct slice name)
{
    const struct definition *definition = compiler->definition;

    return error_set(compiler->err, ERROR_INPUT, "%.*s: %.*s.%.*s: %s%.*s", (int)definition->file.size,
                     definition->file.size > 0 ? definition->file.data : "", (int)definition->json_path.size,
                     definition->json_path.size > 0 ? definition->json_path.data : "", (int)criterion->json_path.size,
                     criterion->json_path.size > 0 ? criterion->json_path.data : "", what, (int)name.size,
                     name.size > 0 ? name.data : "");
}

static bool compile_zone(struct compiler *compiler, const struct criterion *criterion, struct slice name,
                         const struct zone **out)
{
    const struct ruleset *ruleset = compiler->ruleset;

    *out = zone_utc();
    if (name.size == 0 || slice_equal_text(name, "UTC")) {
        return true;
    }
    *out = ruleset->zones == NULL ? NULL : ruleset->zones(ruleset->zones_context, name);
    if (*out == NULL) {
        return refuse(compiler, criterion, "no such time zone on this machine: ", name);
    }
    return true;
}

static bool compile_window(struct compiler *compiler, const struct criterion *criterion, struct measure_plan *plan)
{
    const struct rule_window *window = &criterion->window;

    plan->window = window;
    plan->measure = &criterion->measure;
    plan->row = measure_operator(plan->measure);
    plan->begins_ms = window->kind == RULE_WINDOW_SLIDING ? window->offset_ms : 0;
    plan->ends_ms = window->kind == RULE_WINDOW_SLIDING ? window->offset_ms + window->length_ms : TIMESTAMP_NEVER;
    plan->stepped =
        window->kind == RULE_WINDOW_CALENDAR || (window->kind == RULE_WINDOW_SLIDING && window->slide_ms > 0);
    plan->column = RULESET_NONE;
    plan->zone = zone_utc();
    plan->period_zone = zone_utc();
    if (criterion->window.kind == RULE_WINDOW_CALENDAR) {
        return compile_zone(compiler, criterion, criterion->window.zone, &plan->zone);
    }
    return true;
}

static bool compile_measure(struct compiler *compiler, const struct criterion *criterion, struct measure_plan *plan)
{
    const struct rule_measure *measure = &criterion->measure;

    if (!compile_window(compiler, criterion, plan) ||
        !intern_selector(compiler, &criterion->selector, &plan->selector)) {
        return false;
    }
    if (measure->kind == RULE_DISTINCT && measure->period != RULE_PERIOD_NONE) {
        return compile_zone(compiler, criterion, measure->zone, &plan->period_zone);
    }
    if (measure->property.key_count == 0) {
        return true;
    }
    return intern_column(compiler, false, &measure->property, measure->product ? &measure->factor : NULL,
                         &plan->column) &&
           add_pair(compiler, &compiler->reads, plan->selector, plan->column);
}

static bool compile_same(struct compiler *compiler, const struct criterion *criterion, struct node *node)
{
    node->same = allocate(compiler, criterion->same_count, sizeof *node->same);
    if (node->same == NULL) {
        return false;
    }
    for (size_t i = 0; i < criterion->same_count; i++) {
        if (!intern_column(compiler, false, &criterion->same[i], NULL, &node->same[i])) {
            return false;
        }
    }
    return true;
}

static bool read_same(struct compiler *compiler, const struct criterion *criterion, const struct node *node,
                      uint32_t selector)
{
    for (size_t i = 0; i < criterion->same_count; i++) {
        if (!add_pair(compiler, &compiler->reads, selector, node->same[i])) {
            return false;
        }
    }
    return true;
}

bool compile_absence(struct compiler *compiler, const struct criterion *criterion, struct node *node)
{
    return compile_window(compiler, criterion, &node->plan) &&
           intern_selector(compiler, &criterion->selector, &node->plan.selector) &&
           intern_selector(compiler, &criterion->followed_by, &node->followed_by) &&
           compile_same(compiler, criterion, node) && read_same(compiler, criterion, node, node->plan.selector) &&
           read_same(compiler, criterion, node, node->followed_by);
}

bool compile_sequence(struct compiler *compiler, const struct criterion *criterion, struct node *node)
{
    node->steps = allocate(compiler, criterion->step_count, sizeof *node->steps);
    if (node->steps == NULL || !compile_window(compiler, criterion, &node->plan) ||
        !compile_same(compiler, criterion, node)) {
        return false;
    }
    for (size_t i = 0; i < criterion->step_count; i++) {
        if (!intern_selector(compiler, &criterion->steps[i], &node->steps[i]) ||
            !read_same(compiler, criterion, node, node->steps[i])) {
            return false;
        }
    }
    return true;
}

bool compile_percentile(struct compiler *compiler, const struct criterion *criterion, struct node *node)
{
    const struct node *self = node;

    node->trait = RULESET_NONE;
    node->percentile = (uint32_t)compiler->percentiles.count;
    return compile_measure(compiler, criterion, &node->plan) &&
           (criterion->trait.key_count == 0 || compile_trait(compiler, &criterion->trait, node)) &&
           append(compiler, &compiler->percentiles, &self, sizeof(const struct node *));
}

static bool compile_criterion(struct compiler *compiler, const struct criterion *criterion, struct node *node);

static bool compile_children(struct compiler *compiler, const struct criterion *children, size_t count,
                             struct node **out)
{
    *out = allocate(compiler, count, sizeof **out);
    if (*out == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!compile_criterion(compiler, &children[i], &(*out)[i])) {
            return false;
        }
    }
    return true;
}

/* Two measures are compared instant by instant: with a window there is nothing to be summed up. */
static void sweep_children(struct node *node)
{
    for (size_t i = 0; i < node->child_count; i++) {
        struct node *child = &node->children[i];

        child->plan.tallied = false;
        child->carry = child->plan.window->kind == RULE_WINDOW_NONE ? child->carry : RULESET_NONE;
    }
}

/* Whether the past of the criterion can be summed up: it has no window to be looked through, or its window can be
 * tallied. Absences with orLater and `same` cannot: each value would need its own sum. */
bool sums_up_event(const struct criterion *criterion)
{
    return criterion->window.kind == RULE_WINDOW_NONE ||
           (optimisation_on(OPTIMISATION_TALLY) && tally_suits(&criterion->measure));
}

bool sums_up_sequence(const struct criterion *criterion)
{
    return criterion->window.kind == RULE_WINDOW_NONE;
}

bool sums_up_absence(const struct criterion *criterion)
{
    return criterion->window.kind == RULE_WINDOW_NONE && !(criterion->or_later && criterion->same_count > 0);
}

static struct comparison_bound bound_of(const struct rule_measure *measure)
{
    if (measure->kind == RULE_MEASURE_NONE) {
        return (struct comparison_bound){.used = true, .at_least = DECIMAL_ONE};
    }
    return measure_operator(measure)->always_exists ? comparison_bound_of(&measure->comparison)
                                                    : (struct comparison_bound){.used = false};
}

bool compile_event(struct compiler *compiler, const struct criterion *criterion, struct node *node)
{
    if (!compile_measure(compiler, criterion, &node->plan)) {
        return false;
    }
    node->plan.tallied = optimisation_on(OPTIMISATION_TALLY) && tally_suits(&criterion->measure);
    node->plan.bound = bound_of(&criterion->measure);
    return true;
}

bool compile_compare(struct compiler *compiler, const struct criterion *criterion, struct node *node)
{
    node->child_count = 2;
    node->children = allocate(compiler, 2, sizeof *node->children);
    if (node->children == NULL || !compile_criterion(compiler, criterion->left, &node->children[0]) ||
        !compile_criterion(compiler, criterion->right, &node->children[1])) {
        return false;
    }
    sweep_children(node);
    return true;
}

bool compile_trait_criterion(struct compiler *compiler, const struct criterion *criterion, struct node *node)
{
    return compile_trait(compiler, &criterion->trait, node);
}

bool compile_reference(struct compiler *compiler, const struct criterion *criterion, struct node *node)
{
    (void)node;
    return add_pair(compiler, &compiler->refers, compiler->segment, (uint32_t)criterion->segment_index);
}

bool compile_combination(struct compiler *compiler, const struct criterion *criterion, struct node *node)
{
    node->child_count = criterion->child_count;
    return compile_children(compiler, criterion->children, criterion->child_count, &node->children);
}

bool compile_nothing(struct compiler *compiler, const struct criterion *criterion, struct node *node)
{
    (void)node;
    return refuse(compiler, criterion,
                  "not supported in this version: ", slice_from(criterion_kind_name(criterion->kind)));
}

/* The depth of criteria is bounded by the parser. */
static bool compile_criterion(struct compiler *compiler, const struct criterion *criterion, struct node *node)
{
    struct segment_plan *segment = &compiler->ruleset->segments[compiler->segment];
    const struct criterion_operator *row = criterion_operator(criterion);
    bool summed = row->sums_up != NULL && row->sums_up(criterion);

    node->criterion = criterion;
    node->evaluate = row->evaluate;
    node->combines = row->combines;
    node->carry = summed ? segment->summary_count++ : RULESET_NONE;
    return row->compile(compiler, criterion, node);
}

/* ---- references, and which segments a selector touches ---- */

static bool compile_closure(struct compiler *compiler, uint32_t index)
{
    struct ruleset *ruleset = compiler->ruleset;
    struct segment_plan *segment = &ruleset->segments[index];
    const struct pair *refers = (const struct pair *)(const void *)compiler->refers.items;
    uint64_t *needed = allocate(compiler, ruleset->segment_words, sizeof *needed);

    segment->closure = allocate(compiler, 1, sizeof *segment->closure);
    if (needed == NULL || segment->closure == NULL) {
        return false;
    }
    bit_set(needed, index);
    /* Referred segments come earlier in the evaluation order, so their closures are there; the segment's own references
     * were found last. */
    for (size_t i = compiler->refers.count; i > 0 && refers[i - 1].selector == index; i--) {
        const struct segment_plan *referred = &ruleset->segments[refers[i - 1].other];

        for (size_t k = 0; k < referred->closure_count; k++) {
            bit_set(needed, referred->closure[k]);
        }
    }
    for (size_t i = 0; i < ruleset->segment_words; i++) {
        segment->closure_count += (size_t)__builtin_popcountll(needed[i]);
    }
    if (segment->closure_count > 1) {
        segment->closure = allocate(compiler, segment->closure_count, sizeof *segment->closure);
        if (segment->closure == NULL) {
            return false;
        }
    }
    segment->closure_count = 0;
    for (size_t i = 0; i < ruleset->segment_count; i++) {
        size_t candidate = ruleset->set->evaluation_order[i];

        if (bit_is_set(needed, candidate)) {
            segment->closure[segment->closure_count++] = (uint32_t)candidate;
        }
    }
    return true;
}

/* What touches a segment touches all that refer to it. The pairs of a segment lie together. */
static bool spread_touches(struct compiler *compiler)
{
    struct ruleset *ruleset = compiler->ruleset;
    const struct pair *touches = (const struct pair *)(const void *)compiler->touches.items;
    size_t *begins = allocate(compiler, ruleset->segment_count, sizeof *begins);
    size_t *ends = allocate(compiler, ruleset->segment_count, sizeof *ends);

    if (begins == NULL || ends == NULL) {
        return false;
    }
    for (size_t i = 0; i < compiler->touches.count; i++) {
        if (ends[touches[i].other] == 0) {
            begins[touches[i].other] = i;
        }
        ends[touches[i].other] = i + 1;
    }
    for (size_t s = 0; s < ruleset->segment_count; s++) {
        for (size_t k = 0; k < ruleset->segments[s].closure_count; k++) {
            uint32_t member = ruleset->segments[s].closure[k];

            for (size_t i = begins[member]; i < ends[member]; i++) {
                bit_set(ruleset->selectors[touches[i].selector].segments, s);
            }
        }
    }
    return true;
}

static bool compile_bits(struct compiler *compiler)
{
    struct ruleset *ruleset = compiler->ruleset;
    const struct pair *reads = (const struct pair *)(const void *)compiler->reads.items;

    for (size_t i = 0; i < ruleset->selector_count; i++) {
        ruleset->selectors[i].columns = allocate(compiler, ruleset->column_words, sizeof(uint64_t));
        ruleset->selectors[i].segments = allocate(compiler, ruleset->segment_words, sizeof(uint64_t));
        if (ruleset->selectors[i].columns == NULL || ruleset->selectors[i].segments == NULL) {
            return false;
        }
    }
    for (size_t i = 0; i < compiler->reads.count; i++) {
        bit_set(ruleset->selectors[reads[i].selector].columns, reads[i].other);
    }
    return spread_touches(compiler);
}

static bool compile_projection(struct ruleset *ruleset, struct error *err)
{
    if (!event_projection_init(&ruleset->projection, (uint32_t)ruleset->source_count, err)) {
        return false;
    }
    for (size_t i = 0; i < ruleset->source_count; i++) {
        if (!event_projection_add(&ruleset->projection, ruleset->sources[i].keys, ruleset->sources[i].key_count,
                                  (uint32_t)i, err)) {
            return false;
        }
    }
    return true;
}

static bool compile(struct compiler *compiler)
{
    struct ruleset *ruleset = compiler->ruleset;
    const struct segment_set *set = ruleset->set;

    if (set->definition_count > RULESET_SEGMENT_COUNT_MAX) {
        return error_set(compiler->err, ERROR_INPUT, "more than %d segments to evaluate together",
                         (int)RULESET_SEGMENT_COUNT_MAX);
    }
    ruleset->segment_count = set->definition_count;
    ruleset->segment_words = (set->definition_count + 63) / 64;
    ruleset->segments = allocate(compiler, set->definition_count, sizeof *ruleset->segments);
    if (ruleset->segments == NULL) {
        return false;
    }
    for (size_t i = 0; i < set->definition_count; i++) {
        size_t index = set->evaluation_order[i];
        struct segment_plan *segment = &ruleset->segments[index];
        const struct definition *definition = &set->definitions[index];

        segment->definition = definition;
        segment->criterion_count = (uint32_t)definition->criterion_count;
        segment->exclude_count = (uint32_t)definition->exclude_count;
        segment->reference_count = (uint32_t)definition->reference_count;
        segment->sticky = definition->mode == MODE_STICKY;
        segment->lasting = definition->duration_ms > 0;
        segment->barring = definition->exclusion_window_ms > 0;
        compiler->definition = definition;
        compiler->segment = (uint32_t)index;
        if (!compile_children(compiler, definition->criteria, definition->criterion_count, &segment->criteria) ||
            !compile_children(compiler, definition->exclude, definition->exclude_count, &segment->exclude) ||
            !compile_closure(compiler, (uint32_t)index)) {
            return false;
        }
        segment->summary_index = ruleset->summary_count;
        ruleset->summary_count += segment->summary_count;
        segment->reach_ms = reach_of_segment(ruleset, segment);
    }
    ruleset->sources = (struct rule_source *)(void *)compiler->sources.items;
    ruleset->source_count = compiler->sources.count;
    ruleset->columns = (struct rule_column *)(void *)compiler->columns.items;
    ruleset->column_count = compiler->columns.count;
    ruleset->selectors = (struct selector *)(void *)compiler->selectors.items;
    ruleset->selector_count = compiler->selectors.count;
    ruleset->percentiles = (const struct node **)(void *)compiler->percentiles.items;
    ruleset->percentile_count = compiler->percentiles.count;
    ruleset->selector_words = (ruleset->selector_count + 63) / 64;
    ruleset->column_words = (ruleset->column_count + 63) / 64;
    return ruleset_needs_compile(ruleset, compiler->err) && ruleset_keep_compile(ruleset, compiler->err) &&
           compile_bits(compiler) && ruleset_shapes_compile(ruleset, compiler->err) &&
           ruleset_lookup_compile(ruleset, compiler->err) && compile_projection(ruleset, compiler->err) &&
           ruleset_fingerprint_compile(ruleset, compiler->err);
}

bool ruleset_new(const struct segment_set *set, const struct ruleset_options *options, struct ruleset **out,
                 struct error *err)
{
    struct ruleset *ruleset = memory_allocate_zeroed(1, sizeof *ruleset);
    struct compiler compiler = {.ruleset = ruleset, .err = err};

    if (ruleset == NULL) {
        return error_no_memory(err, "rules");
    }
    arena_init(&ruleset->arena, RULESET_SIZE_MAX);
    ruleset->set = set;
    ruleset->seed = hash_seed();
    ruleset->dedup_ms = options != NULL && options->dedup_ms > 0 ? options->dedup_ms : DEDUP_DEFAULT_MS;
    if (options != NULL) {
        ruleset->zones = options->zones;
        ruleset->zones_context = options->zones_context;
    }
    if (!compile(&compiler)) {
        ruleset_free(ruleset);
        return false;
    }
    *out = ruleset;
    return true;
}

void ruleset_free(struct ruleset *ruleset)
{
    if (ruleset != NULL) {
        event_projection_clear(&ruleset->projection);
        arena_clear(&ruleset->arena);
        memory_free(ruleset);
    }
}

const struct event_projection *ruleset_projection(const struct ruleset *ruleset)
{
    return &ruleset->projection;
}

size_t ruleset_segment_count(const struct ruleset *ruleset)
{
    return ruleset->segment_count;
}

const struct definition *ruleset_definition(const struct ruleset *ruleset, size_t segment)
{
    return ruleset->segments[segment].definition;
}

int64_t ruleset_reach_ms(const struct ruleset *ruleset, size_t segment)
{
    return ruleset->segments[segment].reach_ms;
}

static bool criteria_support(const struct criterion *criteria, size_t count, const char **what, struct slice *path)
{
    for (size_t i = 0; i < count; i++) {
        const struct criterion *criterion = &criteria[i];

        if (criterion->kind == CRITERION_NONE) {
            *what = criterion_kind_name(criterion->kind);
            *path = criterion->json_path;
            return false;
        }
        if (!criteria_support(criterion->children, criterion->child_count, what, path)) {
            return false;
        }
    }
    return true;
}

bool ruleset_supports(const struct definition *definition, const char **what, struct slice *path)
{
    return criteria_support(definition->criteria, definition->criterion_count, what, path) &&
           criteria_support(definition->exclude, definition->exclude_count, what, path);
}
