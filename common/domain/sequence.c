/* sequence (section 5): for every number of steps the latest possible begin of a chain of that many is enough, since a
 * later begin is never worse. Events of one millisecond may serve in any order, so a millisecond is taken whole: it can
 * continue a chain by several steps where different events of it match them. */
#include "common/base/timestamp.h"
#include "common/domain/sequence_parts.h"

#include <stdlib.h>

bool chains_serve(struct chains *chains, size_t step)
{
    for (size_t i = 0; i < chains->group_count; i++) {
        if (chains->seen[i] || !bit_is_set(chains->group[i].entry->mask, chains->node->steps[step])) {
            continue;
        }
        chains->seen[i] = true;
        if (chains->served[i] == 0 || chains_serve(chains, chains->served[i] - 1)) {
            chains->served[i] = (uint32_t)step + 1;
            return true;
        }
    }
    return false;
}

/* Continues the chain of `done` steps by as many as the group can serve; true when it is completed. */
static bool continue_chain(struct chains *chains, size_t done, int64_t begin)
{
    memset(chains->served, 0, chains->group_count * sizeof *chains->served);
    for (size_t step = done; step < chains->step_count; step++) {
        memset(chains->seen, 0, chains->group_count * sizeof *chains->seen);
        if (!chains_serve(chains, step)) {
            return false;
        }
        if (step + 1 == chains->step_count) {
            return true;
        }
        if (begin > chains->begins_next[step + 1]) {
            chains->begins_next[step + 1] = begin;
        }
    }
    return false;
}

bool chains_reserve(struct chains *chains)
{
    if (chains->group_count > chains->group_capacity) {
        chains->group_capacity = chains->group_count * 2;
        chains->served = evaluation_allocate(chains->evaluation, chains->group_capacity, sizeof *chains->served);
        chains->seen = evaluation_allocate(chains->evaluation, chains->group_capacity, sizeof *chains->seen);
    }
    return chains->served != NULL && chains->seen != NULL;
}

/* Takes one millisecond; true when a sequence is completed in it. */
static bool take_group(struct chains *chains)
{
    int64_t now = chains->group[0].entry->time_ms;
    bool completed = false;

    if (!chains_reserve(chains)) {
        chains->group_capacity = 0;
        return false;
    }
    memcpy(chains->begins_next, chains->begins, chains->step_count * sizeof *chains->begins);
    for (size_t done = 0; done < chains->step_count; done++) {
        int64_t begin = done == 0 ? now : chains->begins[done];

        if (begin != INT64_MIN && now - begin <= chains->node->criterion->within_ms) {
            completed = continue_chain(chains, done, begin) || completed;
        }
    }
    memcpy(chains->begins, chains->begins_next, chains->step_count * sizeof *chains->begins);
    return completed;
}

void chains_take(struct chains *chains, const struct link *items, size_t count, struct instants *completed)
{
    for (size_t i = 0; i < chains->step_count; i++) {
        chains->begins[i] = INT64_MIN;
    }
    for (size_t low = 0; low < count; low += chains->group_count) {
        size_t high = low + 1;

        while (high < count && items[high].entry->time_ms == items[low].entry->time_ms) {
            high++;
        }
        chains->group = &items[low];
        chains->group_count = high - low;
        if (take_group(chains)) {
            instants_push(completed, items[low].entry->time_ms, &chains->evaluation->arena,
                          &chains->evaluation->failed);
        }
    }
}

struct link *links_by_key(struct evaluation *evaluation, const struct links *links, size_t **begins)
{
    struct link *sorted = evaluation_allocate(evaluation, links->count, sizeof *sorted);
    size_t *next = evaluation_allocate(evaluation, links->key_count + 1, sizeof *next);

    *begins = evaluation_allocate(evaluation, links->key_count + 1, sizeof **begins);
    if (sorted == NULL || next == NULL || *begins == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < links->count; i++) {
        (*begins)[links->items[i].key + 1]++;
    }
    for (size_t i = 0; i < links->key_count; i++) {
        (*begins)[i + 1] += (*begins)[i];
        next[i] = (*begins)[i];
    }
    for (size_t i = 0; i < links->count; i++) {
        sorted[next[links->items[i].key]++] = links->items[i];
    }
    return sorted;
}

static int compare_instants(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;

    return (a > b) - (a < b);
}

static void find_completed(struct evaluation *evaluation, const struct node *node, const struct summary *summary,
                           struct instants *completed)
{
    struct chains chains = {.evaluation = evaluation, .node = node, .step_count = node->criterion->step_count};
    int64_t reach = window_reach_ms(node->plan.window);
    size_t first;
    struct links links;
    struct link *sorted;
    size_t *begins;

    if (reach != INT64_MAX) {
        reach += node->criterion->within_ms;
    }
    first = summary->at_ms == INT64_MIN
                ? evaluation_first_entry(evaluation, reach)
                : evaluation_first_after(evaluation, summary->at_ms, node->criterion->within_ms + 1);
    links_gather(evaluation, first, node->steps, chains.step_count, node->same, node->criterion->same_count, &links);
    chains.begins = evaluation_allocate(evaluation, chains.step_count, sizeof *chains.begins);
    chains.begins_next = evaluation_allocate(evaluation, chains.step_count, sizeof *chains.begins_next);
    if (links.count == 0 || chains.begins == NULL || chains.begins_next == NULL) {
        return;
    }
    sorted = links_by_key(evaluation, &links, &begins);
    for (size_t key = 0; sorted != NULL && key < links.key_count; key++) {
        chains_take(&chains, sorted + begins[key], begins[key + 1] - begins[key], completed);
    }
    if (links.key_count > 1 && completed->count > 1) {
        qsort(completed->at, completed->count, sizeof *completed->at, compare_instants);
    }
}

void evaluate_sequence(struct evaluation *evaluation, const struct node *node, bool marked, struct timeline *out)
{
    struct timeline_union sum = {.timeline = out, .first = evaluation->from, .end = INT64_MIN};
    struct instants completed = {0};

    struct summary summary = evaluation_summed(evaluation, node);

    *out = (struct timeline){0};
    if (summary.at_ms != INT64_MIN && summary.count > 0) {
        /* Without a window a sequence that was completed stays so. */
        timeline_union_add(&sum, evaluation->from, TIMESTAMP_NEVER, &evaluation->arena, &evaluation->failed);
    }
    if (summary.count == 0 || marked) {
        find_completed(evaluation, node, &summary, &completed);
    }
    for (size_t i = 0; i < completed.count; i++) {
        int64_t enter;
        int64_t leave;

        window_bounds(&node->plan, completed.at[i], &enter, &leave);
        if (marked) {
            evaluation_mark(evaluation, enter);
        }
        timeline_union_add(&sum, enter, leave, &evaluation->arena, &evaluation->failed);
    }
    timeline_union_end(&sum, &evaluation->arena, &evaluation->failed);
    summary.count = timeline_at(out, evaluation->carry_at);
    evaluation_sum_up(evaluation, node, &summary);
}
