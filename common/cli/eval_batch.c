#include "common/cli/eval_batch.h"

#include "common/base/memory.h"

enum { USER_COUNT_MAX = 1 << 30 };

#define CONSENTS_SIZE_MAX ((size_t)1 << 36)

bool eval_batch_init(struct eval_batch *batch, const struct ruleset *ruleset, const struct eval_options *options,
                     struct error *err)
{
    *batch = (struct eval_batch){.ruleset = ruleset, .options = *options};
    arena_init(&batch->arena, CONSENTS_SIZE_MAX);
    hash_map_init(&batch->map, USER_COUNT_MAX);
    return piles_new(ruleset, &batch->piles, err) && evaluation_new(ruleset, &batch->evaluation, err);
}

void eval_batch_clear(struct eval_batch *batch)
{
    for (size_t i = 0; i < batch->map.count; i++) {
        consent_history_clear(&batch->consents[i]);
    }
    memory_free(batch->consents);
    hash_map_clear(&batch->map);
    arena_clear(&batch->arena);
    piles_free(batch->piles);
    ranks_free(batch->ranks);
    evaluation_free(batch->evaluation);
}

static bool add_consent(struct eval_batch *batch, const struct event *event, struct error *err)
{
    uint32_t count = (uint32_t)batch->map.count;
    uint32_t index;
    bool added;

    if (!memory_grow(&batch->consents, &batch->consent_capacity, count, USER_COUNT_MAX, sizeof *batch->consents,
                     "users", err) ||
        !hash_map_add(&batch->map, &batch->arena, event->user, count, &index, &added, err)) {
        return false;
    }
    if (added) {
        batch->consents[index] = (struct consent_history){0};
    }
    return consent_history_fold(&batch->consents[index], event, &batch->arena, err);
}

bool eval_batch_add(struct eval_batch *batch, const struct event *event, int64_t line, struct error *err)
{
    if (event->kind == EVENT_CONSENT || event->kind == EVENT_DELETE) {
        return !batch->options.consent || add_consent(batch, event, err);
    }
    return piles_add(batch->piles, event, line, batch->evaluation, err);
}

struct visit {
    struct eval_batch *batch;
    struct eval_rows *rows;
    int64_t at;
};

static bool rank_user(void *context, struct slice user, struct user_state *state, struct error *err)
{
    struct visit *visit = context;

    (void)user;
    return ranks_add(visit->batch->ranks, state, visit->at, visit->batch->evaluation, err);
}

static bool compute_user(void *context, struct slice user, struct user_state *state, struct error *err)
{
    struct visit *visit = context;
    struct eval_batch *batch = visit->batch;
    const struct consent_history *consent = NULL;
    uint32_t index;

    if (batch->options.consent && hash_map_find(&batch->map, user, &index)) {
        consent = &batch->consents[index];
    }
    eval_rows_user(visit->rows, user, consent);
    return eval_rows_compute(visit->rows, state, batch->evaluation, err);
}

bool eval_batch_rank(struct eval_batch *batch, int64_t at, struct error *err)
{
    struct visit visit = {.batch = batch, .at = at};
    const struct piles_tour tour = {.visit = rank_user, .context = &visit};

    if (ruleset_percentile_count(batch->ruleset) == 0) {
        return true;
    }
    if (!ranks_new(batch->ruleset, &batch->ranks, err) || !piles_each(batch->piles, &tour, err) ||
        !ranks_finish(batch->ranks, err)) {
        return false;
    }
    evaluation_ranks(batch->evaluation, batch->ranks);
    return true;
}

bool eval_batch_rows(struct eval_batch *batch, struct eval_rows *rows, struct error *err)
{
    struct visit visit = {.batch = batch, .rows = rows, .at = rows->at};
    const struct piles_tour tour = {
        .visit = compute_user,
        .context = &visit,
        .last = true,
        .standing = batch->options.intervals ? NULL : batch->evaluation,
        .at = rows->at,
    };

    return eval_batch_rank(batch, rows->at, err) && piles_each(batch->piles, &tour, err);
}
