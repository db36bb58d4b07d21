/* The lane's promises as properties of random logs: what is announced in the end is the truth, records do not depend on
 * where steps end, and a restart anywhere goes on with the records that would have come. */
#include "common/domain/lane.h"

#include "common/domain/rule_parse.h"
#include "common/domain/watermark.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

Suite *lane_suite(void);

enum {
    EVENTS = 120,
    EVENTS_MAX = 150,
    USERS = 3,
    RECORDS_MAX = 6000,
    INTERVALS_MAX = 400,
    TEXT_SIZE = 256,
    MINUTE = 60000,
    BOUND = 5 * MINUTE
};

static const char definitions[] =
    "[{\"segmentId\":\"recent\",\"criteria\":[{\"event\":\"a\",\"window\":\"30m\"}]},"
    "{\"segmentId\":\"often\",\"criteria\":[{\"event\":\"a\",\"window\":\"1h\",\"count\":{\">=\":3}}]},"
    "{\"segmentId\":\"abandoned\",\"criteria\":[{\"event\":\"a\",\"window\":\"20m\",\"condition\":\"no_b_after\"}],"
    "\"membershipDuration\":\"2h\"},"
    "{\"segmentId\":\"sum\",\"criteria\":[{\"event\":[\"a\",\"b\"],\"window\":\"2h\",\"sum\":{\"property\":\"v\",\">\":"
    "10}}],"
    "\"exclude\":[{\"event\":\"c\",\"window\":\"10m\"}]},"
    "{\"segmentId\":\"silent\",\"criteria\":[{\"not\":{\"event\":\"*\",\"window\":\"40m\"}}]},"
    "{\"segmentId\":\"not_recent\",\"criteria\":[{\"not\":{\"segment\":\"recent\"}}],\"exclusionWindow\":\"15m\"},"
    "{\"segmentId\":\"trait\",\"criteria\":[{\"trait\":\"tier\",\"=\":\"gold\"}]}]";

struct message {
    char text[TEXT_SIZE];
    int64_t time_ms;
};

struct note {
    char user[8];
    struct lane_record record;
};

struct journal {
    struct note notes[RECORDS_MAX];
    size_t count;
};

struct fixture {
    struct segment_set set;
    struct ruleset *ruleset;
    struct lane_segment segments[16];
    struct json_document document;
    struct arena arena;
    struct message messages[EVENTS_MAX];
};

static uint64_t random_state;

static unsigned random_below(unsigned count)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(random_state >> 33) % count;
}

/* A quarter of the messages come up to so many minutes late; 0: none. */
static void make_messages(struct fixture *fixture, size_t count, unsigned disorder)
{
    static const char *const names[] = {"a", "a", "b", "c", "d"};
    int64_t now_ms = 1000 * MINUTE;

    for (size_t i = 0; i < count; i++) {
        struct message *message = &fixture->messages[i];
        unsigned user = random_below(USERS);

        now_ms += (int64_t)random_below(9) * MINUTE;
        message->time_ms =
            now_ms - (disorder > 0 && random_below(4) == 0 ? (int64_t)random_below(disorder) * MINUTE : 0);
        if (random_below(8) == 0) {
            snprintf(message->text, TEXT_SIZE,
                     "{\"type\":\"identify\",\"messageId\":\"m%zu\",\"userId\":\"u%u\",\"timestamp\":%lld,\"traits\":{"
                     "\"tier\":\"%s\"}}",
                     i, user, (long long)message->time_ms, random_below(2) == 0 ? "gold" : "tin");
        } else {
            snprintf(
                message->text, TEXT_SIZE,
                "{\"type\":\"track\",\"messageId\":\"m%zu\",\"userId\":\"u%u\",\"timestamp\":%lld,\"event\":\"%s\","
                "\"properties\":{\"v\":%u}}",
                i, user, (long long)message->time_ms, names[random_below(5)], random_below(9));
        }
    }
}

static void open_fixture(struct fixture *fixture)
{
    struct ruleset_options options = {.dedup_ms = 24 * 60 * MINUTE};
    struct error err = ERROR_INIT;

    segment_set_init(&fixture->set);
    json_document_init(&fixture->document);
    arena_init(&fixture->arena, 1 << 20);
    ck_assert_msg(segment_set_add(&fixture->set, slice_from("test.json"), slice_from(definitions), 0, &err), "%s",
                  err.message);
    ck_assert_msg(segment_set_check(&fixture->set, &err), "%s", err.message);
    ck_assert_msg(ruleset_new(&fixture->set, &options, &fixture->ruleset, &err), "%s", err.message);
    for (size_t i = 0; i < fixture->set.definition_count; i++) {
        fixture->segments[i] = (struct lane_segment){.purpose = LANE_NO_PURPOSE, .complete_from_ms = TIMESTAMP_ALWAYS};
    }
}

static void close_fixture(struct fixture *fixture)
{
    ruleset_free(fixture->ruleset);
    segment_set_clear(&fixture->set);
    json_document_clear(&fixture->document);
    arena_clear(&fixture->arena);
}

static struct lane *make_lane_of(struct fixture *fixture, struct lane_options options)
{
    struct error err = ERROR_INIT;
    struct lane *lane = NULL;

    options.ruleset = fixture->ruleset;
    options.segments = fixture->segments;
    ck_assert_msg(lane_new(&options, &lane, &err), "%s", err.message);
    return lane;
}

static struct lane *make_lane(struct fixture *fixture, int64_t lateness_ms)
{
    return make_lane_of(fixture, (struct lane_options){.lateness_ms = lateness_ms});
}

static bool note_record(void *context, const struct lane_record *record, struct error *err)
{
    struct journal *journal = context;
    struct note *note = &journal->notes[journal->count];
    struct slice id = lane_user_id(record->user);

    (void)err;
    ck_assert_uint_lt(journal->count, RECORDS_MAX);
    journal->count++;
    memset(note, 0, sizeof *note);
    memcpy(note->user, id.data, id.size);
    note->record = *record;
    note->record.user = NULL;
    return true;
}

static struct event decode(struct fixture *fixture, size_t index)
{
    enum quarantine_reason reason = QUARANTINE_NONE;
    struct error why = ERROR_INIT;
    struct event event;

    arena_reset(&fixture->arena);
    ck_assert(event_decode(slice_from(fixture->messages[index].text), &fixture->document, &fixture->arena, &event,
                           &reason, &why));
    ck_assert_msg(reason == QUARANTINE_NONE, "%s", why.message);
    return event;
}

/* Feeds messages [begin, end); a step ends after every `step` of them. */
static void feed(struct fixture *fixture, struct lane *lane, struct watermark *watermark, size_t begin, size_t end,
                 size_t step, struct journal *journal)
{
    struct lane_sink sink = {.emit = note_record, .context = journal};
    struct error err = ERROR_INIT;

    for (size_t i = begin; i < end; i++) {
        struct event event = decode(fixture, i);
        struct lane_user *user = NULL;

        ck_assert(lane_add(lane, event.user, &user, &err));
        ck_assert_msg(lane_event(lane, user, &event, 0, (int64_t)i, watermark->value_ms, &sink, &err), "%s",
                      err.message);
        watermark_event(watermark, 0, event.time_ms);
        if ((i + 1) % step == 0) {
            ck_assert(lane_advance(lane, watermark->value_ms, &sink, &err));
        }
    }
}

static struct watermark begin_watermark(void)
{
    struct watermark watermark;

    watermark_init(&watermark, 1, BOUND, TIMESTAMP_ALWAYS);
    return watermark;
}

static int compare_notes(const void *a, const void *b)
{
    const struct note *left = a;
    const struct note *right = b;
    int order = strcmp(left->user, right->user);

    if (order == 0) {
        order = (left->record.segment > right->record.segment) - (left->record.segment < right->record.segment);
    }
    return order;
}

/* Sorted by user and segment, keeping the order of each. */
static void sort_journal(struct journal *journal)
{
    for (size_t i = 1; i < journal->count; i++) {
        struct note note = journal->notes[i];
        size_t at = i;
        for (; at > 0 && compare_notes(&journal->notes[at - 1], &note) > 0; at--) {
            journal->notes[at] = journal->notes[at - 1];
        }
        journal->notes[at] = note;
    }
}

static void assert_same(struct journal *expected, struct journal *actual, const char *what, uint64_t seed, size_t at)
{
    sort_journal(expected);
    sort_journal(actual);
    ck_assert_msg(expected->count == actual->count, "%s, seed %llu, at %zu: %zu records, expected %zu", what,
                  (unsigned long long)seed, at, actual->count, expected->count);
    for (size_t i = 0; i < expected->count; i++) {
        const struct lane_record *e = &expected->notes[i].record;
        const struct lane_record *a = &actual->notes[i].record;
        ck_assert_msg(compare_notes(&expected->notes[i], &actual->notes[i]) == 0 && e->member == a->member &&
                          e->entered_at == a->entered_at && e->effective_at == a->effective_at &&
                          e->valid_until == a->valid_until && e->positions[0] == a->positions[0] &&
                          e->certain == a->certain && e->uncertain_until == a->uncertain_until &&
                          e->grant_no == a->grant_no,
                      "%s, seed %llu, at %zu: record %zu of %s differs (segment %zu, effective %lld and %lld)", what,
                      (unsigned long long)seed, at, i, expected->notes[i].user, e->segment, (long long)e->effective_at,
                      (long long)a->effective_at);
    }
}

/* The newest record of each user and segment says what is true at `at`. */
static void assert_truth(struct fixture *fixture, struct lane *lane, const struct journal *journal, int64_t at,
                         uint64_t seed)
{
    struct evaluation *evaluation = NULL;
    struct error err = ERROR_INIT;

    ck_assert(evaluation_new(fixture->ruleset, &evaluation, &err));
    for (unsigned u = 0; u < USERS; u++) {
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
static size_t find_declared(const struct journal *journal, const char *id, size_t segment, struct interval *out)
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
static void assert_intervals(struct fixture *fixture, struct lane *lane, const struct journal *journal, int64_t at,
                             uint64_t seed)
{
    struct evaluation *evaluation = NULL;
    struct interval declared[INTERVALS_MAX];
    struct error err = ERROR_INIT;

    ck_assert(evaluation_new(fixture->ruleset, &evaluation, &err));
    for (unsigned u = 0; u < USERS; u++) {
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

static void finish(struct lane *lane, struct journal *journal, int64_t at)
{
    struct lane_sink sink = {.emit = note_record, .context = journal};
    struct error err = ERROR_INIT;

    ck_assert(lane_advance(lane, at, &sink, &err));
}

/* Some time after the newest event, so that time alone still has something to say. */
static int64_t end_of(const struct fixture *fixture)
{
    int64_t newest_ms = 0;

    for (size_t i = 0; i < EVENTS; i++) {
        newest_ms = fixture->messages[i].time_ms > newest_ms ? fixture->messages[i].time_ms : newest_ms;
    }
    return newest_ms + 25 * MINUTE;
}

static struct journal whole;
static struct journal other;
static struct journal rest;

/* Half of the runs have builds that become complete on the way. */
static void complete_late(struct fixture *fixture, bool late)
{
    for (size_t i = 0; i < fixture->set.definition_count; i++) {
        fixture->segments[i].complete_from_ms = late ? fixture->messages[EVENTS / 2].time_ms : TIMESTAMP_ALWAYS;
    }
}

static void records_do_not_depend_on_steps_of(uint64_t seed, unsigned disorder, int64_t lateness_ms)
{
    struct fixture fixture;
    int64_t end_ms;

    random_state = seed + 1;
    open_fixture(&fixture);
    make_messages(&fixture, EVENTS, disorder);
    complete_late(&fixture, seed % 4 == 3);
    end_ms = end_of(&fixture);
    for (size_t step = 1; step <= EVENTS; step = step * 3 + 1) {
        struct lane *lane = make_lane(&fixture, lateness_ms);
        struct watermark watermark = begin_watermark();
        struct journal *journal = step == 1 ? &whole : &other;

        journal->count = 0;
        feed(&fixture, lane, &watermark, 0, EVENTS, step, journal);
        finish(lane, journal, end_ms);
        assert_truth(&fixture, lane, journal, end_ms, seed);
        if (disorder == 0) {
            assert_intervals(&fixture, lane, journal, end_ms, seed);
        }
        if (step > 1) {
            assert_same(&whole, &other, "steps", seed, step);
        }
        lane_free(lane);
    }
    ck_assert_uint_gt(whole.count, EVENTS / 4);
    close_fixture(&fixture);
}

START_TEST(records_do_not_depend_on_steps)
{
    records_do_not_depend_on_steps_of((uint64_t)_i, _i % 2 == 1 ? 40 : 0, 0);
}
END_TEST

/* What is late depends on what was pruned, so pruning must not depend on steps either. */
START_TEST(lateness_does_not_depend_on_steps)
{
    records_do_not_depend_on_steps_of((uint64_t)_i, 240, (60 + _i % 90) * MINUTE);
}
END_TEST

/* A second life: folds what the first one had read, and knows what it had announced. */
static void restart(struct fixture *fixture, struct lane *lane, size_t at, const struct journal *journal,
                    int64_t watermark_ms, struct journal *into)
{
    struct lane_sink sink = {.emit = note_record, .context = into};
    struct error err = ERROR_INIT;

    for (size_t i = 0; i < at; i++) {
        struct event event = decode(fixture, i);
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
    struct fixture fixture;
    uint64_t seed = (uint64_t)_i;
    int64_t lateness_ms = _i % 4 < 2 ? 0 : 40 * MINUTE; /* pruned, but nothing is late */

    random_state = seed + 1000;
    open_fixture(&fixture);
    make_messages(&fixture, EVENTS, _i % 2 == 1 ? 40 : 0);
    complete_late(&fixture, seed % 3 == 2);
    for (size_t at = 1; at < EVENTS; at++) {
        struct lane *first = make_lane(&fixture, lateness_ms);
        struct lane *second = make_lane(&fixture, lateness_ms);
        struct watermark watermark = begin_watermark();
        struct watermark kept;
        size_t written;

        whole.count = 0;
        rest.count = 0;
        feed(&fixture, first, &watermark, 0, at, 1, &whole);
        kept = watermark;
        written = whole.count;
        restart(&fixture, second, at, &whole, kept.value_ms, &rest);
        ck_assert_msg(rest.count == 0, "seed %llu: a restart at %zu wrote %zu records (%s, segment %zu)",
                      (unsigned long long)seed, at, rest.count, rest.notes[0].user, rest.notes[0].record.segment);
        feed(&fixture, first, &watermark, at, EVENTS, 1, &whole);
        finish(first, &whole, end_of(&fixture));
        feed(&fixture, second, &kept, at, EVENTS, 5, &rest);
        finish(second, &rest, end_of(&fixture));
        ck_assert_uint_eq(lane_counts(first).late + lane_counts(second).late, 0);
        other.count = whole.count - written;
        memcpy(other.notes, whole.notes + written, other.count * sizeof other.notes[0]);
        assert_same(&other, &rest, "restart", seed, at);
        lane_free(first);
        lane_free(second);
    }
    close_fixture(&fixture);
}
END_TEST

START_TEST(a_new_build_announces_members_once)
{
    struct fixture fixture;
    struct watermark watermark = begin_watermark();
    struct lane *lane;

    random_state = 42;
    open_fixture(&fixture);
    make_messages(&fixture, EVENTS, 0);
    for (size_t i = 0; i < fixture.set.definition_count; i++) {
        fixture.segments[i].is_new = true;
    }
    lane = make_lane(&fixture, 0);
    whole.count = 0;
    other.count = 0;
    watermark_move(&watermark, fixture.messages[EVENTS - 1].time_ms);
    restart(&fixture, lane, EVENTS, &other, watermark.value_ms, &whole);
    assert_truth(&fixture, lane, &whole, watermark.value_ms, 42);
    for (size_t i = 0; i < whole.count; i++) {
        ck_assert(whole.notes[i].record.member);
        ck_assert_int_eq(whole.notes[i].record.effective_at, watermark.value_ms);
    }
    ck_assert_uint_gt(whole.count, 0);
    lane_free(lane);
    close_fixture(&fixture);
}
END_TEST

START_TEST(nothing_is_written_without_consent_and_all_again_with_a_new_grant)
{
    struct fixture fixture;
    struct watermark watermark = begin_watermark();
    struct lane_sink sink = {.emit = note_record, .context = &whole};
    struct error err = ERROR_INIT;
    struct lane_user *user;
    struct lane *lane;
    size_t before;

    random_state = 7;
    open_fixture(&fixture);
    make_messages(&fixture, EVENTS, 0);
    for (size_t i = 1; i < fixture.set.definition_count; i++) {
        fixture.segments[i].purpose = 0;
    }
    lane = make_lane_of(&fixture, (struct lane_options){.purpose_count = 1});
    whole.count = 0;
    feed(&fixture, lane, &watermark, 0, EVENTS, 7, &whole);
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
    close_fixture(&fixture);
}
END_TEST

START_TEST(a_user_beyond_the_cap_turns_uncertain_once)
{
    struct fixture fixture;
    struct watermark watermark = begin_watermark();
    size_t uncertain = 0;
    struct lane *lane;

    random_state = 7;
    open_fixture(&fixture);
    make_messages(&fixture, EVENTS, 0);
    lane = make_lane_of(&fixture, (struct lane_options){.user_events_max = 4});
    whole.count = 0;
    feed(&fixture, lane, &watermark, 0, EVENTS, 7, &whole);
    for (size_t i = 0; i < whole.count; i++) {
        uncertain += whole.notes[i].record.uncertain_until == TIMESTAMP_NEVER;
    }
    ck_assert_uint_eq(lane_counts(lane).users_capped, USERS);
    ck_assert_uint_eq(uncertain, USERS * fixture.set.definition_count);
    lane_free(lane);
    close_fixture(&fixture);
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
    struct fixture fixture;
    size_t pruned = 0;

    random_state = (uint64_t)_i + 901;
    open_fixture(&fixture);
    make_messages(&fixture, EVENTS_MAX, 40);
    for (int64_t lateness_ms = 0; lateness_ms <= 40 * MINUTE; lateness_ms += 40 * MINUTE) {
        struct lane *lane = make_lane(&fixture, lateness_ms);
        struct watermark watermark = begin_watermark();
        struct journal *journal = lateness_ms == 0 ? &whole : &other;

        journal->count = 0;
        feed(&fixture, lane, &watermark, 0, EVENTS_MAX, 3, journal);
        finish(lane, journal, fixture.messages[EVENTS_MAX - 1].time_ms + 25 * MINUTE);
        ck_assert_uint_eq(lane_counts(lane).late, 0);
        pruned = pruned_users(lane);
        lane_free(lane);
    }
    ck_assert_uint_eq(pruned, USERS);
    assert_same(&whole, &other, "pruning", (uint64_t)_i, 0);
    close_fixture(&fixture);
}
END_TEST

/* Of each segment the newest uncertain_until in the journal of the user u. */
static void find_uncertain(const struct journal *journal, int64_t uncertain[16])
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
    struct fixture fixture;
    struct watermark watermark = begin_watermark();
    struct lane_sink sink = {.emit = note_record, .context = &whole};
    struct error err = ERROR_INIT;
    int64_t start_ms = 1000 * MINUTE;
    int64_t uncertain[16];
    struct lane *lane;

    open_fixture(&fixture);
    for (int i = 0; i < 24; i++) {
        /* The last one is a purchase that comes almost two hours late. */
        struct message *message = &fixture.messages[i];

        message->time_ms = start_ms + (i == 23 ? 105 : i * 10) * MINUTE;
        (void)snprintf(message->text, TEXT_SIZE,
                       "{\"type\":\"track\",\"messageId\":\"m%d\",\"userId\":\"u\",\"timestamp\":%lld,"
                       "\"event\":\"%s\",\"properties\":{\"v\":1}}",
                       i, (long long)message->time_ms, i == 23 ? "b" : "a");
    }
    lane = make_lane(&fixture, 30 * MINUTE);
    whole.count = 0;
    feed(&fixture, lane, &watermark, 0, 23, 1, &whole);
    ck_assert_uint_eq(pruned_users(lane), 1);
    find_uncertain(&whole, uncertain);
    for (size_t i = 0; i < COUNT; i++) {
        ck_assert_int_eq(uncertain[i], TIMESTAMP_ALWAYS);
    }
    whole.count = 0;
    feed(&fixture, lane, &watermark, 23, 24, 1, &whole);
    ck_assert_uint_eq(lane_counts(lane).late, 1);
    find_uncertain(&whole, uncertain);
    ck_assert_int_eq(uncertain[RECENT], TIMESTAMP_ALWAYS);
    ck_assert_int_eq(uncertain[OFTEN], TIMESTAMP_ALWAYS);
    ck_assert_int_eq(uncertain[ABANDONED], start_ms + (105 + 20 + 120) * MINUTE);
    ck_assert_int_eq(uncertain[SUM], start_ms + (105 + 120) * MINUTE);
    ck_assert_int_eq(uncertain[SILENT], TIMESTAMP_NEVER);
    ck_assert_int_eq(uncertain[TRAIT], TIMESTAMP_ALWAYS);
    ck_assert_uint_eq(whole.count, 3);

    /* Time alone makes the first two certain again; the others need the state rebuilt. */
    ck_assert(lane_advance(lane, start_ms + 224 * MINUTE, &sink, &err));
    find_uncertain(&whole, uncertain);
    ck_assert_int_gt(uncertain[SUM], start_ms);
    ck_assert(lane_advance(lane, start_ms + 245 * MINUTE, &sink, &err));
    find_uncertain(&whole, uncertain);
    ck_assert_int_eq(uncertain[SUM], TIMESTAMP_ALWAYS);
    ck_assert_int_eq(uncertain[ABANDONED], TIMESTAMP_ALWAYS);
    ck_assert_int_eq(uncertain[SILENT], TIMESTAMP_NEVER);
    lane_free(lane);

    lane = make_lane(&fixture, 30 * MINUTE);
    other.count = 0;
    restart(&fixture, lane, 24, &whole, start_ms + 245 * MINUTE, &other);
    find_uncertain(&other, uncertain);
    ck_assert_int_eq(uncertain[SILENT], TIMESTAMP_ALWAYS);
    ck_assert_uint_gt(other.count, 0);
    lane_free(lane);
    close_fixture(&fixture);
}
END_TEST

/* Neither an event that is still under way nor the history that a restart reads counts against the cap. */
START_TEST(the_cap_is_for_what_pruning_leaves)
{
    enum { CAP = 100, CAP_TOO_LOW = 40 };
    struct fixture fixture;
    struct lane_options options;
    struct error err = ERROR_INIT;

    open_fixture(&fixture);
    for (int i = 0; i < EVENTS_MAX; i++) {
        fixture.messages[i].time_ms = (1000 + 3 * i) * MINUTE;
        (void)snprintf(fixture.messages[i].text, TEXT_SIZE,
                       "{\"type\":\"track\",\"userId\":\"u\",\"timestamp\":%lld,\"event\":\"a\",\"properties\":{"
                       "\"v\":1}}",
                       (long long)fixture.messages[i].time_ms);
    }
    options =
        (struct lane_options){.ruleset = fixture.ruleset, .segments = fixture.segments, .lateness_ms = 30 * MINUTE};
    for (size_t i = 0; i < 2; i++) {
        struct watermark watermark = begin_watermark();
        struct lane *lane = NULL;

        options.user_events_max = i == 0 ? CAP : CAP_TOO_LOW;
        ck_assert(lane_new(&options, &lane, &err));
        whole.count = 0;
        feed(&fixture, lane, &watermark, 0, EVENTS_MAX, 1, &whole);
        ck_assert_uint_eq(lane_counts(lane).users_capped, i);
        lane_free(lane);

        ck_assert(lane_new(&options, &lane, &err));
        other.count = 0;
        restart(&fixture, lane, EVENTS_MAX, &whole, watermark.value_ms, &other);
        ck_assert_uint_eq(lane_counts(lane).users_capped, i);
        ck_assert_uint_eq(other.count, 0);
        lane_free(lane);
    }
    close_fixture(&fixture);
}
END_TEST

/* What the segments of the user u say when a copy of a message from topic `first` comes from `second`. */
static void read_copies(struct fixture *fixture, int16_t first, int16_t second, bool live, int64_t uncertain[16])
{
    const int16_t topics[] = {0, first, 0, second};
    struct lane_sink sink = {.emit = note_record, .context = &whole};
    struct error err = ERROR_INIT;
    struct lane *lane = make_lane(fixture, 0);

    whole.count = 0;
    for (size_t i = 0; i < 4; i++) {
        struct event event = decode(fixture, i);
        struct lane_user *user = NULL;
        ck_assert(lane_add(lane, event.user, &user, &err));
        ck_assert(live ? lane_event(lane, user, &event, topics[i], (int64_t)i, TIMESTAMP_ALWAYS, &sink, &err)
                       : lane_fold(lane, user, &event, topics[i], (int64_t)i, &err));
    }
    ck_assert(live || lane_start(lane, 1000 * MINUTE, &sink, &err));
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
    struct fixture fixture;
    int64_t uncertain[16];

    open_fixture(&fixture);
    for (int i = 0; i < 4; i++) {
        (void)
            snprintf(fixture.messages[i].text, TEXT_SIZE,
                     "{\"type\":\"track\",\"messageId\":\"%s\",\"userId\":\"%s\",\"timestamp\":%lld,\"event\":\"%s\"}",
                     parts[i][0], parts[i][1], (long long)(1000 + (i > 0)) * MINUTE, parts[i][2]);
    }
    for (int i = 0; i < 14; i++) {
        static const int16_t topics[][2] = {{0, 0}, {0, 1}, {1, 2}, {-1, 0}, {1, 0}, {2, 1}, {0, -1}};
        int64_t expected = i % 7 < 4 ? TIMESTAMP_ALWAYS : TIMESTAMP_NEVER;

        read_copies(&fixture, topics[i % 7][0], topics[i % 7][1], i < 7, uncertain);
        for (size_t segment = 0; segment < COUNT; segment++) {
            ck_assert_int_eq(uncertain[segment], segment == TRAIT ? TIMESTAMP_ALWAYS : expected);
        }
    }
    close_fixture(&fixture);
}
END_TEST

START_TEST(a_first_event_of_the_past_writes_nothing)
{
    struct fixture fixture;
    struct watermark watermark = begin_watermark();
    struct lane *lane;

    open_fixture(&fixture);
    for (int i = 0; i < 2; i++) {
        fixture.messages[i].time_ms = (1000 - 600 * i) * MINUTE;
        (void)snprintf(fixture.messages[i].text, TEXT_SIZE,
                       "{\"type\":\"track\",\"messageId\":\"m%d\",\"userId\":\"u%d\",\"timestamp\":%lld,"
                       "\"event\":\"a\"}",
                       i, i, (long long)fixture.messages[i].time_ms);
    }
    lane = make_lane(&fixture, 60 * MINUTE);
    whole.count = 0;
    feed(&fixture, lane, &watermark, 0, 1, 1, &whole);
    whole.count = 0;
    feed(&fixture, lane, &watermark, 1, 2, 1, &whole);
    for (size_t i = 0; i < whole.count; i++) {
        /* It has long left the windows: what holds is what no lately event can deny. */
        ck_assert(whole.notes[i].record.member);
        ck_assert(whole.notes[i].record.segment == 4 || whole.notes[i].record.segment == 5);
    }
    ck_assert_uint_eq(lane_counts(lane).late, 0);
    lane_free(lane);
    close_fixture(&fixture);
}
END_TEST

START_TEST(records_turn_certain_when_the_build_is_complete)
{
    struct fixture fixture;
    struct watermark watermark = begin_watermark();
    int64_t complete_from;
    size_t turned = 0;
    struct lane *lane;

    random_state = 7;
    open_fixture(&fixture);
    make_messages(&fixture, EVENTS, 0);
    complete_from = fixture.messages[EVENTS / 2].time_ms;
    for (size_t i = 0; i < fixture.set.definition_count; i++) {
        fixture.segments[i].complete_from_ms = complete_from;
    }
    lane = make_lane(&fixture, 0);
    whole.count = 0;
    feed(&fixture, lane, &watermark, 0, EVENTS, 1, &whole);
    for (size_t i = 0; i < whole.count; i++) {
        const struct lane_record *record = &whole.notes[i].record;
        ck_assert(!record->certain || record->effective_at >= complete_from || record->entered_at < complete_from);
        turned += record->certain && record->member && record->effective_at >= complete_from &&
                  record->entered_at < complete_from;
    }
    ck_assert_uint_gt(turned, 0);
    lane_free(lane);
    close_fixture(&fixture);
}
END_TEST

/* Rule 3: one record per event and two per validity announced at most. */
START_TEST(renewals_come_at_half_of_the_validity)
{
    struct fixture fixture;
    struct watermark watermark = begin_watermark();
    struct journal *journal = &whole;
    struct lane *lane;
    size_t renewals = 0;

    open_fixture(&fixture);
    lane = make_lane(&fixture, 0);
    for (size_t i = 0; i < EVENTS; i++) { /* an event a minute: "recent" is extended by each, 30 minutes ahead */
        fixture.messages[i].time_ms = (int64_t)(1000 + i) * MINUTE;
        snprintf(fixture.messages[i].text, TEXT_SIZE,
                 "{\"type\":\"track\",\"userId\":\"u0\",\"timestamp\":%lld,\"event\":\"a\"}",
                 (long long)fixture.messages[i].time_ms);
    }
    journal->count = 0;
    feed(&fixture, lane, &watermark, 0, EVENTS, 1, journal);
    for (size_t i = 0; i < journal->count; i++) {
        const struct lane_record *record = &journal->notes[i].record;
        if (record->segment == 0) {
            ck_assert_int_eq(record->effective_at, (int64_t)(1000 + 15 * renewals) * MINUTE);
            ck_assert_int_eq(record->valid_until, record->effective_at + 30 * MINUTE);
            renewals++;
        }
    }
    ck_assert_uint_eq(renewals, EVENTS / 15);
    lane_free(lane);
    close_fixture(&fixture);
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
