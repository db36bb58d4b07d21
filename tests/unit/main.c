/* Runs the unit tests: all suites, or those named as arguments. Each test runs in a process of its own (CK_FORK=no in
 * the environment turns that off, for a debugger). */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

#ifdef __SANITIZE_ADDRESS__
const char *__asan_default_options(void);

/* Every test is a child that looks for leaks when it ends, also among what the parent freed and the sanitizer keeps in
 * quarantine: with its 256 MB most of the time went there. */
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=8";
}
#endif

static bool wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0) {
            return true;
        }
    }
    return argc <= 1;
}

int main(int argc, char **argv)
{
    SRunner *runner;
    int suite_count = 0;
    int failed;

    /* A test that hangs is ended; how long one takes says nothing: the machine may be busy, the build sanitized. */
    (void)setenv("CK_DEFAULT_TIMEOUT", "300", 0);
    runner = srunner_create(NULL);
    for (const struct unit_suite *suite = unit_suites; suite->name != NULL; suite++) {
        if (wanted(suite->name, argc, argv)) {
            srunner_add_suite(runner, suite->make());
            suite_count++;
        }
    }
    if (suite_count == 0) {
        (void)fprintf(stderr, "unit-tests: no such suite; there are:\n");
        for (const struct unit_suite *suite = unit_suites; suite->name != NULL; suite++) {
            (void)fprintf(stderr, "  %s\n", suite->name);
        }
        srunner_free(runner);
        return 2;
    }
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    if (srunner_ntests_run(runner) == 0) {
        failed = 1; /* nothing ran: that is no success */
    }
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
