#include "tests/oracle/compare.h"

#include "tests/oracle/explained.h"
#include "tests/oracle/product.h"
#include "tests/oracle/properties.h"
#include "tests/oracle/pruned.h"

#include <stdlib.h>

enum { PREFIX_EVERY = 3 };

#define LANE_LATENESS_MS INT64_C(5000)

/* A comparison under way. */
struct comparison_run {
    struct arena *arena;
    struct zone_files *zones;
    const struct oracle_case *test;
    struct buffer *said;
    struct slice *shuffled; /* the lines in an order of the seed's choice */
    int64_t newest;         /* greatest time of an event; INT64_MIN: none */
    struct world *world;
    enum compare_result result;
    struct error err;
};

const char *compare_result_name(enum compare_result result)
{
    static const char *const names[] = {"equal", "refused", "quarantine", "history", "membership", "stream", "prefix",
                                        "lane",  "order",   "future",     "instant", "explained",  "pruned"};

    return names[result];
}

/* ---- orders ---- */

struct keyed_line {
    uint64_t key;
    struct slice line;
};

static uint64_t hash_line(uint64_t seed, struct slice line, size_t copy)
{
    uint64_t state = seed + copy;

    for (size_t i = 0; i < line.size; i++) {
        state = (state ^ (unsigned char)line.data[i]) * UINT64_C(0x100000001B3);
    }
    return random_next(&state);
}

static int compare_keyed(const void *left, const void *right)
{
    const struct keyed_line *a = left;
    const struct keyed_line *b = right;

    return (a->key > b->key) - (a->key < b->key);
}

/* The place of a line depends on its own text, so that taking others away leaves the order as it is. */
static struct slice *shuffle(struct arena *arena, const struct oracle_case *test)
{
    struct keyed_line *keyed = take(arena, test->line_count, sizeof *keyed);
    struct slice *lines = take(arena, test->line_count, sizeof *lines);

    for (size_t i = 0; i < test->line_count; i++) {
        size_t copy = 0;

        for (size_t k = 0; k < i; k++) {
            copy += slice_equal(test->lines[k], test->lines[i]);
        }
        keyed[i] = (struct keyed_line){.key = hash_line(test->seed, test->lines[i], copy), .line = test->lines[i]};
    }
    qsort(keyed, test->line_count, sizeof *keyed, compare_keyed);
    for (size_t i = 0; i < test->line_count; i++) {
        lines[i] = keyed[i].line;
    }
    return lines;
}

/* ---- saying what differs ---- */

static void say_instant(struct buffer *said, int64_t ms)
{
    char text[40];

    if (ms == INTERPRETER_OPEN) {
        buffer_append_text(said, "open");
    } else {
        buffer_append_text(said, calendar_text(ms, text));
    }
}

static void say_stays(struct buffer *said, const char *who, const struct stay *stays, size_t count)
{
    buffer_append_format(said, "  %-12s", who);
    for (size_t i = 0; i < count; i++) {
        buffer_append_text(said, " [");
        say_instant(said, stays[i].entered);
        buffer_append_text(said, ", ");
        say_instant(said, stays[i].left);
        buffer_append_text(said, ")");
    }
    buffer_append_text(said, count == 0 ? " nothing\n" : "\n");
}

static bool equal_stays(const struct stays *a, const struct stays *b)
{
    bool equal = a->count == b->count;

    for (size_t i = 0; equal && i < a->count; i++) {
        equal = a->items[i].entered == b->items[i].entered && a->items[i].left == b->items[i].left;
    }
    return equal;
}

/* False where they differ; then the run has its result. */
static bool check(struct comparison_run *run, enum compare_result how, struct slice user, size_t segment, int64_t at,
                  const struct stays *wanted, const struct stays *got)
{
    if (equal_stays(wanted, got)) {
        return true;
    }
    run->result = how;
    buffer_append_format(run->said, "%s: segment %.*s, user %.*s, as of ", compare_result_name(how),
                         (int)run->world->segments[segment].id.size, run->world->segments[segment].id.data,
                         (int)user.size, user.data);
    say_instant(run->said, at);
    buffer_append_text(run->said, "\n");
    say_stays(run->said, "interpreter", wanted->items, wanted->count);
    say_stays(run->said, "product", got->items, got->count);
    return false;
}

static bool refuse(struct comparison_run *run, const char *what)
{
    run->result = COMPARE_REFUSED;
    buffer_append_format(run->said, "%s: %s\n", what, run->err.message);
    return false;
}

/* Of the stays, those that begin by `at`; or the one that holds then. */
static struct stays select_stays(struct arena *arena, const struct stays *stays, int64_t at, bool only_now)
{
    struct stays selected = {.items = take(arena, stays->count, sizeof *selected.items)};

    for (size_t i = 0; i < stays->count; i++) {
        if (stays->items[i].entered <= at && (!only_now || at < stays->items[i].left)) {
            selected.items[selected.count++] = stays->items[i];
        }
    }
    return selected;
}

static const struct stays *wanted_stays(const struct comparison_run *run, struct slice user, size_t segment)
{
    static const struct stays none;

    for (size_t i = 0; i < run->world->person_count; i++) {
        if (slice_equal(run->world->people[i].id, user)) {
            return &run->world->stays[i * run->world->segment_count + segment];
        }
    }
    return &none;
}

/* ---- batch ---- */

static bool fold_all(struct comparison_run *run, struct product *product, const struct slice *lines, bool follow)
{
    for (size_t i = 0; i < run->test->line_count; i++) {
        struct event event;
        bool accepted = false;

        if (!product_decode(product, lines[i], &event, &accepted, &run->err) ||
            (accepted && !product_fold(product, &event, follow, &run->err))) {
            return refuse(run, "fold");
        }
    }
    return true;
}

static bool check_history(struct comparison_run *run, struct product *product, struct product_user *user,
                          size_t segment, int64_t at)
{
    const struct interval *intervals = NULL;
    size_t count = 0;
    struct stays got = {0};
    struct stays wanted;

    if (!user_state_history(product->ruleset, user->state, segment, at, product->evaluation, &intervals, &count,
                            &run->err)) {
        return refuse(run, "history");
    }
    got.items = take(run->arena, count, sizeof *got.items);
    for (size_t i = 0; i < count; i++) {
        got.items[got.count++] = (struct stay){.entered = intervals[i].entered_at, .left = intervals[i].left_at};
    }
    wanted = select_stays(run->arena, wanted_stays(run, user->id, segment), at, false);
    return check(run, COMPARE_HISTORY, user->id, segment, at, &wanted, &got);
}

static bool check_membership(struct comparison_run *run, enum compare_result how, struct slice user, size_t segment,
                             int64_t at, const struct membership *membership)
{
    struct stay stay = {.entered = membership->entered_at, .left = membership->valid_until};
    const struct stays got = {.items = &stay, .count = membership->member};
    struct stays wanted = select_stays(run->arena, wanted_stays(run, user, segment), at, true);

    return check(run, how, user, segment, at, &wanted, &got);
}

static bool check_batch_user(struct comparison_run *run, struct product *product, struct product_user *user, int64_t at)
{
    struct membership memberships[PRODUCT_SEGMENTS_MAX];

    if (!user_state_memberships(product->ruleset, user->state, at, product->evaluation, memberships, &run->err)) {
        return refuse(run, "memberships");
    }
    for (size_t segment = 0; segment < product->set.definition_count; segment++) {
        struct membership *membership = &memberships[segment];
        bool ranked = product->set.definitions[segment].needs_percentile;

        if (ranked) {
            membership->entered_at = at;
            membership->valid_until = INTERPRETER_OPEN;
        }
        if ((!ranked && !check_history(run, product, user, segment, at)) ||
            !check_membership(run, COMPARE_MEMBERSHIP, user->id, segment, at, membership)) {
            return false;
        }
    }
    return true;
}

/* Whether the user is in, and since when: until when may depend on what comes later. */
static bool check_edge(struct comparison_run *run, struct product *product, struct product_user *user, int64_t at)
{
    struct membership memberships[PRODUCT_SEGMENTS_MAX];

    if (!user_state_memberships(product->ruleset, user->state, at, product->evaluation, memberships, &run->err)) {
        return refuse(run, "memberships");
    }
    for (size_t segment = 0; segment < product->set.definition_count; segment++) {
        struct stays wanted = select_stays(run->arena, wanted_stays(run, user->id, segment), at, true);
        struct membership *membership = &memberships[segment];

        membership->valid_until = wanted.count == 1 ? wanted.items[0].left : membership->valid_until;
        if (!check_membership(run, COMPARE_MEMBERSHIP, user->id, segment, at, membership)) {
            return false;
        }
    }
    return true;
}

/* The instants at which something begins or ends to hold, and those just before them, where a bound that is off by one
 * shows. */
static bool check_edges(struct comparison_run *run, struct product *product)
{
    for (size_t segment = 0; segment < product->set.definition_count; segment++) {
        if (product->set.definitions[segment].needs_percentile) {
            return true; /* the ranks of each instant would have to be found */
        }
    }
    for (size_t i = 0; i < product->user_count; i++) {
        struct product_user *user = &product->users[i];

        for (size_t segment = 0; segment < product->set.definition_count; segment++) {
            const struct stays *stays = wanted_stays(run, user->id, segment);

            for (size_t k = 0; k < stays->count; k++) {
                const int64_t edges[] = {stays->items[k].entered - 1, stays->items[k].entered, stays->items[k].left - 1,
                                         stays->items[k].left};

                for (size_t e = 0; e < sizeof edges / sizeof *edges; e++) {
                    if (edges[e] <= run->newest && !check_edge(run, product, user, edges[e])) {
                        return false;
                    }
                }
            }
        }
    }
    return true;
}

static bool check_batch(struct comparison_run *run, struct product *product)
{
    for (size_t i = 0; i <= CASE_INSTANTS; i++) {
        int64_t at = i < CASE_INSTANTS ? run->test->instants[i] : run->newest;

        world_evaluate(run->world, at);
        if (!product_rank(product, at, &run->err)) {
            return refuse(run, "ranks");
        }
        for (size_t k = 0; k < product->user_count; k++) {
            if (!check_batch_user(run, product, &product->users[k], at)) {
                return false;
            }
        }
    }
    return check_edges(run, product);
}

/* ---- lines ---- */

static bool check_lines(struct comparison_run *run, struct product *product)
{
    for (size_t i = 0; i < run->test->line_count; i++) {
        struct slice line = run->test->lines[i];
        struct message message;
        struct event event;
        bool accepted = false;
        bool wanted = message_read(run->arena, line, &message);

        if (!product_decode(product, line, &event, &accepted, &run->err)) {
            return refuse(run, "decode");
        }
        if (accepted != wanted) {
            run->result = COMPARE_QUARANTINE;
            buffer_append_format(run->said, "quarantine: the product %s this line: %.*s\n",
                                 accepted ? "accepts" : "refuses", (int)line.size, line.data);
            return false;
        }
        if (accepted && (message.happening || message.identify) && message.time > run->newest) {
            run->newest = message.time;
        }
    }
    return true;
}

/* ---- stream ---- */

/* After all events the intervals kept from event to event are those of the interpreter, ends to come included. */
static bool check_stream(struct comparison_run *run, struct product *product, const struct slice *lines)
{
    run->world = world_new(run->arena, run->test->definitions, lines, run->test->line_count);
    world_evaluate(run->world, run->newest);
    for (size_t i = 0; i < product->user_count; i++) {
        struct product_user *user = &product->users[i];

        for (size_t segment = 0; segment < product->set.definition_count; segment++) {
            if (!product->set.definitions[segment].needs_percentile &&
                !check(run, COMPARE_STREAM, user->id, segment, run->newest, wanted_stays(run, user->id, segment),
                       &user->stays[segment])) {
                return false;
            }
        }
    }
    return true;
}

/* Between events: membership at the event's own time and at the newest, from what has arrived so far. */
static bool check_prefix(struct comparison_run *run, struct product *product, struct slice id,
                         const struct slice *lines, size_t line_count, int64_t at)
{
    struct product_user *user = product_user(product, id);

    run->world = world_new(run->arena, run->test->definitions, lines, line_count);
    world_evaluate(run->world, at);
    for (size_t segment = 0; user != NULL && segment < product->set.definition_count; segment++) {
        struct membership membership;

        if (product->set.definitions[segment].needs_percentile) {
            continue;
        }
        if (!user_state_membership(product->ruleset, user->state, segment, at, product->evaluation, &membership,
                                   &run->err)) {
            return refuse(run, "membership");
        }
        if (!check_membership(run, COMPARE_PREFIX, id, segment, at, &membership)) {
            return false;
        }
    }
    return true;
}

static bool run_stream(struct comparison_run *run, struct product *product, const struct slice *lines)
{
    for (size_t i = 0; i < run->test->line_count; i++) {
        struct event event;
        bool accepted = false;

        if (!product_decode(product, lines[i], &event, &accepted, &run->err) ||
            (accepted && !product_fold(product, &event, true, &run->err))) {
            return refuse(run, "fold");
        }
        if (accepted && hash_line(run->test->seed, lines[i], 1) % PREFIX_EVERY == 0) {
            struct product_user *user = product_user(product, event.user);

            if (user != NULL && (!check_prefix(run, product, user->id, lines, i + 1, event.time_ms) ||
                                 !check_prefix(run, product, user->id, lines, i + 1, user_state_newest(user->state)))) {
                return false;
            }
        }
    }
    return check_stream(run, product, lines);
}

/* ---- lane ---- */

/* What was announced last of each user and segment. */
struct announced {
    const struct lane_user *user;
    struct lane_record records[PRODUCT_SEGMENTS_MAX];
    bool present[PRODUCT_SEGMENTS_MAX];
};

struct announcements {
    struct announced *items;
    size_t count;
};

static bool take_record(void *context, const struct lane_record *record, struct error *err)
{
    struct announcements *announcements = context;
    size_t at = 0;

    (void)err;
    while (at < announcements->count && announcements->items[at].user != record->user) {
        at++;
    }
    if (at == announcements->count) {
        announcements->items[announcements->count++].user = record->user;
    }
    announcements->items[at].records[record->segment] = *record;
    announcements->items[at].present[record->segment] = true;
    return true;
}

static bool feed_lane(struct comparison_run *run, struct product *product, struct lane *lane, const struct slice *lines,
                      const struct lane_sink *sink)
{
    int64_t watermark = TIMESTAMP_ALWAYS;

    if (!lane_start(lane, watermark, sink, &run->err)) {
        return refuse(run, "lane");
    }
    for (size_t i = 0; i < run->test->line_count; i++) {
        struct lane_user *user = NULL;
        struct event event;
        bool accepted = false;

        if (!product_decode(product, lines[i], &event, &accepted, &run->err)) {
            return refuse(run, "decode");
        }
        if (!accepted || event.kind == EVENT_CONSENT || event.kind == EVENT_DELETE) {
            continue;
        }
        if (!lane_add(lane, event.user, &user, &run->err) ||
            !lane_event(lane, user, &event, 0, (int64_t)i, watermark, sink, &run->err)) {
            return refuse(run, "lane");
        }
        watermark = event.time_ms - LANE_LATENESS_MS > watermark ? event.time_ms - LANE_LATENESS_MS : watermark;
        if (!lane_advance(lane, watermark, sink, &run->err)) {
            return refuse(run, "lane");
        }
    }
    return lane_end(lane, run->newest, sink, &run->err) || refuse(run, "lane");
}

static bool check_announced(struct comparison_run *run, struct product *product, const struct announced *announced)
{
    struct slice id = lane_user_id(announced->user);

    for (size_t segment = 0; segment < product->set.definition_count; segment++) {
        const struct lane_record *record = &announced->records[segment];
        const struct membership membership = {.member = announced->present[segment] && record->member,
                                              .entered_at = record->entered_at,
                                              .valid_until = record->valid_until};

        if (product->set.definitions[segment].streams &&
            !check_membership(run, COMPARE_LANE, id, segment, run->newest, &membership)) {
            return false;
        }
    }
    return true;
}

/* Called after run_stream: the world holds the answers at the newest instant. */
static bool run_lane(struct comparison_run *run, struct product *product, const struct slice *lines)
{
    struct lane_segment segments[PRODUCT_SEGMENTS_MAX] = {0};
    const struct lane_options options = {.ruleset = product->ruleset, .segments = segments};
    struct announcements announcements = {.items =
                                              take(run->arena, run->test->line_count + 1, sizeof(struct announced))};
    const struct lane_sink sink = {.emit = take_record, .context = &announcements};
    struct lane *lane = NULL;
    bool done = false;

    for (size_t i = 0; i < product->set.definition_count; i++) {
        segments[i] = (struct lane_segment){.silent = !product->set.definitions[i].streams,
                                            .purpose = LANE_NO_PURPOSE,
                                            .complete_from_ms = TIMESTAMP_ALWAYS};
    }
    if (!lane_new(&options, &lane, &run->err)) {
        return refuse(run, "lane");
    }
    if (!feed_lane(run, product, lane, lines, &sink)) {
        goto out;
    }
    for (size_t i = 0; i < product->user_count; i++) {
        struct announced none = {.user = lane_find(lane, product->users[i].id)};
        const struct announced *announced = &none;

        for (size_t k = 0; k < announcements.count; k++) {
            announced = announcements.items[k].user == none.user ? &announcements.items[k] : announced;
        }
        if (!check_announced(run, product, announced)) {
            goto out;
        }
    }
    done = true;
out:
    lane_free(lane);
    return done;
}

/* ---- a case ---- */

/* Runs one way on a product of its own. */
static bool with_product(struct comparison_run *run, bool batch, const struct slice *lines)
{
    struct product product;
    bool done = false;

    if (!product_init(&product, run->arena, run->zones, run->test->definitions, &run->err)) {
        (void)refuse(run, "definitions");
        goto out;
    }
    product.restored_every = batch ? run->test->seed % 2 : run->test->seed % 4;
    product.projected = run->test->seed % 3 > 0;
    if (batch) {
        done = check_lines(run, &product) && fold_all(run, &product, lines, false);
        if (done) {
            run->world = world_new(run->arena, run->test->definitions, lines, run->test->line_count);
            done = check_batch(run, &product);
        }
    } else {
        done = run_stream(run, &product, lines) && run_lane(run, &product, lines);
    }
out:
    product_clear(&product);
    return done;
}

static void compare_pruned(struct comparison_run *run)
{
    enum pruned_result result =
        run->result == COMPARE_EQUAL ? pruned_compare(run->arena, run->zones, run->test, run->said) : PRUNED_EQUAL;

    if (result != PRUNED_EQUAL) {
        run->result = result == PRUNED_DIFFERENT ? COMPARE_PRUNED : COMPARE_REFUSED;
    }
}

enum compare_result compare_case(struct arena *arena, struct zone_files *zones, const struct oracle_case *test,
                                 struct buffer *said)
{
    struct comparison_run run = {.arena = arena, .zones = zones, .test = test, .said = said, .newest = INT64_MIN};

    run.shuffled = shuffle(arena, test);
    if (with_product(&run, true, test->lines) && run.newest != INT64_MIN) {
        (void)with_product(&run, false, run.shuffled);
    }
    if (run.result == COMPARE_EQUAL) {
        run.result = properties_check(arena, zones, test, said);
    }
    if (run.result == COMPARE_EQUAL && !explained_case(arena, zones, test, said)) {
        run.result = COMPARE_EXPLAINED;
    }
    compare_pruned(&run);
    return run.result;
}
