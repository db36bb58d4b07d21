/* The records of a lane against a literal reading of the rules (reconciliation, section 2, "Stream record"; lane.h), on
 * random logs: for each user and segment from the whole history of M before and after each event, and instant by
 * instant where only time passes. It knows of no frontier, no limit and no timer. */
#include "tests/unit/lane_fixture.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

Suite *lane_records_suite(void);

enum { SEGMENTS_MAX = 16, INTERVALS_MAX = 200, PURPOSE = 0 };

static const int64_t year_ms = INT64_C(366) * 24 * 60 * LANE_MINUTE;

static const char definitions[] =
    "[{\"segmentId\":\"recent\",\"criteria\":[{\"event\":\"a\",\"window\":\"30m\"}]},"
    "{\"segmentId\":\"often\",\"criteria\":[{\"event\":\"a\",\"window\":\"1h\",\"count\":{\">=\":3}}]},"
    "{\"segmentId\":\"rare\",\"criteria\":[{\"event\":\"*\",\"window\":\"1h\",\"count\":{\"<\":3}}]},"
    "{\"segmentId\":\"abandoned\",\"criteria\":[{\"event\":\"a\",\"window\":\"20m\",\"condition\":\"no_b_after\"}],"
    "\"membershipDuration\":\"2h\"},"
    "{\"segmentId\":\"sum\",\"criteria\":[{\"event\":[\"a\",\"b\"],\"window\":\"2h\",\"sum\":{\"property\":\"v\",\">\":"
    "10}}],\"exclude\":[{\"event\":\"c\",\"window\":\"10m\"}]},"
    "{\"segmentId\":\"sticky\",\"criteria\":[{\"event\":\"b\"}],\"membershipMode\":\"sticky\","
    "\"membershipDuration\":\"50m\"},"
    "{\"segmentId\":\"silent\",\"criteria\":[{\"not\":{\"event\":\"*\",\"window\":\"40m\"}}]},"
    "{\"segmentId\":\"blocked\",\"criteria\":[{\"not\":{\"segment\":\"recent\"}}],\"exclusionWindow\":\"15m\"},"
    "{\"segmentId\":\"waits\",\"criteria\":[{\"event\":\"a\",\"window\":\"20m\",\"offset\":\"15m\"}]},"
    "{\"segmentId\":\"not_yet\",\"criteria\":[{\"not\":{\"event\":\"b\",\"window\":\"25m\",\"offset\":\"15m\"}}]},"
    "{\"segmentId\":\"brief\",\"criteria\":[{\"event\":\"d\",\"window\":\"2m\"}]},"
    "{\"segmentId\":\"trait\",\"criteria\":[{\"trait\":\"tier\",\"=\":\"gold\"}]}]";

/* What is announced of a user in a segment. */
struct belief {
    bool present;
    bool member;
    bool certain;
    int64_t entered_at;
    int64_t effective_at;
    int64_t valid_until;
};

struct subject {
    char id[16];
    struct user_state *state;
    int64_t position;
    int64_t grant_no;
    int64_t watermark; /* up to which time has passed for it */
    struct belief beliefs[SEGMENTS_MAX];
};

struct model {
    struct lane_fixture *fixture;
    struct evaluation *evaluation;
    struct subject subjects[LANE_USERS];
    struct lane_journal *journal;
    size_t renewal_count;
};

/* The memberships of a user in a segment, by all that is known; those to come as they would without further events. */
struct truth {
    struct interval intervals[INTERVALS_MAX];
    size_t count;
};

/* One subject and segment, and when it is looked at. */
struct look {
    struct model *model;
    struct subject *subject;
    size_t segment;
    struct belief *belief;
    int64_t watermark;
    int64_t now; /* T: the later of the watermark and the newest event */
    struct truth truth;
};

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void model_open(struct model *model, struct lane_fixture *fixture, struct lane_journal *journal)
{
    struct error err = ERROR_INIT;

    *model = (struct model){.fixture = fixture, .journal = journal};
    journal->count = 0;
    ck_assert_ok(evaluation_new(fixture->ruleset, &model->evaluation, &err));
    for (int i = 0; i < LANE_USERS; i++) {
        struct subject *subject = &model->subjects[i];

        (void)snprintf(subject->id, sizeof subject->id, "u%d", i);
        subject->position = -1;
        subject->watermark = TIMESTAMP_ALWAYS;
        ck_assert_ok(user_state_new(fixture->ruleset, &subject->state, &err));
    }
}

static void model_close(struct model *model)
{
    for (int i = 0; i < LANE_USERS; i++) {
        user_state_free(model->subjects[i].state);
    }
    evaluation_free(model->evaluation);
}

static struct subject *subject_of(struct model *model, struct slice id)
{
    for (int i = 0; i < LANE_USERS; i++) {
        if (slice_equal_text(id, model->subjects[i].id)) {
            return &model->subjects[i];
        }
    }
    ck_abort_msg("an unknown user");
    return NULL;
}

static void find_truth(struct look *look)
{
    const struct interval *intervals = NULL;
    struct error err = ERROR_INIT;
    int64_t newest = user_state_newest(look->subject->state);

    look->truth.count = 0;
    if (newest == TIMESTAMP_ALWAYS) {
        return;
    }
    ck_assert_ok(user_state_history(look->model->fixture->ruleset, look->subject->state, look->segment,
                                    newest + year_ms, look->model->evaluation, &intervals, &look->truth.count, &err));
    ck_assert_uint_le(look->truth.count, INTERVALS_MAX);
    if (look->truth.count > 0) {
        memcpy(look->truth.intervals, intervals, look->truth.count * sizeof *intervals);
    }
}

static struct look look_at(struct model *model, struct subject *subject, size_t segment, int64_t watermark)
{
    struct look look = {.model = model,
                        .subject = subject,
                        .segment = segment,
                        .belief = &subject->beliefs[segment],
                        .watermark = watermark,
                        .now = later(watermark, user_state_newest(subject->state))};

    find_truth(&look);
    return look;
}

/* The membership that holds at the instant, or NULL. */
static const struct interval *holding(const struct truth *truth, int64_t at)
{
    for (size_t i = 0; i < truth->count; i++) {
        if (truth->intervals[i].entered_at <= at && at < truth->intervals[i].left_at) {
            return &truth->intervals[i];
        }
    }
    return NULL;
}

static bool is_announced(const struct belief *belief, const struct interval *interval)
{
    return belief->member && interval->entered_at == belief->entered_at;
}

/* The membership that is announced, as it truly is; NULL: there is none, or it is none. */
static const struct interval *announced(const struct belief *belief, const struct truth *truth)
{
    for (size_t i = 0; i < truth->count; i++) {
        if (is_announced(belief, &truth->intervals[i])) {
            return &truth->intervals[i];
        }
    }
    return NULL;
}

static bool is_allowed(const struct look *look)
{
    const struct lane_segment *options = &look->model->fixture->segments[look->segment];

    return !options->silent && (options->purpose == LANE_NO_PURPOSE || look->subject->grant_no != 0);
}

static bool is_complete(const struct look *look)
{
    return look->model->fixture->segments[look->segment].complete_from_ms <= look->watermark;
}

static void put(struct look *look, struct lane_record record)
{
    struct lane_journal *journal = look->model->journal;
    struct lane_note *note = &journal->notes[journal->count++];

    ck_assert_uint_lt(journal->count, LANE_RECORDS_MAX);
    record.segment = look->segment;
    record.positions[0] = look->subject->position;
    record.positions[1] = -1;
    record.positions[2] = -1;
    record.certain = is_complete(look);
    record.uncertain_until = TIMESTAMP_ALWAYS;
    record.grant_no =
        look->model->fixture->segments[look->segment].purpose == LANE_NO_PURPOSE ? 0 : look->subject->grant_no;
    memset(note, 0, sizeof *note);
    memcpy(note->user, look->subject->id, sizeof note->user);
    note->record = record;
    *look->belief = (struct belief){.present = true,
                                    .member = record.member,
                                    .certain = record.certain,
                                    .entered_at = record.entered_at,
                                    .effective_at = record.effective_at,
                                    .valid_until = record.valid_until};
}

static void put_member(struct look *look, const struct interval *interval, int64_t effective_at)
{
    put(look, (struct lane_record){.member = true,
                                   .entered_at = interval->entered_at,
                                   .effective_at = effective_at,
                                   .valid_until = interval->left_at});
}

static void put_exit(struct look *look, int64_t at)
{
    put(look, (struct lane_record){.entered_at = TIMESTAMP_ALWAYS, .effective_at = at, .valid_until = TIMESTAMP_NEVER});
}

/* Half of the validity that was announced has passed at the instant. */
static int64_t half_of(const struct belief *belief)
{
    return belief->effective_at + (belief->valid_until - belief->effective_at) / 2;
}

/* 2, 3 and 4: the announced membership holds at the instant that the record would speak for. */
static void confirm(struct look *look, const struct interval *interval, int64_t at, bool last)
{
    const struct belief *belief = look->belief;
    bool renewed = interval->left_at > belief->valid_until && (last || at >= half_of(belief));

    if (interval->left_at < belief->valid_until || renewed || (!belief->certain && is_complete(look))) {
        look->model->renewal_count += renewed;
        put_member(look, interval, at);
    }
}

/* ---- time ---- */

/* Only time has brought this instant about. */
static void pass_instant(struct look *look)
{
    const struct truth *truth = &look->truth;
    const struct interval *interval;
    int64_t at = look->watermark;

    for (size_t i = 0; i < truth->count && !(look->belief->present && look->belief->effective_at >= at); i++) {
        if (truth->intervals[i].left_at == at && is_announced(look->belief, &truth->intervals[i])) {
            put_exit(look, at);
        } else if (truth->intervals[i].entered_at == at && !is_announced(look->belief, &truth->intervals[i])) {
            put_member(look, &truth->intervals[i], at);
        }
    }
    interval = announced(look->belief, truth);
    if (interval != NULL && interval->left_at > at) {
        bool holds_now = look->now < interval->left_at;

        confirm(look, interval, holds_now ? look->now : later(at, look->belief->effective_at), false);
    }
}

static int64_t sooner_after(int64_t after, int64_t candidate, int64_t soonest)
{
    return candidate > after && candidate < soonest ? candidate : soonest;
}

/* The next instant after `after` at which anything can be to say: an edge that what is announced does not speak for
 * yet, half of its validity, a build's completion. */
static int64_t next_instant(const struct look *look, int64_t after)
{
    const struct lane_segment *options = &look->model->fixture->segments[look->segment];
    int64_t soonest = sooner_after(after, options->complete_from_ms, TIMESTAMP_NEVER);
    int64_t spoken = look->belief->present ? later(after, look->belief->effective_at) : after;

    for (size_t i = 0; i < look->truth.count; i++) {
        soonest = sooner_after(spoken, look->truth.intervals[i].entered_at, soonest);
        soonest = sooner_after(spoken, look->truth.intervals[i].left_at, soonest);
    }
    return look->belief->member ? sooner_after(after, half_of(look->belief), soonest) : soonest;
}

static void pass_time(struct model *model, struct subject *subject, int64_t watermark)
{
    for (size_t segment = 0; segment < model->fixture->set.definition_count; segment++) {
        struct look look = look_at(model, subject, segment, subject->watermark);
        int64_t at = next_instant(&look, subject->watermark);

        while (is_allowed(&look) && at <= watermark && at != TIMESTAMP_NEVER) {
            look.watermark = at;
            look.now = later(at, user_state_newest(subject->state));
            pass_instant(&look);
            at = next_instant(&look, at);
        }
    }
    subject->watermark = later(subject->watermark, watermark);
}

/* ---- events ---- */

/* M holds in a membership that is not announced: it is said at once, after what was between. */
static void say_entry(struct look *look, const struct interval *now, int64_t settled)
{
    for (size_t i = 0; i < look->truth.count; i++) {
        const struct interval *interval = &look->truth.intervals[i];

        if (interval->left_at <= settled || interval->entered_at > look->now) {
            continue;
        }
        if (interval == now) {
            put_member(look, interval, interval->entered_at);
        } else if (is_announced(look->belief, interval)) {
            put_exit(look, interval->left_at);
        } else if (interval->entered_at > settled) {
            put_member(look, interval, interval->entered_at);
            put_exit(look, interval->left_at);
        }
    }
}

/* Where M does not hold at T, another membership may at the instant that is settled; else what is announced was never
 * so, or ended in the past. */
static void say_settled(struct look *look, int64_t settled)
{
    const struct interval *interval = holding(&look->truth, settled);
    int64_t ended_at = look->belief->entered_at;

    if (interval != NULL) {
        put_member(look, interval, interval->entered_at);
    } else if (look->belief->member) {
        for (size_t i = 0; i < look->truth.count; i++) {
            int64_t left_at = look->truth.intervals[i].left_at;

            ended_at = left_at <= settled ? later(ended_at, left_at) : ended_at;
        }
        put_exit(look, ended_at);
    }
}

/* An event at that time was folded; `before`: the truth without it. */
static void pass_event(struct look *look, const struct truth *before, int64_t event_time)
{
    const struct belief *belief = look->belief;
    const struct interval *now = holding(&look->truth, look->now);
    const struct interval *known = announced(belief, &look->truth);
    const struct interval *known_before = announced(belief, before);
    int64_t settled = belief->present ? later(look->watermark, belief->effective_at) : look->watermark;

    if (now != NULL && now != known) {
        say_entry(look, now, settled);
    } else if (now != NULL) {
        confirm(look, now, look->now, false);
    } else if (known == NULL || known->left_at <= settled) {
        say_settled(look, settled);
    } else if (known->left_at == event_time || known_before == NULL || known_before->left_at != known->left_at) {
        put_exit(look, known->left_at); /* the event has brought it about */
    } else {
        confirm(look, known, settled, false); /* the watermark will */
    }
}

static void model_event(struct model *model, const struct event *event, int64_t offset, int64_t watermark)
{
    struct subject *subject = subject_of(model, event->user);
    struct look looks[SEGMENTS_MAX];
    enum fold_result result = FOLD_NONE;
    struct error err = ERROR_INIT;
    uint64_t touched = 0;

    pass_time(model, subject, watermark);
    for (size_t segment = 0; segment < model->fixture->set.definition_count; segment++) {
        looks[segment] = look_at(model, subject, segment, watermark);
    }
    ck_assert_ok(
        user_state_fold(model->fixture->ruleset, subject->state, event, model->evaluation, &result, &touched, &err));
    ck_assert_int_eq(result, FOLD_APPLIED);
    subject->position = offset;
    for (size_t segment = 0; segment < model->fixture->set.definition_count; segment++) {
        struct look look = look_at(model, subject, segment, watermark);

        if ((touched >> segment & 1) != 0 && is_allowed(&look)) {
            pass_event(&look, &looks[segment].truth, event->time_ms);
        }
    }
}

/* 5: nothing counts as announced, and with a grant what holds is. */
static void model_grant(struct model *model, struct subject *subject, int64_t grant_no, int64_t watermark)
{
    if (subject->grant_no == grant_no) {
        return;
    }
    subject->grant_no = grant_no;
    for (size_t segment = 0; segment < model->fixture->set.definition_count; segment++) {
        struct look look = look_at(model, subject, segment, watermark);
        const struct interval *interval = holding(&look.truth, look.now);

        if (model->fixture->segments[segment].purpose != PURPOSE) {
            continue;
        }
        *look.belief = (struct belief){0};
        if (!is_allowed(&look)) {
            continue;
        }
        if (interval != NULL) {
            put_member(&look, interval, look.now);
        } else if (holding(&look.truth, watermark) != NULL) {
            put_member(&look, holding(&look.truth, watermark), watermark);
        }
    }
}

/* Nobody will look again: a later end is said now. */
static void model_end(struct model *model, int64_t watermark)
{
    for (int i = 0; i < LANE_USERS; i++) {
        struct subject *subject = &model->subjects[i];

        pass_time(model, subject, watermark);
        for (size_t segment = 0; segment < model->fixture->set.definition_count; segment++) {
            struct look look = look_at(model, subject, segment, watermark);
            const struct interval *interval = announced(look.belief, &look.truth);

            if (is_allowed(&look) && interval != NULL) {
                confirm(&look, interval, later(watermark, look.belief->effective_at), true);
            }
        }
    }
}

/* ---- both ---- */

static struct lane_journal expected;
static struct lane_journal written;

/* A grant is given, given anew, or taken, as the stream does it. */
static void change_grant(struct model *model, struct lane *lane, int64_t watermark)
{
    struct subject *subject = &model->subjects[lane_fixture_random(LANE_USERS)];
    int64_t grant_no = lane_fixture_random(3) == 0 ? 0 : (int64_t)lane_fixture_random(1000) + 1;
    struct lane_sink sink = {.emit = lane_fixture_note, .context = &written};
    struct lane_user *user = lane_find(lane, slice_from(subject->id));
    struct error err = ERROR_INIT;

    if (user == NULL) {
        return;
    }
    ck_assert_ok(lane_hold(lane, user, watermark, &sink, &err));
    ck_assert(lane_held(user));
    pass_time(model, subject, watermark);
    ck_assert_ok(lane_grant_set(lane, user, PURPOSE, grant_no, watermark, &sink, &err));
    model_grant(model, subject, grant_no, watermark);
    ck_assert_ok(lane_release(lane, user, &err));
    ck_assert(!lane_held(user));
}

/* Every fifth segment needs a grant, one in seven is silent; half of the runs have builds that become complete late. */
static void choose_segments(struct lane_fixture *fixture, unsigned run)
{
    for (size_t i = 0; i < fixture->set.definition_count; i++) {
        struct lane_segment *segment = &fixture->segments[i];

        segment->purpose = (i + run) % 5 == 0 ? PURPOSE : LANE_NO_PURPOSE;
        segment->silent = (i + run) % 7 == 0;
        segment->complete_from_ms = run % 2 == 0 ? TIMESTAMP_ALWAYS : fixture->messages[i * 11].time_ms;
    }
}

/* Returns how many renewals there were. */
static size_t compare_run(unsigned run, unsigned disorder, int64_t lateness_ms)
{
    struct lane_sink sink = {.emit = lane_fixture_note, .context = &written};
    struct watermark watermark = lane_fixture_watermark();
    struct lane_fixture fixture;
    struct error err = ERROR_INIT;
    struct model model;
    struct lane *lane;

    lane_fixture_seed(run + 1);
    lane_fixture_open_with(&fixture, definitions);
    lane_fixture_messages(&fixture, LANE_EVENTS, disorder);
    choose_segments(&fixture, run);
    lane = lane_fixture_lane_of(&fixture, (struct lane_options){.purpose_count = 1, .lateness_ms = lateness_ms});
    model_open(&model, &fixture, &expected);
    written.count = 0;
    for (size_t i = 0; i < LANE_EVENTS; i++) {
        struct event event = lane_fixture_decode(&fixture, i);
        struct lane_user *user = NULL;

        ck_assert_ok(lane_add(lane, event.user, &user, &err));
        ck_assert_ok(lane_event(lane, user, &event, 0, (int64_t)i, watermark.value_ms, &sink, &err));
        model_event(&model, &event, (int64_t)i, watermark.value_ms);
        watermark_event(&watermark, 0, event.time_ms);
        if (lane_fixture_random(4) == 0) {
            ck_assert_ok(lane_advance(lane, watermark.value_ms, &sink, &err));
        }
        if (lane_fixture_random(12) == 0) {
            change_grant(&model, lane, watermark.value_ms);
        }
    }
    if (run % 3 == 0) {
        watermark_move(&watermark, watermark.value_ms + 25 * LANE_MINUTE);
    }
    ck_assert_ok(lane_end(lane, watermark.value_ms, &sink, &err));
    model_end(&model, watermark.value_ms);
    ck_assert_uint_eq(lane_counts(lane).late, 0);
    lane_fixture_assert_same(&expected, &written, "records", run, disorder);
    lane_free(lane);
    model_close(&model);
    lane_fixture_close(&fixture);
    return model.renewal_count;
}

START_TEST(records_are_those_of_the_rules)
{
    static const unsigned disorders[] = {0, 8, 40};
    size_t renewal_count = 0;

    for (size_t i = 0; i < sizeof disorders / sizeof disorders[0]; i++) {
        renewal_count += compare_run((unsigned)_i, disorders[i], _i % 4 < 2 ? 0 : 40 * LANE_MINUTE);
    }
    ck_assert_uint_gt(renewal_count, 0);
}
END_TEST

Suite *lane_records_suite(void)
{
    Suite *suite = suite_create("lane_records");
    TCase *tcase = tcase_create("records");
    int effort = getenv("MUSTER_TEST_LONG") != NULL ? 10 : 1;

    tcase_add_loop_test(tcase, records_are_those_of_the_rules, 0, 60 * effort);
    suite_add_tcase(suite, tcase);
    return suite;
}
