#include "common/domain/percentile.h"

#include "common/domain/measure.h"
#include "common/domain/percentile_parts.h"

#include <stdlib.h>

enum { KEY_PREFIX_SIZE = 5, VALUE_COUNT_MAX = 1 << 30 };

#define KEYS_SIZE_MAX ((size_t)1 << 34)

/* One user's value in a group of one percentile. */
struct ranked {
    struct quotient number;
    uint32_t group;
};

struct ranks {
    const struct ruleset *ruleset;
    struct arena arena;     /* keys of groups */
    struct hash_map groups; /* percentile and value of `by` to group number */
    struct slice *keys;     /* by group */
    size_t key_capacity;
    struct ranked *values;
    size_t value_count;
    size_t value_capacity;
    struct quotient *thresholds; /* by group, after ranks_finish */
    struct buffer key;
};

/* What a user has of one percentile. */
struct standing {
    bool exists;
    struct quotient number;
    struct value group; /* missing: the group of those without the trait */
};

size_t ruleset_percentile_count(const struct ruleset *ruleset)
{
    return ruleset->percentile_count;
}

bool ranks_new(const struct ruleset *ruleset, struct ranks **out, struct error *err)
{
    struct ranks *ranks = memory_allocate_zeroed(1, sizeof *ranks);

    if (ranks == NULL) {
        return error_no_memory(err, "ranks");
    }
    ranks->ruleset = ruleset;
    arena_init(&ranks->arena, KEYS_SIZE_MAX);
    hash_map_init(&ranks->groups, VALUE_COUNT_MAX);
    buffer_init(&ranks->key, KEYS_SIZE_MAX);
    *out = ranks;
    return true;
}

void ranks_free(struct ranks *ranks)
{
    if (ranks != NULL) {
        arena_clear(&ranks->arena);
        hash_map_clear(&ranks->groups);
        buffer_clear(&ranks->key);
        memory_free(ranks->keys);
        memory_free(ranks->values);
        memory_free(ranks->thresholds);
        memory_free(ranks);
    }
}

/* The user's value at evaluation->at: over the known users with a counting event and an existing value. */
static struct standing find_standing(struct evaluation *evaluation, const struct node *node)
{
    struct standing standing = {0};
    struct sweep sweep;

    if (evaluation->known_since == TIMESTAMP_NEVER) {
        return standing;
    }
    sweep_begin(&sweep, evaluation, node);
    (void)sweep_move(&sweep, evaluation->at);
    standing.number = sweep_number(&sweep);
    standing.exists = sweep_count(&sweep) > 0 && standing.number.exists;
    if (node->trait != RULESET_NONE) {
        standing.group = trait_value(evaluation, node, evaluation->entry_count);
    }
    if (standing.group.type == VALUE_COMPOUND) {
        standing.group = (struct value){.type = VALUE_MISSING};
    }
    return standing;
}

/* A group's name: the percentile's number, the type, the value. */
static void append_key(struct buffer *key, uint32_t percentile, const struct value *group)
{
    buffer_reset(key);
    buffer_append_int32(key, (int32_t)percentile);
    buffer_append_char(key, (char)group->type);
    if (group->type == VALUE_STRING) {
        buffer_append_slice(key, group->text);
    } else if (group->type != VALUE_MISSING) {
        buffer_append_int64(key, group->type == VALUE_NUMBER ? group->micros : group->boolean);
    }
}

static bool add_value(struct ranks *ranks, struct slice key, const struct quotient *number, struct error *err)
{
    struct ranked ranked = {.number = *number};
    uint32_t count = (uint32_t)ranks->groups.count;
    bool added;

    if (!memory_grow(&ranks->keys, &ranks->key_capacity, count, VALUE_COUNT_MAX, sizeof *ranks->keys, "groups", err) ||
        !memory_grow(&ranks->values, &ranks->value_capacity, ranks->value_count, VALUE_COUNT_MAX, sizeof *ranks->values,
                     "values to rank", err)) {
        return false;
    }
    if (!arena_copy(&ranks->arena, key, &ranks->keys[count])) {
        return error_no_memory(err, "groups");
    }
    if (!hash_map_add(&ranks->groups, NULL, ranks->keys[count], count, &ranked.group, &added, err)) {
        return false;
    }
    ranks->values[ranks->value_count++] = ranked;
    return true;
}

bool ranks_add(struct ranks *ranks, const struct user_state *state, int64_t at, struct evaluation *evaluation,
               struct error *err)
{
    const struct ruleset *ruleset = ranks->ruleset;

    for (size_t i = 0; i < ruleset->percentile_count; i++) {
        struct standing standing;

        evaluation_begin(evaluation, state, at, TIMESTAMP_ALWAYS);
        standing = find_standing(evaluation, ruleset->percentiles[i]);
        if (!evaluation_finish(evaluation, err)) {
            return false;
        }
        if (!standing.exists) {
            continue;
        }
        append_key(&ranks->key, (uint32_t)i, &standing.group);
        if (!buffer_finish(&ranks->key, "a group", err) ||
            !add_value(ranks, buffer_slice(&ranks->key), &standing.number, err)) {
            return false;
        }
    }
    return true;
}

bool ranks_merge(struct ranks *ranks, const struct ranks *other, struct error *err)
{
    for (size_t i = 0; i < other->value_count; i++) {
        if (!add_value(ranks, other->keys[other->values[i].group], &other->values[i].number, err)) {
            return false;
        }
    }
    return true;
}

static int compare_ranked(const void *left, const void *right)
{
    const struct ranked *a = left;
    const struct ranked *b = right;

    if (a->group != b->group) {
        return a->group > b->group ? 1 : -1;
    }
    return quotient_compare(&a->number, &b->number);
}

/* percentile_disc: the ceil(p x N / 100)-th smallest. */
static size_t rank_of(int64_t percentile_micros, size_t count)
{
    int128 hundred = (int128)100 * DECIMAL_ONE;
    int128 rank = ((int128)percentile_micros * (int128)count + hundred - 1) / hundred;

    return (size_t)(rank < 1 ? 1 : rank);
}

static uint32_t key_percentile(struct slice key)
{
    const unsigned char *bytes = (const unsigned char *)key.data;

    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

bool ranks_finish(struct ranks *ranks, struct error *err)
{
    ranks->thresholds = memory_allocate_zeroed(ranks->groups.count, sizeof *ranks->thresholds);
    if (ranks->thresholds == NULL) {
        return error_no_memory(err, "ranks");
    }
    if (ranks->value_count > 1) {
        qsort(ranks->values, ranks->value_count, sizeof *ranks->values, compare_ranked);
    }
    for (size_t low = 0; low < ranks->value_count;) {
        uint32_t group = ranks->values[low].group;
        const struct node *node = ranks->ruleset->percentiles[key_percentile(ranks->keys[group])];
        size_t high = low;

        while (high < ranks->value_count && ranks->values[high].group == group) {
            high++;
        }
        ranks->thresholds[group] =
            ranks->values[low + rank_of(node->criterion->percentile_micros, high - low) - 1].number;
        low = high;
    }
    return true;
}

void evaluation_ranks(struct evaluation *evaluation, const struct ranks *ranks)
{
    evaluation->ranks = ranks;
}

void evaluate_percentile(struct evaluation *evaluation, const struct node *node, bool marked, struct timeline *out)
{
    const struct ranks *ranks = evaluation->ranks;
    struct standing standing;
    uint32_t group;

    (void)marked;
    *out = (struct timeline){0};
    if (ranks == NULL || ranks->thresholds == NULL) {
        evaluation->unranked = true;
        return;
    }
    standing = find_standing(evaluation, node);
    if (!standing.exists) {
        return;
    }
    append_key(&evaluation->key, node->percentile, &standing.group);
    if (evaluation->key.failed) {
        evaluation->failed = true;
        return;
    }
    if (hash_map_find(&ranks->groups, buffer_slice(&evaluation->key), &group)) {
        out->initial = quotient_compare(&standing.number, &ranks->thresholds[group]) >= 0;
    }
}

struct percentile_place percentile_place(struct evaluation *evaluation, const struct node *node)
{
    const struct ranks *ranks = evaluation->ranks;
    struct percentile_place place = {0};
    struct standing standing;
    uint32_t group;

    if (ranks == NULL || ranks->thresholds == NULL) {
        evaluation->unranked = true;
        return place;
    }
    standing = find_standing(evaluation, node);
    append_key(&evaluation->key, node->percentile, &standing.group);
    evaluation->failed = evaluation->failed || evaluation->key.failed;
    if (!standing.exists || evaluation->failed ||
        !hash_map_find(&ranks->groups, buffer_slice(&evaluation->key), &group)) {
        return place;
    }
    place = (struct percentile_place){.exists = true,
                                      .number = standing.number,
                                      .threshold = ranks->thresholds[group],
                                      .group = standing.group};
    for (size_t i = 0; i < ranks->value_count; i++) {
        const struct ranked *value = &ranks->values[i];

        place.group_size += value->group == group;
        place.less_count += value->group == group && quotient_compare(&value->number, &standing.number) < 0;
    }
    place.threshold_rank = rank_of(node->criterion->percentile_micros, place.group_size);
    return place;
}
