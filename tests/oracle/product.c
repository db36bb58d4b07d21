#include "tests/oracle/product.h"

#include "common/domain/user_state_pack.h"

enum { USERS_MAX = 256, SCRATCH_MAX = 4 << 20, STATE_SIZE_MAX = 4 << 20 };

void product_begin(struct product *product, struct arena *arena, struct zone_files *zones)
{
    *product = (struct product){.arena = arena, .zones = zones};
    product->users = take(arena, USERS_MAX, sizeof *product->users);
    segment_set_init(&product->set);
    json_document_init(&product->document);
    arena_init(&product->scratch, SCRATCH_MAX);
}

bool product_init(struct product *product, struct arena *arena, struct zone_files *zones, struct slice definitions,
                  struct error *err)
{
    const struct ruleset_options options = {.zones = zone_files_find, .zones_context = zones};

    product_begin(product, arena, zones);
    if (!segment_set_add(&product->set, SLICE_LITERAL("case"), definitions, 0, err) ||
        !segment_set_check(&product->set, err)) {
        return false;
    }
    if (product->set.definition_count > PRODUCT_SEGMENTS_MAX) {
        return error_set(err, ERROR_USAGE, "more than %d definitions", PRODUCT_SEGMENTS_MAX);
    }
    return ruleset_new(&product->set, &options, &product->ruleset, err) &&
           evaluation_new(product->ruleset, &product->evaluation, err);
}

void product_clear(struct product *product)
{
    for (size_t i = 0; i < product->user_count; i++) {
        user_state_free(product->users[i].state);
    }
    ranks_free(product->ranks);
    evaluation_free(product->evaluation);
    ruleset_free(product->ruleset);
    segment_set_clear(&product->set);
    json_document_clear(&product->document);
    arena_clear(&product->scratch);
}

bool product_decode(struct product *product, struct slice line, struct event *event, bool *accepted, struct error *err)
{
    enum quarantine_reason reason = QUARANTINE_NONE;

    arena_reset(&product->scratch);
    if (product->projected ? !event_decode_projected(line, ruleset_projection(product->ruleset), &product->document,
                                                     &product->scratch, event, &reason, err)
                           : !event_decode(line, &product->document, &product->scratch, event, &reason, err)) {
        return false;
    }
    *accepted = reason == QUARANTINE_NONE;
    return true;
}

struct product_user *product_user(struct product *product, struct slice id)
{
    for (size_t i = 0; i < product->user_count; i++) {
        if (slice_equal(product->users[i].id, id)) {
            return &product->users[i];
        }
    }
    return NULL;
}

/* What was kept of the time after `from` is replaced. */
static bool follow_segment(struct product *product, struct product_user *user, size_t segment, int64_t from,
                           struct error *err)
{
    struct stays *stays = &user->stays[segment];
    const struct interval *intervals = NULL;
    struct stay *items;
    size_t count = 0;

    if (!user_state_intervals(product->ruleset, user->state, segment, from, product->evaluation, &intervals, &count,
                              err)) {
        return false;
    }
    while (stays->count > 0 && stays->items[stays->count - 1].left > from) {
        stays->count--;
    }
    items = take(product->arena, stays->count + count, sizeof *items);
    if (stays->count > 0) {
        memcpy(items, stays->items, stays->count * sizeof *items);
    }
    stays->items = items;
    for (size_t i = 0; i < count; i++) {
        items[stays->count++] = (struct stay){.entered = intervals[i].entered_at, .left = intervals[i].left_at};
    }
    return true;
}

bool product_restore(const struct product *product, struct product_user *user, struct error *err)
{
    struct user_state *state = NULL;
    struct buffer written;
    struct buffer again;
    bool done = false;

    buffer_init(&written, STATE_SIZE_MAX);
    buffer_init(&again, STATE_SIZE_MAX);
    user_state_write(product->ruleset, user->state, &written);
    if (!buffer_finish(&written, "a state", err) || !user_state_new(product->ruleset, &state, err) ||
        !user_state_read(product->ruleset, buffer_slice(&written), state, err)) {
        goto out;
    }
    user_state_write(product->ruleset, state, &again);
    if (!buffer_finish(&again, "a state", err)) {
        goto out;
    }
    if (!slice_equal(buffer_slice(&written), buffer_slice(&again))) {
        (void)error_set(err, ERROR_INTERNAL, "a state that was written and read is written in another way");
        goto out;
    }
    user_state_free(user->state);
    user->state = state;
    state = NULL;
    done = true;
out:
    user_state_free(state);
    buffer_clear(&written);
    buffer_clear(&again);
    return done;
}

bool product_fold(struct product *product, const struct event *event, bool follow, struct error *err)
{
    struct product_user *user = product_user(product, event->user);
    enum fold_result result = FOLD_NONE;
    uint64_t touched[(PRODUCT_SEGMENTS_MAX + 63) / 64] = {0};

    if (event->kind == EVENT_CONSENT || event->kind == EVENT_DELETE) {
        return true;
    }
    if (user == NULL) {
        if (product->user_count == USERS_MAX) {
            return error_set(err, ERROR_INTERNAL, "too many users");
        }
        user = &product->users[product->user_count];
        if (!arena_copy(product->arena, event->user, &user->id) ||
            !user_state_new(product->ruleset, &user->state, err)) {
            return false;
        }
        product->user_count++;
    }
    if (!user_state_fold(product->ruleset, user->state, event, product->evaluation, &result, touched, err)) {
        return false;
    }
    for (size_t i = 0; follow && result == FOLD_APPLIED && i < product->set.definition_count; i++) {
        if ((touched[i / 64] >> i % 64 & 1) != 0 && !product->set.definitions[i].needs_percentile &&
            !follow_segment(product, user, i, event->time_ms - 1, err)) {
            return false;
        }
    }
    product->fold_count++;
    return product->restored_every == 0 || product->fold_count % product->restored_every != 0 ||
           product_restore(product, user, err);
}

bool product_rank(struct product *product, int64_t at, struct error *err)
{
    if (ruleset_percentile_count(product->ruleset) == 0) {
        return true;
    }
    evaluation_ranks(product->evaluation, NULL);
    ranks_free(product->ranks);
    product->ranks = NULL;
    if (!ranks_new(product->ruleset, &product->ranks, err)) {
        return false;
    }
    for (size_t i = 0; i < product->user_count; i++) {
        if (!ranks_add(product->ranks, product->users[i].state, at, product->evaluation, err)) {
            return false;
        }
    }
    if (!ranks_finish(product->ranks, err)) {
        return false;
    }
    evaluation_ranks(product->evaluation, product->ranks);
    return true;
}
