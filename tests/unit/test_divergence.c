#include "common/base/timestamp.h"
#include "common/domain/divergence.h"

#include <check.h>

START_TEST(test_counts_and_shares)
{
    struct divergence_tally tally = {.batch_members = 0};
    struct buffer text;

    ck_assert_int_eq(divergence_jaccard_micros(&tally), 1000000); /* two empty sets are equal */
    for (int user = 0; user < 8; user++) {
        ck_assert(!divergence_count(&tally, true, true));
    }
    ck_assert(!divergence_count(&tally, false, false));
    ck_assert(divergence_count(&tally, true, false));
    divergence_explain(&tally, 41, CAUSE_IN_FLIGHT);
    ck_assert(divergence_count(&tally, false, true)); /* equal counts, different people */
    divergence_explain(&tally, 42, CAUSE_UNEXPLAINED);
    ck_assert_int_eq(tally.batch_members, 9);
    ck_assert_int_eq(tally.stream_members, 9);
    ck_assert_int_eq(divergence_gap_micros(9, 9), 0);
    ck_assert_int_eq(divergence_jaccard_micros(&tally), 800000);
    ck_assert_int_eq(divergence_difference_micros(9, 1, 1), 200000);
    ck_assert_int_eq(divergence_gap_micros(100, 95), 50000);
    ck_assert_int_eq(divergence_gap_micros(95, 100), 50000);
    ck_assert_int_eq(divergence_gap_micros(0, 0), 0);
    ck_assert_int_eq(divergence_gap_micros(0, 5), 1000000);
    buffer_init(&text, 4096);
    divergence_causes_append(&text, &tally);
    ck_assert_str_eq(buffer_text(&text),
                     "{\"in_flight\":{\"count\":1,\"users\":[41]},\"unexplained\":{\"count\":1,\"users\":[42]}}");
    buffer_clear(&text);
}
END_TEST

START_TEST(test_examples_are_few)
{
    struct divergence_tally tally = {.batch_members = 0};
    struct buffer text;

    for (int user = 1; user <= 5; user++) {
        divergence_explain(&tally, user, CAUSE_CONSENT);
    }
    buffer_init(&text, 4096);
    divergence_causes_append(&text, &tally);
    ck_assert_str_eq(buffer_text(&text), "{\"consent\":{\"count\":5,\"users\":[1,2,3]}}");
    buffer_clear(&text);
}
END_TEST

START_TEST(test_first_cause_counts)
{
    struct divergence_facts facts = {true, true, true, true, true, true, true};

    ck_assert_int_eq(divergence_cause_of(&facts), CAUSE_CONSENT);
    facts.granted_since = false;
    ck_assert_int_eq(divergence_cause_of(&facts), CAUSE_VERSION_SKEW);
    facts.other_version = false;
    ck_assert_int_eq(divergence_cause_of(&facts), CAUSE_STREAM_UNCERTAIN);
    facts.uncertain = false;
    ck_assert_int_eq(divergence_cause_of(&facts), CAUSE_UNSEEN_BY_BATCH);
    facts.unseen_by_batch = false;
    ck_assert_int_eq(divergence_cause_of(&facts), CAUSE_STREAM_BEHIND);
    facts.stream_behind = false;
    ck_assert_int_eq(divergence_cause_of(&facts), CAUSE_EXPIRY_PENDING);
    facts.expired_since = false;
    ck_assert_int_eq(divergence_cause_of(&facts), CAUSE_IN_FLIGHT);
    facts.newer_record = false;
    ck_assert_int_eq(divergence_cause_of(&facts), CAUSE_UNEXPLAINED);
}
END_TEST

START_TEST(test_member_at)
{
    struct merge_stream in = {.member = true, .entered_at = 100, .effective_at = 100, .valid_until = 200};
    struct merge_stream out = {.member = false,
                               .entered_at = TIMESTAMP_ALWAYS,
                               .effective_at = 150,
                               .valid_until = TIMESTAMP_NEVER};
    struct merge_stream renewed = {.member = true, .entered_at = 100, .effective_at = 180, .valid_until = 300};

    ck_assert(divergence_member_at(false, &in, 100));
    ck_assert(divergence_member_at(false, &in, 199));
    ck_assert(!divergence_member_at(false, &in, 200)); /* half-open */
    ck_assert(!divergence_member_at(false, &in, 99));
    ck_assert(!divergence_member_at(true, &out, 150));
    ck_assert(divergence_member_at(true, &out, 149)); /* a later exit says nothing about before */
    ck_assert(!divergence_member_at(false, &out, 149));
    ck_assert(divergence_member_at(true, &renewed, 250));
    ck_assert(divergence_member_at(false, &renewed, 120)); /* it had begun by then */
}
END_TEST

START_TEST(test_alert_hysteresis)
{
    const int64_t threshold = 50000;
    int64_t shares[] = {50001, 60000, 70000};

    ck_assert_int_eq(divergence_alert(false, shares, 3, 3, threshold), MOVE_RAISE);
    ck_assert_int_eq(divergence_alert(false, shares, 2, 3, threshold), MOVE_NONE); /* too few */
    shares[1] = 50000;                                                             /* not above */
    ck_assert_int_eq(divergence_alert(false, shares, 3, 3, threshold), MOVE_NONE);
    ck_assert_int_eq(divergence_alert(true, shares, 3, 3, threshold), MOVE_NONE); /* sent once */
    shares[0] = 25000;
    ck_assert_int_eq(divergence_alert(true, shares, 3, 3, threshold), MOVE_NONE); /* between the two: stays */
    shares[0] = 24999;
    ck_assert_int_eq(divergence_alert(true, shares, 3, 3, threshold), MOVE_RESOLVE);
    ck_assert_int_eq(divergence_alert(false, shares, 3, 3, threshold), MOVE_NONE);
    ck_assert_int_eq(divergence_alert(true, shares, 0, 3, threshold), MOVE_NONE);
}
END_TEST

Suite *divergence_suite(void);
Suite *divergence_suite(void)
{
    Suite *suite = suite_create("divergence");
    TCase *tcase = tcase_create("figures");

    tcase_add_test(tcase, test_counts_and_shares);
    tcase_add_test(tcase, test_examples_are_few);
    tcase_add_test(tcase, test_first_cause_counts);
    tcase_add_test(tcase, test_member_at);
    tcase_add_test(tcase, test_alert_hysteresis);
    suite_add_tcase(suite, tcase);
    return suite;
}
