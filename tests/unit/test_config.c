#include "common/base/config.h"

#include "tests/unit/unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

Suite *config_suite(void);

static char *folder;

/* No variable and no file of the machine reaches the tests: they run in a folder of their own. */
static void set_up(void)
{
    extern char **environ;
    char names[64][128];
    size_t count = 0;

    for (char **variable = environ; *variable != NULL && count < 64; variable++) {
        if (strncmp(*variable, "MUSTER_", 7) == 0) {
            (void)snprintf(names[count++], 128, "%.*s", (int)strcspn(*variable, "="), *variable);
        }
    }
    for (size_t i = 0; i < count; i++) {
        (void)unsetenv(names[i]);
    }
    folder = unit_folder_make();
    ck_assert_int_eq(chdir(folder), 0);
}

static void tear_down(void)
{
    ck_assert_int_eq(chdir("/"), 0);
    unit_folder_remove(folder);
}

static struct config *open_text(const char *text, struct error *err)
{
    char *path = unit_file_write(folder, "test.conf", slice_from(text));
    struct config *config = NULL;
    bool opened = config_open(path, &config, err);

    memory_free(path);
    return opened ? config : NULL;
}

struct wanted {
    const char *key;
    const char *value;
    size_t visits;
};

static bool look(void *context, const char *key, const char *value, struct error *err)
{
    struct wanted *wanted = context;

    (void)err;
    wanted->visits++;
    if (strcmp(key, wanted->key) == 0) {
        wanted->value = value;
    }
    return true;
}

static const char *kafka_value(const struct config *config, const char *key)
{
    struct wanted wanted = {.key = key, .value = NULL, .visits = 0};
    struct error err = ERROR_INIT;

    ck_assert_ok(config_each(config, "kafka", look, &wanted, &err));
    return wanted.value;
}

START_TEST(defaults_without_a_file)
{
    struct error err = ERROR_INIT;
    struct config *config;

    ck_assert_ok(config_open(NULL, &config, &err));
    ck_assert_str_eq(config_text(config, "topics.events"), "muster-events");
    ck_assert_str_eq(config_text(config, "time.clock"), "wall");
    ck_assert_int_eq(config_integer(config, "topics.partitions"), 4);
    ck_assert_int_eq(config_duration_ms(config, "time.allowed_lateness"), INT64_C(604800000));
    ck_assert_int_eq(config_duration_ms(config, "reconcile.grace"), 70000);
    ck_assert_str_eq(config_text(config, "store.conninfo"), "");
    ck_assert_str_eq(kafka_value(config, "bootstrap.servers"), "127.0.0.1:9092");
    ck_assert(!config_is_set(config, "topics.partitions"));
    ck_assert_ptr_null(config_path(config));
    config_free(config);
}
END_TEST

START_TEST(file_environment_and_flags_in_this_order)
{
    struct error err = ERROR_INIT;
    struct config *config;

    (void)setenv("MUSTER_STREAM_STEP_MS", "60", 1);
    (void)setenv("MUSTER_STREAM_STEP_ROWS", "600", 1);
    (void)setenv("MUSTER_TIME_CLOCK", "", 1);
    config = open_text("\xef\xbb\xbf# comment\r\n; comment\r\n\r\n[stream]\r\n step_ms = 70 \r\n"
                       "step_rows=700\nuser_events_max = 7000\n[ time ]\nclock = \"event\"\n"
                       "[store]\nconninfo = host=/tmp dbname=x # not a comment\n",
                       &err);
    ck_assert_msg(config != NULL, "%s", err.message);
    ck_assert_ok(config_set(config, "stream.step_rows", "500", &err));
    ck_assert_int_eq(config_integer(config, "stream.user_events_max"), 7000);
    ck_assert_int_eq(config_integer(config, "stream.step_ms"), 60);
    ck_assert_int_eq(config_integer(config, "stream.step_rows"), 500);
    ck_assert_str_eq(config_text(config, "time.clock"), "event");
    ck_assert_int_eq(config_duration_ms(config, "reconcile.grace"), 0);
    ck_assert_str_eq(config_text(config, "store.conninfo"), "host=/tmp dbname=x # not a comment");
    ck_assert(config_is_set(config, "stream.step_rows"));
    ck_assert_ptr_nonnull(strstr(config_path(config), "test.conf"));
    ck_assert_ok(config_set(config, "reconcile.grace", "3s", &err));
    ck_assert_int_eq(config_duration_ms(config, "reconcile.grace"), 3000);
    config_free(config);
}
END_TEST

START_TEST(kafka_keys_pass)
{
    struct error err = ERROR_INIT;
    struct config *config;
    struct wanted wanted = {.key = "", .value = NULL, .visits = 0};

    (void)setenv("MUSTER_KAFKA_BOOTSTRAP_SERVERS", "b:1", 1);
    (void)setenv("MUSTER_KAFKA_SOCKET_TIMEOUT_MS", "5000", 1);
    (void)setenv("MUSTER_KAFKA_SSL_KEY", "pem", 1);
    config = open_text("[kafka]\nbootstrap.servers = a:1\nqueued.min.messages = 10\nssl_key = other\n", &err);
    ck_assert_msg(config != NULL, "%s", err.message);
    ck_assert_str_eq(kafka_value(config, "bootstrap.servers"), "b:1");
    ck_assert_str_eq(kafka_value(config, "queued.min.messages"), "10");
    ck_assert_str_eq(kafka_value(config, "socket.timeout.ms"), "5000");
    ck_assert_str_eq(kafka_value(config, "ssl_key"), "pem"); /* the spelling of the file is known */
    ck_assert_ok(config_set(config, "kafka.bootstrap.servers", "c:1", &err));
    ck_assert_str_eq(kafka_value(config, "bootstrap.servers"), "c:1");
    ck_assert_ok(config_each(config, "kafka", look, &wanted, &err));
    ck_assert_uint_eq(wanted.visits, 4);
    config_free(config);
}
END_TEST

START_TEST(consent_takes_purposes)
{
    struct error err = ERROR_INIT;
    struct config *config;
    struct wanted wanted = {.key = "ads", .value = NULL, .visits = 0};

    (void)setenv("MUSTER_CONSENT_ADS", "opt_out", 1);
    config = open_text("[consent]\nmarketing = opt_in\n", &err);
    ck_assert_msg(config != NULL, "%s", err.message);
    ck_assert_ok(config_each(config, "consent", look, &wanted, &err));
    ck_assert_uint_eq(wanted.visits, 2);
    ck_assert_str_eq(wanted.value, "opt_out");
    ck_assert_fails(config_set(config, "consent.marketing", "maybe", &err), ERROR_USAGE,
                    "consent.marketing must be one of opt_in | opt_out");
    config_free(config);
}
END_TEST

static const struct {
    const char *text;
    const char *message;
    const char *hint;
} refused[] = {
    {"[stream]\nstep_row = 5\n", "test.conf:2: unknown setting stream.step_row", "did you mean stream.step_rows?"},
    {"[steam]\n", "test.conf:1: unknown section [steam]", "did you mean stream?"},
    {"[stream]\n\nstep_rows = 5\nstep_rows = 6\n", "test.conf:4: stream.step_rows is given twice, first in line 3", ""},
    {"[kafka]\na.b = 5\na.b = 6\n", "test.conf:3: a.b is given twice, first in line 2", ""},
    {"step_rows = 5\n", "test.conf:1: a [section] must come before the first key", ""},
    {"[stream]\nstep_rows\n", "test.conf:2: expected key = value", ""},
    {"[stream\n", "test.conf:1: expected [section]", ""},
    {"[]\n", "test.conf:1: expected [section]", ""},
    {"[stream]\n= 5\n", "test.conf:2: the key before \"=\" is missing", ""},
    {"[stream]\nstep_rows = many\n", "stream.step_rows must be an integer from 1 to 1000000, not \"many\"", ""},
    {"[stream]\nstep_rows = 0\n", "stream.step_rows must be an integer from 1 to 1000000", ""},
    {"[stream]\nstep_rows = 5x\n", "stream.step_rows must be an integer", ""},
    {"[stream]\nstep_rows =\n", "stream.step_rows must be an integer", ""},
    {"[stream]\nstep_rows = 99999999999999999999\n", "stream.step_rows must be an integer", ""},
    {"[time]\ndedup = 1 day\n", "time.dedup must be a duration such as \"24h\", at most 365d, not \"1 day\"", ""},
    {"[time]\nclock = sundial\n", "time.clock must be one of wall | event, not \"sundial\"", ""},
    {"[time]\nclock = wal\n", "time.clock must be one of wall | event", ""},
};

START_TEST(mistakes_are_named)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct error err = ERROR_INIT;

        ck_assert_msg(open_text(refused[i].text, &err) == NULL, "accepted: %s", refused[i].text);
        ck_assert_int_eq(err.code, ERROR_USAGE);
        ck_assert_msg(strstr(err.message, refused[i].message) != NULL, "\"%s\" is not in: %s", refused[i].message,
                      err.message);
        ck_assert_msg(strstr(err.hint, refused[i].hint) != NULL, "\"%s\" is not in: %s", refused[i].hint, err.hint);
    }
}
END_TEST

START_TEST(a_named_file_must_be_readable)
{
    struct error err = ERROR_INIT;
    struct config *config = NULL;
    char *path;

    ck_assert_fails(config_open("/nonexistent.conf", &config, &err), ERROR_USAGE, "could not open: No such file");
    ck_assert_fails(config_open(folder, &config, &err), ERROR_USAGE, "could not read: Is a directory");
    (void)setenv("MUSTER_CONF", "/nonexistent.conf", 1);
    ck_assert_fails(config_open(NULL, &config, &err), ERROR_USAGE, "/nonexistent.conf");
    path = unit_file_write(folder, "muster.conf", SLICE_LITERAL("[topics]\npartitions = 8\n"));
    (void)setenv("MUSTER_CONF", path, 1);
    ck_assert_ok(config_open(NULL, &config, &err));
    ck_assert_int_eq(config_integer(config, "topics.partitions"), 8);
    config_free(config);
    (void)unsetenv("MUSTER_CONF");
    ck_assert_ok(config_open(NULL, &config, &err)); /* ./muster.conf */
    ck_assert_int_eq(config_integer(config, "topics.partitions"), 8);
    config_free(config);
    memory_free(path);
    path = unit_file_write(folder, "nul.conf", SLICE_LITERAL("[topics]\n\0"));
    ck_assert_fails(config_open(path, &config, &err), ERROR_USAGE, "holds a NUL byte");
    memory_free(path);
}
END_TEST

START_TEST(secrets_come_from_files)
{
    struct error err = ERROR_INIT;
    char *path = unit_file_write(folder, "secret", SLICE_LITERAL("password=p@ss word\n"));
    char text[256];
    struct config *config;

    (void)snprintf(text, sizeof text, "[store]\nconninfo = @%s\n[kafka]\nsasl.password = @%s\nclient.id = @%s\n", path,
                   path, path);
    config = open_text(text, &err);
    ck_assert_msg(config != NULL, "%s", err.message);
    ck_assert_str_eq(config_text(config, "store.conninfo"), "password=p@ss word");
    ck_assert_str_eq(kafka_value(config, "sasl.password"), "password=p@ss word");
    ck_assert_int_eq(kafka_value(config, "client.id")[0], '@'); /* no secret: taken as it is */
    ck_assert_fails(config_set(config, "redis.url", "@/nonexistent", &err), ERROR_USAGE,
                    "redis.url: /nonexistent: could not open");
    ck_assert_str_eq(config_text(config, "redis.url"), "redis://127.0.0.1:6379/0");
    config_free(config);
    memory_free(path);
}
END_TEST

START_TEST(flags_are_checked)
{
    struct error err = ERROR_INIT;
    struct config *config;

    ck_assert_ok(config_open(NULL, &config, &err));
    ck_assert_fails(config_set(config, "nodot", "1", &err), ERROR_USAGE, "expected SECTION.KEY=VALUE");
    ck_assert_fails(config_set(config, ".x", "1", &err), ERROR_USAGE, "expected SECTION.KEY=VALUE");
    ck_assert_fails(config_set(config, "kafka.", "1", &err), ERROR_USAGE, "a key is missing");
    ck_assert_fails(config_set(config, "stream.step_rows", "x", &err), ERROR_USAGE, "--set: stream.step_rows must be");
    config_free(config);
}
END_TEST

START_TEST(a_near_miss_in_the_environment_warns)
{
    struct error err = ERROR_INIT;
    struct unit_capture capture;
    struct config *config;
    char *said;

    (void)setenv("MUSTER_STREAM_STEP_ROW", "5", 1);
    (void)setenv("MUSTER_STORE_SERVICE_HOST", "10.0.0.1", 1);
    unit_capture_begin(&capture, STDERR_FILENO);
    ck_assert_ok(config_open(NULL, &config, &err));
    said = unit_capture_end(&capture);
    ck_assert_ptr_nonnull(strstr(said, "did you mean MUSTER_STREAM_STEP_ROWS?"));
    ck_assert_ptr_null(strstr(said, "SERVICE_HOST"));
    memory_free(said);
    config_free(config);
}
END_TEST

/* The sample with every # taken from its settings is a valid file with the defaults. */
START_TEST(sample_reads_back)
{
    struct error err = ERROR_INIT;
    struct buffer sample;
    struct buffer active;
    struct config *config;
    struct slice rest;

    buffer_init(&sample, 1 << 20);
    buffer_init(&active, 1 << 20);
    config_sample(&sample);
    rest = slice_from(buffer_text(&sample));
    while (rest.size > 0) {
        size_t size = (size_t)((const char *)memchr(rest.data, '\n', rest.size) - rest.data) + 1;
        bool setting = rest.data[0] == '#' && rest.data[1] != ' ' && memchr(rest.data, '=', size) != NULL &&
                       memcmp(rest.data + size - 3, "= \n", 3) != 0;

        buffer_append(&active, rest.data + (setting ? 1 : 0), size - (setting ? 1 : 0));
        rest = slice_of(rest.data + size, rest.size - size);
    }
    config = open_text(buffer_text(&active), &err);
    ck_assert_msg(config != NULL, "%s", err.message);
    ck_assert(config_is_set(config, "stream.step_rows"));
    ck_assert_int_eq(config_integer(config, "stream.step_rows"), 5000);
    ck_assert_int_eq(config_duration_ms(config, "reconcile.grace"), 70000);
    config_free(config);
    buffer_clear(&sample);
    buffer_clear(&active);
}
END_TEST

START_TEST(asking_for_no_setting_is_a_bug)
{
    struct error err = ERROR_INIT;
    struct config *config;

    ck_assert_ok(config_open(NULL, &config, &err));
    tear_down(); /* the process ends here */
    (void)close(STDERR_FILENO);
    (void)config_integer(config, "topics.events");
}
END_TEST

static bool open_and_set(void *context, struct error *err)
{
    struct config *config;
    bool done;

    if (!config_open(context, &config, err)) {
        return false;
    }
    done = config_set(config, "kafka.client.id", "x", err) && config_set(config, "stream.step_rows", "7", err);
    config_free(config);
    return done;
}

START_TEST(each_failed_allocation_is_reported)
{
    char *secret = unit_file_write(folder, "secret", SLICE_LITERAL("password=x\n"));
    char text[256];
    char *path;

    (void)snprintf(text, sizeof text, "[store]\nconninfo = @%s\n[kafka]\na.b = c\n[consent]\nx = opt_in\n", secret);
    path = unit_file_write(folder, "test.conf", slice_from(text));
    unit_fail_each_allocation(open_and_set, path);
    memory_free(path);
    memory_free(secret);
}
END_TEST

Suite *config_suite(void)
{
    Suite *suite = suite_create("config");
    TCase *tests = tcase_create("config");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, defaults_without_a_file);
    tcase_add_test(tests, file_environment_and_flags_in_this_order);
    tcase_add_test(tests, kafka_keys_pass);
    tcase_add_test(tests, consent_takes_purposes);
    tcase_add_test(tests, mistakes_are_named);
    tcase_add_test(tests, a_named_file_must_be_readable);
    tcase_add_test(tests, secrets_come_from_files);
    tcase_add_test(tests, flags_are_checked);
    tcase_add_test(tests, a_near_miss_in_the_environment_warns);
    tcase_add_test(tests, sample_reads_back);
    tcase_add_test_raise_signal(tests, asking_for_no_setting_is_a_bug, SIGABRT);
    tcase_add_test(tests, each_failed_allocation_is_reported);
    suite_add_tcase(suite, tests);
    return suite;
}
