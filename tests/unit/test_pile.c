/* Facts put aside and taken out again must give the states that folding the events at once gives: for ids that share
 * their beginning and such that do not, all types of values, copies, order. */
#include "common/domain/pile.h"

#include "common/base/hash.h"
#include "common/domain/pile_fold.h"
#include "common/domain/rule_parse.h"
#include "common/domain/user_state_pack.h"
#include "tests/unit/unit.h"

#include <stdio.h>

Suite *pile_suite(void);

enum { EVENTS = 4000, EVENTS_FEW = 900, USERS = 37, STATE_SIZE_MAX = 1 << 24, TEXT_SIZE = 2048, FILLER_SIZE = 1200 };

static const char definitions[] =
    "["
    "{\"segmentId\":\"count\",\"criteria\":[{\"event\":\"a\",\"where\":[{\"property\":\"flag\",\"=\":true}],\"window\":"
    "\"7s\",\"count\":{\">=\":2}}]},"
    "{\"segmentId\":\"sum\",\"criteria\":[{\"event\":[\"a\",\"b\"],\"window\":\"40s\",\"sum\":{\"property\":\"n\",\">"
    "\":0}}"
    "]},"
    "{\"segmentId\":\"product\",\"criteria\":[{\"event\":\"a\",\"min\":{\"product\":[\"n\",\"m\"],\"<\":-100.25}}]},"
    "{\"segmentId\":\"kinds\",\"criteria\":[{\"event\":\"*\",\"window\":\"90s\",\"distinct\":{\"property\":\"k\",\">="
    "\":3}}"
    "]},"
    "{\"segmentId\":\"latest\",\"criteria\":[{\"event\":\"*\",\"latest\":{\"property\":\"k\",\"contains\":\"x\"}}]},"
    "{\"segmentId\":\"trait\",\"criteria\":[{\"trait\":\"t\",\"!=\":1}]}"
    "]";

struct world {
    struct segment_set set;
    struct ruleset *ruleset;
    struct evaluation *evaluation;
    struct json_document document;
    struct arena arena;
    struct piles *piles;
    struct user_state *states[USERS]; /* what the visits must equal */
    uint64_t copies;
    uint64_t different;
    size_t visits;
    int events;
    int64_t at;
    bool standing[USERS]; /* by the tour of those whom segments may hold of */
};

static bool world_init(struct world *world, struct error *err)
{
    *world = (struct world){0};
    segment_set_init(&world->set);
    json_document_init(&world->document);
    arena_init(&world->arena, 1 << 20);
    return segment_set_add(&world->set, SLICE_LITERAL("test.json"), slice_from(definitions), 0, err) &&
           segment_set_check(&world->set, err) && ruleset_new(&world->set, NULL, &world->ruleset, err) &&
           evaluation_new(world->ruleset, &world->evaluation, err) && piles_new(world->ruleset, &world->piles, err);
}

static void world_clear(struct world *world)
{
    for (size_t i = 0; i < USERS; i++) {
        user_state_free(world->states[i]);
    }
    piles_free(world->piles);
    evaluation_free(world->evaluation);
    ruleset_free(world->ruleset);
    json_document_clear(&world->document);
    arena_clear(&world->arena);
    segment_set_clear(&world->set);
}

static unsigned next_random(unsigned *seed, unsigned below)
{
    *seed = *seed * 1103515245u + 12345u;
    return (*seed >> 16) % below;
}

/* The user's number stands behind a beginning that some share: short, as long as what is compared or a half of it,
 * longer. */
static void user_name(unsigned user, char text[64])
{
    static const char *const fronts[] = {
        "", "cust-", "0123456789abcdef", "a-rather-long-beginning-of-an-id-", "account", "0123456789abcde"};

    (void)snprintf(text, 64, "%s%u", fronts[user % 6], user);
}

static unsigned user_number(struct slice id)
{
    for (unsigned user = 0; user < USERS; user++) {
        char name[64];

        user_name(user, name);
        if (slice_equal_text(id, name)) {
            return user;
        }
    }
    ck_abort_msg("unknown user %.*s", (int)id.size, id.data);
    return 0;
}

static void random_value(unsigned *seed, char text[FILLER_SIZE + 8])
{
    static const char *const values[] = {"\"x\"", "\"yx\"", "null", "7", "true", "[1,2]", "{\"x\":1}", "\"\""};

    if (next_random(seed, 9) == 0) {
        memset(text, 'x', FILLER_SIZE);
        text[0] = text[FILLER_SIZE - 1] = '"';
        text[FILLER_SIZE] = '\0';
        return;
    }
    (void)snprintf(text, FILLER_SIZE, "%s", values[next_random(seed, 8)]);
}

static void random_event(unsigned *seed, int number, unsigned user, char text[TEXT_SIZE])
{
    static const char *const numbers[] = {"0", "-1", "12.5", "33.42", "-0.000001", "9200000000000", "\"none\"", "1e30"};
    long long time_ms = 1772323190000 + 700LL * number - next_random(seed, 20000);
    char name[64];
    char id[64];
    char value[FILLER_SIZE + 8];

    user_name(user, name);
    (void)snprintf(id, sizeof id, "%s", "");
    switch (next_random(seed, 5)) {
    case 1:
        (void)snprintf(id, sizeof id, "\"messageId\":\"m-%08u\",", next_random(seed, 300));
        break;
    case 2:
        (void)snprintf(id, sizeof id, "\"messageId\":\"%u-a-message-id-which-is-long\",", next_random(seed, 300));
        break;
    case 3:
        (void)snprintf(id, sizeof id, "\"messageId\":\"%08x-0a1b-4c2d-8e3f-00112233aabb\",", next_random(seed, 300));
        break;
    case 4:
        (void)snprintf(id, sizeof id, "\"messageId\":\"%08X-0A1B-4C2D-8E3F-00112233AABB\",", next_random(seed, 300));
        break;
    default:
        break;
    }
    if (next_random(seed, 7) == 0) {
        (void)snprintf(text, TEXT_SIZE,
                       "{\"type\":\"identify\",%s\"userId\":\"%s\",\"timestamp\":%lld,\"traits\":{\"t\":%u}}", id, name,
                       time_ms, next_random(seed, 3));
        return;
    }
    random_value(seed, value);
    (void)snprintf(text, TEXT_SIZE,
                   "{\"type\":\"track\",%s\"userId\":\"%s\",\"timestamp\":%lld,\"event\":\"%s\",\"properties\":"
                   "{\"k\":%s,\"n\":%s,\"m\":%s,\"flag\":%s}}",
                   id, name, time_ms, next_random(seed, 2) == 0 ? "a" : "b", value, numbers[next_random(seed, 8)],
                   numbers[next_random(seed, 8)], next_random(seed, 2) == 0 ? "true" : "false");
}

/* Adds to the piles and folds at once. */
static bool add(struct world *world, unsigned user, const char *text, int64_t line, struct error *err)
{
    enum quarantine_reason reason;
    enum fold_result result;
    struct event event;

    arena_reset(&world->arena);
    if (!event_decode(slice_from(text), &world->document, &world->arena, &event, &reason, err)) {
        return false;
    }
    ck_assert_msg(reason == QUARANTINE_NONE, "%s: %s", text, err->message);
    if (world->states[user] == NULL && !user_state_new(world->ruleset, &world->states[user], err)) {
        return false;
    }
    if (!user_state_fold(world->ruleset, world->states[user], &event, world->evaluation, &result, NULL, err)) {
        return false;
    }
    world->copies += result == FOLD_COPY || result == FOLD_COPY_DIFFERENT;
    world->different += result == FOLD_COPY_DIFFERENT;
    return piles_add(world->piles, &event, line, world->evaluation, err);
}

static bool fill(struct world *world, struct error *err)
{
    unsigned seed = 11;

    for (int i = 0; i < world->events; i++) {
        unsigned user = next_random(&seed, USERS);
        char text[TEXT_SIZE];

        random_event(&seed, i, user, text);
        if (!add(world, user, text, 2 * i, err) ||
            (next_random(&seed, 20) == 0 && !add(world, user, text, 2 * i + 1, err))) {
            return false;
        }
    }
    return true;
}

/* All of a state that can be seen, as one number. */
static bool fingerprint(struct world *world, const struct user_state *state, uint64_t *out, struct error *err)
{
    *out = hash_integer((uint64_t)user_state_known_since(state), (uint64_t)user_state_newest(state));
    *out = hash_integer(user_state_event_count(state), *out);
    for (size_t s = 0; s < ruleset_segment_count(world->ruleset); s++) {
        const struct interval *intervals;
        size_t count;

        if (!user_state_history(world->ruleset, state, s, TIMESTAMP_NEVER, world->evaluation, &intervals, &count,
                                err)) {
            return false;
        }
        *out = hash_bytes(slice_of((const char *)intervals, count * sizeof *intervals), *out + count);
    }
    return true;
}

static bool compare(void *context, struct slice user, struct user_state *state, struct error *err)
{
    struct world *world = context;
    uint64_t found;
    uint64_t wanted;

    world->visits++;
    if (!fingerprint(world, state, &found, err) ||
        !fingerprint(world, world->states[user_number(user)], &wanted, err)) {
        return false;
    }
    ck_assert_msg(found == wanted, "user %.*s", (int)user.size, user.data);
    return true;
}

/* States with ids are the same to the byte. */
static bool compare_written(void *context, struct slice user, struct user_state *state, struct error *err)
{
    struct world *world = context;
    struct buffer found;
    struct buffer wanted;

    buffer_init(&found, STATE_SIZE_MAX);
    buffer_init(&wanted, STATE_SIZE_MAX);
    user_state_write(world->ruleset, state, &found);
    user_state_write(world->ruleset, world->states[user_number(user)], &wanted);
    ck_assert_msg(buffer_finish(&found, "a state", err) && buffer_finish(&wanted, "a state", err), "%s", err->message);
    ck_assert_msg(slice_equal(buffer_slice(&found), buffer_slice(&wanted)), "user %.*s", (int)user.size, user.data);
    buffer_clear(&found);
    buffer_clear(&wanted);
    world->visits++;
    return true;
}

/* With the tour that found candidates, and without. */
static bool compare_standing(void *context, struct slice user, struct user_state *state, struct error *err)
{
    struct world *world = context;
    unsigned number = user_number(user);
    const struct segment_membership *found;
    struct segment_membership kept[8] = {0};
    size_t count;
    size_t wanted_count;

    world->standing[number] = true;
    if (!user_state_standing(world->ruleset, state, world->at, world->evaluation, &found, &count, err)) {
        return false;
    }
    ck_assert_uint_lt(count, 8);
    for (size_t i = 0; i < count; i++) {
        kept[i] = found[i];
    }
    if (!user_state_standing(world->ruleset, world->states[number], world->at, world->evaluation, &found, &wanted_count,
                             err)) {
        return false;
    }
    ck_assert_uint_eq(count, wanted_count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_eq(kept[i].segment, found[i].segment);
        ck_assert_int_eq(kept[i].membership.member, found[i].membership.member);
        ck_assert_int_eq(kept[i].membership.entered_at, found[i].membership.entered_at);
        ck_assert_int_eq(kept[i].membership.valid_until, found[i].membership.valid_until);
    }
    return true;
}

static void check_counts(const struct world *world)
{
    struct piles_counts counts = piles_counts(world->piles);

    ck_assert_uint_eq(world->visits, USERS);
    ck_assert_uint_eq(counts.user_count, USERS);
    ck_assert_uint_eq(counts.copy_count, world->copies);
    ck_assert_uint_eq(counts.copy_different_count, world->different);
    for (size_t i = 1; i < counts.copy_different_count; i++) {
        ck_assert_int_lt(counts.lines_different[i - 1], counts.lines_different[i]);
    }
}

/* Users with more facts than are folded together, and with fewer. */
static const int event_counts[] = {EVENTS, EVENTS_FEW};

START_TEST(what_comes_out_equals_what_is_folded_at_once)
{
    struct error err = ERROR_INIT;
    struct world world;
    const struct piles_tour tours[] = {
        {.visit = compare, .context = &world},
        {.visit = compare_written, .context = &world, .ids = true},
        {.visit = compare, .context = &world, .last = true},
    };

    ck_assert_ok(world_init(&world, &err));
    world.events = event_counts[_i];
    ck_assert_int_eq(world.events / USERS > PILE_FOLD_MAX, _i == 0);
    ck_assert_ok(fill(&world, &err));
    ck_assert_uint_gt(world.copies, world.different);
    ck_assert_uint_gt(world.different, 0);
    for (size_t i = 0; i < sizeof tours / sizeof tours[0]; i++) {
        world.visits = 0;
        ck_assert_ok(piles_each(world.piles, &tours[i], &err));
        check_counts(&world);
    }
    world.visits = 0;
    ck_assert_ok(piles_each(world.piles, &tours[0], &err));
    ck_assert_uint_eq(world.visits, 0);
    world_clear(&world);
}
END_TEST

/* From before the first event to long after the last one. */
START_TEST(who_is_left_out_is_in_nothing)
{
    enum { INSTANTS = 40 };
    struct error err = ERROR_INIT;
    struct world world;
    struct piles_tour tour = {.visit = compare_standing, .context = &world};
    size_t left_out = 0;
    size_t visited = 0;

    ck_assert_ok(world_init(&world, &err));
    world.events = event_counts[_i];
    ck_assert_ok(fill(&world, &err));
    tour.standing = world.evaluation;
    for (int i = 0; i < INSTANTS; i++) {
        world.at = tour.at = 1772323190000 - 60000 + i * (700LL * world.events + 240000) / INSTANTS;
        memset(world.standing, 0, sizeof world.standing);
        ck_assert_ok(piles_each(world.piles, &tour, &err));
        for (unsigned user = 0; user < USERS; user++) {
            const struct segment_membership *found;
            size_t count;

            ck_assert_ok(user_state_standing(world.ruleset, world.states[user], world.at, world.evaluation, &found,
                                             &count, &err));
            ck_assert_msg(world.standing[user] || count == 0, "user %u at %d", user, i);
            left_out += !world.standing[user];
            visited += world.standing[user];
        }
    }
    ck_assert(left_out > 0 || world.events / USERS > PILE_FOLD_MAX);
    ck_assert_uint_gt(visited, 0);
    world_clear(&world);
}
END_TEST

START_TEST(a_copy_is_reported_by_its_line)
{
    static const char *const lines[] = {
        "{\"type\":\"track\",\"messageId\":\"m1\",\"userId\":\"0\",\"timestamp\":5000,\"event\":\"a\"}",
        "{\"type\":\"track\",\"messageId\":\"m1\",\"userId\":\"0\",\"timestamp\":5000,\"event\":\"a\"}",
        "{\"type\":\"track\",\"messageId\":\"m1\",\"userId\":\"0\",\"timestamp\":4000,\"event\":\"a\"}",
        "{\"type\":\"track\",\"messageId\":\"m1\",\"userId\":\"cust-1\",\"timestamp\":5000,\"event\":\"a\"}",
    };
    struct error err = ERROR_INIT;
    struct piles_counts counts;
    struct world world;
    const struct piles_tour tour = {.visit = compare, .context = &world, .last = true};

    ck_assert_ok(world_init(&world, &err));
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        ck_assert_ok(add(&world, i == 3 ? 1 : 0, lines[i], (int64_t)(1000 + 300 * i), &err));
    }
    ck_assert_ok(piles_each(world.piles, &tour, &err));
    counts = piles_counts(world.piles);
    ck_assert_uint_eq(counts.copy_count, 2);
    ck_assert_uint_eq(counts.copy_different_count, 1);
    ck_assert_int_eq(counts.lines_different[0], 1600);
    world_clear(&world);
}
END_TEST

/* A user's events of one instant stand in the order of their ids as texts, whatever their form; a missing one comes
 * first, and among those the greater value counts. */
START_TEST(events_of_one_instant_are_in_order)
{
    static const char *const ids[] = {
        "",        "m1",
        "9",       "0a1b2c3d-0a1b-4c2d-8e3f-00112233aabb",
        "Z",       "0A1B2C3D-0A1B-4C2D-8E3F-00112233AABB",
        "0a1b2c3", "00000000-0000-4000-8000-000000000000",
        "",        "ffffffff-0a1b-4c2d-8e3f-00112233aabb",
        "a",       "FFFFFFFF-0A1B-4C2D-8E3F-00112233AABB",
    };
    enum { COUNT = sizeof ids / sizeof ids[0] };
    struct error err = ERROR_INIT;
    struct world world;
    const struct piles_tour tour = {.visit = compare_written, .context = &world, .ids = true};
    unsigned seed = 3;

    ck_assert_ok(world_init(&world, &err));
    for (unsigned user = 0; user < USERS; user++) {
        for (unsigned i = 0, k = next_random(&seed, COUNT); i < COUNT; i++, k = (k + 5) % COUNT) {
            char name[64];
            char id[80];
            char text[TEXT_SIZE];

            user_name(user, name);
            (void)snprintf(id, sizeof id, ids[k][0] == '\0' ? "%s" : "\"messageId\":\"%s\",", ids[k]);
            (void)snprintf(text, sizeof text,
                           "{\"type\":\"track\",%s\"userId\":\"%s\",\"timestamp\":%u,\"event\":\"a\",\"properties\":"
                           "{\"k\":\"x%u\"}}",
                           id, name, 1000 + next_random(&seed, 2), k);
            ck_assert_ok(add(&world, user, text, user * COUNT + i, &err));
        }
    }
    ck_assert_ok(piles_each(world.piles, &tour, &err));
    ck_assert_uint_eq(world.visits, USERS);
    world_clear(&world);
}
END_TEST

static bool scenario(void *context, struct error *err)
{
    struct world world;
    const struct piles_tour tour = {.visit = compare, .context = &world, .last = true};
    bool done;

    (void)context;
    done = world_init(&world, err);
    world.events = 30;
    done = done && fill(&world, err) && piles_each(world.piles, &tour, err);
    world_clear(&world);
    return done;
}

START_TEST(every_failing_allocation_is_reported)
{
    unit_fail_each_allocation(scenario, NULL);
}
END_TEST

Suite *pile_suite(void)
{
    Suite *suite = suite_create("pile");
    TCase *tcase = tcase_create("pile");

    tcase_add_loop_test(tcase, what_comes_out_equals_what_is_folded_at_once, 0, 2);
    tcase_add_loop_test(tcase, who_is_left_out_is_in_nothing, 0, 2);
    tcase_add_test(tcase, events_of_one_instant_are_in_order);
    tcase_add_test(tcase, a_copy_is_reported_by_its_line);
    tcase_add_test(tcase, every_failing_allocation_is_reported);
    suite_add_tcase(suite, tcase);
    return suite;
}
