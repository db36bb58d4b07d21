/* The map of consent: what it holds after many changes is what the last change of each said. */
#include "common/io/store_consent.h"
#include "tests/unit/unit.h"

#include <string.h>

START_TEST(test_map_follows_changes)
{
    struct error err = ERROR_INIT;
    struct consent_map *map = NULL;

    ck_assert_ok(consent_map_new(&map, &err));
    ck_assert_int_eq(consent_map_grant(map, 1, 1), 0);
    ck_assert_ok(consent_map_set(map, 1, 1, 7, &err));
    ck_assert_ok(consent_map_set(map, 1, 2, 8, &err));
    ck_assert_int_eq(consent_map_grant(map, 1, 1), 7);
    ck_assert_int_eq(consent_map_grant(map, 1, 2), 8);
    ck_assert_int_eq(consent_map_grant(map, 2, 1), 0);
    ck_assert_ok(consent_map_set(map, 1, 1, 0, &err));
    ck_assert_int_eq(consent_map_grant(map, 1, 1), 0);
    ck_assert_int_eq(consent_map_grant(map, 1, 2), 8);
    ck_assert_ok(consent_map_set(map, 1, 1, 9, &err));
    ck_assert_int_eq(consent_map_grant(map, 1, 1), 9);
    consent_map_free(map);
}
END_TEST

START_TEST(test_map_grows)
{
    struct error err = ERROR_INIT;
    struct consent_map *map = NULL;

    ck_assert_ok(consent_map_new(&map, &err));
    for (int64_t user_no = 1; user_no <= 20000; user_no++) {
        for (int32_t purpose_no = 1; purpose_no <= 3; purpose_no++) {
            ck_assert_ok(consent_map_set(map, user_no, purpose_no, user_no * 10 + purpose_no, &err));
        }
    }
    for (int64_t user_no = 1; user_no <= 20000; user_no++) {
        for (int32_t purpose_no = 1; purpose_no <= 3; purpose_no++) {
            ck_assert_int_eq(consent_map_grant(map, user_no, purpose_no), user_no * 10 + purpose_no);
        }
    }
    ck_assert_int_eq(consent_map_grant(map, 20001, 1), 0);
    consent_map_free(map);
}
END_TEST

static bool map_scenario(void *context, struct error *err)
{
    struct consent_map *map = NULL;
    bool ok;

    (void)context;
    if (!consent_map_new(&map, err)) {
        return false;
    }
    ok = true;
    for (int64_t user_no = 1; ok && user_no <= 3000; user_no++) {
        ok = consent_map_set(map, user_no, 1, user_no, err);
    }
    consent_map_free(map);
    return ok;
}

START_TEST(test_map_without_memory)
{
    unit_fail_each_allocation(map_scenario, NULL);
}
END_TEST

START_TEST(test_outcome_names)
{
    ck_assert_str_eq(consent_outcome_name(CONSENT_CHANGED), "changed");
    ck_assert_str_eq(consent_outcome_name(CONSENT_FUTURE), "future");
    ck_assert_str_eq(consent_outcome_name(CONSENT_REFUSED), "refused");
}
END_TEST

Suite *store_consent_suite(void);
Suite *store_consent_suite(void)
{
    Suite *suite = suite_create("store_consent");
    TCase *map = tcase_create("map");

    tcase_add_test(map, test_map_follows_changes);
    tcase_add_test(map, test_map_grows);
    tcase_add_test(map, test_map_without_memory);
    tcase_add_test(map, test_outcome_names);
    suite_add_tcase(suite, map);
    return suite;
}
