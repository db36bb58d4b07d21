/* What only the whole set can tell: ids that occur twice, references, cycles, percentiles, bounds of the stream's
 * state. */
#include "common/base/nearest.h"
#include "common/domain/rule_parse.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- walking criteria ---- */

static bool visit_all(const struct criterion *criteria, size_t count, criterion_visit *visit, void *context)
{
    for (size_t i = 0; i < count; i++) {
        if (!criterion_each(&criteria[i], visit, context)) {
            return false;
        }
    }
    return true;
}

bool criterion_each(const struct criterion *criterion, criterion_visit *visit, void *context)
{
    if (!visit(context, criterion)) {
        return false;
    }
    if (criterion->left != NULL && !criterion_each(criterion->left, visit, context)) {
        return false;
    }
    if (criterion->right != NULL && !criterion_each(criterion->right, visit, context)) {
        return false;
    }
    return visit_all(criterion->children, criterion->child_count, visit, context);
}

static bool definition_each(const struct definition *definition, criterion_visit *visit, void *context)
{
    return visit_all(definition->criteria, definition->criterion_count, visit, context) &&
           visit_all(definition->exclude, definition->exclude_count, visit, context);
}

static bool is_bounded(void *context, const struct criterion *criterion)
{
    (void)context;
    return !(criterion->kind == CRITERION_ABSENCE && criterion->or_later && criterion->same_count > 0 &&
             criterion->window.kind == RULE_WINDOW_NONE);
}

static bool is_no_percentile(void *context, const struct criterion *criterion)
{
    (void)context;
    return criterion->kind != CRITERION_PERCENTILE;
}

bool rule_streams(const struct definition *definition, const char **why)
{
    if (!definition_each(definition, is_bounded, NULL)) {
        *why = "notFollowedBy with orLater and same but no window";
        return false;
    }
    if (!definition_each(definition, is_no_percentile, NULL)) {
        *why = "percentile";
        return false;
    }
    return true;
}

/* ---- finding ---- */

struct id_entry {
    struct slice id;
    size_t index;
};

static int compare_entries(const void *left, const void *right)
{
    const struct id_entry *a = left;
    const struct id_entry *b = right;
    int order = slice_compare(a->id, b->id);

    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

size_t segment_set_find(const struct segment_set *set, struct slice segment_id)
{
    size_t low = 0;
    size_t high = set->definition_count;

    if (set->by_id == NULL) {
        for (size_t i = 0; i < set->definition_count; i++) {
            if (slice_equal(set->definitions[i].segment_id, segment_id)) {
                return i;
            }
        }
        return SIZE_MAX;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = slice_compare(set->definitions[set->by_id[middle]].segment_id, segment_id);

        if (order == 0) {
            return set->by_id[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return SIZE_MAX;
}

/* Sets the error; or, where the set collects problems, adds it to them and goes on: true, but for no memory. */
static bool fail_definition(const struct segment_set *set, const struct definition *definition, const char *key,
                            const char *message, const char *suggestion, struct error *err)
{
    if (set->problems != NULL) {
        return rule_problems_add_at(set->problems, RULE_ERROR, RULE_PROBLEM_REFERENCE, definition, slice_from(key),
                                    message, suggestion, err);
    }
    return error_set(err, ERROR_INPUT, "%.*s: %.*s.%s: %s", (int)definition->file.size, definition->file.data,
                     (int)definition->json_path.size, definition->json_path.data, key, message);
}

/* Sorts by id, and so sees ids that occur twice. */
static bool index_ids(struct segment_set *set, struct error *err)
{
    struct id_entry *entries = arena_allocate_zeroed(&set->arena, set->definition_count, sizeof(*entries));
    size_t *by_id = arena_allocate_zeroed(&set->arena, set->definition_count, sizeof(*by_id));

    if (entries == NULL || by_id == NULL) {
        return error_no_memory(err, "checking segment definitions");
    }
    for (size_t i = 0; i < set->definition_count; i++) {
        entries[i] = (struct id_entry){.id = set->definitions[i].segment_id, .index = i};
    }
    if (set->definition_count > 1) {
        qsort(entries, set->definition_count, sizeof(*entries), compare_entries);
    }
    for (size_t i = 0; i < set->definition_count; i++) {
        by_id[i] = entries[i].index;
        if (i > 0 && entries[i].id.size > 0 && slice_equal(entries[i].id, entries[i - 1].id)) {
            const struct definition *first = &set->definitions[entries[i - 1].index];
            char message[512];

            (void)snprintf(message, sizeof(message), "segment \"%.*s\" is already defined in %.*s: %.*s",
                           (int)first->segment_id.size, first->segment_id.data, (int)first->file.size, first->file.data,
                           (int)first->json_path.size, first->json_path.data);
            if (!fail_definition(set, &set->definitions[entries[i].index], "segmentId", message, NULL, err)) {
                return false;
            }
        }
    }
    set->by_id = by_id;
    return true;
}

/* ---- references ---- */

static bool fail_reference(const struct segment_set *set, const struct definition *definition,
                           const struct criterion *criterion, const char *message, const char *suggestion,
                           struct error *err)
{
    char key[ERROR_MESSAGE_SIZE];

    (void)snprintf(key, sizeof(key), "%.*s.segment", (int)criterion->json_path.size, criterion->json_path.data);
    return fail_definition(set, definition, key, message, suggestion, err);
}

/* What a file that is no JSON defines is not known: nothing is said about references that may lead into it. */
static bool has_unread_file(const struct segment_set *set)
{
    for (size_t i = 0; set->problems != NULL && i < set->problems->count; i++) {
        if (set->problems->items[i].kind == RULE_PROBLEM_SYNTAX) {
            return true;
        }
    }
    return false;
}

static bool fail_unknown(const struct segment_set *set, const struct definition *definition,
                         const struct criterion *criterion, struct error *err)
{
    struct nearest nearest;
    char offered[64];
    char best[64];
    char message[256];

    if (has_unread_file(set)) {
        return true;
    }
    nearest_begin(&nearest, criterion->segment_id);
    for (size_t i = 0; i < set->definition_count; i++) {
        struct slice id = set->definitions[i].segment_id;

        if (&set->definitions[i] == definition) {
            continue;
        }
        (void)snprintf(offered, sizeof(offered), "%.*s", (int)id.size, id.data);
        nearest_offer(&nearest, offered);
        if (nearest.name == offered) {
            memcpy(best, offered, sizeof(best));
            nearest.name = best;
        }
    }
    (void)snprintf(message, sizeof(message), "unknown segment \"%.*s\": %s%s%s",
                   (int)(criterion->segment_id.size < 64 ? criterion->segment_id.size : 64), criterion->segment_id.data,
                   nearest.name == NULL ? "give the folder that has its definition, too" : "did you mean \"",
                   nearest.name == NULL ? "" : nearest.name, nearest.name == NULL ? "" : "\"?");
    return fail_reference(set, definition, criterion, message, nearest.name, err);
}

static bool visit_count(void *context, const struct criterion *criterion)
{
    size_t *count = context;

    *count += criterion->kind == CRITERION_SEGMENT ? 1 : 0;
    return true;
}

/* Fills in segment_index below `criteria` and appends the indexes to references. */
static bool resolve_criteria(const struct segment_set *set, struct definition *definition, struct criterion *criteria,
                             size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        struct criterion *criterion = &criteria[i];

        if (criterion->kind == CRITERION_SEGMENT) {
            criterion->segment_index = segment_set_find(set, criterion->segment_id);
            if (criterion->segment_index != SIZE_MAX) {
                definition->references[definition->reference_count++] = criterion->segment_index;
            } else if (!fail_unknown(set, definition, criterion, err)) {
                return false;
            }
        }
        if (!resolve_criteria(set, definition, criterion->children, criterion->child_count, err)) {
            return false;
        }
    }
    return true;
}

static int compare_indexes(const void *left, const void *right)
{
    const size_t *a = left;
    const size_t *b = right;

    return (*a > *b) - (*a < *b);
}

static bool resolve_references(struct segment_set *set, struct definition *definition, struct error *err)
{
    size_t mentioned = 0;
    size_t distinct = 0;

    (void)definition_each(definition, visit_count, &mentioned);
    definition->reference_count = 0;
    if (mentioned == 0) {
        return true;
    }
    definition->references = arena_allocate_zeroed(&set->arena, mentioned, sizeof(*definition->references));
    if (definition->references == NULL) {
        return error_no_memory(err, "checking segment definitions");
    }
    if (!resolve_criteria(set, definition, definition->criteria, definition->criterion_count, err) ||
        !resolve_criteria(set, definition, definition->exclude, definition->exclude_count, err)) {
        return false;
    }
    mentioned = definition->reference_count;
    if (mentioned > 1) {
        qsort(definition->references, mentioned, sizeof(*definition->references), compare_indexes);
    }
    for (size_t i = 0; i < mentioned; i++) {
        if (distinct == 0 || definition->references[distinct - 1] != definition->references[i]) {
            definition->references[distinct++] = definition->references[i];
        }
    }
    definition->reference_count = distinct;
    return true;
}

/* ---- order and cycles ---- */

struct order_frame {
    size_t definition;
    size_t next; /* of its references */
};

struct find_reference {
    size_t to;
    const struct criterion *found;
};

static bool visit_find(void *context, const struct criterion *criterion)
{
    struct find_reference *find = context;

    if (criterion->kind == CRITERION_SEGMENT && criterion->segment_index == find->to) {
        find->found = criterion;
        return false;
    }
    return true;
}

/* Names the circle that closes when the definition on top of the stack refers to `to`. */
static bool fail_cycle(const struct segment_set *set, const struct order_frame *stack, size_t depth, size_t to,
                       struct error *err)
{
    const struct definition *last = &set->definitions[stack[depth - 1].definition];
    struct find_reference find = {.to = to};
    char message[ERROR_MESSAGE_SIZE] = "references form a cycle: ";
    size_t used = strlen(message);
    size_t first = depth - 1;

    while (stack[first].definition != to) {
        first--;
    }
    for (size_t i = first; i <= depth && used < sizeof(message); i++) {
        struct slice id = set->definitions[i < depth ? stack[i].definition : to].segment_id;
        int size =
            snprintf(message + used, sizeof(message) - used, "%s%.*s", i > first ? " -> " : "", (int)id.size, id.data);

        used += size > 0 ? (size_t)size : 0;
    }
    (void)definition_each(last, visit_find, &find);
    return fail_reference(set, last, find.found, message, NULL, err);
}

/* Depth first with a stack of its own: chains of references may be as long as the set. */
static bool order_definitions(struct segment_set *set, struct error *err)
{
    enum { UNSEEN = 0, OPEN, DONE };
    size_t count = set->definition_count;
    struct order_frame *stack = arena_allocate_zeroed(&set->arena, count, sizeof(*stack));
    unsigned char *marks = arena_allocate_zeroed(&set->arena, count, 1);
    size_t ordered = 0;

    set->evaluation_order = arena_allocate_zeroed(&set->arena, count, sizeof(*set->evaluation_order));
    if (stack == NULL || marks == NULL || set->evaluation_order == NULL) {
        return error_no_memory(err, "checking segment definitions");
    }
    for (size_t root = 0; root < count; root++) {
        size_t depth = 0;

        if (marks[root] == UNSEEN) {
            stack[depth++] = (struct order_frame){.definition = root};
            marks[root] = OPEN;
        }
        while (depth > 0) {
            struct order_frame *top = &stack[depth - 1];
            const struct definition *definition = &set->definitions[top->definition];

            if (top->next == definition->reference_count) {
                marks[top->definition] = DONE;
                set->evaluation_order[ordered++] = top->definition;
                depth--;
                continue;
            }
            size_t to = definition->references[top->next++];

            if (marks[to] == OPEN && !fail_cycle(set, stack, depth, to, err)) {
                return false;
            }
            if (marks[to] == UNSEEN) {
                marks[to] = OPEN;
                stack[depth++] = (struct order_frame){.definition = to};
            }
        }
    }
    return true;
}

/* ---- percentiles and streams ---- */

/* References are checked before those who refer to them, so what they depend on is known. */
static bool check_dependence(struct segment_set *set, struct definition *definition, struct error *err)
{
    const char *why;
    const char *key = NULL;

    definition->needs_percentile = !definition_each(definition, is_no_percentile, NULL);
    definition->streams = rule_streams(definition, &why);
    for (size_t i = 0; i < definition->reference_count; i++) {
        const struct definition *reference = &set->definitions[definition->references[i]];

        definition->needs_percentile = definition->needs_percentile || reference->needs_percentile;
        definition->streams = definition->streams && reference->streams;
    }
    if (!definition->needs_percentile) {
        return true;
    }
    if (definition->evaluation != EVALUATION_BATCH) {
        return fail_definition(set, definition, "evaluation",
                               "a segment that depends on a percentile must say \"evaluation\": \"batch\"", NULL, err);
    }
    key = definition->exclusion_window_ms != 0 ? "exclusionWindow" : key;
    key = definition->mode_given ? "membershipMode" : key;
    key = definition->duration_ms != 0 ? "membershipDuration" : key;
    return key == NULL ||
           fail_definition(set, definition, key, "not taken by a segment that depends on a percentile", NULL, err);
}

bool segment_set_check(struct segment_set *set, struct error *err)
{
    if (!index_ids(set, err)) {
        return false;
    }
    for (size_t i = 0; i < set->definition_count; i++) {
        if (!resolve_references(set, &set->definitions[i], err)) {
            return false;
        }
    }
    if (!order_definitions(set, err)) {
        return false;
    }
    for (size_t i = 0; i < set->definition_count; i++) {
        if (!check_dependence(set, &set->definitions[set->evaluation_order[i]], err)) {
            return false;
        }
    }
    return true;
}
