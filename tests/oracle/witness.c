#include "tests/oracle/witness.h"

#include "common/domain/rule_sense.h"
#include "tests/oracle/product.h"
#include "tests/oracle/witness_messages.h"

#include <stdlib.h>

#define WITNESS_BASE_MS INT64_C(1704067200000) /* 2024-01-01 */

enum { TRIES_MAX = 3000, MESSAGES_MAX = 24, RECORDS_MAX = 512 };

struct search {
    struct arena *arena;
    struct zone_files *zones;
    struct slice definitions;
    struct buffer *said;
    struct slice lines[MESSAGES_MAX];
    size_t line_count;
    struct error err;
};

static enum witness_result say(struct search *search, enum witness_result result, const char *what)
{
    buffer_append_format(search->said, "%s\n%.*s\n", what, (int)search->definitions.size, search->definitions.data);
    for (size_t i = 0; i < search->line_count; i++) {
        buffer_append_format(search->said, "%.*s\n", (int)search->lines[i].size, search->lines[i].data);
    }
    return result;
}

/* ---- what validate says ---- */

static bool mentions(struct slice path, struct slice word)
{
    for (size_t at = 0; at + word.size <= path.size; at++) {
        if (memcmp(path.data + at, word.data, word.size) == 0) {
            return true;
        }
    }
    return false;
}

/* A member is impossible where something is that all must hold: not inside any, not, notFollowedBy or exclude, and not
 * in a `where`, whose events may have to be none. */
static bool decides(struct slice path)
{
    return !mentions(path, SLICE_LITERAL("any[")) && !mentions(path, SLICE_LITERAL("not")) &&
           !mentions(path, SLICE_LITERAL("exclude")) && !mentions(path, SLICE_LITERAL("where["));
}

/* *mentioned: something is impossible; *decided: a member is. */
static bool ask_sense(struct search *search, bool *mentioned, bool *decided)
{
    struct rule_problems problems;
    struct segment_set set;
    bool done;

    rule_problems_init(&problems);
    segment_set_init(&set);
    set.problems = &problems;
    done = segment_set_add(&set, SLICE_LITERAL("case"), search->definitions, 0, &search->err) &&
           segment_set_check(&set, &search->err) && rule_sense_check(&set, RULE_WARNING, &search->err);
    *mentioned = false;
    *decided = false;
    for (size_t i = 0; done && i < problems.count; i++) {
        if (problems.items[i].kind == RULE_PROBLEM_IMPOSSIBLE) {
            *mentioned = true;
            *decided = *decided || decides(problems.items[i].path);
        }
    }
    segment_set_clear(&set);
    rule_problems_clear(&problems);
    return done;
}

/* ---- one try ---- */

struct noted {
    struct lane_record items[RECORDS_MAX];
    size_t count;
};

static bool note_record(void *context, const struct lane_record *record, struct error *err)
{
    struct noted *noted = context;

    if (noted->count == RECORDS_MAX) {
        return error_set(err, ERROR_INTERNAL, "too many records");
    }
    noted->items[noted->count++] = *record;
    return true;
}

static bool feed(struct search *search, struct product *product)
{
    for (size_t i = 0; i < search->line_count; i++) {
        struct event event;
        bool accepted = false;

        if (!product_decode(product, search->lines[i], &event, &accepted, &search->err) ||
            (accepted && !product_fold(product, &event, true, &search->err))) {
            return false;
        }
    }
    return true;
}

/* The messages come in the order of time, so every stay is announced when it begins. */
static bool is_announced(struct search *search, struct product *product, const struct stays *stays, bool *announced)
{
    const struct lane_segment segment = {.purpose = LANE_NO_PURPOSE, .complete_from_ms = TIMESTAMP_ALWAYS};
    const struct lane_options options = {.ruleset = product->ruleset, .segments = &segment};
    struct noted *noted = take(search->arena, 1, sizeof *noted);
    const struct lane_sink sink = {.emit = note_record, .context = noted};
    struct lane *lane = NULL;
    int64_t watermark = TIMESTAMP_ALWAYS;
    bool done = lane_new(&options, &lane, &search->err);

    for (size_t i = 0; done && i < search->line_count; i++) {
        struct lane_user *user = NULL;
        struct event event;
        bool accepted = false;

        done = product_decode(product, search->lines[i], &event, &accepted, &search->err);
        if (!done || !accepted) {
            continue;
        }
        done = lane_add(lane, event.user, &user, &search->err) &&
               lane_event(lane, user, &event, 0, (int64_t)i, watermark, &sink, &search->err) &&
               lane_advance(lane, event.time_ms, &sink, &search->err);
        watermark = event.time_ms;
    }
    done = done && lane_advance(lane, stays->items[stays->count - 1].entered, &sink, &search->err);
    *announced = done;
    for (size_t i = 0; done && i < stays->count; i++) {
        bool found = false;

        for (size_t k = 0; k < noted->count; k++) {
            found = found || (noted->items[k].member && noted->items[k].entered_at == stays->items[i].entered);
        }
        *announced = *announced && found;
    }
    lane_free(lane);
    return done;
}

/* What the interpreter says of the user. */
static bool interpreted(struct search *search, struct product *product, const struct stays *stays)
{
    struct world *world = world_new(search->arena, search->definitions, search->lines, search->line_count);

    world_evaluate(world, user_state_newest(product->users[0].state));
    if (world->person_count != 1 || world->stays[0].count != stays->count) {
        return false;
    }
    for (size_t i = 0; i < stays->count; i++) {
        if (world->stays[0].items[i].entered != stays->items[i].entered ||
            world->stays[0].items[i].left != stays->items[i].left) {
            return false;
        }
    }
    return true;
}

/* The stays of a member, by all ways. */
static enum witness_result examine(struct search *search, struct product *product)
{
    const struct stays *stays = &product->users[0].stays[0];
    const struct interval *intervals = NULL;
    size_t count = 0;
    bool announced = true;

    if (!user_state_history(product->ruleset, product->users[0].state, 0, TIMESTAMP_NEVER, product->evaluation,
                            &intervals, &count, &search->err)) {
        return say(search, WITNESS_DISAGREEMENT, search->err.message);
    }
    if (count != stays->count) {
        return say(search, WITNESS_DISAGREEMENT, "batch and stream differ");
    }
    if (!interpreted(search, product, stays)) {
        return say(search, WITNESS_DISAGREEMENT, "the interpreter says otherwise");
    }
    if (product->set.definitions[0].streams && !is_announced(search, product, stays, &announced)) {
        return say(search, WITNESS_DISAGREEMENT, search->err.message);
    }
    return announced ? WITNESS_FOUND : say(search, WITNESS_DISAGREEMENT, "a membership is not announced");
}

static enum witness_result try_once(struct search *search, struct witness_pool *pool)
{
    struct product product;
    enum witness_result result = WITNESS_NONE;

    search->line_count = 0;
    while (search->line_count < MESSAGES_MAX && witness_message(pool, &search->lines[search->line_count])) {
        search->line_count++;
    }
    if (!product_init(&product, search->arena, search->zones, search->definitions, &search->err) ||
        !feed(search, &product)) {
        result = say(search, WITNESS_DISAGREEMENT, search->err.message);
    } else if (product.user_count > 0 && product.users[0].stays[0].count > 0) {
        result = examine(search, &product);
    }
    product_clear(&product);
    return result;
}

enum witness_result witness_find(struct arena *arena, struct zone_files *zones, uint64_t seed, struct buffer *said)
{
    static const struct world_size size = {.segment_count = 1, .user_count = 1, .line_count = 1, .disorder = -1};
    struct search search = {.arena = arena, .zones = zones, .said = said};
    struct oracle_case test = generate_world(arena, seed, &size);
    struct witness_pool *pool;
    struct arena work;
    bool mentioned;
    bool decided;
    enum witness_result result = WITNESS_NONE;

    search.definitions = test.definitions;
    pool = witness_pool_new(arena, test.definitions, WITNESS_BASE_MS + (int64_t)(seed % 1000) * CALENDAR_DAY, seed);
    if (pool == NULL) {
        return WITNESS_LEFT_OUT;
    }
    if (!ask_sense(&search, &mentioned, &decided)) {
        return say(&search, WITNESS_DISAGREEMENT, search.err.message);
    }
    arena_init(&work, (size_t)1 << 30);
    search.arena = &work;
    for (int i = 0; result == WITNESS_NONE && i < TRIES_MAX; i++) {
        arena_reset(&work);
        witness_begin(pool, &work);
        result = try_once(&search, pool);
    }
    if (result == WITNESS_FOUND && decided) {
        result = say(&search, WITNESS_DISAGREEMENT, "validate calls it impossible");
    }
    if (result == WITNESS_NONE) {
        search.line_count = 0;
        result = mentioned ? WITNESS_IMPOSSIBLE : say(&search, WITNESS_MISSING, "nobody becomes a member");
    }
    arena_clear(&work);
    return result;
}
