#include "common/io/definition_files.h"
#include "common/io/definition_zones.h"
#include "tests/unit/unit.h"

Suite *definition_files_suite(void);

#define DEFINITION(id) "{\"segmentId\":\"" id "\",\"criteria\":[{\"event\":\"x\"}]}"

static void write_text(const char *folder, const char *name, const char *text)
{
    memory_free(unit_file_write(folder, name, slice_from(text)));
}

START_TEST(folders_are_read_in_order)
{
    struct error err = ERROR_INIT;
    struct segment_set set;
    char *folder = unit_folder_make();
    size_t file_count = 0;

    write_text(folder, "b.json", DEFINITION("one"));
    write_text(folder, "a.json", "[" DEFINITION("two") "," DEFINITION("three") "]");
    write_text(folder, ".c.json", "broken");
    write_text(folder, "d.json.bak", "broken");
    write_text(folder, "json", "broken");
    segment_set_init(&set);
    ck_assert_ok(definition_files_read(folder, &set, &file_count, &err));
    ck_assert_uint_eq(file_count, 2);
    ck_assert_uint_eq(set.definition_count, 3);
    ck_assert(slice_equal_text(set.definitions[0].segment_id, "two"));
    ck_assert(slice_equal_text(set.definitions[1].json_path, "$[1]"));
    ck_assert(slice_equal_text(set.definitions[2].segment_id, "one"));
    segment_set_clear(&set);
    unit_folder_remove(folder);
}
END_TEST

START_TEST(failures_are_told_apart)
{
    struct error err = ERROR_INIT;
    struct segment_set set;
    char *folder = unit_folder_make();

    segment_set_init(&set);
    ck_assert_fails(definition_files_read("/nowhere/at/all", &set, NULL, &err), ERROR_UNREACHABLE, "/nowhere/at/all: ");
    ck_assert_fails(definition_files_read(folder, &set, NULL, &err), ERROR_INPUT, "no *.json in this folder");
    write_text(folder, "a.json", "{\"segmentId\":\"a\"}");
    ck_assert_fails(definition_files_read(folder, &set, NULL, &err), ERROR_INPUT, "/a.json: $: ");
    write_text(folder, "a.json", "");
    ck_assert_fails(definition_files_read(folder, &set, NULL, &err), ERROR_INPUT, "/a.json: not JSON");
    segment_set_clear(&set);
    unit_folder_remove(folder);
}
END_TEST

static bool read_folder(void *context, struct error *err)
{
    struct segment_set set;
    bool done;

    segment_set_init(&set);
    done = definition_files_read(context, &set, NULL, err) && segment_set_check(&set, err);
    segment_set_clear(&set);
    return done;
}

START_TEST(every_failed_allocation_ends_cleanly)
{
    char *folder = unit_folder_make();

    write_text(folder, "a.json", DEFINITION("one"));
    write_text(folder, "b.json", DEFINITION("two"));
    unit_fail_each_allocation(read_folder, folder);
    unit_folder_remove(folder);
}
END_TEST

static bool zones_exist(const char *text, struct error *err)
{
    struct segment_set set;
    bool good;

    segment_set_init(&set);
    ck_assert(segment_set_add(&set, SLICE_LITERAL("f.json"), slice_from(text), 0, err));
    ck_assert(segment_set_check(&set, err));
    good = definition_zones_check(&set, err);
    segment_set_clear(&set);
    return good;
}

START_TEST(zones_are_looked_up)
{
    struct error err = ERROR_INIT;

    ck_assert_ok(
        zones_exist("{\"segmentId\":\"a\",\"criteria\":[{\"event\":\"x\",\"window\":{\"calendar\":\"day\"}}]}", &err));
    ck_assert_fails(
        zones_exist("{\"segmentId\":\"a\",\"criteria\":[{\"event\":\"x\"}],\"exclude\":[{\"not\":{\"event\":"
                    "\"x\",\"distinct\":{\"period\":\"day\",\"zone\":\"Mars/Olympus\",\">\":1}}}]}",
                    &err),
        ERROR_INPUT, "f.json: $.exclude[0].not.distinct.zone: this machine knows no time zone");
    ck_assert_fails(
        zones_exist("[{\"segmentId\":\"a\",\"evaluation\":\"batch\",\"criteria\":[{\"percentile\":9,\"of\":{\"event\":"
                    "\"x\",\"count\":{},\"window\":{\"calendar\":\"day\",\"zone\":\"Mars/Olympus\"}}}]}]",
                    &err),
        ERROR_INPUT, "f.json: $[0].criteria[0].of.window.zone: this machine knows no time zone");
}
END_TEST

Suite *definition_files_suite(void)
{
    Suite *suite = suite_create("definition_files");
    TCase *tests = tcase_create("definition_files");

    tcase_add_test(tests, folders_are_read_in_order);
    tcase_add_test(tests, failures_are_told_apart);
    tcase_add_test(tests, every_failed_allocation_ends_cleanly);
    tcase_add_test(tests, zones_are_looked_up);
    suite_add_tcase(suite, tests);
    return suite;
}
