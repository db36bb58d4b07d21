#include "tests/unit/state_fixture.h"

#include "tests/unit/unit.h"

void state_fixture_open(struct state_fixture *fixture, const char *definitions)
{
    struct error err = ERROR_INIT;

    *fixture = (struct state_fixture){.random = 7};
    segment_set_init(&fixture->set);
    json_document_init(&fixture->document);
    arena_init(&fixture->arena, 1 << 20);
    ck_assert_ok(segment_set_add(&fixture->set, SLICE_LITERAL("f.json"), slice_from(definitions), 0, &err));
    ck_assert_ok(segment_set_check(&fixture->set, &err));
    ck_assert_ok(ruleset_new(&fixture->set, NULL, &fixture->ruleset, &err));
    ck_assert_ok(evaluation_new(fixture->ruleset, &fixture->evaluation, &err));
    ck_assert_ok(user_state_new(fixture->ruleset, &fixture->state, &err));
}

void state_fixture_close(struct state_fixture *fixture)
{
    user_state_free(fixture->state);
    evaluation_free(fixture->evaluation);
    ruleset_free(fixture->ruleset);
    json_document_clear(&fixture->document);
    arena_clear(&fixture->arena);
    segment_set_clear(&fixture->set);
}

unsigned state_fixture_below(struct state_fixture *fixture, unsigned end)
{
    fixture->random = fixture->random * 1103515245U + 12345U;
    return (fixture->random >> 8) % end;
}

enum fold_result state_fixture_fold(struct state_fixture *fixture, const char *message)
{
    enum quarantine_reason reason = QUARANTINE_NONE;
    enum fold_result result = FOLD_NONE;
    struct error err = ERROR_INIT;
    struct event event;

    arena_reset(&fixture->arena);
    fixture->touched = 0;
    ck_assert_ok(event_decode(slice_from(message), &fixture->document, &fixture->arena, &event, &reason, &err));
    ck_assert_int_eq(reason, QUARANTINE_NONE);
    ck_assert_ok(user_state_fold(fixture->ruleset, fixture->state, &event, fixture->evaluation, &result,
                                 &fixture->touched, &err));
    return result;
}
