/* Definitions compiled, messages folded, and the ways to ask compared with one another. */
#include "tests/fuzz/fuzz.h"

#include "common/domain/percentile.h"
#include "common/domain/rule_parse.h"

enum { SEGMENTS_MAX = 64, HOUR = 3600000 };

/* ---- making ---- */

static const struct zone *find_zone(void *context, struct slice name)
{
    /* An hour is put in at midnight UTC, where local midnight is then missing, and taken out a day and an hour later.
     */
    static int64_t instants[] = {INT64_C(1772323200000), INT64_C(1772323200000) + 24 * HOUR,
                                 INT64_C(1772323200000) + 100 * HOUR};
    static int32_t offsets[] = {0, HOUR, 0, 2 * HOUR};
    static const struct zone zone = {.name = {"Fuzz", 4},
                                     .instants_ms = instants,
                                     .offsets_ms = offsets,
                                     .instant_count = 3};

    (void)context;
    return slice_equal_text(name, "UTC") ? zone_utc() : &zone;
}

bool fuzz_world_init(struct fuzz_world *world, struct slice definitions, struct error *err)
{
    struct ruleset_options options = {.zones = find_zone};

    memset(world, 0, sizeof *world);
    segment_set_init(&world->set);
    json_document_init(&world->document);
    arena_init(&world->arena, 4 * EVENT_SIZE_MAX);
    buffer_init(&world->texts, 1 << 20);
    return segment_set_add(&world->set, SLICE_LITERAL("fuzz.json"), definitions, 0, err) &&
           segment_set_check(&world->set, err) && ruleset_new(&world->set, &options, &world->ruleset, err) &&
           evaluation_new(world->ruleset, &world->evaluation, err);
}

void fuzz_world_clear(struct fuzz_world *world)
{
    evaluation_free(world->evaluation);
    ruleset_free(world->ruleset);
    buffer_clear(&world->texts);
    json_document_clear(&world->document);
    arena_clear(&world->arena);
    segment_set_clear(&world->set);
}

bool fuzz_world_message(struct fuzz_world *world)
{
    size_t begin = 0;

    if (world->message_count == FUZZ_MESSAGES_MAX || world->texts.failed) {
        return false;
    }
    if (world->message_count > 0) {
        begin = world->messages[world->message_count - 1].begin + world->messages[world->message_count - 1].size;
    }
    world->messages[world->message_count].begin = begin;
    world->messages[world->message_count].size = world->texts.size - begin;
    world->message_count++;
    return true;
}

bool fuzz_world_event(struct fuzz_world *world, size_t message, struct event *out, struct error *err)
{
    struct slice text = slice_of(world->texts.data + world->messages[message].begin, world->messages[message].size);
    enum quarantine_reason reason = QUARANTINE_NONE;

    arena_reset(&world->arena);
    if (!event_decode(text, &world->document, &world->arena, out, &reason, err)) {
        return false;
    }
    fuzz_check(reason == QUARANTINE_NONE, "%.*s: %s", (int)text.size, text.data, err->message);
    return true;
}

/* ---- comparing ---- */

struct kept {
    struct interval *intervals;
    size_t count;
    size_t capacity;
};

static bool keep(struct kept *kept, const struct interval *intervals, size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (!memory_grow(&kept->intervals, &kept->capacity, kept->count, SIZE_MAX / 64, sizeof *kept->intervals,
                         "intervals", err)) {
            return false;
        }
        kept->intervals[kept->count++] = intervals[i];
    }
    return true;
}

static void expect_intervals(const struct fuzz_world *world, size_t segment, const char *what,
                             const struct interval *found, size_t found_count, const struct interval *wanted,
                             size_t wanted_count)
{
    const char *id = ruleset_definition(world->ruleset, segment)->segment_id.data;

    for (size_t i = 0; i < found_count && i < wanted_count; i++) {
        fuzz_check(found[i].entered_at == wanted[i].entered_at && found[i].left_at == wanted[i].left_at,
                   "%s: %s: interval %zu is [%lld, %lld), from the beginning [%lld, %lld)", id, what, i,
                   (long long)found[i].entered_at, (long long)found[i].left_at, (long long)wanted[i].entered_at,
                   (long long)wanted[i].left_at);
    }
    fuzz_check(found_count == wanted_count, "%s: %s: %zu intervals, from the beginning %zu", id, what, found_count,
               wanted_count);
    for (size_t i = 0; i < found_count; i++) {
        fuzz_check(found[i].entered_at < found[i].left_at && (i == 0 || found[i - 1].left_at < found[i].entered_at),
                   "%s: %s: interval %zu [%lld, %lld) is empty or not behind the one before", id, what, i,
                   (long long)found[i].entered_at, (long long)found[i].left_at);
    }
}

/* Membership at `at`, asked for one segment, for all at once, and as history. */
static bool compare_at(struct fuzz_world *world, struct user_state *state, int64_t at, struct error *err)
{
    size_t segment_count = ruleset_segment_count(world->ruleset);
    struct membership all[SEGMENTS_MAX];
    struct membership one;
    struct ranks *ranks = NULL;
    bool done = false;

    evaluation_ranks(world->evaluation, NULL);
    if (ruleset_percentile_count(world->ruleset) > 0) {
        if (!ranks_new(world->ruleset, &ranks, err) || !ranks_add(ranks, state, at, world->evaluation, err) ||
            !ranks_finish(ranks, err)) {
            goto out;
        }
        evaluation_ranks(world->evaluation, ranks);
    }
    if (!user_state_memberships(world->ruleset, state, at, world->evaluation, all, err)) {
        goto out;
    }
    for (size_t segment = 0; segment < segment_count; segment++) {
        const struct definition *definition = ruleset_definition(world->ruleset, segment);
        const struct interval *intervals;
        size_t count;

        if (!user_state_membership(world->ruleset, state, segment, at, world->evaluation, &one, err)) {
            goto out;
        }
        fuzz_check(one.member == all[segment].member && one.excluded == all[segment].excluded &&
                       (!one.member ||
                        (one.entered_at == all[segment].entered_at && one.valid_until == all[segment].valid_until)),
                   "%s at %lld: alone and with the others differ", definition->segment_id.data, (long long)at);
        if (definition->needs_percentile) {
            continue;
        }
        if (!user_state_history(world->ruleset, state, segment, at, world->evaluation, &intervals, &count, err)) {
            goto out;
        }
        fuzz_check(count == 0 || intervals[count - 1].entered_at <= at, "%s at %lld: history from the future",
                   definition->segment_id.data, (long long)at);
        fuzz_check(one.member == (count > 0 && intervals[count - 1].left_at > at), "%s at %lld: %d, history differs",
                   definition->segment_id.data, (long long)at, one.member);
        fuzz_check(!one.member || (one.entered_at == intervals[count - 1].entered_at &&
                                   one.valid_until == intervals[count - 1].left_at),
                   "%s at %lld: [%lld, %lld), in the history [%lld, %lld)", definition->segment_id.data, (long long)at,
                   (long long)one.entered_at, (long long)one.valid_until,
                   (long long)(count == 0 ? 0 : intervals[count - 1].entered_at),
                   (long long)(count == 0 ? 0 : intervals[count - 1].left_at));
    }
    done = true;
out:
    evaluation_ranks(world->evaluation, NULL);
    ranks_free(ranks);
    return done;
}

/* Asks anew, as the stream does, for the segments that the event can have changed. */
static bool follow(struct fuzz_world *world, struct user_state *state, uint64_t touched, int64_t from,
                   struct kept *kept, struct error *err)
{
    for (size_t segment = 0; segment < ruleset_segment_count(world->ruleset); segment++) {
        const struct interval *intervals;
        size_t count;

        if ((touched >> segment & 1) == 0 || ruleset_definition(world->ruleset, segment)->needs_percentile) {
            continue;
        }
        if (!user_state_intervals(world->ruleset, state, segment, from, world->evaluation, &intervals, &count, err)) {
            return false;
        }
        while (kept[segment].count > 0 && kept[segment].intervals[kept[segment].count - 1].left_at > from) {
            kept[segment].count--;
        }
        if (!keep(&kept[segment], intervals, count, err)) {
            return false;
        }
    }
    return true;
}

/* Folds all messages into the state as if they were of one user. Clears *distinct when one is a copy. */
static bool fold_all(struct fuzz_world *world, struct user_state *state, bool backwards, bool *distinct,
                     struct kept *kept, struct error *err)
{
    for (size_t i = 0; i < world->message_count; i++) {
        enum fold_result result = FOLD_NONE;
        uint64_t touched = 0;
        struct event event;

        if (!fuzz_world_event(world, backwards ? world->message_count - 1 - i : i, &event, err) ||
            !user_state_fold(world->ruleset, state, &event, world->evaluation, &result, &touched, err)) {
            return false;
        }
        fuzz_check(result != FOLD_NONE, "a fold without a result");
        *distinct = *distinct && (result == FOLD_APPLIED || result == FOLD_IGNORED);
        if (kept != NULL && result == FOLD_APPLIED && !follow(world, state, touched, event.time_ms - 1, kept, err)) {
            return false;
        }
    }
    return true;
}

static bool compare_histories(struct fuzz_world *world, struct user_state *plain, struct user_state *backwards,
                              bool distinct, const struct kept *kept, struct error *err)
{
    struct kept copy = {0};
    bool done = false;

    for (size_t segment = 0; segment < ruleset_segment_count(world->ruleset); segment++) {
        const struct interval *intervals;
        size_t count;

        if (ruleset_definition(world->ruleset, segment)->needs_percentile) {
            continue;
        }
        if (!user_state_history(world->ruleset, plain, segment, TIMESTAMP_NEVER, world->evaluation, &intervals, &count,
                                err)) {
            goto out;
        }
        expect_intervals(world, segment, "event by event", kept[segment].intervals, kept[segment].count, intervals,
                         count);
        copy.count = 0;
        if (!keep(&copy, intervals, count, err)) {
            goto out;
        }
        if (distinct && !user_state_history(world->ruleset, backwards, segment, TIMESTAMP_NEVER, world->evaluation,
                                            &intervals, &count, err)) {
            goto out;
        }
        if (distinct) {
            expect_intervals(world, segment, "backwards", intervals, count, copy.intervals, copy.count);
        }
    }
    done = true;
out:
    memory_free(copy.intervals);
    return done;
}

bool fuzz_world_compare(struct fuzz_world *world, struct error *err)
{
    size_t segment_count = ruleset_segment_count(world->ruleset);
    struct user_state *carrying = NULL;
    struct user_state *plain = NULL;
    struct user_state *backwards = NULL;
    struct kept kept[SEGMENTS_MAX];
    bool distinct = true;
    bool done = false;

    if (segment_count > SEGMENTS_MAX) {
        return true;
    }
    memset(kept, 0, sizeof kept);
    if (!user_state_new(world->ruleset, &carrying, err) || !user_state_new(world->ruleset, &plain, err) ||
        !user_state_new(world->ruleset, &backwards, err) || !fold_all(world, carrying, false, &distinct, kept, err) ||
        !fold_all(world, plain, false, &distinct, NULL, err) ||
        !fold_all(world, backwards, true, &distinct, NULL, err) ||
        !compare_histories(world, plain, backwards, distinct, kept, err)) {
        goto out;
    }
    for (size_t i = 0; i < world->message_count; i++) {
        struct event event;
        int64_t at;

        if (!fuzz_world_event(world, i, &event, err)) {
            goto out;
        }
        at = event.time_ms;
        if (!compare_at(world, plain, at, err) || (at > TIMESTAMP_MIN && !compare_at(world, plain, at - 1, err)) ||
            !compare_at(world, carrying, at + 1500 * (int64_t)i, err)) {
            goto out;
        }
    }
    done = true;
out:
    for (size_t i = 0; i < SEGMENTS_MAX; i++) {
        memory_free(kept[i].intervals);
    }
    user_state_free(carrying);
    user_state_free(plain);
    user_state_free(backwards);
    return done;
}
