/* notFollowedBy, strict and orLater, and its shorthand (section 5): an `a` holds from when it is mature until it leaves
 * its window or, with orLater, until a `b` comes. */
#include "common/base/timestamp.h"
#include "common/domain/occurrence.h"

/* Per key while walking back in time. */
struct following {
    int64_t next_ms;      /* first b after the present millisecond */
    uint32_t group_count; /* b's in the present millisecond */
};

/* Fills next_ms of every link. */
static void find_following(struct evaluation *evaluation, const struct node *node, struct links *links)
{
    struct following *following = evaluation_allocate(evaluation, links->key_count, sizeof *following);
    size_t high = links->count;

    if (following == NULL) {
        links->count = 0;
        return;
    }
    for (size_t i = 0; i < links->key_count; i++) {
        following[i].next_ms = TIMESTAMP_NEVER;
    }
    while (high > 0) {
        int64_t time_ms = links->items[high - 1].entry->time_ms;
        size_t low = high;

        while (low > 0 && links->items[low - 1].entry->time_ms == time_ms) {
            low--;
            following[links->items[low].key].group_count +=
                bit_is_set(links->items[low].entry->mask, node->followed_by);
        }
        for (size_t i = low; i < high; i++) {
            struct link *link = &links->items[i];
            uint32_t others = following[link->key].group_count - bit_is_set(link->entry->mask, node->followed_by);

            link->next_ms = others > 0 ? time_ms : following[link->key].next_ms;
        }
        for (size_t i = low; i < high; i++) {
            if (bit_is_set(links->items[i].entry->mask, node->followed_by)) {
                following[links->items[i].key] = (struct following){.next_ms = time_ms};
            }
        }
        high = low;
    }
}

void absence_links(struct evaluation *evaluation, const struct node *node, size_t first, struct links *out)
{
    const uint32_t selectors[] = {node->plan.selector, node->followed_by};

    links_gather(evaluation, first, selectors, 2, node->same, node->criterion->same_count, out);
    find_following(evaluation, node, out);
}

static void add_absence(struct evaluation *evaluation, const struct node *node, const struct link *link, bool marked,
                        struct timeline_union *sum)
{
    int64_t mature = link->entry->time_ms + node->criterion->within_ms;
    int64_t begin;
    int64_t end;

    window_bounds(&node->plan, link->entry->time_ms, &begin, &end);
    begin = mature > begin ? mature : begin;
    if (node->criterion->or_later) {
        end = link->next_ms < end ? link->next_ms : end;
    } else if (link->next_ms <= mature) {
        return;
    }
    if (end <= begin) {
        return;
    }
    if (marked && link->next_ms > begin) {
        evaluation_mark(evaluation, begin);
    }
    timeline_union_add(sum, begin, end, &evaluation->arena, &evaluation->failed);
}

/* When an absence that held as of the summary ends: with orLater at the next b, else never. */
static int64_t held_end(const struct evaluation *evaluation, const struct node *node, const struct summary *summary)
{
    size_t index = evaluation->entry_count;

    if (node->criterion->or_later) {
        index = evaluation_next(evaluation, node->followed_by, evaluation_first_after(evaluation, summary->at_ms, 0),
                                evaluation->entry_count);
    }
    return index < evaluation->entry_count ? evaluation_entry(evaluation, index)->time_ms : TIMESTAMP_NEVER;
}

void evaluate_absence(struct evaluation *evaluation, const struct node *node, bool marked, struct timeline *out)
{
    struct timeline_union sum = {.timeline = out, .first = evaluation->from, .end = INT64_MIN};
    struct summary summary = evaluation_summed(evaluation, node);
    size_t first = evaluation_first_entry(evaluation, window_reach_ms(node->plan.window));
    struct links links;

    *out = (struct timeline){0};
    if (summary.at_ms != INT64_MIN) {
        /* What was mature then is summed up; what was not is found anew. */
        first = evaluation_first_after(evaluation, summary.at_ms, node->criterion->within_ms);
        if (summary.count > 0) {
            timeline_union_add(&sum, evaluation->from, held_end(evaluation, node, &summary), &evaluation->arena,
                               &evaluation->failed);
        }
    }
    absence_links(evaluation, node, first, &links);
    for (size_t i = 0; i < links.count; i++) {
        if (bit_is_set(links.items[i].entry->mask, node->plan.selector)) {
            add_absence(evaluation, node, &links.items[i], marked, &sum);
        }
    }
    timeline_union_end(&sum, &evaluation->arena, &evaluation->failed);
    summary.count = timeline_at(out, evaluation->carry_at);
    evaluation_sum_up(evaluation, node, &summary);
}
