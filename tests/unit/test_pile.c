/* Facts put aside and taken out again must give the states that folding the events at once gives: for ids that share
 * their beginning and such that do not, all types of values, copies, order. */
#include "common/domain/pile.h"

#include "common/base/hash.h"
#include "common/domain/rule_parse.h"
#include "tests/unit/unit.h"

#include <stdio.h>

Suite *pile_suite(void);

enum { EVENTS = 4000, USERS = 37, TEXT_SIZE = 2048, FILLER_SIZE = 1200 };

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
        (void)snprintf(id, sizeof id, "\"messageId\":\"m-%08u\",", next_random(seed, 2000));
        break;
    case 2:
        (void)snprintf(id, sizeof id, "\"messageId\":\"%u-a-message-id-which-is-long\",", next_random(seed, 2000));
        break;
    case 3:
        (void)snprintf(id, sizeof id, "\"messageId\":\"%08x-0a1b-4c2d-8e3f-00112233aabb\",", next_random(seed, 2000));
        break;
    case 4:
        (void)snprintf(id, sizeof id, "\"messageId\":\"%08X-0A1B-4C2D-8E3F-00112233AABB\",", next_random(seed, 2000));
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

START_TEST(what_comes_out_equals_what_is_folded_at_once)
{
    struct error err = ERROR_INIT;
    struct piles_counts counts;
    struct world world;

    ck_assert_ok(world_init(&world, &err));
    world.events = EVENTS;
    ck_assert_ok(fill(&world, &err));
    ck_assert_uint_gt(world.copies, world.different);
    ck_assert_uint_gt(world.different, 0);
    for (int pass = 0; pass < 2; pass++) {
        world.visits = 0;
        ck_assert_ok(piles_each(world.piles, pass == 1, compare, &world, &err));
        ck_assert_uint_eq(world.visits, USERS);
        counts = piles_counts(world.piles);
        ck_assert_uint_eq(counts.user_count, USERS);
        ck_assert_uint_eq(counts.copy_count, world.copies);
        ck_assert_uint_eq(counts.copy_different_count, world.different);
        for (size_t i = 1; i < counts.copy_different_count; i++) {
            ck_assert_int_lt(counts.lines_different[i - 1], counts.lines_different[i]);
        }
    }
    world.visits = 0;
    ck_assert_ok(piles_each(world.piles, true, compare, &world, &err));
    ck_assert_uint_eq(world.visits, 0);
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

    ck_assert_ok(world_init(&world, &err));
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        ck_assert_ok(add(&world, i == 3 ? 1 : 0, lines[i], (int64_t)(1000 + 300 * i), &err));
    }
    ck_assert_ok(piles_each(world.piles, true, compare, &world, &err));
    counts = piles_counts(world.piles);
    ck_assert_uint_eq(counts.copy_count, 2);
    ck_assert_uint_eq(counts.copy_different_count, 1);
    ck_assert_int_eq(counts.lines_different[0], 1600);
    world_clear(&world);
}
END_TEST

static bool scenario(void *context, struct error *err)
{
    struct world world;
    bool done;

    (void)context;
    done = world_init(&world, err);
    world.events = 30;
    done = done && fill(&world, err) && piles_each(world.piles, true, compare, &world, err);
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

    tcase_add_test(tcase, what_comes_out_equals_what_is_folded_at_once);
    tcase_add_test(tcase, a_copy_is_reported_by_its_line);
    tcase_add_test(tcase, every_failing_allocation_is_reported);
    suite_add_tcase(suite, tcase);
    return suite;
}
