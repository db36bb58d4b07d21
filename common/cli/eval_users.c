#include "common/cli/eval_users.h"

#include "common/base/memory.h"

enum { USER_COUNT_MAX = 1 << 30, INTERVAL_COUNT_MAX = 1 << 30 };

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
    *users = (struct eval_users){.ruleset = ruleset, .options = *options};
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

/* ---- each event changes M from its own time on ---- */

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
        if (!memory_grow(&history->intervals, &history->capacity, history->count, INTERVAL_COUNT_MAX,
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
    if (!find_user(users, event->user, &user, err) ||
        (users->options.consent && !consent_history_fold(&user->consent, event, &users->arena, err)) ||
        !user_state_fold(users->ruleset, user->state, event, users->evaluation, &result, users->touched, err)) {
        return false;
    }
    *different = result == FOLD_COPY_DIFFERENT;
    users->copy_different_count += *different;
    users->copy_count += result == FOLD_COPY || *different;
    return result != FOLD_APPLIED || follow(users, user, event->time_ms, err);
}

/* ---- rows ---- */

/* Segments that depend on other users exist at one instant only, whichever the engine. */
static bool rows_ranked(struct eval_users *users, struct user_state *state, struct eval_rows *rows, struct error *err)
{
    struct interval interval = {.entered_at = rows->at, .left_at = TIMESTAMP_NEVER};

    for (size_t segment = 0; segment < ruleset_segment_count(users->ruleset); segment++) {
        struct membership membership;

        if (!ruleset_definition(users->ruleset, segment)->needs_percentile) {
            continue;
        }
        if (!user_state_membership(users->ruleset, state, segment, rows->at, users->evaluation, &membership, err) ||
            (membership.member && !eval_rows_add(rows, segment, interval, err))) {
            return false;
        }
    }
    return true;
}

/* From the intervals that were kept, where nothing later than the instant asked about was seen. */
static bool rows_kept(struct eval_users *users, const struct eval_user *user, struct eval_rows *rows, struct error *err)
{
    for (size_t segment = 0; segment < ruleset_segment_count(users->ruleset); segment++) {
        const struct eval_history *history = &user->histories[segment];

        for (size_t i = 0; i < history->count; i++) {
            if (!eval_rows_add(rows, segment, history->intervals[i], err)) {
                return false;
            }
        }
    }
    return rows_ranked(users, user->state, rows, err);
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

bool eval_users_rows(struct eval_users *users, struct eval_rows *rows, struct error *err)
{
    if (!rank(users, rows->at, err)) {
        return false;
    }
    for (size_t i = 0; i < users->count; i++) {
        const struct eval_user *user = &users->users[i];
        bool kept = user->histories != NULL && user_state_newest(user->state) <= rows->at;

        eval_rows_user(rows, user->id, &user->consent);
        if (!(kept ? rows_kept(users, user, rows, err)
                   : eval_rows_compute(rows, user->state, users->evaluation, err))) {
            return false;
        }
    }
    return true;
}

size_t eval_users_size(const struct eval_users *users)
{
    size_t size = 0;

    for (size_t i = 0; i < users->count; i++) {
        size += user_state_size(users->users[i].state);
    }
    return size;
}
