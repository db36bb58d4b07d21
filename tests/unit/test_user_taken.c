/* The bits of a long log against a look through it. */
#include "common/base/memory.h"
#include "common/domain/evaluation_parts.h"
#include "common/domain/rule_parse.h"
#include "tests/unit/state_fixture.h"
#include "tests/unit/unit.h"

#include <stdio.h>

Suite *user_taken_suite(void);

enum { EVENT_COUNT = 700, TEXT_SIZE = 256 };

/* `often` takes one event of two, `rarely` one of fifty, `never` none; `*` takes all. */
static const char definitions[] =
    "[{\"segmentId\":\"often\",\"criteria\":[{\"event\":\"often\",\"window\":\"1d\",\"count\":{\">=\":3}}]},"
    "{\"segmentId\":\"rarely\",\"criteria\":[{\"event\":\"rarely\",\"distinct\":{\"property\":\"n\",\">=\":3}}]},"
    "{\"segmentId\":\"never\",\"criteria\":[{\"event\":\"never\",\"last\":{\"<\":\"1d\"}}]},"
    "{\"segmentId\":\"all\",\"criteria\":[{\"event\":\"*\",\"window\":\"1d\",\"sum\":{\"property\":\"n\",\">\":9}}]}]";

static void fold(struct state_fixture *world, int64_t time_ms)
{
    char text[TEXT_SIZE];
    unsigned chance = state_fixture_below(world, 50);

    (void)
        snprintf(text, sizeof text,
                 "{\"type\":\"track\",\"userId\":\"u\",\"timestamp\":%lld,\"event\":\"%s\",\"properties\":{\"n\":%u}}",
                 (long long)time_ms,
                 chance == 0   ? "rarely"
                 : chance < 26 ? "often"
                               : "other",
                 state_fixture_below(world, 5));
    ck_assert_int_eq(state_fixture_fold(world, text), FOLD_APPLIED);
}

static bool takes(const struct state_fixture *world, size_t index, size_t selector)
{
    return bit_is_set(entry_at(world->state, entry_stride(world->ruleset), index)->mask, selector);
}

static void check(struct state_fixture *world)
{
    const struct user_taken *taken = user_taken_of(world->ruleset, world->state);
    size_t count = world->state->entry_count;

    ck_assert_ptr_nonnull(taken);
    ck_assert_uint_eq(taken->entry_count, count);
    for (uint32_t selector = 0; selector < world->ruleset->selector_count; selector++) {
        size_t begin = state_fixture_below(world, (unsigned)count + 1);
        size_t end = state_fixture_below(world, (unsigned)count + 1);
        size_t next = begin < end ? begin : end;
        size_t last = end;

        while (next < end && !takes(world, next, selector)) {
            next++;
        }
        ck_assert_uint_eq(user_taken_next(taken, selector, begin, end), next);
        while (last > 0 && !takes(world, last - 1, selector)) {
            last--;
        }
        ck_assert_uint_eq(user_taken_last(taken, selector, end), last);
    }
}

START_TEST(bits_follow_a_log_in_any_order)
{
    struct state_fixture world;

    state_fixture_open(&world, definitions);
    for (int i = 0; i < EVENT_COUNT; i++) {
        /* Mostly in order; some late, far back, or at an instant that others have. */
        unsigned late = state_fixture_below(&world, 4) == 0 ? state_fixture_below(&world, (unsigned)i + 1) : 0;

        fold(&world, ((int64_t)i - late) * 60000);
        if (i + 1 < USER_TAKEN_MIN) {
            ck_assert_ptr_null(user_taken_of(world.ruleset, world.state));
        } else if (i % 7 == 0) {
            check(&world);
        }
    }
    check(&world);
    state_fixture_close(&world);
}
END_TEST

START_TEST(a_pruned_or_emptied_log_is_looked_at_anew)
{
    struct error err = ERROR_INIT;
    struct state_fixture world;

    state_fixture_open(&world, definitions);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < EVENT_COUNT; i++) {
            fold(&world, (int64_t)i * 600000);
        }
        check(&world);
        ck_assert_ok(
            user_state_prune(world.ruleset, world.state, (EVENT_COUNT - 100) * 600000, world.evaluation, &err));
        ck_assert_uint_lt(world.state->entry_count, EVENT_COUNT);
        check(&world);
        user_state_clear(world.ruleset, world.state);
        ck_assert_ptr_null(user_taken_of(world.ruleset, world.state));
    }
    state_fixture_close(&world);
}
END_TEST

START_TEST(without_memory_the_log_is_looked_through)
{
    struct membership with[4];
    struct membership without[4];
    struct error err = ERROR_INIT;
    struct state_fixture world;

    state_fixture_open(&world, definitions);
    for (int i = 0; i < EVENT_COUNT; i++) {
        fold(&world, (int64_t)i * 600000);
    }
    ck_assert_ok(
        user_state_memberships(world.ruleset, world.state, EVENT_COUNT * 600000, world.evaluation, with, &err));
    user_taken_clear(world.state->taken);
    (void)memory_fail_at(1);
    ck_assert_ptr_null(user_taken_of(world.ruleset, world.state));
    ck_assert_ok(
        user_state_memberships(world.ruleset, world.state, EVENT_COUNT * 600000, world.evaluation, without, &err));
    (void)memory_fail_at(0);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(with[i].member, without[i].member);
        ck_assert_int_eq(with[i].entered_at, without[i].entered_at);
        ck_assert_int_eq(with[i].valid_until, without[i].valid_until);
    }
    ck_assert(with[0].member && with[1].member && !with[2].member && with[3].member);
    state_fixture_close(&world);
}
END_TEST

Suite *user_taken_suite(void)
{
    Suite *suite = suite_create("user_taken");
    TCase *tests = tcase_create("user_taken");

    tcase_add_test(tests, bits_follow_a_log_in_any_order);
    tcase_add_test(tests, a_pruned_or_emptied_log_is_looked_at_anew);
    tcase_add_test(tests, without_memory_the_log_is_looked_through);
    suite_add_tcase(suite, tests);
    return suite;
}
