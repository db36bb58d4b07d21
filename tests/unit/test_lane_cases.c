/* Single cases of the lane with every record that they write, where random logs seldom lead: late events, the cap,
 * timers, what a restart is told. Instants are minutes. */
#include "common/base/buffer.h"
#include "tests/unit/lane_fixture.h"
#include "tests/unit/unit.h"

#include <stdio.h>

Suite *lane_cases_suite(void);

enum { TEXT_SIZE_MAX = 1 << 16 };

static struct lane_fixture fixture;
static struct lane_journal journal;
static struct lane *lane;
static struct buffer said;
static int64_t offset;
static struct lane_sink sink = {.emit = lane_fixture_note, .context = &journal};

static void begin(const char *definitions, struct lane_options options)
{
    lane_fixture_open_with(&fixture, definitions);
    lane = lane_fixture_lane_of(&fixture, options);
    buffer_init(&said, TEXT_SIZE_MAX);
    journal.count = 0;
    offset = 0;
}

/* All segments need a grant. */
static void begin_with_consent(const char *definitions, struct lane_options options)
{
    begin(definitions, options);
    lane_free(lane);
    for (size_t i = 0; i < fixture.set.definition_count; i++) {
        fixture.segments[i].purpose = 0;
    }
    options.purpose_count = 1;
    lane = lane_fixture_lane_of(&fixture, options);
}

static void end(void)
{
    lane_free(lane);
    lane_fixture_close(&fixture);
    buffer_clear(&said);
}

static struct lane_user *user_named(const char *id)
{
    struct lane_user *user = NULL;
    struct error err = ERROR_INIT;

    ck_assert_ok(lane_add(lane, slice_from(id), &user, &err));
    return user;
}

static struct lane_user *user_of(void)
{
    return user_named("u");
}

/* Without a message id where that is NULL. */
static struct event make_message(const char *user, int64_t minute, const char *name, const char *id, int value)
{
    char id_text[64] = "";

    if (id != NULL) {
        (void)snprintf(id_text, sizeof id_text, "\"messageId\":\"%s\",", id);
    }
    (void)snprintf(
        fixture.messages[0].text, LANE_TEXT_SIZE,
        "{\"type\":\"track\",%s\"userId\":\"%s\",\"timestamp\":%lld,\"event\":\"%s\",\"properties\":{\"v\":%d}}",
        id_text, user, (long long)minute * LANE_MINUTE, name, value);
    return lane_fixture_decode(&fixture, 0);
}

static struct event make_event(int64_t minute, const char *name)
{
    return make_message("u", minute, name, NULL, 1);
}

static void comes(struct event event, int16_t topic_no, int64_t at, int64_t watermark)
{
    struct error err = ERROR_INIT;

    ck_assert_ok(lane_event(lane, user_named(event.user.data[0] == 'u' ? "u" : "other"), &event, topic_no, at,
                            watermark * LANE_MINUTE, &sink, &err));
}

static void happens(int64_t minute, const char *name, int64_t watermark)
{
    comes(make_event(minute, name), 0, offset++, watermark);
}

static void passes(int64_t watermark)
{
    struct error err = ERROR_INIT;

    ck_assert_ok(lane_advance(lane, watermark * LANE_MINUTE, &sink, &err));
}

static void append_minute(int64_t at)
{
    if (at == TIMESTAMP_NEVER) {
        buffer_append_text(&said, "never");
    } else {
        buffer_append_integer(&said, at / LANE_MINUTE);
    }
}

/* The records since the last time: "0 in 5..35 at 10" or "0 out at 35", by segment and its `effective_at`, and
 * "uncertain UNTIL" where they are. */
static void expect(const char *records)
{
    struct error err = ERROR_INIT;

    buffer_reset(&said);
    for (size_t i = 0; i < journal.count; i++) {
        const struct lane_record *record = &journal.notes[i].record;

        buffer_append_format(&said, "%s%zu %s ", i > 0 ? "; " : "", record->segment, record->member ? "in" : "out");
        if (record->member) {
            append_minute(record->entered_at);
            buffer_append_text(&said, "..");
            append_minute(record->valid_until);
            buffer_append_char(&said, ' ');
        }
        buffer_append_text(&said, "at ");
        append_minute(record->effective_at);
        if (record->uncertain_until != TIMESTAMP_ALWAYS) {
            buffer_append_text(&said, " uncertain ");
            append_minute(record->uncertain_until);
        }
    }
    ck_assert_ok(buffer_finish(&said, "records", &err));
    ck_assert_str_eq(buffer_text(&said), records);
    journal.count = 0;
}

static const char recent[] = "{\"segmentId\":\"recent\",\"criteria\":[{\"event\":\"a\",\"window\":\"30m\"}]}";

START_TEST(a_timer_fires_where_there_is_something_to_say)
{
    begin(recent, (struct lane_options){0});
    happens(100, "a", 95);
    expect("0 in 100..130 at 100");
    passes(129);
    expect("");
    passes(130);
    expect("0 out at 130");
    ck_assert_uint_eq(lane_counts(lane).timers_fired, 1);

    /* A later end is said at half of what was announced, by time where no event says it before. */
    happens(140, "a", 135);
    expect("0 in 140..170 at 140");
    happens(145, "a", 140);
    passes(154);
    expect("");
    passes(155);
    expect("0 in 140..175 at 155");
    passes(180);
    expect("0 out at 175");
    ck_assert_uint_eq(lane_counts(lane).timers_fired, 3);
    end();
}
END_TEST

START_TEST(events_that_nobody_reads_cost_nothing)
{
    uint64_t size;
    uint64_t empty_size;

    begin(recent, (struct lane_options){0});
    ck_assert_uint_eq(lane_counts(lane).users, 0);
    empty_size = lane_counts(lane).size;
    happens(100, "a", 95);
    for (int64_t minute = 101; minute < 105; minute++) {
        happens(minute, "z", 95);
    }
    size = lane_counts(lane).size;
    ck_assert_uint_gt(size, empty_size);
    for (int i = 0; i < 5000; i++) {
        happens(105, "z", 95);
    }
    ck_assert_uint_eq(lane_counts(lane).size, size);
    ck_assert_uint_eq(lane_counts(lane).users, 1);
    ck_assert_uint_eq(lane_counts(lane).folded, 5005);
    end();
}
END_TEST

/* While a consent message is on its way to the store. */
START_TEST(a_held_user_waits)
{
    struct error err = ERROR_INIT;

    begin(recent, (struct lane_options){0});
    happens(100, "a", 95);
    expect("0 in 100..130 at 100");
    ck_assert_ok(lane_hold(lane, user_of(), 105 * LANE_MINUTE, &sink, &err));
    ck_assert(lane_held(user_of()));
    passes(140);
    expect("");
    ck_assert_ok(lane_release(lane, user_of(), &err));
    ck_assert(!lane_held(user_of()));
    passes(139);
    expect("0 out at 130");

    /* What was due before is said before it is held. */
    happens(150, "a", 145);
    expect("0 in 150..180 at 150");
    ck_assert_ok(lane_hold(lane, user_of(), 180 * LANE_MINUTE, &sink, &err));
    expect("0 out at 180");
    ck_assert_ok(lane_hold(lane, user_of(), 190 * LANE_MINUTE, &sink, &err));
    happens(190, "a", 185);
    expect("0 in 190..220 at 190");
    passes(230);
    expect("");
    ck_assert_ok(lane_release(lane, user_of(), &err));
    passes(230);
    expect("0 out at 220");
    end();
}
END_TEST

START_TEST(a_membership_of_one_millisecond_is_announced)
{
    begin("{\"segmentId\":\"waits\",\"criteria\":[{\"event\":\"a\",\"window\":\"1ms\",\"offset\":\"15m\"}]}",
          (struct lane_options){0});
    happens(100, "a", 95);
    expect("");
    passes(115);
    expect("0 in 115..115 at 115");
    passes(116);
    expect("0 out at 115");
    end();
}
END_TEST

/* An event every ten minutes, of which the first ones are summed up. */
static void begin_pruned(const char *definitions)
{
    begin(definitions, (struct lane_options){.lateness_ms = 30 * LANE_MINUTE});
    happens(100, "b", 95);
    for (int64_t minute = 100; minute <= 320; minute += 10) {
        happens(minute, "a", minute - 15);
    }
    passes(315);
    ck_assert_uint_eq(lane_counts(lane).late, 0);
}

START_TEST(a_late_event_changes_no_record_but_how_certain_it_is)
{
    begin_pruned(
        "[{\"segmentId\":\"often\",\"criteria\":[{\"event\":[\"a\",\"b\"],\"window\":\"3h\",\"sum\":{\"property\":"
        "\"v\",\">\":12}}]},"
        "{\"segmentId\":\"over\",\"criteria\":[{\"event\":\"b\",\"window\":\"170m\"}]},"
        "{\"segmentId\":\"never\",\"criteria\":[{\"event\":\"c\",\"window\":\"170m\"}]},"
        "{\"segmentId\":\"trait\",\"criteria\":[{\"trait\":\"t\",\"exists\":true}]}]");
    journal.count = 0;
    happens(190, "b", 315);
    ck_assert_uint_eq(lane_counts(lane).late, 1);
    /* What a record repeats is what was announced: the renewal keeps its time. */
    expect("0 in 210..370 at 315 uncertain 370; 1 out at 315 uncertain 360");
    /* A later one makes it uncertain for longer, an earlier one does not. */
    happens(185, "b", 315);
    happens(195, "b", 315);
    ck_assert_uint_eq(lane_counts(lane).late, 3);
    expect("0 in 210..370 at 315 uncertain 375; 1 out at 315 uncertain 365");
    passes(364);
    expect("0 in 210..380 at 342 uncertain 375");
    passes(365);
    expect("1 out at 365");
    passes(374);
    expect("");
    passes(375);
    expect("0 in 210..380 at 375");
    passes(380);
    expect("0 out at 380");
    end();
}
END_TEST

/* Nothing is summed up before it is worth it: until then an event counts however late it comes. */
START_TEST(a_short_past_is_never_too_late)
{
    begin("{\"segmentId\":\"often\",\"criteria\":[{\"event\":\"a\",\"window\":\"20h\",\"count\":{\">=\":6}}]}",
          (struct lane_options){.lateness_ms = 30 * LANE_MINUTE});
    for (int64_t minute = 600; minute < 1000; minute += 100) {
        happens(minute, "a", minute - 5);
    }
    happens(100, "a", 995);
    happens(610, "a", 995);
    ck_assert_uint_eq(lane_counts(lane).late, 0);
    expect("0 in 900..1300 at 900");
    end();
}
END_TEST

/* The state of a user of whom nothing may be said is not even unpacked. */
START_TEST(a_start_passes_over_users_without_consent)
{
    struct error err = ERROR_INIT;
    struct event event;
    struct lane_user *other = NULL;

    begin_with_consent(recent, (struct lane_options){.lateness_ms = 30 * LANE_MINUTE});
    event = make_event(100, "a");
    ck_assert_ok(lane_fold(lane, user_of(), &event, 0, 0, &err));
    ck_assert_ok(lane_add(lane, SLICE_LITERAL("other"), &other, &err));
    ck_assert_ok(lane_fold(lane, other, &event, 0, 1, &err));
    ck_assert_ok(lane_start(lane, 110 * LANE_MINUTE, &sink, &err));
    expect("");
    ck_assert_ok(lane_grant_set(lane, user_of(), 0, 7, 120 * LANE_MINUTE, &sink, &err));
    expect("0 in 100..130 at 120");
    end();
}
END_TEST

START_TEST(an_exit_says_that_it_is_certain_again)
{
    begin_pruned(
        "{\"segmentId\":\"often\",\"criteria\":[{\"event\":\"a\",\"window\":\"3h\",\"sum\":{\"property\":\"v\","
        "\">\":12}}]}");
    journal.count = 0;
    happens(200, "a", 315);
    expect("0 in 220..370 at 315 uncertain 380");
    passes(379);
    expect("0 in 220..380 at 342 uncertain 380");
    passes(380);
    expect("0 out at 380");
    end();
}
END_TEST

START_TEST(beyond_the_cap_what_was_announced_stands_and_is_uncertain)
{
    struct error err = ERROR_INIT;

    begin(recent, (struct lane_options){.user_events_max = 4});
    for (int64_t minute = 100; minute < 104; minute++) {
        happens(minute, "a", 95);
    }
    expect("0 in 100..130 at 100");
    happens(110, "a", 95);
    expect("0 in 100..130 at 103 uncertain never");
    happens(111, "a", 105);
    passes(200);
    expect("");
    ck_assert_uint_eq(lane_counts(lane).timers_fired, 0);
    ck_assert_uint_eq(lane_counts(lane).users_capped, 1);
    end();

    begin_with_consent(recent, (struct lane_options){.user_events_max = 4});
    for (int64_t minute = 100; minute < 106; minute++) {
        happens(minute, "a", 95);
    }
    expect(""); /* no grant */
    ck_assert_uint_eq(lane_counts(lane).users_capped, 1);
    comes(make_message("other", 106, "a", NULL, 1), 0, offset++, 101);
    ck_assert_ok(lane_grant_set(lane, user_of(), 0, 7, 110 * LANE_MINUTE, &sink, &err));
    ck_assert_int_eq(journal.notes[0].record.positions[0], offset - 2); /* of an event that was not kept */
    expect("0 out at 110 uncertain never");
    end();
}
END_TEST

START_TEST(the_cap_is_reached_where_an_eighth_cannot_be_freed)
{
    begin(recent, (struct lane_options){.user_events_max = 16});
    for (int i = 0; i < 16; i++) {
        happens(100, "a", 95);
        ck_assert_uint_eq(lane_counts(lane).users_capped, 0);
    }
    happens(100, "a", 95);
    ck_assert_uint_eq(lane_counts(lane).users_capped, 1);
    end();

    /* What leaves the window can go: 14 of 16 stay, which is too many, or 13. */
    for (int stay = 13; stay <= 14; stay++) {
        begin("{\"segmentId\":\"often\",\"criteria\":[{\"event\":\"a\",\"window\":\"30m\",\"count\":{\">=\":20}}]}",
              (struct lane_options){.user_events_max = 16, .lateness_ms = LANE_MINUTE});
        for (int i = 0; i < 16; i++) {
            happens(i < 16 - stay ? 100 : 132, "a", i < 16 - stay ? 95 : 127);
        }
        happens(140, "a", 134);
        ck_assert_uint_eq(lane_counts(lane).users_capped, stay == 14);
        end();
    }
}
END_TEST

/* While catching up nothing is final yet; there is a bound nevertheless, and none at the end. */
START_TEST(catching_up_keeps_eight_times_as_many)
{
    struct lane_record known = {.member = true,
                                .certain = true,
                                .entered_at = 100 * LANE_MINUTE,
                                .effective_at = 100 * LANE_MINUTE,
                                .valid_until = 130 * LANE_MINUTE,
                                .uncertain_until = TIMESTAMP_ALWAYS};
    struct error err = ERROR_INIT;
    struct event event;

    begin(recent, (struct lane_options){.user_events_max = 4});
    for (int i = 1; i <= 33; i++) {
        event = make_event(100, "a");
        ck_assert_ok(lane_fold(lane, user_of(), &event, 0, i, &err));
        ck_assert_uint_eq(lane_counts(lane).users_capped, i >= 32);
    }
    ck_assert_ok(lane_announced_set(lane, user_of(), &known, &err));
    ck_assert_ok(lane_start(lane, 110 * LANE_MINUTE, &sink, &err));
    expect("0 in 100..130 at 110 uncertain never");
    end();

    begin_with_consent(recent, (struct lane_options){.user_events_max = 4});
    lane_grant_restore(user_of(), 0, 7);
    for (int i = 0; i < 4; i++) {
        happens(100, "a", 95);
    }
    ck_assert_int_eq(journal.notes[0].record.grant_no, 7);
    expect("0 in 100..130 at 100");
    ck_assert_ok(lane_end(lane, 105 * LANE_MINUTE, &sink, &err));
    expect("");
    ck_assert_uint_eq(lane_counts(lane).users_capped, 0);
    end();
}
END_TEST

/* An event takes back what was announced, and what is to come by time alone is not forgotten. */
START_TEST(a_membership_that_never_was_is_ended)
{
    begin("{\"segmentId\":\"s\",\"criteria\":[{\"any\":[{\"all\":[{\"event\":\"a\",\"window\":\"10m\"},{\"not\":{"
          "\"event\":\"c\","
          "\"window\":\"1h\"}}]},{\"event\":\"f\",\"window\":\"10m\",\"offset\":\"1h\"}]}]}",
          (struct lane_options){0});
    happens(100, "a", 95);
    expect("0 in 100..110 at 100");
    happens(130, "a", 125);
    expect("0 out at 110; 0 in 130..140 at 130");
    happens(131, "f", 126);
    expect("");
    happens(129, "c", 126);
    expect("0 out at 130");
    passes(190);
    expect("");
    passes(191);
    expect("0 in 191..201 at 191");
    passes(201);
    expect("0 out at 201");
    end();
}
END_TEST

START_TEST(a_new_grant_announces_what_holds_and_nothing_before)
{
    struct error err = ERROR_INIT;

    begin_with_consent("{\"segmentId\":\"brief\",\"criteria\":[{\"event\":\"d\",\"window\":\"2m\"}]}",
                       (struct lane_options){0});
    happens(100, "d", 95);
    happens(103, "d", 95);
    happens(104, "z", 95);
    ck_assert_ok(lane_grant_set(lane, user_of(), 0, 7, 95 * LANE_MINUTE, &sink, &err));
    expect("0 in 103..105 at 104");
    passes(105);
    expect("0 out at 105");
    end();
}
END_TEST

START_TEST(positions_are_those_of_the_newest_message_of_each_topic)
{
    begin(recent, (struct lane_options){0});
    comes(make_event(100, "a"), 1, 7, 95);
    comes(make_event(101, "z"), 1, 6, 95); /* read again */
    comes(make_event(102, "z"), 2, 3, 95);
    comes(make_event(103, "z"), -1, 9, 95); /* a file row */
    comes(make_message("other", 103, "a", NULL, 1), 0, 11, 95);
    journal.count = 0;
    comes(make_event(116, "a"), 2, 4, 95);
    ck_assert_uint_eq(journal.count, 1);
    ck_assert_int_eq(journal.notes[0].record.positions[0], -1);
    ck_assert_int_eq(journal.notes[0].record.positions[1], 7);
    ck_assert_int_eq(journal.notes[0].record.positions[2], 4);
    end();
}
END_TEST

/* Users are put down, packed, whenever another one's message comes. */
START_TEST(nothing_is_lost_while_another_user_is_at_hand)
{
    struct event event;
    struct error err = ERROR_INIT;

    begin("{\"segmentId\":\"three\",\"criteria\":[{\"event\":\"a\",\"sum\":{\"property\":\"v\",\"=\":3}}]}",
          (struct lane_options){0});
    /* Of one millisecond, the second one before the first by its id. */
    comes(make_message("u", 100, "a", "m2", 2), 0, 0, 95);
    comes(make_message("other", 100, "z", "x", 0), 0, 1, 95);
    comes(make_message("u", 100, "a", "m1", 1), 0, 2, 95);
    expect("0 in 100..never at 100");
    comes(make_message("other", 100, "z", "y", 0), 0, 3, 95);
    comes(make_message("u", 101, "a", "m0", 0), 0, 4, 95);
    expect("");
    comes(make_message("u", 102, "a", "m3", 1), 0, 5, 95);
    expect("0 out at 102");
    end();

    /* Rows of a file have no position. */
    begin(recent, (struct lane_options){0});
    event = make_event(100, "a");
    ck_assert_ok(lane_fold(lane, user_of(), &event, -1, 0, &err));
    event = make_message("other", 90, "z", NULL, 1);
    ck_assert_ok(lane_fold(lane, user_named("other"), &event, -1, 0, &err));
    lane_build(lane, 0, true, TIMESTAMP_ALWAYS);
    ck_assert_ok(lane_start(lane, 110 * LANE_MINUTE, &sink, &err));
    expect("0 in 100..130 at 110");
    end();
}
END_TEST

/* Few events can be large: packed beyond 64 KiB they stay unpacked. */
START_TEST(a_user_with_large_values_is_kept_whole)
{
    enum { VALUE_SIZE = 9000, EVENTS = 10, LARGE_SIZE = VALUE_SIZE + LANE_TEXT_SIZE };
    static char text[LARGE_SIZE];
    static char value[VALUE_SIZE + 1];
    struct error err = ERROR_INIT;

    begin("{\"segmentId\":\"ten\",\"criteria\":[{\"event\":\"a\",\"window\":\"30m\",\"distinct\":{\"property\":\"t\","
          "\"=\":10}}]}",
          (struct lane_options){0});
    for (int i = 0; i < EVENTS; i++) {
        enum quarantine_reason reason = QUARANTINE_NONE;
        struct event event;

        memset(value, 'a' + i, VALUE_SIZE);
        (void)snprintf(
            text, sizeof text,
            "{\"type\":\"track\",\"userId\":\"u\",\"timestamp\":%d,\"event\":\"a\",\"properties\":{\"t\":\"%s\"}}",
            (100 + i) * LANE_MINUTE, value);
        arena_reset(&fixture.arena);
        ck_assert_ok(event_decode(slice_from(text), &fixture.document, &fixture.arena, &event, &reason, &err));
        ck_assert_int_eq(reason, QUARANTINE_NONE);
        comes(event, 0, i, 95);
        comes(make_message("other", 100 + i, "z", NULL, 1), 0, 100 + i, 95); /* puts the first one down */
    }
    expect("0 in 109..130 at 109");
    passes(130);
    expect("0 out at 130");
    end();
}
END_TEST

START_TEST(copies_are_counted)
{
    begin(recent, (struct lane_options){0});
    comes(make_message("u", 100, "a", "m", 1), 1, 0, 95);
    comes(make_message("u", 100, "a", "m", 1), 1, 1, 95);
    ck_assert_uint_eq(lane_counts(lane).copies, 1);
    ck_assert_uint_eq(lane_counts(lane).copies_different, 0);
    comes(make_message("u", 101, "a", "m", 1), 1, 2, 95);
    ck_assert_uint_eq(lane_counts(lane).copies, 2);
    ck_assert_uint_eq(lane_counts(lane).copies_different, 1);
    comes(make_message("u", 102, "a", "m", 1), 0, 3, 95);
    ck_assert_uint_eq(lane_counts(lane).copies, 3);
    ck_assert_uint_eq(lane_counts(lane).copies_different, 2);
    comes(make_message("u", 102, "a", "n", 1), 0, 4, 95);
    ck_assert_uint_eq(lane_counts(lane).copies, 3);
    ck_assert_uint_eq(lane_counts(lane).folded, 5);
    ck_assert_uint_eq(lane_late_count(lane), 0);
    end();
}
END_TEST

/* Before 1970 no sum of instant and reach overflows. */
START_TEST(an_unlimited_reach_has_no_end_at_any_time)
{
    begin("{\"segmentId\":\"count\",\"criteria\":[{\"event\":\"a\",\"count\":{\">\":3}}]}",
          (struct lane_options){.lateness_ms = 30 * LANE_MINUTE});
    for (int64_t minute = -1000; minute < -500; minute += 10) {
        happens(minute, "a", minute - 5);
    }
    journal.count = 0;
    happens(-900, "a", -515);
    ck_assert_uint_eq(lane_late_count(lane), 1);
    expect("0 in -970..never at -515 uncertain never");
    end();
}
END_TEST

/* What a start is told need not be sound: a record that ends before the instant it speaks for has no half. */
START_TEST(a_start_mends_what_was_announced)
{
    struct lane_record record = {.member = true,
                                 .certain = true,
                                 .entered_at = 100 * LANE_MINUTE,
                                 .effective_at = 110 * LANE_MINUTE,
                                 .valid_until = 105 * LANE_MINUTE,
                                 .uncertain_until = TIMESTAMP_ALWAYS};
    struct error err = ERROR_INIT;
    struct event event;

    begin(recent, (struct lane_options){0});
    event = make_event(100, "a");
    ck_assert_ok(lane_fold(lane, user_of(), &event, 0, 0, &err));
    ck_assert_ok(lane_announced_set(lane, user_of(), &record, &err));
    ck_assert_ok(lane_start(lane, 108 * LANE_MINUTE, &sink, &err));
    expect("0 in 100..130 at 110");
    passes(140);
    expect("0 out at 130");
    end();
}
END_TEST

Suite *lane_cases_suite(void)
{
    Suite *suite = suite_create("lane_cases");
    TCase *tcase = tcase_create("records");

    tcase_add_test(tcase, a_timer_fires_where_there_is_something_to_say);
    tcase_add_test(tcase, events_that_nobody_reads_cost_nothing);
    tcase_add_test(tcase, a_held_user_waits);
    tcase_add_test(tcase, a_membership_of_one_millisecond_is_announced);
    tcase_add_test(tcase, a_late_event_changes_no_record_but_how_certain_it_is);
    tcase_add_test(tcase, a_short_past_is_never_too_late);
    tcase_add_test(tcase, a_start_passes_over_users_without_consent);
    tcase_add_test(tcase, an_exit_says_that_it_is_certain_again);
    tcase_add_test(tcase, beyond_the_cap_what_was_announced_stands_and_is_uncertain);
    tcase_add_test(tcase, the_cap_is_reached_where_an_eighth_cannot_be_freed);
    tcase_add_test(tcase, catching_up_keeps_eight_times_as_many);
    tcase_add_test(tcase, a_membership_that_never_was_is_ended);
    tcase_add_test(tcase, a_new_grant_announces_what_holds_and_nothing_before);
    tcase_add_test(tcase, positions_are_those_of_the_newest_message_of_each_topic);
    tcase_add_test(tcase, nothing_is_lost_while_another_user_is_at_hand);
    tcase_add_test(tcase, a_user_with_large_values_is_kept_whole);
    tcase_add_test(tcase, copies_are_counted);
    tcase_add_test(tcase, an_unlimited_reach_has_no_end_at_any_time);
    tcase_add_test(tcase, a_start_mends_what_was_announced);
    suite_add_tcase(suite, tcase);
    return suite;
}
