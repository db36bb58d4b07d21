#include "common/io/source.h"

#include "common/base/buffer.h"
#include "common/io/input_file.h"
#include "common/io/refusals.h"

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

Suite *source_suite(void);

static char *folder;

static void begin(void)
{
    folder = unit_folder_make();
}

static void end(void)
{
    unit_folder_remove(folder);
}

/* All lines of the file as "NUMBER:TEXT;", with '!' where one is too large (then only its size). */
static void read_lines(const char *path, struct buffer *out)
{
    struct error err = ERROR_INIT;
    struct input_file *file;
    struct input_line line;
    bool more = true;

    ck_assert_ok(input_file_open(path, &file, &err));
    for (;;) {
        ck_assert_ok(input_file_line(file, &line, &more, &err));
        if (!more) {
            break;
        }
        if (line.text.size > 1000) {
            buffer_append_format(out, "%" PRId64 "%s%zu;", line.number, line.too_large ? "!" : ":", line.text.size);
        } else {
            buffer_append_format(out, "%" PRId64 ":", line.number);
            buffer_append_slice(out, line.text);
            buffer_append_char(out, ';');
        }
    }
    if (strcmp(path, "-") != 0) {
        ck_assert_uint_eq(input_file_offset(file), input_file_size(file));
    }
    input_file_close(file);
}

START_TEST(lines_are_read_as_they_stand)
{
    const struct {
        struct slice content;
        const char *wanted;
    } files[] = {
        {SLICE_LITERAL(""), ""},
        {SLICE_LITERAL("\n"), "1:;"},
        {SLICE_LITERAL("a"), "1:a;"},
        {SLICE_LITERAL("a\nb\r\n\nc"), "1:a;2:b;3:;4:c;"},
        {SLICE_LITERAL("\xef\xbb\xbf"
                       "a\n\xef\xbb\xbf"
                       "b\n"),
         "1:a;2:\xef\xbb\xbf"
         "b;"},
        {SLICE_LITERAL("a\rb\r\r\n"), "1:a\rb\r;"},
    };

    begin();
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char *path = unit_file_write(folder, "lines", files[i].content);
        struct buffer out;

        buffer_init(&out, 1000);
        read_lines(path, &out);
        ck_assert_str_eq(buffer_text(&out), files[i].wanted);
        buffer_clear(&out);
        memory_free(path);
    }
    end();
}
END_TEST

/* One byte with each read, as a slow writer's pipe may hand them out. */
START_TEST(bytes_may_come_one_by_one)
{
    static const struct {
        const char *content;
        const char *wanted;
    } inputs[] = {
        {"\xef\xbb\xbf"
         "ab\r\nc\n",
         "1:ab;2:c;"},
        {"\xef\xbb\xbf", ""},
        {"\xef\xbb", "1:\xef\xbb;"},
        {"a\n\xef\xbb\xbf\n", "1:a;2:\xef\xbb\xbf;"},
        {"\n\xef\xbb\xbf\n", "1:;2:\xef\xbb\xbf;"},
        {"\n", "1:;"},
        {"\r\n\r\na", "1:;2:;3:a;"},
    };
    int saved = dup(STDIN_FILENO);

    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
        struct buffer out;
        int ends[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
        for (const char *byte = inputs[i].content; *byte != '\0'; byte++) {
            ck_assert_int_eq(write(ends[1], byte, 1), 1);
        }
        close(ends[1]);
        ck_assert_int_ge(dup2(ends[0], STDIN_FILENO), 0);
        close(ends[0]);
        buffer_init(&out, 1000);
        read_lines("-", &out);
        ck_assert_str_eq(buffer_text(&out), inputs[i].wanted);
        buffer_clear(&out);
    }
    ck_assert_int_ge(dup2(saved, STDIN_FILENO), 0);
    close(saved);
}
END_TEST

/* Around the largest line, and around the chunks in which the file is read. */
START_TEST(large_lines_are_bounded)
{
    static const size_t sizes[] = {(1 << 18) - 1, 1 << 18,       (1 << 18) + 1, (1 << 20) - 1,
                                   1 << 20,       (1 << 20) + 1, (1 << 20) + 2, 3 << 20};

    begin();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *content = memory_allocate(sizes[i] + 4);
        struct buffer out;
        char wanted[64];
        char *path;

        memset(content, 'x', sizes[i]);
        memcpy(content + sizes[i], "\nab\n", 4);
        path = unit_file_write(folder, "large", slice_of(content, sizes[i] + 4));
        buffer_init(&out, 1000);
        read_lines(path, &out);
        (void)snprintf(wanted, sizeof wanted, "1%s%zu;2:ab;", sizes[i] > INPUT_LINE_SIZE_MAX ? "!" : ":",
                       sizes[i] > INPUT_LINE_SIZE_MAX ? (size_t)INPUT_LINE_SIZE_MAX : sizes[i]);
        ck_assert_str_eq(buffer_text(&out), wanted);
        buffer_reset(&out);
        memory_free(path);
        path = unit_file_write(folder, "large", slice_of(content, sizes[i])); /* without an end */
        read_lines(path, &out);
        wanted[strlen(wanted) - 5] = '\0';
        ck_assert_str_eq(buffer_text(&out), wanted);
        buffer_clear(&out);
        memory_free(path);
        memory_free(content);
    }
    end();
}
END_TEST

START_TEST(what_cannot_be_opened_is_told)
{
    const struct source_options options = {.map_path = NULL};
    struct error err = ERROR_INIT;
    struct source *source;

    begin();
    ck_assert_fails(source_open("/nowhere/x", &options, &source, &err), ERROR_UNREACHABLE, "No such file");
    ck_assert_fails(source_open(folder, &options, &source, &err), ERROR_UNREACHABLE, "Is a directory");
    end();
}
END_TEST

/* All items as "LINE TEXT\n" or "LINE !REASON\n". */
static void read_items(const char *path, const struct source_options *options, struct buffer *out)
{
    struct error err = ERROR_INIT;
    struct source_item item;
    struct source *source;

    ck_assert_ok(source_open(path, options, &source, &err));
    for (;;) {
        ck_assert_ok(source_next(source, &item, &err));
        if (item.kind == SOURCE_END) {
            break;
        }
        buffer_append_format(out, "%" PRId64 " ", item.line);
        if (item.kind == SOURCE_REFUSED) {
            ck_assert_uint_gt(strlen(item.detail), 0);
            buffer_append_format(out, "!%s", quarantine_reason_name(item.reason));
        } else {
            buffer_append_slice(out, item.text);
            if (options->message_ids && item.event.kind != EVENT_CONSENT) {
                ck_assert(item.event.has_message_id);
                buffer_append_text(out, " ");
                buffer_append_slice(out, item.event.message_id);
            }
        }
        buffer_append_text(out, "\n");
    }
    source_close(source);
}

#define CONTENT                                                                                                        \
    "{\"type\":\"track\",\"event\":\"e\",\"userId\":\"u\",\"timestamp\":1}\n"                                          \
    "\n"                                                                                                               \
    " {\"messageId\":null,\"type\":\"page\",\"userId\":\"u\",\"timestamp\":1}\n"                                       \
    "{\"messageId\":\"m\",\"type\":\"page\",\"userId\":\"u\",\"timestamp\":1}\n"                                       \
    "broken\n"                                                                                                         \
    "{\"type\":\"consent\",\"userId\":\"u\",\"timestamp\":1,\"purposes\":{}}"

static void wanted_items(struct buffer *out, const char *digest)
{
    buffer_append_format(
        out,
        "1 {\"messageId\":\"%s:0000000001\",\"type\":\"track\",\"event\":\"e\",\"userId\":\"u\",\"timestamp\":1} "
        "%s:0000000001\n",
        digest, digest);
    buffer_append_format(
        out, "3  {\"messageId\":\"%s:0000000003\",\"type\":\"page\",\"userId\":\"u\",\"timestamp\":1} %s:0000000003\n",
        digest, digest);
    buffer_append_text(out, "4 {\"messageId\":\"m\",\"type\":\"page\",\"userId\":\"u\",\"timestamp\":1} m\n");
    buffer_append_text(out, "5 !not_json\n");
    buffer_append_text(out, "6 {\"type\":\"consent\",\"userId\":\"u\",\"timestamp\":1,\"purposes\":{}}\n");
}

START_TEST(lines_get_message_ids_from_the_file)
{
    const struct source_options options = {.message_ids = true};
    struct error err = ERROR_INIT;
    unsigned char digest[SHA256_SIZE];
    char digest_text[SHA256_HEX_SIZE];
    struct buffer wanted;
    struct buffer out;
    char *path;

    begin();
    path = unit_file_write(folder, "events.jsonl", SLICE_LITERAL(CONTENT));
    ck_assert_ok(sha256_of(SLICE_LITERAL(CONTENT), digest, &err));
    (void)sha256_hex(digest, digest_text);
    digest_text[16] = '\0';
    buffer_init(&wanted, 10000);
    buffer_init(&out, 10000);
    wanted_items(&wanted, digest_text);
    read_items(path, &options, &out);
    ck_assert_str_eq(buffer_text(&out), buffer_text(&wanted));
    buffer_clear(&wanted);
    buffer_clear(&out);
    memory_free(path);
    end();
}
END_TEST

/* A pipe cannot be read twice: the digest, and so the ids, must be those of the same bytes in a file. */
START_TEST(a_pipe_gives_the_same_ids)
{
    const struct source_options options = {.message_ids = true};
    int saved = dup(STDIN_FILENO);
    struct buffer from_file;
    struct buffer from_pipe;
    int ends[2];
    char *path;

    begin();
    path = unit_file_write(folder, "events.jsonl", SLICE_LITERAL(CONTENT));
    buffer_init(&from_file, 10000);
    buffer_init(&from_pipe, 10000);
    read_items(path, &options, &from_file);
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], CONTENT, sizeof CONTENT - 1), (int)sizeof CONTENT - 1);
    close(ends[1]);
    ck_assert_int_ge(dup2(ends[0], STDIN_FILENO), 0);
    close(ends[0]);
    read_items("-", &options, &from_pipe);
    ck_assert_int_ge(dup2(saved, STDIN_FILENO), 0);
    close(saved);
    ck_assert_str_eq(buffer_text(&from_pipe), buffer_text(&from_file));
    buffer_clear(&from_file);
    buffer_clear(&from_pipe);
    memory_free(path);
    end();
}
END_TEST

/* Lines of a few forms, of bytes that need a closer look, and broken ones, with line ends of either kind. */
static void write_lines(struct buffer *out)
{
    static const char *const values[] = {"1",       "true", "-2.5", "\"plain\"", "\"\xc3\xa9\"",
                                         "\"\\n\"", "1e2",  "nul",  "\"\n\""};
    static const char *const ends[] = {"\n", "\r\n", " \n", "\n\n", "\r\r\n"};

    for (unsigned i = 0; i < 3000; i++) {
        const char *id = i % 5 == 0 ? "" : ",\"messageId\":\"m\"";

        buffer_append_format(out, "{\"type\":\"track\",\"event\":\"e%u\",\"userId\":\"u%u\",\"timestamp\":%u%s", i % 11,
                             i * 7919, i, id);
        buffer_append_format(out, ",\"properties\":{\"a\":%s}}%s", values[i * i % 97 % 9],
                             ends[i % 31 < 5 ? i % 31 : 0]);
    }
    buffer_append_text(
        out, "{\"type\":\"track\",\"event\":\"e\",\"userId\":\"u\",\"timestamp\":1,\"properties\":{\"a\":1}}");
}

/* With the options, which decode everything, and with the envelope alone: most of its lines before their ends are
 * looked for. */
static void compare_sources(const char *path, struct source_options options)
{
    struct error err = ERROR_INIT;
    struct source_item items[2];
    struct source *sources[2];

    ck_assert_ok(source_open(path, &options, &sources[0], &err));
    options.envelope = true;
    ck_assert_ok(source_open(path, &options, &sources[1], &err));
    do {
        const struct event *events[2] = {&items[0].event, &items[1].event};

        for (unsigned i = 0; i < 2; i++) {
            ck_assert_ok(source_next(sources[i], &items[i], &err));
        }
        ck_assert_int_eq(items[0].kind, items[1].kind);
        ck_assert_int_eq(items[0].line, items[1].line);
        ck_assert(slice_equal(items[0].text, items[1].text));
        ck_assert_int_eq(items[0].reason, items[1].reason);
        ck_assert_uint_eq(source_offset(sources[0]), source_offset(sources[1]));
        if (items[0].kind == SOURCE_MESSAGE) {
            ck_assert(slice_equal(events[0]->user, events[1]->user) && slice_equal(events[0]->name, events[1]->name));
            ck_assert(slice_equal(events[0]->message_id, events[1]->message_id));
            ck_assert_int_eq(events[0]->time_ms, events[1]->time_ms);
        }
    } while (items[0].kind != SOURCE_END);
    source_close(sources[0]);
    source_close(sources[1]);
}

START_TEST(lines_like_others_are_read_as_all_are)
{
    struct buffer lines;
    char *path;

    begin();
    buffer_init(&lines, 1 << 20);
    write_lines(&lines);
    path = unit_file_write(folder, "lines", buffer_slice(&lines));
    compare_sources(path, (struct source_options){.decode = true});
    compare_sources(path, (struct source_options){.decode = true, .message_ids = true});
    compare_sources(path, (struct source_options){.decode = true, .line_begin = 777});
    buffer_clear(&lines);
    memory_free(path);
    end();
}
END_TEST

START_TEST(csv_is_mapped_and_resumed)
{
    static const char csv[] =
        "Id,When,Text\r\nu,1,plain\r\nu,2,\"two\r\nlines, \"\"quoted\"\"\"\r\n\r\nu,3\r\n,4,x\r\nu,5,\"open\r\n\r\n";
    char *map = NULL;
    char *path = NULL;
    struct source_options options = {.decode = true};
    struct buffer out;

    begin();
    map = unit_file_write(folder, "map", SLICE_LITERAL("user = Id\ntime = When\nevent = \"e\"\nproperty.t = Text"));
    path = unit_file_write(folder, "csv", slice_of(csv, sizeof csv - 1));
    buffer_init(&out, 10000);
    options.map_path = map;
    read_items(path, &options, &out);
    ck_assert_str_eq(
        buffer_text(&out),
        "2 {\"userId\":\"u\",\"timestamp\":1,\"event\":\"e\",\"type\":\"track\",\"properties\":{\"t\":\"plain\"}}\n"
        "3 "
        "{\"userId\":\"u\",\"timestamp\":2,\"event\":\"e\",\"type\":\"track\",\"properties\":{\"t\":\"two\\u000alines, "
        "\\\"quoted\\\"\"}}\n"
        "6 !mapping\n"
        "7 !user\n"
        "8 !mapping\n");
    buffer_reset(&out);
    options.line_begin = 4; /* of a record its first line counts */
    read_items(path, &options, &out);
    ck_assert_str_eq(buffer_text(&out), "6 !mapping\n7 !user\n8 !mapping\n");
    buffer_clear(&out);
    memory_free(map);
    memory_free(path);
    end();
}
END_TEST

START_TEST(csv_without_a_header_is_refused)
{
    struct source_options options = {.decode = true};
    struct error err = ERROR_INIT;
    struct source *source;
    char *map;
    char *path;

    begin();
    map = unit_file_write(folder, "map", SLICE_LITERAL("user = Id\ntime = When\nevent = \"e\""));
    path = unit_file_write(folder, "csv", SLICE_LITERAL(""));
    options.map_path = map;
    ck_assert_fails(source_open(path, &options, &source, &err), ERROR_INPUT, "expected a header");
    memory_free(path);
    path = unit_file_write(folder, "csv", SLICE_LITERAL("a,\"b\n"));
    ck_assert_fails(source_open(path, &options, &source, &err), ERROR_INPUT, ":1: the header");
    memory_free(path);
    path = unit_file_write(folder, "csv", SLICE_LITERAL("a,b\n"));
    ck_assert_fails(source_open(path, &options, &source, &err), ERROR_INPUT, "there is no column Id");
    memory_free(path);
    memory_free(map);
    end();
}
END_TEST

START_TEST(refusals_are_told_and_counted)
{
    struct source_item item = {.kind = SOURCE_REFUSED,
                               .line = 7,
                               .reason = QUARANTINE_USER,
                               .detail = "userId is empty"};
    struct unit_capture capture;
    struct refusals refusals;
    char *text;

    refusals_init(&refusals, 1);
    unit_capture_begin(&capture, STDERR_FILENO);
    refusals_add(&refusals, "f", &item);
    refusals_add(&refusals, "f", &item);
    item.reason = QUARANTINE_TYPE;
    refusals_add(&refusals, "f", &item);
    refusals_report(&refusals, "f");
    text = unit_capture_end(&capture);
    ck_assert_str_eq(text, "f:7: quarantined: user: userId is empty\nf: further quarantined lines are only counted\n"
                           "f: 3 lines quarantined: 1 type, 2 user\n");
    memory_free(text);
}
END_TEST

static bool source_scenario(void *context, struct error *err)
{
    const char *const *paths = context;
    const struct source_options options = {.map_path = paths[1], .message_ids = true};
    struct source_item item = {0};
    struct source *source;
    bool good;

    if (!source_open(paths[0], &options, &source, err)) {
        return false;
    }
    do {
        good = source_next(source, &item, err);
    } while (good && item.kind != SOURCE_END);
    source_close(source);
    return good;
}

START_TEST(sources_survive_no_memory)
{
    const char *paths[2];
    char *map;
    char *path;

    begin();
    map = unit_file_write(folder, "map", SLICE_LITERAL("user = Id\ntime = When\nevent = \"e\"\nproperty.t = Text"));
    path = unit_file_write(folder, "csv", SLICE_LITERAL("Id,When,Text\nu,1,\"a\nb\"\nu,x,\nu,2,\"q\"\"q\"\n"));
    paths[0] = path;
    paths[1] = map;
    unit_fail_each_allocation(source_scenario, paths);
    memory_free(map);
    memory_free(path);
    end();
}
END_TEST

Suite *source_suite(void)
{
    Suite *suite = suite_create("source");
    TCase *tests = tcase_create("source");

    tcase_add_test(tests, lines_are_read_as_they_stand);
    tcase_add_test(tests, bytes_may_come_one_by_one);
    tcase_add_test(tests, large_lines_are_bounded);
    tcase_add_test(tests, what_cannot_be_opened_is_told);
    tcase_add_test(tests, lines_get_message_ids_from_the_file);
    tcase_add_test(tests, a_pipe_gives_the_same_ids);
    tcase_add_test(tests, lines_like_others_are_read_as_all_are);
    tcase_add_test(tests, csv_is_mapped_and_resumed);
    tcase_add_test(tests, csv_without_a_header_is_refused);
    tcase_add_test(tests, refusals_are_told_and_counted);
    tcase_add_test(tests, sources_survive_no_memory);
    suite_add_tcase(suite, tests);
    return suite;
}
