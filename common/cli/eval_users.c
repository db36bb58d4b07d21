#include "common/cli/eval_users.h"

#include "common/base/memory.h"

#include <stdlib.h>

enum { USER_COUNT_MAX = 1 << 30, ROW_COUNT_MAX = 1 << 30 };

#define IDS_SIZE_MAX ((size_t)1 << 36)

/* The intervals of one segment and user so far: what the stream engine keeps instead of recomputing. */
struct eval_history {
    struct interval *intervals;
    size_t count;
    size_t capacity;
};

bool eval_users_init(struct eval_users *users, const struct ruleset *ruleset, const struct eval_options *options,
                     struct error *err)
{
    *users = (struct eval_users){.ruleset = ruleset, .options = *options, .newest = TIMESTAMP_ALWAYS};
    arena_init(&users->arena, IDS_SIZE_MAX);
    hash_map_init(&users->map, USER_COUNT_MAX);
    users->touched = memory_allocate_zeroed((ruleset_segment_count(ruleset) + 63) / 64, sizeof *users->touched);
    if (users->touched == NULL) {
        return error_no_memory(err, "users");
    }
    return evaluation_new(ruleset, &users->evaluation, err);
}

void eval_users_clear(struct eval_users *users)
{
    size_t segment_count = users->ruleset == NULL ? 0 : ruleset_segment_count(users->ruleset);

    for (size_t i = 0; i < users->count; i++) {
        struct eval_user *user = &users->users[i];

        for (size_t k = 0; user->histories != NULL && k < segment_count; k++) {
            memory_free(user->histories[k].intervals);
        }
        memory_free(user->histories);
        user_state_free(user->state);
        consent_history_clear(&user->consent);
    }
    memory_free(users->users);
    memory_free(users->touched);
    evaluation_free(users->evaluation);
    ranks_free(users->ranks);
    hash_map_clear(&users->map);
    arena_clear(&users->arena);
}

static bool find_user(struct eval_users *users, struct slice id, struct eval_user **out, struct error *err)
{
    uint32_t index;
    bool added;

    if (hash_map_find(&users->map, id, &index)) {
        *out = &users->users[index];
        return true;
    }
    if (!memory_grow(&users->users, &users->capacity, users->count, USER_COUNT_MAX, sizeof *users->users, "users",
                     err)) {
        return false;
    }
    *out = &users->users[users->count];
    **out = (struct eval_user){0};
    if (!arena_copy(&users->arena, id, &(*out)->id)) {
        return error_no_memory(err, "users");
    }
    if (!user_state_new(users->ruleset, &(*out)->state, err)) {
        return false;
    }
    if (!hash_map_add(&users->map, NULL, (*out)->id, (uint32_t)users->count, &index, &added, err)) {
        user_state_free((*out)->state);
        return false;
    }
    users->count++;
    return true;
}

/* ---- the stream engine: each event changes M from its own time on ---- */

static bool update_history(struct eval_users *users, struct eval_user *user, size_t segment, int64_t from,
                           struct error *err)
{
    struct eval_history *history = &user->histories[segment];
    const struct interval *intervals;
    size_t count;

    if (!user_state_intervals(users->ruleset, user->state, segment, from, users->evaluation, &intervals, &count, err)) {
        return false;
    }
    while (history->count > 0 && history->intervals[history->count - 1].left_at > from) {
        history->count--;
    }
    for (size_t i = 0; i < count; i++) {
        if (!memory_grow(&history->intervals, &history->capacity, history->count, ROW_COUNT_MAX,
                         sizeof *history->intervals, "intervals", err)) {
            return false;
        }
        history->intervals[history->count++] = intervals[i];
    }
    return true;
}

static bool follow(struct eval_users *users, struct eval_user *user, int64_t time_ms, struct error *err)
{
    size_t segment_count = ruleset_segment_count(users->ruleset);

    if (user->histories == NULL) {
        user->histories = memory_allocate_zeroed(segment_count, sizeof *user->histories);
        if (user->histories == NULL) {
            return error_no_memory(err, "intervals");
        }
    }
    for (size_t word = 0; word < (segment_count + 63) / 64; word++) {
        while (users->touched[word] != 0) {
            size_t segment = word * 64 + (size_t)__builtin_ctzll(users->touched[word]);

            users->touched[word] &= users->touched[word] - 1;
            if (!ruleset_definition(users->ruleset, segment)->needs_percentile &&
                !update_history(users, user, segment, time_ms - 1, err)) {
                return false;
            }
        }
    }
    return true;
}

bool eval_users_fold(struct eval_users *users, const struct event *event, bool *different, struct error *err)
{
    enum fold_result result = FOLD_NONE;
    struct eval_user *user;

    *different = false;
    if ((event->kind == EVENT_CONSENT || event->kind == EVENT_DELETE) && !users->options.consent) {
        return true;
    }
    users->event_count++;
    if (!find_user(users, event->user, &user, err) ||
        (users->options.consent && !consent_history_fold(&user->consent, event, &users->arena, err)) ||
        !user_state_fold(users->ruleset, user->state, event, users->evaluation, &result,
                         users->options.stream ? users->touched : NULL, err)) {
        return false;
    }
    users->newest = event->time_ms > users->newest ? event->time_ms : users->newest;
    *different = result == FOLD_COPY_DIFFERENT;
    users->copy_different_count += *different;
    users->copy_count += result == FOLD_COPY || *different;
    return !users->options.stream || result != FOLD_APPLIED || follow(users, user, event->time_ms, err);
}

/* ---- rows ---- */

static bool add_row(const struct eval_users *users, size_t segment, uint32_t user, struct interval interval, int64_t at,
                    struct eval_rows *rows, struct error *err)
{
    const struct definition *definition = ruleset_definition(users->ruleset, segment);
    int64_t end = interval.left_at;

    do {
        struct interval part = {.entered_at = interval.entered_at, .left_at = end};

        if (users->options.consent && consent_concerns(definition)) {
            bool allowed = consent_default(definition, users->options.config);

            if (!consent_narrow(&users->users[user].consent, definition, allowed, at, &part)) {
                return true;
            }
        }
        interval.entered_at = part.left_at;
        if (part.entered_at > at || (!users->options.intervals && part.left_at <= at)) {
            continue;
        }
        if (!memory_grow(&rows->items, &rows->capacity, rows->count, ROW_COUNT_MAX, sizeof *rows->items, "rows", err)) {
            return false;
        }
        if (users->options.intervals && part.left_at > at) {
            part.left_at = TIMESTAMP_NEVER;
        }
        rows->items[rows->count++] = (struct eval_row){.user = user, .interval = part};
    } while (interval.entered_at < end && interval.entered_at <= at);
    return true;
}

/* Segments that depend on other users exist at one instant only, whichever the engine. */
static bool rows_ranked(struct eval_users *users, uint32_t index, int64_t at, struct eval_rows *rows, struct error *err)
{
    struct user_state *state = users->users[index].state;

    for (size_t segment = 0; segment < ruleset_segment_count(users->ruleset); segment++) {
        struct membership membership;

        if (!ruleset_definition(users->ruleset, segment)->needs_percentile) {
            continue;
        }
        if (!user_state_membership(users->ruleset, state, segment, at, users->evaluation, &membership, err)) {
            return false;
        }
        if (membership.member &&
            !add_row(users, segment, index, (struct interval){.entered_at = at, .left_at = TIMESTAMP_NEVER}, at,
                     &rows[segment], err)) {
            return false;
        }
    }
    return true;
}

/* From the intervals that the stream engine kept, where it has seen nothing later than `at`. */
static bool rows_kept(struct eval_users *users, uint32_t index, int64_t at, struct eval_rows *rows, struct error *err)
{
    const struct eval_user *user = &users->users[index];

    for (size_t segment = 0; segment < ruleset_segment_count(users->ruleset); segment++) {
        const struct eval_history *history = &user->histories[segment];

        for (size_t i = 0; i < history->count; i++) {
            if (!add_row(users, segment, index, history->intervals[i], at, &rows[segment], err)) {
                return false;
            }
        }
    }
    return rows_ranked(users, index, at, rows, err);
}

static bool rank(struct eval_users *users, int64_t at, struct error *err)
{
    if (ruleset_percentile_count(users->ruleset) == 0) {
        return true;
    }
    if (!ranks_new(users->ruleset, &users->ranks, err)) {
        return false;
    }
    for (size_t i = 0; i < users->count; i++) {
        if (!ranks_add(users->ranks, users->users[i].state, at, users->evaluation, err)) {
            return false;
        }
    }
    evaluation_ranks(users->evaluation, users->ranks);
    return ranks_finish(users->ranks, err);
}

static bool rows_computed(struct eval_users *users, uint32_t index, int64_t at, struct membership *memberships,
                          struct eval_rows *rows, struct error *err)
{
    struct user_state *state = users->users[index].state;
    size_t segment_count = ruleset_segment_count(users->ruleset);

    if (!users->options.intervals) {
        if (!user_state_memberships(users->ruleset, state, at, users->evaluation, memberships, err)) {
            return false;
        }
        for (size_t segment = 0; segment < segment_count; segment++) {
            const struct membership *membership = &memberships[segment];
            struct interval interval = {.entered_at = membership->entered_at, .left_at = membership->valid_until};

            if (membership->member && !add_row(users, segment, index, interval, at, &rows[segment], err)) {
                return false;
            }
        }
        return true;
    }
    for (size_t segment = 0; segment < segment_count; segment++) {
        const struct interval *intervals;
        size_t count;

        if (!user_state_history(users->ruleset, state, segment, at, users->evaluation, &intervals, &count, err)) {
            return false;
        }
        for (size_t i = 0; i < count; i++) {
            if (!add_row(users, segment, index, intervals[i], at, &rows[segment], err)) {
                return false;
            }
        }
    }
    return true;
}

struct ordered {
    struct slice id;
    uint32_t index;
};

static int compare_ordered(const void *left, const void *right)
{
    const struct ordered *a = left;
    const struct ordered *b = right;

    return slice_compare(a->id, b->id);
}

bool eval_users_rows(struct eval_users *users, int64_t at, struct eval_rows *rows, struct error *err)
{
    size_t segment_count = ruleset_segment_count(users->ruleset);
    struct ordered *order = memory_allocate_zeroed(users->count, sizeof *order);
    struct membership *memberships = memory_allocate_zeroed(segment_count, sizeof *memberships);
    bool done = false;

    if (order == NULL || memberships == NULL) {
        (void)error_no_memory(err, "rows");
        goto out;
    }
    if (!rank(users, at, err)) {
        goto out;
    }
    for (size_t i = 0; i < users->count; i++) {
        order[i] = (struct ordered){.id = users->users[i].id, .index = (uint32_t)i};
    }
    qsort(order, users->count, sizeof *order, compare_ordered);
    for (size_t i = 0; i < users->count; i++) {
        const struct eval_user *user = &users->users[order[i].index];
        bool kept = users->options.stream && user->histories != NULL && user_state_newest(user->state) <= at;

        if (!(kept ? rows_kept(users, order[i].index, at, rows, err)
                   : rows_computed(users, order[i].index, at, memberships, rows, err))) {
            goto out;
        }
    }
    done = true;
out:
    memory_free(order);
    memory_free(memberships);
    return done;
}

size_t eval_users_size(const struct eval_users *users)
{
    size_t size = 0;

    for (size_t i = 0; i < users->count; i++) {
        size += user_state_size(users->users[i].state);
    }
    return size;
}
