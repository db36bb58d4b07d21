#include "common/base/command.h"

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

Suite *command_suite(void);

/* What the command saw when it ran. */
static struct {
    int runs;
    bool verbose;
    char name[64];
    int64_t count;
    int64_t as_of_ms;
    int64_t within_ms;
    size_t argument_count;
    char last_argument[64];
    int64_t step_rows;
} seen;

static bool run_list(const struct command_line *line, struct error *err)
{
    size_t count = command_argument_count(line);
    const struct config *config;
    const struct config *again;

    if (!command_config(line, &config, err) || !command_config(line, &again, err)) {
        return false;
    }
    ck_assert_ptr_eq(config, again);
    seen.runs++;
    seen.verbose = command_has(line, "verbose");
    (void)snprintf(seen.name, sizeof seen.name, "%s",
                   command_text(line, "name") == NULL ? "" : command_text(line, "name"));
    seen.count = command_integer(line, "count", -1);
    seen.as_of_ms = command_instant(line, "as-of", -1);
    seen.within_ms = command_duration_ms(line, "within", -1);
    seen.argument_count = count;
    seen.step_rows = config_integer(config, "stream.step_rows");
    (void)snprintf(seen.last_argument, sizeof seen.last_argument, "%s",
                   count > 0 ? command_argument(line, count - 1) : "");
    ck_assert_ptr_null(command_argument(line, count));
    (void)printf("listed\n");
    return true;
}

static bool run_fail(const struct command_line *line, struct error *err)
{
    (void)line;
    (void)error_set(err, ERROR_UNREACHABLE, "could not reach the moon");
    return error_hint(err, "build a rocket");
}

static const struct option list_options[] = {
    {.name = "verbose", .kind = OPTION_FLAG, .help = "say more"},
    {.name = "name", .kind = OPTION_TEXT, .value = "NAME", .help = "a name", .required = true},
    {.name = "count", .kind = OPTION_INTEGER, .value = "N", .help = "a number"},
    {.name = "as-of", .kind = OPTION_INSTANT, .value = "T", .help = "an instant"},
    {.name = "within", .kind = OPTION_DURATION, .value = "D", .help = "a duration"},
    {0},
};

static const struct command store_commands[] = {
    {.name = "list",
     .arguments = "[FILE...]",
     .summary = "lists things",
     .help = "More about lists.",
     .options = list_options,
     .argument_max = 2,
     .run = run_list},
    {.name = "fail", .arguments = "FILE", .summary = "fails", .argument_min = 1, .argument_max = 1, .run = run_fail},
    {0},
};

static const struct command root_commands[] = {
    {.name = "store", .arguments = "", .summary = "the store", .subcommands = store_commands},
    {0},
};

static const struct command root = {.name = "tool",
                                    .arguments = "",
                                    .summary = "a tool for tests",
                                    .subcommands = root_commands};

struct result {
    int status;
    char *out;
    char *said;
};

static struct result run(int argc, const char *const *words)
{
    struct unit_capture out;
    struct unit_capture said;
    struct result result;
    char *argv[20] = {0};

    ck_assert_int_lt(argc, 20);
    for (int i = 0; i < argc; i++) {
        argv[i] = memory_copy_text(slice_from(words[i]));
    }
    memset(&seen, 0, sizeof seen);
    unit_capture_begin(&out, STDOUT_FILENO);
    unit_capture_begin(&said, STDERR_FILENO);
    result.status = command_main(&root, argc, argv);
    result.said = unit_capture_end(&said);
    result.out = unit_capture_end(&out);
    for (int i = 0; i < argc; i++) {
        memory_free(argv[i]);
    }
    return result;
}

#define RUN(...)                                                                                                       \
    run((int)(sizeof((const char *[]){"tool", __VA_ARGS__}) / sizeof(char *)), (const char *[]){"tool", __VA_ARGS__})

static void result_clear(struct result *result)
{
    memory_free(result->out);
    memory_free(result->said);
}

static void expect_usage(struct result result, const char *part)
{
    ck_assert_msg(result.status == 2, "exit %d: %s", result.status, result.said);
    ck_assert_msg(strstr(result.said, part) != NULL, "\"%s\" is not in: %s", part, result.said);
    ck_assert_str_eq(result.out, "");
    ck_assert_int_eq(seen.runs, 0);
    result_clear(&result);
}

static void set_up(void)
{
    ck_assert_int_eq(chdir("/"), 0);
    (void)unsetenv("MUSTER_CONF");
    (void)unsetenv("MUSTER_STREAM_STEP_ROWS");
}

START_TEST(options_and_arguments_arrive)
{
    struct result result = RUN("--set", "stream.step_rows=7", "store", "list", "a", "--verbose", "--name=n=m",
                               "--count", "-5", "--as-of", "2026-05-01T10:00:00Z", "--within", "1h30m", "--", "--b");

    ck_assert_msg(result.status == 0, "%s", result.said);
    ck_assert_str_eq(result.out, "listed\n");
    ck_assert_int_eq(seen.runs, 1);
    ck_assert(seen.verbose);
    ck_assert_str_eq(seen.name, "n=m");
    ck_assert_int_eq(seen.count, -5);
    ck_assert_int_eq(seen.as_of_ms, 1777629600000);
    ck_assert_int_eq(seen.within_ms, 5400000);
    ck_assert_uint_eq(seen.argument_count, 2);
    ck_assert_str_eq(seen.last_argument, "--b");
    ck_assert_int_eq(seen.step_rows, 7);
    result_clear(&result);
}
END_TEST

START_TEST(fallbacks_where_nothing_is_given)
{
    struct result result = RUN("store", "list", "--name", "-");

    ck_assert_msg(result.status == 0, "%s", result.said);
    ck_assert(!seen.verbose);
    ck_assert_int_eq(seen.count, -1);
    ck_assert_int_eq(seen.as_of_ms, -1);
    ck_assert_int_eq(seen.within_ms, -1);
    ck_assert_uint_eq(seen.argument_count, 0);
    ck_assert_str_eq(seen.name, "-");
    result_clear(&result);
}
END_TEST

START_TEST(mistakes_are_named)
{
    expect_usage(RUN("stor"), "unknown command tool stor\nhint: did you mean store? There are: store");
    expect_usage(RUN("store", "lst"), "unknown command tool store lst\nhint: did you mean list? There are: list, fail");
    expect_usage(RUN("store"), "a command is missing\nhint: tool store --help lists them");
    expect_usage(RUN("store", "list"), "--name NAME is required");
    expect_usage(RUN("store", "list", "--name"), "--name needs a value: --name NAME");
    expect_usage(RUN("store", "list", "--name", "x", "--name", "y"), "--name is given twice");
    expect_usage(RUN("store", "list", "--nam", "x"), "unknown option --nam\nhint: did you mean --name?");
    expect_usage(RUN("store", "list", "-n", "x"), "unknown option -n");
    expect_usage(RUN("store", "list", "--verbose=1"), "--verbose takes no value");
    expect_usage(RUN("store", "list", "--name", "x", "--count", "many"), "--count: expected an integer, got \"many\"");
    expect_usage(RUN("store", "list", "--name", "x", "--count", "99999999999999999999"),
                 "--count: expected an integer");
    expect_usage(RUN("store", "list", "--name", "x", "--as-of", "noon"), "--as-of: expected an instant");
    expect_usage(RUN("store", "list", "--name", "x", "--within", "0s"), "--within: expected a duration");
    expect_usage(RUN("store", "list", "--name", "x", "a", "b", "c"), "unexpected argument \"c\"");
    expect_usage(RUN("store", "fail"), "an argument is missing: FILE");
    expect_usage(RUN("store", "list", "--name", "x", "--set", "nothing"), "--set: expected SECTION.KEY=VALUE");
    expect_usage(RUN("store", "list", "--name", "x", "--set", "stream.steprows=5"), "unknown setting stream.steprows");
    expect_usage(RUN("store", "list", "--name", "x", "--config", "/nonexistent"), "/nonexistent: could not open");
    expect_usage(RUN("store", "list", "--version"), "unknown option --version");
}
END_TEST

START_TEST(help_goes_to_standard_output)
{
    struct result result = RUN("--help");

    ck_assert_int_eq(result.status, 0);
    ck_assert_str_eq(result.said, "");
    ck_assert_ptr_nonnull(strstr(result.out, "usage: tool COMMAND"));
    ck_assert_ptr_nonnull(strstr(result.out, "  store  the store\n"));
    ck_assert_ptr_nonnull(strstr(result.out, "stream.step_rows"));
    ck_assert_ptr_nonnull(strstr(result.out, "Exit status"));
    result_clear(&result);
    result = RUN("store", "list", "--help");
    ck_assert_int_eq(result.status, 0);
    ck_assert_ptr_nonnull(strstr(result.out, "usage: tool store list [--verbose] --name NAME [--count N]"));
    ck_assert_ptr_nonnull(strstr(result.out, "[FILE...]\n\nlists things\n\nMore about lists.\n"));
    ck_assert_ptr_nonnull(strstr(result.out, "  --as-of T                an instant\n"));
    ck_assert_ptr_null(strstr(result.out, "stream.step_rows"));
    result_clear(&result);
    result = RUN("--version");
    ck_assert_str_eq(result.out, "tool " MUSTER_VERSION "\n");
    result_clear(&result);
    result = RUN("--sample-config");
    ck_assert_ptr_nonnull(strstr(result.out, "\n#step_rows = 5000\n"));
    result_clear(&result);
}
END_TEST

START_TEST(failures_are_reported_once)
{
    struct result result = RUN("store", "fail", "x");

    ck_assert_int_eq(result.status, 3);
    ck_assert_str_eq(result.said, "tool: could not reach the moon\nhint: build a rocket\n");
    ck_assert_str_eq(result.out, "");
    result_clear(&result);
}
END_TEST

/* Runs `tool --help` with standard output going to `descriptor`; returns what was said on standard error. */
static char *help_to(int descriptor, int *status)
{
    char *words[] = {(char[]){"tool"}, (char[]){"--help"}, NULL};
    int saved = dup(STDOUT_FILENO);
    struct unit_capture said;

    (void)fflush(stdout);
    unit_capture_begin(&said, STDERR_FILENO);
    ck_assert_int_ge(dup2(descriptor, STDOUT_FILENO), 0);
    *status = command_main(&root, 2, words);
    (void)dup2(saved, STDOUT_FILENO);
    (void)close(saved);
    return unit_capture_end(&said);
}

START_TEST(a_full_disk_is_said)
{
    int full = open("/dev/full", O_WRONLY);
    int status;
    char *said = help_to(full, &status);

    ck_assert_int_eq(status, 70);
    ck_assert_str_eq(said, "tool: could not write standard output: No space left on device\n");
    memory_free(said);
    (void)close(full);
}
END_TEST

START_TEST(a_closed_pipe_is_silent)
{
    int ends[2];
    int status;
    char *said;

    ck_assert_int_eq(pipe(ends), 0);
    (void)close(ends[0]);
    said = help_to(ends[1], &status);
    ck_assert_int_eq(status, 0);
    ck_assert_str_eq(said, "");
    memory_free(said);
    (void)close(ends[1]);
}
END_TEST

START_TEST(signals_ask_to_stop)
{
    ck_assert(!command_stopping());
    command_catch_signals();
    ck_assert_int_eq(raise(SIGTERM), 0);
    ck_assert(command_stopping());
    ck_assert_int_eq(raise(SIGTERM), 0); /* and again: still no death */
    ck_assert_int_eq(raise(SIGINT), 0);
}
END_TEST

START_TEST(a_second_interrupt_ends_at_once)
{
    command_catch_signals();
    ck_assert_int_eq(raise(SIGINT), 0);
    ck_assert(command_stopping());
    (void)raise(SIGINT);
}
END_TEST

static bool run_command(void *context, struct error *err)
{
    char *words[] = {(char[]){"tool"},
                     (char[]){"store"},
                     (char[]){"list"},
                     (char[]){"--name"},
                     (char[]){"x"},
                     (char[]){"--set"},
                     (char[]){"stream.step_rows=7"},
                     NULL};
    int status = command_main(&root, 7, words);

    (void)context;
    return status == 0 || error_set(err, status == 70 ? ERROR_INTERNAL : ERROR_NONE, "exit %d", status);
}

START_TEST(each_failed_allocation_is_reported)
{
    struct unit_capture out;
    struct unit_capture said;

    unit_capture_begin(&out, STDOUT_FILENO);
    unit_capture_begin(&said, STDERR_FILENO);
    unit_fail_each_allocation(run_command, NULL);
    memory_free(unit_capture_end(&said));
    memory_free(unit_capture_end(&out));
}
END_TEST

Suite *command_suite(void)
{
    Suite *suite = suite_create("command");
    TCase *tests = tcase_create("command");

    tcase_add_checked_fixture(tests, set_up, NULL);
    tcase_add_test(tests, options_and_arguments_arrive);
    tcase_add_test(tests, fallbacks_where_nothing_is_given);
    tcase_add_test(tests, mistakes_are_named);
    tcase_add_test(tests, help_goes_to_standard_output);
    tcase_add_test(tests, failures_are_reported_once);
    tcase_add_test(tests, a_full_disk_is_said);
    tcase_add_test(tests, a_closed_pipe_is_silent);
    tcase_add_test(tests, signals_ask_to_stop);
    tcase_add_test_raise_signal(tests, a_second_interrupt_ends_at_once, SIGINT);
    tcase_add_test(tests, each_failed_allocation_is_reported);
    suite_add_tcase(suite, tests);
    return suite;
}
