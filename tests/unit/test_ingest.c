#include "common/base/timestamp.h"
#include "common/domain/ingest.h"

#include "tests/unit/unit.h"

Suite *ingest_suite(void);

static const struct event event = {.kind = EVENT_TRACK, .user = {.data = "u1", .size = 2}, .time_ms = 1000000};

static struct ingest_origin good_origin(void)
{
    return (struct ingest_origin){.has_key = true,
                                  .key = SLICE_LITERAL("u1"),
                                  .timestamp_ms = 1000000,
                                  .future_skew_ms = 300000,
                                  .lane = 3,
                                  .lane_of_user = 3};
}

START_TEST(good_message_passes)
{
    struct ingest_origin origin = good_origin();
    struct error why = ERROR_INIT;

    ck_assert_int_eq(ingest_check(&event, &origin, &why), QUARANTINE_NONE);
}
END_TEST

START_TEST(key_must_be_the_user)
{
    struct ingest_origin origin = good_origin();
    struct error why = ERROR_INIT;

    origin.has_key = false;
    ck_assert_int_eq(ingest_check(&event, &origin, &why), QUARANTINE_KEY);
    origin = good_origin();
    origin.key = SLICE_LITERAL("u2");
    ck_assert_int_eq(ingest_check(&event, &origin, &why), QUARANTINE_KEY);
    origin = good_origin();
    origin.lane = 2;
    ck_assert_int_eq(ingest_check(&event, &origin, &why), QUARANTINE_KEY);
    ck_assert_ptr_nonnull(strstr(why.message, "murmur2_random"));
}
END_TEST

START_TEST(future_is_judged_by_the_message_timestamp)
{
    struct ingest_origin origin = good_origin();
    struct error why = ERROR_INIT;

    origin.timestamp_ms = 1000000 - 300000;
    ck_assert_int_eq(ingest_check(&event, &origin, &why), QUARANTINE_NONE);
    origin.timestamp_ms = 1000000 - 300001;
    ck_assert_int_eq(ingest_check(&event, &origin, &why), QUARANTINE_FUTURE);
    origin.timestamp_ms = TIMESTAMP_ALWAYS;
    ck_assert_int_eq(ingest_check(&event, &origin, &why), QUARANTINE_NONE);
    origin.timestamp_ms = INT64_MAX;
    ck_assert_int_eq(ingest_check(&event, &origin, &why), QUARANTINE_NONE);
}
END_TEST

Suite *ingest_suite(void)
{
    Suite *suite = suite_create("ingest");
    TCase *tests = tcase_create("ingest");

    tcase_add_test(tests, good_message_passes);
    tcase_add_test(tests, key_must_be_the_user);
    tcase_add_test(tests, future_is_judged_by_the_message_timestamp);
    suite_add_tcase(suite, tests);
    return suite;
}
