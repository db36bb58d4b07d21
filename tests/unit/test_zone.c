/* Calendar periods, by themselves and with the system's zones (tzdata is installed where the tests run). */
#include "common/domain/zone.h"

#include "common/base/timestamp.h"
#include "common/io/zone_version.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

Suite *zone_suite(void);

static int64_t instant(const char *text)
{
    int64_t ms;

    ck_assert(timestamp_parse(slice_from(text), &ms));
    return ms;
}

START_TEST(periods_in_utc)
{
    static const struct {
        enum rule_period period;
        const char *at;
        const char *begin;
        const char *end;
    } cases[] = {
        {RULE_DAY, "1969-12-31T23:59:59.999Z", "1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z"},
        {RULE_WEEK, "1970-01-01T00:00:00Z", "1969-12-29T00:00:00Z", "1970-01-05T00:00:00Z"},
        {RULE_WEEK, "2026-03-01T23:00:00Z", "2026-02-23T00:00:00Z", "2026-03-02T00:00:00Z"},
        {RULE_MONTH, "2024-02-29T12:00:00Z", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"},
        {RULE_QUARTER, "1969-12-01T00:00:00Z", "1969-10-01T00:00:00Z", "1970-01-01T00:00:00Z"},
        {RULE_YEAR, "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "0002-01-01T00:00:00Z"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t index = zone_period_index(zone_utc(), cases[i].period, instant(cases[i].at));

        ck_assert_int_eq(zone_period_start_ms(zone_utc(), cases[i].period, index), instant(cases[i].begin));
        ck_assert_int_eq(zone_period_start_ms(zone_utc(), cases[i].period, index + 1), instant(cases[i].end));
    }
}
END_TEST

static const struct zone *found_zone(struct zone_files *files, const char *name)
{
    const struct zone *zone = zone_files_find(files, slice_from(name));

    ck_assert_msg(zone != NULL, "%s was not found", name);
    return zone;
}

START_TEST(days_where_the_clock_changes)
{
    struct zone_files files;
    const struct zone *zone;
    int64_t index;

    zone_files_init(&files);
    zone = found_zone(&files, "Europe/Berlin");
    ck_assert_ptr_eq(found_zone(&files, "Europe/Berlin"), zone);
    index = zone_period_index(zone, RULE_DAY, instant("2026-03-29T12:00:00Z"));
    ck_assert_int_eq(zone_period_start_ms(zone, RULE_DAY, index), instant("2026-03-28T23:00:00Z"));
    ck_assert_int_eq(zone_period_start_ms(zone, RULE_DAY, index + 1), instant("2026-03-29T22:00:00Z"));
    /* Beyond the table in the file: its rule goes on. */
    index = zone_period_index(zone, RULE_DAY, instant("2199-07-01T12:00:00Z"));
    ck_assert_int_eq(zone_period_start_ms(zone, RULE_DAY, index), instant("2199-06-30T22:00:00Z"));
    /* Sao Paulo, 2018-11-04: midnight does not exist, the day begins at 01:00. */
    zone = found_zone(&files, "America/Sao_Paulo");
    index = zone_period_index(zone, RULE_DAY, instant("2018-11-04T12:00:00Z"));
    ck_assert_int_eq(zone_period_start_ms(zone, RULE_DAY, index), instant("2018-11-04T03:00:00Z"));
    ck_assert_int_eq(zone_period_start_ms(zone, RULE_DAY, index + 1), instant("2018-11-05T02:00:00Z"));
    /* Havana, 2026-11-01: set back from 01:00 to 00:00, midnight comes twice, the first counts. */
    zone = found_zone(&files, "America/Havana");
    index = zone_period_index(zone, RULE_DAY, instant("2026-11-01T12:00:00Z"));
    ck_assert_int_eq(zone_period_start_ms(zone, RULE_DAY, index), instant("2026-11-01T04:00:00Z"));
    zone_files_clear(&files);
}
END_TEST

START_TEST(unknown_and_hostile_names_are_not_found)
{
    static const char *const names[] = {"", "Europe/Nowhere", "../../../etc/passwd", "/etc/passwd", "Europe"};
    struct zone_files files;

    zone_files_init(&files);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        ck_assert_ptr_null(zone_files_find(&files, slice_from(names[i])));
    }
    zone_files_clear(&files);
}
END_TEST

static void write_text(const char *folder, const char *name, const char *text)
{
    char path[256];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(the_database_says_its_version)
{
    char folder[] = "/var/tmp/muster-zones.XXXXXX";
    char path[256];
    char version[ZONE_VERSION_SIZE];
    char other[ZONE_VERSION_SIZE];
    struct error err = ERROR_INIT;
    struct zone_files files;

    zone_files_init(&files);
    ck_assert_ptr_nonnull(found_zone(&files, "Europe/Berlin"));
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(setenv("TZDIR", folder, 1), 0);
    /* A database that says nothing of itself is told by what was read of it. */
    ck_assert(zone_version(&files, version, &err));
    ck_assert_uint_eq(strlen(version), strlen("sha256:") + 16);
    ck_assert_int_eq(strncmp(version, "sha256:", 7), 0);
    files.newest = NULL;
    ck_assert(zone_version(&files, other, &err));
    ck_assert_str_eq(other, "");
    write_text(folder, "+VERSION", "2024a\n");
    ck_assert(zone_version(&files, version, &err));
    ck_assert_str_eq(version, "2024a");
    write_text(folder, "tzdata.zi", "# version 2025b-more\n# comment\n");
    ck_assert(zone_version(&files, version, &err));
    ck_assert_str_eq(version, "2025b-more");
    write_text(folder, "tzdata.zi", "# something else\n");
    ck_assert(zone_version(&files, version, &err));
    ck_assert_str_eq(version, "2024a");
    for (int i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, i == 0 ? "tzdata.zi" : "+VERSION");
        ck_assert_int_eq(unlink(path), 0);
    }
    ck_assert_int_eq(rmdir(folder), 0);
    ck_assert_int_eq(unsetenv("TZDIR"), 0);
    zone_files_clear(&files);
}
END_TEST

Suite *zone_suite(void)
{
    Suite *suite = suite_create("zone");
    TCase *tests = tcase_create("zone");

    tcase_add_test(tests, periods_in_utc);
    tcase_add_test(tests, days_where_the_clock_changes);
    tcase_add_test(tests, unknown_and_hostile_names_are_not_found);
    tcase_add_test(tests, the_database_says_its_version);
    suite_add_tcase(suite, tests);
    return suite;
}
