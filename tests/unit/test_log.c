#include "common/base/log.h"

#include "tests/unit/unit.h"

#include <stdio.h>
#include <unistd.h>

Suite *log_suite(void);

START_TEST(a_line_has_time_level_and_program)
{
    struct unit_capture capture;
    char *said;

    log_open("muster-test", LOG_LEVEL_WARNING);
    unit_capture_begin(&capture, STDERR_FILENO);
    log_error("first %d", 1);
    log_warning("two\nlines\x1b[2J");
    log_info("unseen");
    log_debug("unseen");
    said = unit_capture_end(&capture);
    ck_assert_ptr_null(strstr(said, "unseen"));
    ck_assert_int_eq(said[0], '2');
    ck_assert_int_eq(said[23], 'Z');
    ck_assert_ptr_eq(strstr(said, " error muster-test: first 1\n"), said + 24);
    ck_assert_ptr_nonnull(strstr(said, " warning muster-test: two lines [2J\n"));
    memory_free(said);
}
END_TEST

START_TEST(broken_text_is_made_harmless)
{
    static const struct {
        const char *text;
        const char *shown;
    } cases[] = {
        {"gr\xc3\xbc\xc3\x9f \xe7\x94\xa8 \xf0\x9f\x98\x80", "gr\xc3\xbc\xc3\x9f \xe7\x94\xa8 \xf0\x9f\x98\x80"},
        {"stray \x80\xff", "stray ??"},
        {"cut \xe7\x94", "cut ??"},
        {"overlong \xc0\xaf \xe0\x80\xaf", "overlong ?? ???"},
        {"surrogate \xed\xa0\x80", "surrogate ???"},
        {"upper control \xc2\x9b", "upper control ??"},
    };

    log_open("muster-test", LOG_LEVEL_WARNING);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = ERROR_INIT;
        struct unit_capture capture;
        char expected[128];
        char *said;

        (void)error_set(&err, ERROR_INPUT, "%s", cases[i].text);
        (void)snprintf(expected, sizeof expected, "muster-test: %s\n", cases[i].shown);
        unit_capture_begin(&capture, STDERR_FILENO);
        ck_assert_int_eq(log_failure("muster-test", &err), 4);
        said = unit_capture_end(&capture);
        ck_assert_str_eq(said, expected);
        memory_free(said);
    }
}
END_TEST

START_TEST(levels_are_kept)
{
    struct unit_capture capture;
    char *said;

    log_set_level(LOG_LEVEL_DEBUG);
    ck_assert(log_shows(LOG_LEVEL_DEBUG));
    unit_capture_begin(&capture, STDERR_FILENO);
    log_debug("seen");
    said = unit_capture_end(&capture);
    ck_assert_ptr_nonnull(strstr(said, " debug "));
    memory_free(said);
    log_set_level(LOG_LEVEL_ERROR);
    ck_assert(!log_shows(LOG_LEVEL_WARNING));
    ck_assert_str_eq(log_level_name(LOG_LEVEL_INFO), "info");
}
END_TEST

START_TEST(a_long_line_is_cut)
{
    struct unit_capture capture;
    char text[10000];
    char *said;

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    log_set_level(LOG_LEVEL_INFO);
    unit_capture_begin(&capture, STDERR_FILENO);
    log_info("%s", text);
    said = unit_capture_end(&capture);
    ck_assert_uint_lt(strlen(said), 2300);
    ck_assert_uint_gt(strlen(said), 2000);
    ck_assert_int_eq(said[strlen(said) - 1], '\n');
    ck_assert_ptr_eq(strchr(said, '\n'), said + strlen(said) - 1);
    memory_free(said);
}
END_TEST

START_TEST(a_user_is_shown_as_a_digest)
{
    char text[LOG_USER_SIZE];

    /* printf abc | sha256sum */
    ck_assert_str_eq(log_user(SLICE_LITERAL("abc"), text), "user#ba7816bf8f01");
    ck_assert_str_eq(log_user(slice_of(NULL, 0), text), "user#e3b0c44298fc");
}
END_TEST

START_TEST(a_failure_is_printed_with_its_hint)
{
    struct error err = ERROR_INIT;
    struct unit_capture capture;
    char *said;

    unit_capture_begin(&capture, STDERR_FILENO);
    (void)error_set(&err, ERROR_INPUT, "line 5:\nbroken");
    (void)error_hint(&err, "mend it");
    ck_assert_int_eq(log_failure("tool", &err), 4);
    (void)error_set(&err, ERROR_CLOSED_PIPE, "gone");
    ck_assert_int_eq(log_failure("tool", &err), 0);
    (void)error_set(&err, ERROR_FOUND, "%s", "");
    ck_assert_int_eq(log_failure("tool", &err), 1);
    said = unit_capture_end(&capture);
    ck_assert_str_eq(said, "tool: line 5: broken\nhint: mend it\n");
    memory_free(said);
}
END_TEST

START_TEST(progress_is_silent_off_a_terminal)
{
    struct unit_capture capture;
    struct progress progress;
    char *said;

    unit_capture_begin(&capture, STDERR_FILENO);
    progress_begin(&progress, "evaluate", 100);
    progress.shown_ms -= 1000;
    progress_update(&progress, 50);
    ck_assert_uint_eq(progress.done, 50);
    ck_assert(!progress_shown());
    progress_end(&progress);
    said = unit_capture_end(&capture);
    ck_assert_str_eq(said, "");
    memory_free(said);
}
END_TEST

START_TEST(progress_shows_percent_and_rate)
{
    struct unit_capture capture;
    struct progress progress;
    char *said;

    unit_capture_begin(&capture, STDERR_FILENO);
    progress_begin(&progress, "evaluate", 3000000);
    progress.terminal = true;
    progress_update(&progress, 1); /* too soon to be shown */
    progress.begun_ms -= 1000;
    progress.shown_ms -= 1000;
    progress_update(&progress, 1230000);
    ck_assert(progress_shown());
    progress.total = 0;
    progress.shown_ms -= 1000;
    progress_update(&progress, 2000);
    progress_end(&progress);
    ck_assert(!progress_shown());
    said = unit_capture_end(&capture);
    ck_assert_ptr_eq(strstr(said, "\r\033[Kevaluate  41%  1."), said);
    ck_assert_ptr_nonnull(strstr(said, " M/s\r\033[Kevaluate  2000  "));
    memory_free(said);
}
END_TEST

Suite *log_suite(void)
{
    Suite *suite = suite_create("log");
    TCase *tests = tcase_create("log");

    tcase_add_test(tests, a_line_has_time_level_and_program);
    tcase_add_test(tests, broken_text_is_made_harmless);
    tcase_add_test(tests, levels_are_kept);
    tcase_add_test(tests, a_long_line_is_cut);
    tcase_add_test(tests, a_user_is_shown_as_a_digest);
    tcase_add_test(tests, a_failure_is_printed_with_its_hint);
    tcase_add_test(tests, progress_is_silent_off_a_terminal);
    tcase_add_test(tests, progress_shows_percent_and_rate);
    suite_add_tcase(suite, tests);
    return suite;
}
