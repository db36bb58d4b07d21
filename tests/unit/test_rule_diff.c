/* What changed, in words; and what is said of who may be a member, tried on random events: narrower and wider must hold
 * at every instant. */
#include "common/domain/event.h"
#include "common/domain/rule_diff.h"
#include "common/domain/rule_parse.h"
#include "common/domain/ruleset.h"
#include "common/domain/user_state.h"
#include "tests/unit/unit.h"

#include <stdio.h>

Suite *rule_diff_suite(void);

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

enum { TEXT_SIZE = 2048, EVENTS_MAX = 24, TRIES = 60 };

/* The rest of two definitions behind their ids, what is said, and the meaning. */
static const struct {
    const char *from;
    const char *to;
    const char *words;
    enum rule_reach_change change;
} pairs[] = {
    {"\"criteria\":[{\"event\":\"a\"}]", "\"criteria\":[{\"event\":\"a\",\"where\":[],\"count\":{\">=\":1.0}}]",
     "criteria[0]: the measure changed from at least one event to count >= 1\n", RULE_CHANGE_NONE},
    {"\"criteria\":[{\"event\":\"a\",\"window\":\"3s\"}]", "\"criteria\":[{\"event\":\"a\",\"window\":\"6s\"}]",
     "criteria[0]: the window changed from 3s to 6s\n", RULE_CHANGE_WIDER},
    {"\"criteria\":[{\"event\":\"a\",\"window\":\"3s\",\"count\":{\"<\":2}}]",
     "\"criteria\":[{\"event\":\"a\",\"window\":\"6s\",\"count\":{\"<\":2}}]",
     "criteria[0]: the window changed from 3s to 6s\n", RULE_CHANGE_NARROWER},
    {"\"criteria\":[{\"event\":\"a\",\"window\":\"3s\",\"count\":{\"=\":2}}]",
     "\"criteria\":[{\"event\":\"a\",\"window\":\"6s\",\"count\":{\"=\":2}}]",
     "criteria[0]: the window changed from 3s to 6s\n", RULE_CHANGE_UNCERTAIN},
    {"\"criteria\":[{\"event\":\"a\",\"window\":\"9s\",\"count\":{\">=\":2}}]",
     "\"criteria\":[{\"event\":\"a\",\"window\":\"9s\",\"count\":{\">\":1,\"<\":4}}]",
     "criteria[0]: the comparison changed from >= 2 to > 1 and < 4\n", RULE_CHANGE_NARROWER},
    {"\"criteria\":[{\"event\":\"a\",\"window\":\"9s\",\"sum\":{\"property\":\"n\",\">\":2}}]",
     "\"criteria\":[{\"event\":\"a\",\"window\":\"9s\",\"sum\":{\"property\":\"n\",\">\":1.5}}]",
     "criteria[0]: the comparison changed from > 2 to > 1.5\n", RULE_CHANGE_WIDER},
    {"\"criteria\":[{\"event\":\"a\",\"window\":\"9s\",\"sum\":{\"property\":\"n\",\">\":2}}]",
     "\"criteria\":[{\"event\":\"a\",\"window\":\"12s\",\"sum\":{\"property\":\"n\",\">\":2}}]",
     "criteria[0]: the window changed from 9s to 12s\n", RULE_CHANGE_UNCERTAIN},
    {"\"criteria\":[{\"event\":\"a\",\"window\":\"9s\"}]",
     "\"criteria\":[{\"event\":\"b\",\"window\":\"5s\"},{\"event\":\"a\",\"window\":\"9s\"}]",
     "criteria[0]: a criterion was added: at least one b in the last 5s\n", RULE_CHANGE_NARROWER},
    {"\"criteria\":[{\"event\":\"a\",\"window\":\"9s\"},{\"event\":\"b\"}]",
     "\"criteria\":[{\"event\":\"a\",\"window\":\"9s\"}]", "criteria[1]: a criterion was removed: at least one b\n",
     RULE_CHANGE_WIDER},
    /* the new criterion's events begin the lifetime anew */
    {"\"criteria\":[{\"event\":\"a\"}],\"membershipDuration\":\"4s\"",
     "\"criteria\":[{\"event\":\"a\"},{\"event\":\"b\"}],\"membershipDuration\":\"4s\"",
     "criteria[1]: a criterion was added: at least one b\n", RULE_CHANGE_UNCERTAIN},
    {"\"criteria\":[{\"event\":\"a\"}],\"membershipDuration\":\"4s\"",
     "\"criteria\":[{\"event\":\"a\"}],\"membershipDuration\":\"6s\",\"exclude\":[]",
     "membershipDuration: \"membershipDuration\" changed from 4s to 6s\n", RULE_CHANGE_WIDER},
    {"\"criteria\":[{\"event\":\"a\"}],\"membershipDuration\":\"4s\"",
     "\"criteria\":[{\"event\":\"a\"}],\"membershipDuration\":\"4s\",\"exclude\":[{\"event\":\"b\",\"window\":\"4s\"}]",
     "exclude[0]: an exclusion was added: at least one b in the last 4s\n", RULE_CHANGE_NARROWER},
    {"\"criteria\":[{\"event\":\"a\",\"window\":\"4s\"}]",
     "\"criteria\":[{\"event\":\"a\",\"window\":\"4s\"}],\"exclusionWindow\":\"3s\"",
     "exclusionWindow: \"exclusionWindow\" changed from none to 3s\n", RULE_CHANGE_NARROWER},
    {"\"criteria\":[{\"not\":{\"event\":\"a\",\"window\":\"4s\"}}]",
     "\"criteria\":[{\"not\":{\"event\":\"a\",\"window\":\"6s\"}}]",
     "criteria[0].not: the window changed from 4s to 6s\n", RULE_CHANGE_NARROWER},
    {"\"criteria\":[{\"any\":[{\"event\":\"a\",\"window\":\"4s\"}]}]",
     "\"criteria\":[{\"any\":[{\"event\":\"a\",\"window\":\"5s\"},{\"trait\":\"t\",\"=\":1}]}]",
     "criteria[0].any[0]: the window changed from 4s to 5s\n"
     "criteria[0].any[1]: an alternative was added: trait t = 1\n",
     RULE_CHANGE_WIDER},
    {"\"criteria\":[{\"event\":[\"a\",\"b\"],\"window\":\"5s\"}]",
     "\"criteria\":[{\"event\":\"a\",\"where\":[{\"property\":\"n\",\">\":0}],\"window\":\"5s\"}]",
     "criteria[0]: the events changed from a or b to a where n > 0\n", RULE_CHANGE_NARROWER},
    {"\"criteria\":[{\"sequence\":[{\"event\":\"a\"},{\"event\":\"b\"}],\"within\":\"3s\",\"window\":\"5s\"}]",
     "\"criteria\":[{\"sequence\":[{\"event\":\"a\"},{\"event\":\"b\"}],\"within\":\"4s\",\"window\":\"9s\"}]",
     "criteria[0]: the criterion changed from a, then b within 3s in the last 5s to a, then b within 4s in the last "
     "9s\n",
     RULE_CHANGE_WIDER},
    {"\"criteria\":[{\"event\":\"a\",\"notFollowedBy\":{\"event\":\"b\"},\"within\":\"2s\",\"window\":\"5s\"}]",
     "\"criteria\":[{\"event\":\"a\",\"notFollowedBy\":{\"event\":\"b\"},\"within\":\"2s\",\"window\":\"4s\"}]",
     "criteria[0]: the window changed from 5s to 4s\n", RULE_CHANGE_NARROWER},
    {"\"criteria\":[{\"event\":\"a\"}],\"owner\":\"x\",\"merge\":\"streaming_first\"",
     "\"criteria\":[{\"event\":\"a\"}],\"owner\":\"y\",\"merge\":\"last_writer_wins\",\"tags\":[\"q\"]",
     "owner: \"owner\" changed from \"x\" to \"y\"\ntags: the tags changed from none to q\n"
     "merge: \"merge\" changed from \"streaming_first\" to \"last_writer_wins\"\n",
     RULE_CHANGE_NONE},
};

struct versions {
    struct segment_set from;
    struct segment_set to;
    struct buffer words;
    enum rule_reach_change change;
};

static bool add_words(void *context, struct slice path, struct slice words, struct error *err)
{
    struct buffer *out = context;

    (void)err;
    buffer_append_slice(out, path);
    buffer_append_text(out, ": ");
    buffer_append_slice(out, words);
    buffer_append_char(out, '\n');
    return true;
}

static bool versions_read(struct versions *versions, const char *from, const char *to, struct error *err)
{
    char text[2][TEXT_SIZE];

    (void)snprintf(text[0], TEXT_SIZE, "{\"segmentId\":\"s\",%s}", from);
    (void)snprintf(text[1], TEXT_SIZE, "{\"segmentId\":\"s\",%s}", to);
    segment_set_init(&versions->from);
    segment_set_init(&versions->to);
    buffer_init(&versions->words, 1 << 16);
    return segment_set_add(&versions->from, SLICE_LITERAL("o"), slice_from(text[0]), 0, err) &&
           segment_set_add(&versions->to, SLICE_LITERAL("n"), slice_from(text[1]), 0, err) &&
           segment_set_check(&versions->from, err) && segment_set_check(&versions->to, err) &&
           rule_diff(&versions->from.definitions[0], &versions->to.definitions[0], add_words, &versions->words,
                     &versions->change, err) &&
           buffer_finish(&versions->words, "words", err);
}

static void versions_clear(struct versions *versions)
{
    segment_set_clear(&versions->from);
    segment_set_clear(&versions->to);
    buffer_clear(&versions->words);
}

START_TEST(changes_are_said_in_words)
{
    struct error err = ERROR_INIT;
    struct versions versions;

    ck_assert_ok(versions_read(&versions, pairs[_i].from, pairs[_i].to, &err));
    ck_assert_str_eq(buffer_text(&versions.words), pairs[_i].words);
    ck_assert_str_eq(rule_reach_change_name(versions.change), rule_reach_change_name(pairs[_i].change));
    versions_clear(&versions);
    ck_assert_ok(versions_read(&versions, pairs[_i].from, pairs[_i].from, &err));
    ck_assert_str_eq(buffer_text(&versions.words), "");
    ck_assert_int_eq((int)versions.change, (int)RULE_CHANGE_NONE);
    versions_clear(&versions);
}
END_TEST

/* ---- the meaning, tried ---- */

static unsigned next_random(unsigned *seed, unsigned below)
{
    *seed = *seed * 1103515245u + 12345u;
    return (*seed >> 16) % below;
}

static void random_events(unsigned seed, char texts[EVENTS_MAX][TEXT_SIZE])
{
    for (int i = 0; i < EVENTS_MAX; i++) {
        long time_ms = 1000L * (long)next_random(&seed, 30) + 1000000;

        if (next_random(&seed, 6) == 0) {
            (void)snprintf(texts[i], TEXT_SIZE,
                           "{\"type\":\"identify\",\"userId\":\"u\",\"timestamp\":%ld,\"traits\":{\"t\":%u}}", time_ms,
                           next_random(&seed, 3));
        } else {
            (void)snprintf(texts[i], TEXT_SIZE,
                           "{\"type\":\"track\",\"userId\":\"u\",\"timestamp\":%ld,\"event\":\"%c\",\"properties\":"
                           "{\"n\":%d}}",
                           time_ms, "abc"[next_random(&seed, 3)], (int)next_random(&seed, 4) - 1);
        }
    }
}

/* Membership at each second. */
static void members(const struct segment_set *set, char texts[EVENTS_MAX][TEXT_SIZE], bool *out, size_t count)
{
    struct error err = ERROR_INIT;
    struct ruleset *ruleset = NULL;
    struct evaluation *evaluation = NULL;
    struct user_state *state = NULL;
    struct json_document document;
    struct arena arena;

    json_document_init(&document);
    arena_init(&arena, 1 << 20);
    ck_assert_ok(ruleset_new(set, NULL, &ruleset, &err));
    ck_assert_ok(evaluation_new(ruleset, &evaluation, &err));
    ck_assert_ok(user_state_new(ruleset, &state, &err));
    for (int i = 0; i < EVENTS_MAX; i++) {
        enum quarantine_reason reason;
        enum fold_result result;
        struct event event;

        ck_assert_ok(event_decode(slice_from(texts[i]), &document, &arena, &event, &reason, &err));
        ck_assert_int_eq((int)reason, (int)QUARANTINE_NONE);
        ck_assert_ok(user_state_fold(ruleset, state, &event, evaluation, &result, NULL, &err));
    }
    for (size_t i = 0; i < count; i++) {
        struct membership membership;

        ck_assert_ok(
            user_state_membership(ruleset, state, 0, 999000 + 1000 * (int64_t)i, evaluation, &membership, &err));
        out[i] = membership.member;
    }
    user_state_free(state);
    evaluation_free(evaluation);
    ruleset_free(ruleset);
    json_document_clear(&document);
    arena_clear(&arena);
}

START_TEST(meaning_holds_on_random_events)
{
    static char texts[EVENTS_MAX][TEXT_SIZE];
    struct error err = ERROR_INIT;
    struct versions versions;
    bool before[48];
    bool after[48];
    size_t more = 0;
    size_t fewer = 0;

    ck_assert_ok(versions_read(&versions, pairs[_i].from, pairs[_i].to, &err));
    for (unsigned seed = 1; seed <= TRIES; seed++) {
        random_events(seed, texts);
        members(&versions.from, texts, before, 48);
        members(&versions.to, texts, after, 48);
        for (size_t i = 0; i < 48; i++) {
            more += after[i] && !before[i] ? 1 : 0;
            fewer += before[i] && !after[i] ? 1 : 0;
        }
    }
    if (versions.change == RULE_CHANGE_NARROWER || versions.change == RULE_CHANGE_NONE) {
        ck_assert_uint_eq(more, 0);
    }
    if (versions.change == RULE_CHANGE_WIDER || versions.change == RULE_CHANGE_NONE) {
        ck_assert_uint_eq(fewer, 0);
    }
    /* The events are rich enough to show each change. */
    ck_assert_msg(versions.change == RULE_CHANGE_NONE || more + fewer > 0, "no event shows the change");
    versions_clear(&versions);
}
END_TEST

static bool diff_scenario(void *context, struct error *err)
{
    struct versions versions;
    bool done;

    (void)context;
    done = versions_read(&versions, pairs[14].from, pairs[14].to, err);
    versions_clear(&versions);
    return done;
}

START_TEST(every_allocation_may_fail)
{
    unit_fail_each_allocation(diff_scenario, NULL);
}
END_TEST

Suite *rule_diff_suite(void)
{
    Suite *suite = suite_create("rule_diff");
    TCase *cases = tcase_create("rule_diff");

    tcase_add_loop_test(cases, changes_are_said_in_words, 0, COUNT_OF(pairs));
    tcase_add_loop_test(cases, meaning_holds_on_random_events, 0, COUNT_OF(pairs));
    tcase_add_test(cases, every_allocation_may_fail);
    suite_add_tcase(suite, cases);
    return suite;
}
