/* The lane's promises as properties of random logs: what is announced in the end is the truth, records do not depend on
 * where steps end, and a restart anywhere goes on with the records that would have come. */
#include "tests/unit/lane_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

Suite *lane_suite(void);

enum { INTERVALS_MAX = 400 };

/* The newest record of each user and segment says what is true at `at`. */
static void assert_truth(struct lane_fixture *fixture, struct lane *lane, const struct lane_journal *journal,
                         int64_t at, uint64_t seed)
{
    struct evaluation *evaluation = NULL;
    struct error err = ERROR_INIT;

    ck_assert(evaluation_new(fixture->ruleset, &evaluation, &err));
    for (unsigned u = 0; u < LANE_USERS; u++) {
        char id[8];
        struct lane_user *user;

        snprintf(id, sizeof id, "u%u", u);
        user = lane_find(lane, slice_from(id));
        for (size_t segment = 0; user != NULL && segment < fixture->set.definition_count; segment++) {
            const struct lane_record *newest = NULL;
            struct user_state *state = NULL;
            struct membership truth;

            for (size_t i = 0; i < journal->count; i++) {
                if (strcmp(journal->notes[i].user, id) == 0 && journal->notes[i].record.segment == segment) {
                    newest = &journal->notes[i].record;
                }
            }
            ck_assert(lane_user_state(lane, user, &state, &err));
            ck_assert(user_state_membership(fixture->ruleset, state, segment, at, evaluation, &truth, &err));
            ck_assert_msg((newest != NULL && newest->member) == truth.member, "seed %llu: %s in segment %zu: truth %d",
                          (unsigned long long)seed, id, segment, truth.member);
            ck_assert_msg(!truth.member || newest->entered_at == truth.entered_at,
                          "seed %llu: %s in segment %zu entered", (unsigned long long)seed, id, segment);
        }
    }
    evaluation_free(evaluation);
}

/* The memberships that the journal speaks of. An exit at the instant of the entry takes it back, an entry announced
 * again takes its exit back: the user's next event was of the same millisecond. */
static size_t find_declared(const struct lane_journal *journal, const char *id, size_t segment, struct interval *out)
{
    size_t count = 0;

    for (size_t i = 0; i < journal->count; i++) {
        const struct lane_record *record = &journal->notes[i].record;

        if (strcmp(journal->notes[i].user, id) != 0 || record->segment != segment) {
            continue;
        }
        if (record->member) {
            count += count == 0 || out[count - 1].entered_at != record->entered_at;
            ck_assert_uint_le(count, INTERVALS_MAX);
            out[count - 1] = (struct interval){.entered_at = record->entered_at, .left_at = TIMESTAMP_NEVER};
        } else {
            ck_assert_uint_gt(count, 0);
            out[count - 1].left_at = record->effective_at;
            count -= out[count - 1].left_at == out[count - 1].entered_at;
        }
    }
    return count;
}

/* Where a user's events come in their order, entries and exits are the intervals of the truth. */
static void assert_intervals(struct lane_fixture *fixture, struct lane *lane, const struct lane_journal *journal,
                             int64_t at, uint64_t seed)
{
    struct evaluation *evaluation = NULL;
    struct interval declared[INTERVALS_MAX];
    struct error err = ERROR_INIT;

    ck_assert(evaluation_new(fixture->ruleset, &evaluation, &err));
    for (unsigned u = 0; u < LANE_USERS; u++) {
        char id[8];
        struct lane_user *user;

        snprintf(id, sizeof id, "u%u", u);
        user = lane_find(lane, slice_from(id));
        for (size_t segment = 0; user != NULL && segment < fixture->set.definition_count; segment++) {
            const struct interval *intervals = NULL;
            size_t count = 0;
            struct user_state *state = NULL;

            ck_assert(lane_user_state(lane, user, &state, &err));
            ck_assert(user_state_history(fixture->ruleset, state, segment, at, evaluation, &intervals, &count, &err));
            ck_assert_msg(find_declared(journal, id, segment, declared) == count,
                          "seed %llu: %s in segment %zu: not %zu intervals", (unsigned long long)seed, id, segment,
                          count);
            for (size_t i = 0; i < count; i++) {
                int64_t left_at = intervals[i].left_at > at ? TIMESTAMP_NEVER : intervals[i].left_at;

                ck_assert_msg(declared[i].entered_at == intervals[i].entered_at && declared[i].left_at == left_at,
                              "seed %llu: %s in segment %zu: interval %zu from %lld", (unsigned long long)seed, id,
                              segment, i, (long long)intervals[i].entered_at);
            }
        }
    }
    evaluation_free(evaluation);
}

static void finish(struct lane *lane, struct lane_journal *journal, int64_t at)
{
    struct lane_sink sink = {.emit = lane_fixture_note, .context = journal};
    struct error err = ERROR_INIT;

    ck_assert(lane_advance(lane, at, &sink, &err));
}

/* Some time after the newest event, so that time alone still has something to say. */
static int64_t end_of(const struct lane_fixture *fixture)
{
    int64_t newest_ms = 0;

    for (size_t i = 0; i < LANE_EVENTS; i++) {
        newest_ms = fixture->messages[i].time_ms > newest_ms ? fixture->messages[i].time_ms : newest_ms;
    }
    return newest_ms + 25 * LANE_MINUTE;
}

static struct lane_journal whole;
static struct lane_journal other;
static struct lane_journal rest;

/* Half of the runs have builds that become complete on the way. */
static void complete_late(struct lane_fixture *fixture, bool late)
{
    for (size_t i = 0; i < fixture->set.definition_count; i++) {
        fixture->segments[i].complete_from_ms = late ? fixture->messages[LANE_EVENTS / 2].time_ms : TIMESTAMP_ALWAYS;
    }
}

static void records_do_not_depend_on_steps_of(uint64_t seed, unsigned disorder, int64_t lateness_ms)
{
    struct lane_fixture fixture;
    int64_t end_ms;

    lane_fixture_seed(seed + 1);
    lane_fixture_open(&fixture);
    lane_fixture_messages(&fixture, LANE_EVENTS, disorder);
    complete_late(&fixture, seed % 4 == 3);
    end_ms = end_of(&fixture);
    for (size_t step = 1; step <= LANE_EVENTS; step = step * 3 + 1) {
        struct lane *lane = lane_fixture_lane(&fixture, lateness_ms);
        struct watermark watermark = lane_fixture_watermark();
        struct lane_journal *journal = step == 1 ? &whole : &other;

        journal->count = 0;
        lane_fixture_feed(&fixture, lane, &watermark, 0, LANE_EVENTS, step, journal);
        finish(lane, journal, end_ms);
        assert_truth(&fixture, lane, journal, end_ms, seed);
        if (disorder == 0) {
            assert_intervals(&fixture, lane, journal, end_ms, seed);
        }
        if (step > 1) {
            lane_fixture_assert_same(&whole, &other, "steps", seed, step);
        }
        lane_free(lane);
    }
    ck_assert_uint_gt(whole.count, LANE_EVENTS / 4);
    lane_fixture_close(&fixture);
}

START_TEST(records_do_not_depend_on_steps)
{
    records_do_not_depend_on_steps_of((uint64_t)_i, _i % 2 == 1 ? 40 : 0, 0);
}
END_TEST

/* What is late depends on what was pruned, so pruning must not depend on steps either. */
START_TEST(lateness_does_not_depend_on_steps)
{
    records_do_not_depend_on_steps_of((uint64_t)_i, 240, (60 + _i % 90) * LANE_MINUTE);
}
END_TEST

/* A second life: folds what the first one had read, and knows what it had announced. */
static void restart(struct lane_fixture *fixture, struct lane *lane, size_t at, const struct lane_journal *journal,
                    int64_t watermark_ms, struct lane_journal *into)
{
    struct lane_sink sink = {.emit = lane_fixture_note, .context = into};
    struct error err = ERROR_INIT;

    for (size_t i = 0; i < at; i++) {
        struct event event = lane_fixture_decode(fixture, i);
        struct lane_user *user = NULL;
        ck_assert(lane_add(lane, event.user, &user, &err));
        ck_assert(lane_fold(lane, user, &event, 0, (int64_t)i, &err));
    }
    for (size_t i = 0; i < journal->count; i++) {
        ck_assert(lane_announced_set(lane, lane_find(lane, slice_from(journal->notes[i].user)),
                                     &journal->notes[i].record, &err));
    }
    ck_assert(lane_start(lane, watermark_ms, &sink, &err));
}

START_TEST(a_restart_goes_on_as_if_nothing_had_happened)
{
    struct lane_fixture fixture;
    uint64_t seed = (uint64_t)_i;
    int64_t lateness_ms = _i % 4 < 2 ? 0 : 40 * LANE_MINUTE; /* pruned, but nothing is late */

    lane_fixture_seed(seed + 1000);
    lane_fixture_open(&fixture);
    lane_fixture_messages(&fixture, LANE_EVENTS, _i % 2 == 1 ? 40 : 0);
    complete_late(&fixture, seed % 3 == 2);
    for (size_t at = 1; at < LANE_EVENTS; at++) {
        struct lane *first = lane_fixture_lane(&fixture, lateness_ms);
        struct lane *second = lane_fixture_lane(&fixture, lateness_ms);
        struct watermark watermark = lane_fixture_watermark();
        struct watermark kept;
        size_t written;

        whole.count = 0;
        rest.count = 0;
        lane_fixture_feed(&fixture, first, &watermark, 0, at, 1, &whole);
        kept = watermark;
        written = whole.count;
        restart(&fixture, second, at, &whole, kept.value_ms, &rest);
        ck_assert_msg(rest.count == 0, "seed %llu: a restart at %zu wrote %zu records (%s, segment %zu)",
                      (unsigned long long)seed, at, rest.count, rest.notes[0].user, rest.notes[0].record.segment);
        lane_fixture_feed(&fixture, first, &watermark, at, LANE_EVENTS, 1, &whole);
        finish(first, &whole, end_of(&fixture));
        lane_fixture_feed(&fixture, second, &kept, at, LANE_EVENTS, 5, &rest);
        finish(second, &rest, end_of(&fixture));
        ck_assert_uint_eq(lane_counts(first).late + lane_counts(second).late, 0);
        other.count = whole.count - written;
        memcpy(other.notes, whole.notes + written, other.count * sizeof other.notes[0]);
        lane_fixture_assert_same(&other, &rest, "restart", seed, at);
        lane_free(first);
        lane_free(second);
    }
    lane_fixture_close(&fixture);
}
END_TEST

START_TEST(a_new_build_announces_members_once)
{
    struct lane_fixture fixture;
    struct watermark watermark = lane_fixture_watermark();
    struct lane *lane;

    lane_fixture_seed(42);
    lane_fixture_open(&fixture);
    lane_fixture_messages(&fixture, LANE_EVENTS, 0);
    for (size_t i = 0; i < fixture.set.definition_count; i++) {
        fixture.segments[i].is_new = true;
    }
    lane = lane_fixture_lane(&fixture, 0);
    whole.count = 0;
    other.count = 0;
    watermark_move(&watermark, fixture.messages[LANE_EVENTS - 1].time_ms);
    restart(&fixture, lane, LANE_EVENTS, &other, watermark.value_ms, &whole);
    assert_truth(&fixture, lane, &whole, watermark.value_ms, 42);
    for (size_t i = 0; i < whole.count; i++) {
        ck_assert(whole.notes[i].record.member);
        ck_assert_int_eq(whole.notes[i].record.effective_at, watermark.value_ms);
    }
    ck_assert_uint_gt(whole.count, 0);
    lane_free(lane);
    lane_fixture_close(&fixture);
}
END_TEST

START_TEST(nothing_is_written_without_consent_and_all_again_with_a_new_grant)
{
    struct lane_fixture fixture;
    struct watermark watermark = lane_fixture_watermark();
    struct lane_sink sink = {.emit = lane_fixture_note, .context = &whole};
    struct error err = ERROR_INIT;
    struct lane_user *user;
    struct lane *lane;
    size_t before;

    lane_fixture_seed(7);
    lane_fixture_open(&fixture);
    lane_fixture_messages(&fixture, LANE_EVENTS, 0);
    for (size_t i = 1; i < fixture.set.definition_count; i++) {
        fixture.segments[i].purpose = 0;
    }
    lane = lane_fixture_lane_of(&fixture, (struct lane_options){.purpose_count = 1});
    whole.count = 0;
    lane_fixture_feed(&fixture, lane, &watermark, 0, LANE_EVENTS, 7, &whole);
    for (size_t i = 0; i < whole.count; i++) {
        ck_assert_uint_eq(whole.notes[i].record.segment, 0);
        ck_assert_int_eq(whole.notes[i].record.grant_no, 0);
    }
    user = lane_find(lane, slice_from("u0"));
    before = whole.count;
    ck_assert(lane_grant_set(lane, user, 0, 5, watermark.value_ms, &sink, &err));
    ck_assert_uint_gt(whole.count, before);
    for (size_t i = before; i < whole.count; i++) {
        ck_assert(whole.notes[i].record.member);
        ck_assert_int_eq(whole.notes[i].record.grant_no, 5);
    }
    before = whole.count;
    ck_assert(lane_grant_set(lane, user, 0, 0, watermark.value_ms, &sink, &err));
    ck_assert_uint_eq(whole.count, before);
    ck_assert(lane_grant_set(lane, user, 0, 6, watermark.value_ms, &sink, &err));
    ck_assert_uint_gt(whole.count, before);
    ck_assert_int_eq(whole.notes[before].record.grant_no, 6);
    lane_free(lane);
    lane_fixture_close(&fixture);
}
END_TEST

START_TEST(a_user_beyond_the_cap_turns_uncertain_once)
{
    struct lane_fixture fixture;
    struct watermark watermark = lane_fixture_watermark();
    size_t uncertain = 0;
    struct lane *lane;

    lane_fixture_seed(7);
    lane_fixture_open(&fixture);
    lane_fixture_messages(&fixture, LANE_EVENTS, 0);
    lane = lane_fixture_lane_of(&fixture, (struct lane_options){.user_events_max = 4});
    whole.count = 0;
    lane_fixture_feed(&fixture, lane, &watermark, 0, LANE_EVENTS, 7, &whole);
    for (size_t i = 0; i < whole.count; i++) {
        uncertain += whole.notes[i].record.uncertain_until == TIMESTAMP_NEVER;
    }
    ck_assert_uint_eq(lane_counts(lane).users_capped, LANE_USERS);
    ck_assert_uint_eq(uncertain, LANE_USERS * fixture.set.definition_count);
    lane_free(lane);
    lane_fixture_close(&fixture);
}
END_TEST

struct pruned {
    struct lane *lane;
    size_t count;
};

static bool count_pruned(void *context, struct lane_user *user, struct error *err)
{
    struct pruned *pruned = context;
    struct user_state *state = NULL;

    ck_assert(lane_user_state(pruned->lane, user, &state, err));
    pruned->count += user_state_final(state) != TIMESTAMP_ALWAYS;
    return true;
}

static size_t pruned_users(struct lane *lane)
{
    struct pruned pruned = {.lane = lane};
    struct error err = ERROR_INIT;

    ck_assert(lane_each(lane, count_pruned, &pruned, &err));
    return pruned.count;
}

START_TEST(pruning_changes_no_record)
{
    struct lane_fixture fixture;
    size_t pruned = 0;

    lane_fixture_seed((uint64_t)_i + 901);
    lane_fixture_open(&fixture);
    lane_fixture_messages(&fixture, LANE_EVENTS_MAX, 40);
    for (int64_t lateness_ms = 0; lateness_ms <= 40 * LANE_MINUTE; lateness_ms += 40 * LANE_MINUTE) {
        struct lane *lane = lane_fixture_lane(&fixture, lateness_ms);
        struct watermark watermark = lane_fixture_watermark();
        struct lane_journal *journal = lateness_ms == 0 ? &whole : &other;

        journal->count = 0;
        lane_fixture_feed(&fixture, lane, &watermark, 0, LANE_EVENTS_MAX, 3, journal);
        finish(lane, journal, fixture.messages[LANE_EVENTS_MAX - 1].time_ms + 25 * LANE_MINUTE);
        ck_assert_uint_eq(lane_counts(lane).late, 0);
        pruned = pruned_users(lane);
        lane_free(lane);
    }
    ck_assert_uint_eq(pruned, LANE_USERS);
    lane_fixture_assert_same(&whole, &other, "pruning", (uint64_t)_i, 0);
    lane_fixture_close(&fixture);
}
END_TEST

/* Of each segment the newest uncertain_until in the journal of the user u. */
static void find_uncertain(const struct lane_journal *journal, int64_t uncertain[16])
{
    for (size_t i = 0; i < 16; i++) {
        uncertain[i] = TIMESTAMP_ALWAYS;
    }
    for (size_t i = 0; i < journal->count; i++) {
        if (strcmp(journal->notes[i].user, "u") == 0) {
            uncertain[journal->notes[i].record.segment] = journal->notes[i].record.uncertain_until;
        }
    }
}

START_TEST(a_late_event_makes_uncertain_what_it_could_change)
{
    enum { RECENT, OFTEN, ABANDONED, SUM, SILENT, NOT_RECENT, TRAIT, COUNT };
    struct lane_fixture fixture;
    struct watermark watermark = lane_fixture_watermark();
    struct lane_sink sink = {.emit = lane_fixture_note, .context = &whole};
    struct error err = ERROR_INIT;
    int64_t start_ms = 1000 * LANE_MINUTE;
    int64_t uncertain[16];
    struct lane *lane;

    lane_fixture_open(&fixture);
    for (int i = 0; i < 24; i++) {
        /* The last one is a purchase that comes almost two hours late. */
        struct lane_message *message = &fixture.messages[i];

        message->time_ms = start_ms + (i == 23 ? 105 : i * 10) * LANE_MINUTE;
        (void)snprintf(message->text, LANE_TEXT_SIZE,
                       "{\"type\":\"track\",\"messageId\":\"m%d\",\"userId\":\"u\",\"timestamp\":%lld,"
                       "\"event\":\"%s\",\"properties\":{\"v\":1}}",
                       i, (long long)message->time_ms, i == 23 ? "b" : "a");
    }
    lane = lane_fixture_lane(&fixture, 30 * LANE_MINUTE);
    whole.count = 0;
    lane_fixture_feed(&fixture, lane, &watermark, 0, 23, 1, &whole);
    ck_assert_uint_eq(pruned_users(lane), 1);
    find_uncertain(&whole, uncertain);
    for (size_t i = 0; i < COUNT; i++) {
        ck_assert_int_eq(uncertain[i], TIMESTAMP_ALWAYS);
    }
    whole.count = 0;
    lane_fixture_feed(&fixture, lane, &watermark, 23, 24, 1, &whole);
    ck_assert_uint_eq(lane_counts(lane).late, 1);
    find_uncertain(&whole, uncertain);
    ck_assert_int_eq(uncertain[RECENT], TIMESTAMP_ALWAYS);
    ck_assert_int_eq(uncertain[OFTEN], TIMESTAMP_ALWAYS);
    ck_assert_int_eq(uncertain[ABANDONED], start_ms + (105 + 20 + 120) * LANE_MINUTE);
    ck_assert_int_eq(uncertain[SUM], start_ms + (105 + 120) * LANE_MINUTE);
    ck_assert_int_eq(uncertain[SILENT], TIMESTAMP_NEVER);
    ck_assert_int_eq(uncertain[TRAIT], TIMESTAMP_ALWAYS);
    ck_assert_uint_eq(whole.count, 3);

    /* Time alone makes the first two certain again; the others need the state rebuilt. */
    ck_assert(lane_advance(lane, start_ms + 224 * LANE_MINUTE, &sink, &err));
    find_uncertain(&whole, uncertain);
    ck_assert_int_gt(uncertain[SUM], start_ms);
    ck_assert(lane_advance(lane, start_ms + 245 * LANE_MINUTE, &sink, &err));
    find_uncertain(&whole, uncertain);
    ck_assert_int_eq(uncertain[SUM], TIMESTAMP_ALWAYS);
    ck_assert_int_eq(uncertain[ABANDONED], TIMESTAMP_ALWAYS);
    ck_assert_int_eq(uncertain[SILENT], TIMESTAMP_NEVER);
    lane_free(lane);

    lane = lane_fixture_lane(&fixture, 30 * LANE_MINUTE);
    other.count = 0;
    restart(&fixture, lane, 24, &whole, start_ms + 245 * LANE_MINUTE, &other);
    find_uncertain(&other, uncertain);
    ck_assert_int_eq(uncertain[SILENT], TIMESTAMP_ALWAYS);
    ck_assert_uint_gt(other.count, 0);
    lane_free(lane);
    lane_fixture_close(&fixture);
}
END_TEST

/* Neither an event that is still under way nor the history that a restart reads counts against the cap. */
START_TEST(the_cap_is_for_what_pruning_leaves)
{
    enum { CAP = 100, CAP_TOO_LOW = 40 };
    struct lane_fixture fixture;
    struct lane_options options;
    struct error err = ERROR_INIT;

    lane_fixture_open(&fixture);
    for (int i = 0; i < LANE_EVENTS_MAX; i++) {
        fixture.messages[i].time_ms = (1000 + 3 * i) * LANE_MINUTE;
        (void)snprintf(fixture.messages[i].text, LANE_TEXT_SIZE,
                       "{\"type\":\"track\",\"userId\":\"u\",\"timestamp\":%lld,\"event\":\"a\",\"properties\":{"
                       "\"v\":1}}",
                       (long long)fixture.messages[i].time_ms);
    }
    options = (struct lane_options){.ruleset = fixture.ruleset,
                                    .segments = fixture.segments,
                                    .lateness_ms = 30 * LANE_MINUTE};
    for (size_t i = 0; i < 2; i++) {
        struct watermark watermark = lane_fixture_watermark();
        struct lane *lane = NULL;

        options.user_events_max = i == 0 ? CAP : CAP_TOO_LOW;
        ck_assert(lane_new(&options, &lane, &err));
        whole.count = 0;
        lane_fixture_feed(&fixture, lane, &watermark, 0, LANE_EVENTS_MAX, 1, &whole);
        ck_assert_uint_eq(lane_counts(lane).users_capped, i);
        lane_free(lane);

        ck_assert(lane_new(&options, &lane, &err));
        other.count = 0;
        restart(&fixture, lane, LANE_EVENTS_MAX, &whole, watermark.value_ms, &other);
        ck_assert_uint_eq(lane_counts(lane).users_capped, i);
        ck_assert_uint_eq(other.count, 0);
        lane_free(lane);
    }
    lane_fixture_close(&fixture);
}
END_TEST

/* What the segments of the user u say when a copy of a message from topic `first` comes from `second`. */
static void read_copies(struct lane_fixture *fixture, int16_t first, int16_t second, bool live, int64_t uncertain[16])
{
    const int16_t topics[] = {0, first, 0, second};
    struct lane_sink sink = {.emit = lane_fixture_note, .context = &whole};
    struct error err = ERROR_INIT;
    struct lane *lane = lane_fixture_lane(fixture, 0);

    whole.count = 0;
    for (size_t i = 0; i < 4; i++) {
        struct event event = lane_fixture_decode(fixture, i);
        struct lane_user *user = NULL;
        ck_assert(lane_add(lane, event.user, &user, &err));
        ck_assert(live ? lane_event(lane, user, &event, topics[i], (int64_t)i, TIMESTAMP_ALWAYS, &sink, &err)
                       : lane_fold(lane, user, &event, topics[i], (int64_t)i, &err));
    }
    ck_assert(live || lane_start(lane, 1000 * LANE_MINUTE, &sink, &err));
    ck_assert_uint_eq(lane_counts(lane).copies_different, 1);
    find_uncertain(&whole, uncertain);
    lane_free(lane);
}

START_TEST(a_copy_that_the_log_has_before_the_one_held_makes_uncertain)
{
    enum { TRAIT = 6, COUNT = 7 };
    static const char *const parts[][3] = {{"0", "u", "d"},
                                           {"1", "u", "a"},
                                           {"2", "other", "d"},
                                           {"1", "u", "c"}}; /* message, user, event */
    struct lane_fixture fixture;
    int64_t uncertain[16];

    lane_fixture_open(&fixture);
    for (int i = 0; i < 4; i++) {
        (void)
            snprintf(fixture.messages[i].text, LANE_TEXT_SIZE,
                     "{\"type\":\"track\",\"messageId\":\"%s\",\"userId\":\"%s\",\"timestamp\":%lld,\"event\":\"%s\"}",
                     parts[i][0], parts[i][1], (long long)(1000 + (i > 0)) * LANE_MINUTE, parts[i][2]);
    }
    for (int i = 0; i < 14; i++) {
        static const int16_t topics[][2] = {{0, 0}, {0, 1}, {1, 2}, {-1, 0}, {1, 0}, {2, 1}, {0, -1}};
        int64_t expected = i % 7 < 4 ? TIMESTAMP_ALWAYS : TIMESTAMP_NEVER;

        read_copies(&fixture, topics[i % 7][0], topics[i % 7][1], i < 7, uncertain);
        for (size_t segment = 0; segment < COUNT; segment++) {
            ck_assert_int_eq(uncertain[segment], segment == TRAIT ? TIMESTAMP_ALWAYS : expected);
        }
    }
    lane_fixture_close(&fixture);
}
END_TEST

START_TEST(a_first_event_of_the_past_writes_nothing)
{
    struct lane_fixture fixture;
    struct watermark watermark = lane_fixture_watermark();
    struct lane *lane;

    lane_fixture_open(&fixture);
    for (int i = 0; i < 2; i++) {
        fixture.messages[i].time_ms = (1000 - 600 * i) * LANE_MINUTE;
        (void)snprintf(fixture.messages[i].text, LANE_TEXT_SIZE,
                       "{\"type\":\"track\",\"messageId\":\"m%d\",\"userId\":\"u%d\",\"timestamp\":%lld,"
                       "\"event\":\"a\"}",
                       i, i, (long long)fixture.messages[i].time_ms);
    }
    lane = lane_fixture_lane(&fixture, 60 * LANE_MINUTE);
    whole.count = 0;
    lane_fixture_feed(&fixture, lane, &watermark, 0, 1, 1, &whole);
    whole.count = 0;
    lane_fixture_feed(&fixture, lane, &watermark, 1, 2, 1, &whole);
    for (size_t i = 0; i < whole.count; i++) {
        /* It has long left the windows: what holds is what no lately event can deny. */
        ck_assert(whole.notes[i].record.member);
        ck_assert(whole.notes[i].record.segment == 4 || whole.notes[i].record.segment == 5);
    }
    ck_assert_uint_eq(lane_counts(lane).late, 0);
    lane_free(lane);
    lane_fixture_close(&fixture);
}
END_TEST

START_TEST(records_turn_certain_when_the_build_is_complete)
{
    struct lane_fixture fixture;
    struct watermark watermark = lane_fixture_watermark();
    int64_t complete_from;
    size_t turned = 0;
    struct lane *lane;

    lane_fixture_seed(7);
    lane_fixture_open(&fixture);
    lane_fixture_messages(&fixture, LANE_EVENTS, 0);
    complete_from = fixture.messages[LANE_EVENTS / 2].time_ms;
    for (size_t i = 0; i < fixture.set.definition_count; i++) {
        fixture.segments[i].complete_from_ms = complete_from;
    }
    lane = lane_fixture_lane(&fixture, 0);
    whole.count = 0;
    lane_fixture_feed(&fixture, lane, &watermark, 0, LANE_EVENTS, 1, &whole);
    for (size_t i = 0; i < whole.count; i++) {
        const struct lane_record *record = &whole.notes[i].record;
        ck_assert(!record->certain || record->effective_at >= complete_from || record->entered_at < complete_from);
        turned += record->certain && record->member && record->effective_at >= complete_from &&
                  record->entered_at < complete_from;
    }
    ck_assert_uint_gt(turned, 0);
    lane_free(lane);
    lane_fixture_close(&fixture);
}
END_TEST

/* Rule 3: one record per event and two per validity announced at most. */
START_TEST(renewals_come_at_half_of_the_validity)
{
    struct lane_fixture fixture;
    struct watermark watermark = lane_fixture_watermark();
    struct lane_journal *journal = &whole;
    struct lane *lane;
    size_t renewals = 0;

    lane_fixture_open(&fixture);
    lane = lane_fixture_lane(&fixture, 0);
    for (size_t i = 0; i < LANE_EVENTS; i++) { /* an event a minute: "recent" is extended by each, 30 minutes ahead */
        fixture.messages[i].time_ms = (int64_t)(1000 + i) * LANE_MINUTE;
        snprintf(fixture.messages[i].text, LANE_TEXT_SIZE,
                 "{\"type\":\"track\",\"userId\":\"u0\",\"timestamp\":%lld,\"event\":\"a\"}",
                 (long long)fixture.messages[i].time_ms);
    }
    journal->count = 0;
    lane_fixture_feed(&fixture, lane, &watermark, 0, LANE_EVENTS, 1, journal);
    for (size_t i = 0; i < journal->count; i++) {
        const struct lane_record *record = &journal->notes[i].record;
        if (record->segment == 0) {
            ck_assert_int_eq(record->effective_at, (int64_t)(1000 + 15 * renewals) * LANE_MINUTE);
            ck_assert_int_eq(record->valid_until, record->effective_at + 30 * LANE_MINUTE);
            renewals++;
        }
    }
    ck_assert_uint_eq(renewals, LANE_EVENTS / 15);
    lane_free(lane);
    lane_fixture_close(&fixture);
}
END_TEST

Suite *lane_suite(void)
{
    Suite *suite = suite_create("lane");
    TCase *tcase = tcase_create("records");
    int effort = getenv("MUSTER_TEST_LONG") != NULL ? 10 : 1;

    tcase_add_loop_test(tcase, records_do_not_depend_on_steps, 0, 100 * effort);
    tcase_add_loop_test(tcase, lateness_does_not_depend_on_steps, 0, 60 * effort);
    tcase_add_loop_test(tcase, a_restart_goes_on_as_if_nothing_had_happened, 0, 12 * effort);
    tcase_add_test(tcase, a_new_build_announces_members_once);
    tcase_add_test(tcase, nothing_is_written_without_consent_and_all_again_with_a_new_grant);
    tcase_add_test(tcase, a_user_beyond_the_cap_turns_uncertain_once);
    tcase_add_loop_test(tcase, pruning_changes_no_record, 0, 60);
    tcase_add_test(tcase, a_late_event_makes_uncertain_what_it_could_change);
    tcase_add_test(tcase, the_cap_is_for_what_pruning_leaves);
    tcase_add_test(tcase, a_copy_that_the_log_has_before_the_one_held_makes_uncertain);
    tcase_add_test(tcase, a_first_event_of_the_past_writes_nothing);
    tcase_add_test(tcase, records_turn_certain_when_the_build_is_complete);
    tcase_add_test(tcase, renewals_come_at_half_of_the_validity);
    suite_add_tcase(suite, tcase);
    return suite;
}
