#include "common/cli/eval_rows.h"

#include "common/base/memory.h"

#include <stdlib.h>

enum { ROW_COUNT_MAX = 1 << 30 };

#define IDS_SIZE_MAX ((size_t)1 << 36)

bool eval_rows_init(struct eval_rows *rows, const struct ruleset *ruleset, const struct eval_options *options,
                    int64_t at, struct error *err)
{
    size_t segment_count = ruleset_segment_count(ruleset);

    *rows = (struct eval_rows){.ruleset = ruleset, .options = *options, .at = at};
    arena_init(&rows->arena, IDS_SIZE_MAX);
    rows->ends = memory_allocate_zeroed(segment_count, sizeof *rows->ends);
    return rows->ends != NULL || error_no_memory(err, "rows");
}

void eval_rows_clear(struct eval_rows *rows)
{
    arena_clear(&rows->arena);
    memory_free(rows->users);
    memory_free(rows->items);
    memory_free(rows->ends);
}

/* ---- adding ---- */

void eval_rows_user(struct eval_rows *rows, struct slice user, const struct consent_history *consent)
{
    rows->user = user;
    rows->consent = consent;
    rows->added = false;
}

/* The user's place; a user without rows has none. */
static bool add_user(struct eval_rows *rows, struct error *err)
{
    struct eval_rows_user *user;

    if (!memory_grow(&rows->users, &rows->user_capacity, rows->user_count, ROW_COUNT_MAX, sizeof *rows->users, "users",
                     err)) {
        return false;
    }
    user = &rows->users[rows->user_count];
    *user = (struct eval_rows_user){.first = rows->count};
    if (!arena_copy(&rows->arena, rows->user, &user->id)) {
        return error_no_memory(err, "users");
    }
    rows->user_count++;
    rows->added = true;
    return true;
}

static bool append(struct eval_rows *rows, size_t segment, struct interval interval, struct error *err)
{
    if ((!rows->added && !add_user(rows, err)) ||
        !memory_grow(&rows->items, &rows->capacity, rows->count, ROW_COUNT_MAX, sizeof *rows->items, "rows", err)) {
        return false;
    }
    rows->items[rows->count++] =
        (struct eval_row){.interval = interval, .segment = (uint32_t)segment, .user = (uint32_t)(rows->user_count - 1)};
    rows->users[rows->user_count - 1].count++;
    return true;
}

bool eval_rows_add(struct eval_rows *rows, size_t segment, struct interval interval, struct error *err)
{
    static const struct consent_history nothing_said;
    const struct definition *definition = ruleset_definition(rows->ruleset, segment);
    const struct consent_history *consent = rows->consent == NULL ? &nothing_said : rows->consent;
    int64_t at = rows->at;
    int64_t end = interval.left_at;

    do {
        struct interval part = {.entered_at = interval.entered_at, .left_at = end};

        if (rows->options.consent && consent_concerns(definition)) {
            bool allowed = consent_default(definition, rows->options.config);

            if (!consent_narrow(consent, definition, allowed, at, &part)) {
                return true;
            }
        }
        interval.entered_at = part.left_at;
        if (part.entered_at > at || (!rows->options.intervals && part.left_at <= at)) {
            continue;
        }
        if (rows->options.intervals && part.left_at > at) {
            part.left_at = TIMESTAMP_NEVER;
        }
        if (!append(rows, segment, part, err)) {
            return false;
        }
    } while (interval.entered_at < end && interval.entered_at <= at);
    return true;
}

static bool compute_members(struct eval_rows *rows, struct user_state *state, struct evaluation *evaluation,
                            struct error *err)
{
    const struct segment_membership *found;
    size_t count;

    if (!user_state_standing(rows->ruleset, state, rows->at, evaluation, &found, &count, err)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const struct membership *membership = &found[i].membership;
        struct interval interval = {.entered_at = membership->entered_at, .left_at = membership->valid_until};

        if (membership->member && !eval_rows_add(rows, found[i].segment, interval, err)) {
            return false;
        }
    }
    return true;
}

bool eval_rows_compute(struct eval_rows *rows, struct user_state *state, struct evaluation *evaluation,
                       struct error *err)
{
    if (!rows->options.intervals) {
        return compute_members(rows, state, evaluation, err);
    }
    for (size_t segment = 0; segment < ruleset_segment_count(rows->ruleset); segment++) {
        const struct interval *intervals;
        size_t count;

        if (!user_state_history(rows->ruleset, state, segment, rows->at, evaluation, &intervals, &count, err)) {
            return false;
        }
        for (size_t i = 0; i < count; i++) {
            if (!eval_rows_add(rows, segment, intervals[i], err)) {
                return false;
            }
        }
    }
    return true;
}

/* ---- order ---- */

/* Begins of ids that all users share, as most have, say nothing of their order: the bytes behind it mostly say all. */
static void find_keys(struct eval_rows *rows)
{
    size_t shared = rows->user_count == 0 ? 0 : rows->users[0].id.size;

    for (size_t i = 1; i < rows->user_count; i++) {
        struct slice first = rows->users[0].id;
        struct slice id = rows->users[i].id;
        size_t same = 0;

        shared = id.size < shared ? id.size : shared;
        while (same < shared && id.data[same] == first.data[same]) {
            same++;
        }
        shared = same;
    }
    for (size_t i = 0; i < rows->user_count; i++) {
        struct eval_rows_user *user = &rows->users[i];
        const unsigned char *bytes = (const unsigned char *)user->id.data + shared;

        user->key = 0;
        for (size_t k = 0; k < sizeof user->key; k++) {
            user->key = user->key << 8 | (shared + k < user->id.size ? bytes[k] : 0U);
        }
    }
}

static int compare_users(const void *left, const void *right)
{
    const struct eval_rows_user *a = left;
    const struct eval_rows_user *b = right;

    if (a->key != b->key) {
        return a->key < b->key ? -1 : 1;
    }
    return slice_compare(a->id, b->id);
}

/* Sorts the users, then deals out each one's rows to the segments. */
bool eval_rows_arrange(struct eval_rows *rows, struct error *err)
{
    size_t segment_count = ruleset_segment_count(rows->ruleset);
    struct eval_row *sorted = memory_allocate(rows->count * sizeof *sorted);
    size_t end = 0;

    if (sorted == NULL) {
        return error_no_memory(err, "rows");
    }
    find_keys(rows);
    if (rows->user_count > 1) {
        qsort(rows->users, rows->user_count, sizeof *rows->users, compare_users);
    }
    for (size_t i = 0; i < rows->count; i++) {
        rows->ends[rows->items[i].segment]++;
    }
    for (size_t segment = 0; segment < segment_count; segment++) {
        size_t count = rows->ends[segment];

        rows->ends[segment] = end; /* the begin, until the rows are there */
        end += count;
    }
    for (size_t i = 0; i < rows->user_count; i++) {
        const struct eval_rows_user *user = &rows->users[i];

        for (size_t k = user->first; k < user->first + user->count; k++) {
            struct eval_row *row = &rows->items[k];

            row->user = (uint32_t)i;
            sorted[rows->ends[row->segment]++] = *row;
        }
    }
    memory_free(rows->items);
    rows->items = sorted;
    return true;
}

const struct eval_row *eval_rows_of(const struct eval_rows *rows, size_t segment, size_t *count)
{
    size_t begin = segment == 0 ? 0 : rows->ends[segment - 1];

    *count = rows->ends[segment] - begin;
    return rows->items + begin;
}
