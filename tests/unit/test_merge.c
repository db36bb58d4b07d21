/* The decision table, row by row, against conditions written out by hand; then the properties that make passes
 * harmless: a second decision changes nothing, and the order in which evidence arrives does not matter. */
#include "common/base/timestamp.h"
#include "common/domain/merge.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { AS_OF = 1000, TOPICS = 2 };

/* A run that read offsets up to 10, a lane that has read more and is complete, a stream record that is newer. */
static struct merge_input input_make(void)
{
    struct merge_input input = {
        .evaluation = EVALUATION_HYBRID,
        .strategy = MERGE_STREAMING_FIRST,
        .topic_count = TOPICS,
        .allowed = true,
        .ended_by = TIMESTAMP_ALWAYS,
        .stream = {.present = true,
                   .member = true,
                   .certain = true,
                   .entered_at = 900,
                   .effective_at = 900,
                   .valid_until = TIMESTAMP_NEVER,
                   .uncertain_until = TIMESTAMP_ALWAYS,
                   .positions = {11, -1, -1, -1},
                   .written_us = 5000},
        .run = {.present = true,
                .has_coverage = true,
                .loads_folded = true,
                .as_of = AS_OF,
                .snapshot_us = 4000,
                .written_us = 4500,
                .coverage = {10, 10, -1, -1}},
        .batch = {.verdict = BATCH_MEMBER, .entered_at = 500, .valid_until = 5000},
        .lane = {.ready = true, .complete_from = TIMESTAMP_ALWAYS, .watermark = 1500, .offset_next = {20, 11, 0, 0}},
    };
    return input;
}

static void expect(const struct merge_input *input, enum merge_decision decision, bool member, int64_t entered_at)
{
    struct merge_verdict verdict = merge_decide(input);

    ck_assert_str_eq(merge_decision_name(verdict.decision), merge_decision_name(decision));
    ck_assert_int_eq(verdict.member, member);
    ck_assert_int_eq(verdict.entered_at, member ? entered_at : TIMESTAMP_ALWAYS);
}

START_TEST(test_a_retired_segment_has_no_members)
{
    struct merge_input input = input_make();

    expect(&input, DECISION_STREAM_COVERS, true, 900);
    input.retired = true;
    expect(&input, DECISION_SEGMENT_RETIRED, false, 0);
    input.allowed = false; /* it is out of use for everyone */
    expect(&input, DECISION_SEGMENT_RETIRED, false, 0);
    ck_assert(!merge_decision_by_stream(DECISION_SEGMENT_RETIRED));
    ck_assert(!merge_decision_by_batch(DECISION_SEGMENT_RETIRED));
}
END_TEST

START_TEST(test_row_1_no_run)
{
    struct merge_input input = input_make();

    input.run.present = false;
    input.batch.verdict = BATCH_NONE;
    expect(&input, DECISION_STREAM_ONLY, true, 900);
    input.stream.certain = false; /* the build is complete */
    expect(&input, DECISION_STREAM_ONLY, true, 900);
    input.lane.complete_from = 1501; /* now neither */
    expect(&input, DECISION_AWAITING_BATCH, false, 0);
    input.stream.certain = true;
    expect(&input, DECISION_STREAM_ONLY, true, 900);
    input.stream.present = false;
    expect(&input, DECISION_AWAITING_BATCH, false, 0);
    input.lane.complete_from = 1500; /* passed just now */
    expect(&input, DECISION_STREAM_ONLY, false, 0);
    input.lane.ready = false;
    expect(&input, DECISION_AWAITING_BATCH, false, 0);
}
END_TEST

START_TEST(test_row_2_uncertain)
{
    struct merge_input input = input_make();

    input.stream.uncertain_until = 1501;
    expect(&input, DECISION_STREAM_UNCERTAIN, true, 500);
    input.batch.verdict = BATCH_NO;
    expect(&input, DECISION_STREAM_UNCERTAIN, false, 0);
    input.stream.uncertain_until = TIMESTAMP_NEVER;
    expect(&input, DECISION_STREAM_UNCERTAIN, false, 0);
    input.stream.uncertain_until = 1500; /* the watermark has reached it */
    expect(&input, DECISION_STREAM_COVERS, true, 900);
}
END_TEST

START_TEST(test_row_3_covers)
{
    struct merge_input input = input_make();

    expect(&input, DECISION_STREAM_COVERS, true, 900);
    input.stream.member = false;
    expect(&input, DECISION_STREAM_COVERS, false, 0);
    input.stream.present = false; /* silence decides: the night batch resurrects nobody */
    expect(&input, DECISION_STREAM_COVERS, false, 0);
}
END_TEST

START_TEST(test_covers_needs_everything)
{
    struct merge_input input = input_make();

    ck_assert(merge_covers(&input.lane, &input.run, TOPICS));
    input.lane.watermark = AS_OF;
    ck_assert(merge_covers(&input.lane, &input.run, TOPICS));
    input.lane.watermark = AS_OF - 1;
    ck_assert(!merge_covers(&input.lane, &input.run, TOPICS));
    input = input_make();
    input.lane.offset_next[1] = 10; /* offset 10 is not folded yet */
    ck_assert(!merge_covers(&input.lane, &input.run, TOPICS));
    ck_assert(merge_covers(&input.lane, &input.run, 1));
    input = input_make();
    input.run.loads_folded = false;
    ck_assert(!merge_covers(&input.lane, &input.run, TOPICS));
    input = input_make();
    input.run.has_coverage = false;
    ck_assert(!merge_covers(&input.lane, &input.run, TOPICS));
    input = input_make();
    input.lane.ready = false;
    ck_assert(!merge_covers(&input.lane, &input.run, TOPICS));
    input = input_make();
    input.lane.complete_from = TIMESTAMP_NEVER;
    ck_assert(!merge_covers(&input.lane, &input.run, TOPICS));
    input = input_make();
    input.run.coverage[0] = -1; /* the run read nothing of the topic */
    input.lane.offset_next[0] = 0;
    ck_assert(merge_covers(&input.lane, &input.run, TOPICS));
}
END_TEST

START_TEST(test_row_4_update)
{
    struct merge_input input = input_make();

    input.lane.watermark = AS_OF - 1; /* does not cover */
    expect(&input, DECISION_STREAM_UPDATE, true, 900);
    input.stream.member = false;
    expect(&input, DECISION_STREAM_UPDATE, false, 0);
    input.stream.certain = false; /* complete all the same */
    expect(&input, DECISION_STREAM_UPDATE, false, 0);
    input.lane.complete_from = TIMESTAMP_NEVER;
    expect(&input, DECISION_BATCH_OVER_STREAM, true, 500);
    input.stream.certain = true;
    expect(&input, DECISION_STREAM_UPDATE, false, 0);
}
END_TEST

START_TEST(test_update_since)
{
    struct merge_input input = input_make();

    ck_assert(merge_update_since(&input.stream, &input.run, TOPICS));
    input.stream.positions[0] = 10;
    ck_assert(!merge_update_since(&input.stream, &input.run, TOPICS));
    input.stream.positions[1] = 11; /* one position is enough */
    ck_assert(merge_update_since(&input.stream, &input.run, TOPICS));
    input.stream.positions[1] = -1;
    input.stream.effective_at = AS_OF; /* not later than as_of */
    ck_assert(!merge_update_since(&input.stream, &input.run, TOPICS));
    input.stream.effective_at = AS_OF + 1;
    ck_assert(merge_update_since(&input.stream, &input.run, TOPICS));
    input.stream.effective_at = 900;
    input.run.has_coverage = false; /* then the instant of writing counts */
    ck_assert(merge_update_since(&input.stream, &input.run, TOPICS));
    input.stream.written_us = 4000;
    ck_assert(!merge_update_since(&input.stream, &input.run, TOPICS));
    input.stream.present = false;
    ck_assert(!merge_update_since(&input.stream, &input.run, TOPICS));
}
END_TEST

START_TEST(test_row_5_batch)
{
    struct merge_input input = input_make();

    input.lane.watermark = AS_OF - 1;
    input.stream.positions[0] = 10;
    expect(&input, DECISION_BATCH_OVER_STREAM, true, 500);
    input.batch.verdict = BATCH_NO;
    expect(&input, DECISION_BATCH_OVER_STREAM, false, 0);
    input.stream.present = false;
    expect(&input, DECISION_BATCH_ABSENT, false, 0);
    input.batch.verdict = BATCH_EXCLUDED;
    expect(&input, DECISION_BATCH_ABSENT, false, 0);
    input.batch.verdict = BATCH_MEMBER;
    expect(&input, DECISION_BATCH_NEW_MEMBER, true, 500);
}
END_TEST

START_TEST(test_streaming_updates_has_no_row_3)
{
    struct merge_input input = input_make();

    input.strategy = MERGE_STREAMING_UPDATES;
    expect(&input, DECISION_STREAM_UPDATE, true, 900);
    input.stream.present = false;
    expect(&input, DECISION_BATCH_NEW_MEMBER, true, 500);
    input.batch.verdict = BATCH_NO;
    expect(&input, DECISION_BATCH_ABSENT, false, 0);
}
END_TEST

START_TEST(test_last_writer_wins)
{
    struct merge_input input = input_make();

    input.strategy = MERGE_LAST_WRITER_WINS;
    expect(&input, DECISION_LAST_WRITER_STREAM, true, 900);
    input.stream.written_us = 4500; /* not later than the run */
    expect(&input, DECISION_LAST_WRITER_BATCH, true, 500);
    input.stream.present = false;
    expect(&input, DECISION_LAST_WRITER_BATCH, true, 500);
    input.batch.verdict = BATCH_NO;
    expect(&input, DECISION_LAST_WRITER_BATCH, false, 0);
}
END_TEST

START_TEST(test_union)
{
    struct merge_input input = input_make();
    struct merge_verdict verdict;

    input.strategy = MERGE_UNION_WITH_BATCH_EXCLUSIONS;
    expect(&input, DECISION_UNION_BOTH, true, 500);
    verdict = merge_decide(&input);
    ck_assert_int_eq(verdict.valid_until, TIMESTAMP_NEVER); /* the wider interval */
    input.stream.member = false;
    expect(&input, DECISION_UNION_BATCH, true, 500);
    input.batch.verdict = BATCH_NO;
    expect(&input, DECISION_UNION_NEITHER, false, 0);
    input.stream.member = true;
    expect(&input, DECISION_UNION_STREAM, true, 900);
    input.batch.verdict = BATCH_EXCLUDED; /* rows 3 and 4 hold: the exclusion is out of date */
    expect(&input, DECISION_UNION_STREAM, true, 900);
    input.lane.watermark = AS_OF - 1; /* row 4 still holds */
    expect(&input, DECISION_UNION_STREAM, true, 900);
    input.stream.positions[0] = 10; /* neither holds */
    expect(&input, DECISION_UNION_EXCLUDED, false, 0);
}
END_TEST

START_TEST(test_one_side_alone)
{
    struct merge_input input = input_make();

    input.evaluation = EVALUATION_BATCH;
    expect(&input, DECISION_BATCH_ONLY, true, 500);
    input.batch.verdict = BATCH_NO;
    expect(&input, DECISION_BATCH_ONLY, false, 0);
    input.run.present = false;
    expect(&input, DECISION_AWAITING_BATCH, false, 0);
    input = input_make();
    input.evaluation = EVALUATION_STREAM;
    input.batch.verdict = BATCH_NO;
    expect(&input, DECISION_STREAM_ONLY, true, 900);
    input.stream.present = false;
    expect(&input, DECISION_STREAM_ONLY, false, 0);
}
END_TEST

START_TEST(test_withdrawn_and_expired)
{
    struct merge_input input = input_make();
    struct merge_verdict verdict;

    input.allowed = false;
    expect(&input, DECISION_CONSENT_WITHDRAWN, false, 0);
    input = input_make();
    input.stream.valid_until = 1400;
    input.ended_by = 1399;
    expect(&input, DECISION_STREAM_COVERS, true, 900);
    input.ended_by = 1400;
    expect(&input, DECISION_EXPIRED, false, 0);
    verdict = merge_decide(&input);
    ck_assert_int_eq(verdict.valid_from, 1400);
    verdict = merge_decide_record(&input); /* what the record said is not touched by time */
    ck_assert(verdict.member);
    ck_assert_int_eq(verdict.valid_until, 1400);
}
END_TEST

START_TEST(test_ended_by)
{
    ck_assert_int_eq(merge_ended_by(100, TIMESTAMP_ALWAYS, 0), 100); /* event time alone */
    ck_assert_int_eq(merge_ended_by(100, 200, 50), 150);             /* the grace has run out */
    ck_assert_int_eq(merge_ended_by(100, 200, 150), 100);
    ck_assert_int_eq(merge_ended_by(TIMESTAMP_ALWAYS, 200, 50), 150); /* no stream */
    ck_assert_int_eq(merge_ended_by(100, INT64_MIN + 5, 50), 100);    /* no overflow */
}
END_TEST

START_TEST(test_changes)
{
    struct merge_verdict out = {.member = false};
    struct merge_verdict in = {.member = true, .entered_at = 1, .valid_until = 5};
    struct merge_verdict later = {.member = true, .entered_at = 1, .valid_until = 6};
    struct merge_verdict out_other = {.member = false, .entered_at = 9, .valid_until = 9};

    ck_assert_int_eq(merge_change_between(&out, &in), CHANGE_ENTERED);
    ck_assert_int_eq(merge_change_between(&in, &out), CHANGE_EXITED);
    ck_assert_int_eq(merge_change_between(&in, &later), CHANGE_RENEWED);
    ck_assert_int_eq(merge_change_between(&in, &in), CHANGE_CONFIRMED);
    ck_assert_int_eq(merge_change_between(&out, &out_other), CHANGE_CONFIRMED);
    ck_assert_str_eq(merge_change_name(CHANGE_RENEWED), "renewed");
}
END_TEST

START_TEST(test_names_round_trip)
{
    for (unsigned index = 1; index < DECISION_COUNT; index++) {
        const char *name = merge_decision_name((enum merge_decision)index);

        ck_assert_ptr_nonnull(name);
        ck_assert_uint_eq(merge_decision_find(slice_from(name)), index);
    }
    ck_assert_int_eq(merge_decision_find(SLICE_LITERAL("nonsense")), DECISION_NONE);
    ck_assert_int_eq(batch_verdict_find(SLICE_LITERAL("excluded")), BATCH_EXCLUDED);
    ck_assert_int_eq(batch_verdict_find(SLICE_LITERAL("none")), BATCH_NONE);
}
END_TEST

/* ---- properties -------------------------------------------------------------------------------------------------- */

/* What can have arrived by the time of a pass: how many stream records, which run, how far the lane has come. */
struct world {
    struct merge_stream records[6]; /* in journal order */
    struct merge_run run;
    struct merge_batch batch;
    struct merge_lane lane;
};

static int pick(unsigned *seed, int count)
{
    *seed = *seed * 1103515245u + 12345u;
    return (int)((*seed >> 16) % (unsigned)count);
}

static void world_make(struct world *world, unsigned *seed)
{
    struct merge_input base = input_make();

    world->run = base.run;
    world->run.has_coverage = pick(seed, 4) != 0;
    world->run.loads_folded = pick(seed, 4) != 0;
    world->batch.verdict = (enum batch_verdict)(BATCH_NO + pick(seed, 3));
    world->batch.entered_at = 400 + pick(seed, 300);
    world->batch.valid_until = pick(seed, 2) == 0 ? TIMESTAMP_NEVER : 1200 + pick(seed, 500);
    world->lane = base.lane;
    world->lane.ready = pick(seed, 4) != 0;
    world->lane.complete_from = pick(seed, 2) == 0 ? TIMESTAMP_ALWAYS : 1000 + pick(seed, 1000);
    world->lane.watermark = 800 + pick(seed, 1000);
    world->lane.offset_next[0] = pick(seed, 20);
    for (size_t index = 0; index < 6; index++) {
        struct merge_stream *record = &world->records[index];

        *record = base.stream;
        record->member = pick(seed, 2) == 0;
        record->certain = pick(seed, 2) == 0;
        record->entered_at = 600 + pick(seed, 800);
        record->effective_at = record->entered_at + pick(seed, 100);
        record->valid_until = pick(seed, 2) == 0 ? TIMESTAMP_NEVER : record->effective_at + 1 + pick(seed, 500);
        record->uncertain_until = pick(seed, 4) == 0 ? 700 + pick(seed, 1200) : TIMESTAMP_ALWAYS;
        record->positions[0] = pick(seed, 20);
        record->written_us = 3000 + (int64_t)index * 500;
    }
}

static struct merge_input input_at(const struct world *world, enum merge_strategy strategy, size_t records,
                                   bool run_there)
{
    struct merge_input input = input_make();

    input.strategy = strategy;
    input.run = world->run;
    input.run.present = run_there;
    input.batch = world->batch;
    if (!run_there) {
        input.batch.verdict = BATCH_NONE;
    }
    input.lane = world->lane;
    input.ended_by = world->lane.watermark;
    input.stream = world->records[records == 0 ? 0 : records - 1];
    input.stream.present = records > 0;
    return input;
}

/* The membership that passes come to when records and the run arrive in the order that `seed` draws, with a pass after
 * each arrival. The stored verdict is carried along as a pass would, and must not influence the end. */
static struct merge_verdict end_of(const struct world *world, enum merge_strategy strategy, unsigned seed)
{
    struct merge_verdict stored = {.member = false};
    size_t records = 0;
    bool run_there = false;

    while (records < 6 || !run_there) {
        struct merge_input input;
        struct merge_verdict verdict;
        struct merge_verdict again;

        if (run_there || (records < 6 && pick(&seed, 3) != 0)) {
            records++;
        } else {
            run_there = true;
        }
        input = input_at(world, strategy, records, run_there);
        verdict = merge_decide(&input);
        again = merge_decide(&input);
        ck_assert(merge_verdict_equal(&verdict, &again));
        ck_assert_int_eq(verdict.decision, again.decision);
        /* Nobody is a member whose time is over. */
        ck_assert(!verdict.member || verdict.valid_until > input.ended_by);
        if (!merge_verdict_equal(&stored, &verdict)) {
            stored = verdict;
        }
    }
    return stored;
}

START_TEST(test_order_of_arrival_does_not_matter)
{
    unsigned seed = 20240501;

    for (int round = 0; round < 4000; round++) {
        enum merge_strategy strategy = (enum merge_strategy)(MERGE_STREAMING_FIRST + pick(&seed, 4));
        struct world world;
        struct merge_verdict first;

        world_make(&world, &seed);
        first = end_of(&world, strategy, 1);
        for (unsigned order = 2; order < 8; order++) {
            struct merge_verdict other = end_of(&world, strategy, order * 7919);

            ck_assert(merge_verdict_equal(&first, &other));
        }
    }
}
END_TEST

Suite *merge_suite(void);
Suite *merge_suite(void)
{
    Suite *suite = suite_create("merge");
    TCase *table = tcase_create("table");
    TCase *properties = tcase_create("properties");

    tcase_add_test(table, test_row_1_no_run);
    tcase_add_test(table, test_row_2_uncertain);
    tcase_add_test(table, test_row_3_covers);
    tcase_add_test(table, test_covers_needs_everything);
    tcase_add_test(table, test_row_4_update);
    tcase_add_test(table, test_update_since);
    tcase_add_test(table, test_row_5_batch);
    tcase_add_test(table, test_streaming_updates_has_no_row_3);
    tcase_add_test(table, test_last_writer_wins);
    tcase_add_test(table, test_union);
    tcase_add_test(table, test_one_side_alone);
    tcase_add_test(table, test_withdrawn_and_expired);
    tcase_add_test(table, test_ended_by);
    tcase_add_test(table, test_changes);
    tcase_add_test(table, test_a_retired_segment_has_no_members);
    tcase_add_test(table, test_names_round_trip);
    tcase_add_test(properties, test_order_of_arrival_does_not_matter);
    suite_add_tcase(suite, table);
    suite_add_tcase(suite, properties);
    return suite;
}
