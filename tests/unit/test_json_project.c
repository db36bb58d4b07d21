/* A message decoded by what rules read of it gets the verdict, the words and the values of one decoded as a whole. */
#include "common/domain/json_index.h"

#include "common/base/file.h"
#include "common/domain/json_scan.h"
#include "tests/projected.h"
#include "tests/unit/unit.h"

#include <dirent.h>
#include <stdio.h>

Suite *json_project_suite(void);

#define REST "\"userId\":\"u\",\"timestamp\":1"
#define TRACK "{\"type\":\"track\",\"event\":\"e\"," REST ",\"properties\":"

static struct projected both;
static uint64_t random_state;
static unsigned line_count; /* how many were decoded before their end was known */

static uint32_t random_below(uint32_t bound)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 33) % bound;
}

static void begin(void)
{
    const struct projected_path paths[] = {
        {.keys = {SLICE_LITERAL("sku")}, .key_count = 1},
        {.keys = {SLICE_LITERAL("price")}, .key_count = 1},
        {.keys = {SLICE_LITERAL("name")}, .key_count = 1},
        {.keys = {SLICE_LITERAL("name"), SLICE_LITERAL("first")}, .key_count = 2},
        {.keys = {SLICE_LITERAL("a"), SLICE_LITERAL("b"), SLICE_LITERAL("c")}, .key_count = 3},
        {.keys = {SLICE_LITERAL("a")}, .key_count = 1},
        {.keys = {SLICE_LITERAL("")}, .key_count = 1},
        {.keys = {SLICE_LITERAL("a key of more than sixteen bytes")}, .key_count = 1},
    };

    random_state = 7;
    line_count = 0;
    projected_init(&both);
    both.path_count = sizeof paths / sizeof paths[0];
    memcpy(both.paths, paths, sizeof paths);
    ck_assert(projected_paths(&both));
}

static void end(void)
{
    projected_clear(&both);
}

static void compare_block(const char *data, size_t size)
{
    const char *difference;

    arena_reset(&both.whole.arena);
    arena_reset(&both.part.arena);
    difference = projected_compare(&both, slice_of(data, size));
    ck_assert_msg(difference == NULL, "%s differs: %.*s", difference, (int)size, data);
}

/* In front of itself, as a line; what is decoded so must be known by then. */
static void compare_line(struct slice text)
{
    enum { SPARE = 128 };
    static const char *const ends[] = {"\n", "\r\n", "\r\r\n", "\r", ""};
    size_t which = random_below(4) == 0 ? random_below(sizeof ends / sizeof ends[0]) : 0;
    size_t end_size = strlen(ends[which]);
    size_t size = 2 * text.size + end_size;
    char *lines = memory_allocate(size + SPARE);
    const char *difference;
    bool decoded;

    ck_assert_ptr_nonnull(lines);
    for (size_t i = 0; text.size > 0 && i < 2; i++) {
        memcpy(lines + i * (text.size + end_size), text.data, text.size);
    }
    memcpy(lines + text.size, ends[which], end_size);
    arena_reset(&both.whole.arena);
    arena_reset(&both.part.arena);
    size -= random_below(3) == 0 ? random_below((uint32_t)size + 1) : 0;
    memset(lines + size, '\0', SPARE);
    difference = projected_compare_line(&both, slice_of(lines, size), &decoded);
    ck_assert_msg(difference == NULL, "as a line %s differs: %.*s", difference, (int)size, lines);
    line_count += decoded;
    memory_free(lines);
}

/* In a block of exactly its size, so that the sanitizer sees a read behind its end; and where some bytes behind it can
 * be read, which go on as the text might. With either way of comparing runs. */
static void compare(struct slice text)
{
    enum { SPARE = 128 };
    char *copy = memory_allocate(text.size + SPARE);
    char *exact = memory_allocate(text.size);

    ck_assert_ptr_nonnull(copy);
    ck_assert_ptr_nonnull(exact);
    memset(copy, 'x', text.size + SPARE);
    for (size_t at = text.size; text.size > 0 && at < text.size + SPARE; at++) {
        copy[at] = text.data[at % text.size];
    }
    if (text.size > 0) {
        memcpy(copy, text.data, text.size);
        memcpy(exact, text.data, text.size);
    }
    compare_line(text);
    both.part.document.skeleton.level = random_below(2) == 0 ? JSON_INDEX_SSE2 : json_index_best();
    both.part.document.readable = SPARE;
    compare_block(copy, text.size);
    both.part.document.readable = 0;
    compare_block(exact, text.size);
    memory_free(copy);
    memory_free(exact);
}

/* Whether the last message was read by the form of another. */
static bool was_known(void)
{
    return both.part.reason == QUARANTINE_NONE && both.part.document.tokens != both.part.document.own_tokens;
}

/* What json_index.h says, byte by byte. True where the joints are those of one object, its UTF-8 apart. */
static bool find_joints_plainly(struct slice text, uint32_t *positions, uint32_t *count)
{
    bool in_string = false;
    bool in_scalar = false;
    bool escaped = false;
    bool wrong = false;

    *count = 0;
    for (uint32_t i = 0; i < text.size; i++) {
        char byte = text.data[i];
        bool quote = byte == '"' && !escaped;
        bool mark = memchr("{}[],:", byte, 6) != NULL;
        bool scalar = !in_string && !quote && !mark && memchr(" \t\n\r", byte, 4) == NULL;

        wrong = wrong || (in_string && (unsigned char)byte < 0x20);
        if (!in_string && (quote || mark || (scalar && !in_scalar))) {
            positions[(*count)++] = i;
        }
        in_string = in_string != quote;
        in_scalar = scalar;
        escaped = byte == '\\' && !escaped;
    }
    return !wrong && !in_string && *count >= 2 && text.data[positions[0]] == '{' &&
           text.data[positions[*count - 1]] == '}';
}

static void compare_levels(struct slice text)
{
    uint32_t *positions = memory_allocate_zeroed(text.size + 1, sizeof *positions);
    enum json_index_result wanted;
    struct json_index index;
    uint32_t count;

    ck_assert_ptr_nonnull(positions);
    wanted = find_joints_plainly(text, positions, &count) && json_is_utf8(text) ? JSON_INDEX_DONE : JSON_INDEX_WRONG;
    json_index_init(&index);
    for (enum json_index_level level = JSON_INDEX_PORTABLE; level < JSON_INDEX_LEVEL_COUNT; level++) {
        if (!json_index_supports(level)) {
            continue;
        }
        ck_assert_int_eq(json_index_find(&index, text, level), wanted);
        ck_assert_uint_eq(index.count, count);
        ck_assert_int_eq(index.has_backslash, text.size > 0 && memchr(text.data, '\\', text.size) != NULL);
        ck_assert_msg(memcmp(index.positions, positions, count * sizeof *positions) == 0, "%s differs: %.*s",
                      json_index_level_name(level), (int)text.size, text.data);
    }
    json_index_clear(&index);
    memory_free(positions);
}

static const char *const messages[] = {
    TRACK "{\"sku\":\"s-1\",\"price\":12.50,\"quantity\":3,\"a\":{\"b\":{\"c\":true},\"d\":[1,{\"b\":2}]}}}",
    TRACK "{\"\":0,\"a\":null,\"price\":-0,\"sku\":[],\"name\":{},\"x\":false}}",
    TRACK "{\"price\":1e3,\"sku\":\"\\u00e9\\\"\\\\\",\"name\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"}}",
    TRACK "{\"a key of more than sixteen bytes\":1,\"a key 0f more than sixteen bytes\":2}}",
    TRACK "{\"a\":{\"b\":1},\"\\u0061\":2}}",
    TRACK "{\"a\":{\"b\":1},\"b\":{\"a\":1,\"b\":2,\"a\":3}}}",
    TRACK "null}",
    TRACK "[]}",
    " {\n\t\"type\" : \"page\" ,\r\n\"name\" : {\"first\":\"n\"} , " REST
    " , \"properties\" : { \"x\" : [ 1 , 2 ] } } \n",
    "{\"type\":\"page\",\"name\":\"home\"," REST ",\"properties\":{\"name\":null,\"price\":0.5}}",
    "{\"type\":\"screen\",\"messageId\":null," REST "}",
    "{\"type\":\"identify\",\"messageId\":\"m\"," REST
    ",\"traits\":{\"price\":1,\"a\":{\"b\":{\"c\":\"x\"}}},\"properties\":{"
    "\"price\":2},\"data\":{\"price\":3}}",
    "{\"type\":\"consent\"," REST ",\"purposes\":{\"marketing\":true,\"news\":false}}",
    "{\"type\":\"consent\"," REST ",\"purposes\":{\"marketing\":{\"a\":[true]}}}",
    "{\"type\":\"consent\"," REST ",\"purposes\":{},\"properties\":{\"price\":1},\"name\":\"n\"}",
    "{\"type\":\"delete\"," REST "}",
    "{\"type\":\"delete\"," REST ",\"properties\":{\"price\":1,\"name\":\"n\"}}",
    "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\",\"subject\":\"u\",\"time\":"
    "\"2025-05-01T10:00:00Z\",\"data\":{\"price\":7,\"sku\":\"d\"},\"properties\":{\"price\":8}}",
};

START_TEST(whole_messages_agree)
{
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        compare(slice_from(messages[i]));
        compare_levels(slice_from(messages[i]));
    }
    /* These are as usual as messages are: the fast way must take them itself. */
    compare(slice_from(messages[0]));
    ck_assert_ptr_eq(both.part.event.projection, &both.projection);
    ck_assert_ptr_nonnull(both.part.event.found);
    ck_assert_uint_lt(both.part.document.token_count, both.whole.document.token_count);
    compare(slice_from(messages[2]));
    ck_assert_ptr_nonnull(both.part.event.found);
    /* An escape in a key is left to the whole way. */
    compare(slice_from(messages[4]));
    ck_assert_int_eq(both.part.reason, QUARANTINE_NOT_JSON);
}
END_TEST

START_TEST(values_that_are_no_values_agree)
{
    static const char *const values[] = {
        "",
        "-",
        "01",
        "-01",
        "1.",
        ".5",
        "1.5.5",
        "1e",
        "1e+",
        "--1",
        "1-",
        "+1",
        "tru",
        "truee",
        "nul",
        "False",
        "1 2",
        "1\"\"",
        "\"\"1",
        "\"\"\"\"",
        "{}{}",
        "[}",
        "{]",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{,}",
        "{\"a\"}",
        "{1:2}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "\\",
        "\"\\",
        "\"",
        "'a'",
        "\x01",
        "\x7f",
        "\"\x01\"",
        "\xff",
        "\"\xff\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\ud800\"",
        "1\x01",
        "1/**/",
        "-0",
        "0.0",
        "-0.5",
        "1e5",
        "1E-5",
        "0e0",
        "1234567890123456",
        "123456789012345.5",
        "-1.",
        "-.5",
        "1,2",
        "\"\t\"",
        "\"\\t\"",
        "\xe2\x82\xac",
        "[[[[[[]]]]]]",
        "{\"\":{\"\":{}}}",
    };
    char text[200];

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        for (unsigned place = 0; place < 3; place++) {
            static const char *const formats[] = {TRACK "{\"price\":%s}}", TRACK "{\"q\":[%s,1],\"a\":1}}",
                                                  TRACK "{\"q\": %s }}"};
            int size = snprintf(text, sizeof text, formats[place], values[i]);

            compare(slice_of(text, (size_t)size));
            compare_levels(slice_of(text, (size_t)size));
        }
    }
}
END_TEST

/* Cuts, doubles, replaces and swaps bytes; the characters of the grammar more often than others. */
static size_t mutate(char *text, size_t size, size_t capacity)
{
    static const char grammar[] = "{}[]:,\"\\ \t\n0123456789.-+eEtfnu\x01\x80\xc3\xa9\xff";
    unsigned changes = 1 + random_below(3);

    for (unsigned i = 0; i < changes && size > 1; i++) {
        size_t at = random_below((uint32_t)size);
        size_t count = 1 + random_below(4);

        switch (random_below(4)) {
        case 0:
            text[at] = grammar[random_below(sizeof grammar - 1)];
            break;
        case 1: /* taken out */
            count = count < size - at ? count : size - at;
            memmove(text + at, text + at + count, size - at - count);
            size -= count;
            break;
        case 2: /* put in */
            if (size < capacity) {
                memmove(text + at + 1, text + at, size - at);
                text[at] = grammar[random_below(sizeof grammar - 1)];
                size++;
            }
            break;
        default: /* doubled */
            count = random_below(2) == 0 ? count : random_below(100);
            if (at + count <= size && size + count <= capacity) {
                memmove(text + at + count, text + at, size - at);
                size += count;
            }
        }
    }
    return size;
}

START_TEST(mutations_agree)
{
    const size_t count = sizeof messages / sizeof messages[0];
    char text[1024];

    for (unsigned i = 0; i < 40000; i++) {
        struct slice message = slice_from(messages[i % count]);
        size_t size;

        memcpy(text, message.data, message.size);
        size = mutate(text, message.size, sizeof text);
        compare(slice_of(text, size));
        compare_levels(slice_of(text, size));
    }
}
END_TEST

/* Backslashes, quotes and blocks of 64 bytes in every position to one another. */
START_TEST(runs_of_backslashes_agree)
{
    char text[300];

    for (unsigned before = 0; before < 130; before++) {
        for (unsigned run = 0; run < 10; run++) {
            int size =
                snprintf(text, sizeof text, "{\"%.*s\":\"%.*s\",\"b\":\"\\\"\"}", (int)before,
                         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                         (int)run, "\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\");

            compare(slice_of(text, (size_t)size));
            compare_levels(slice_of(text, (size_t)size));
        }
    }
}
END_TEST

/* A backslash at the end of a block, before a quote that would end the string: taken for such, it makes JSON of it. */
START_TEST(an_escaped_quote_ends_no_string)
{
    char text[400];

    for (int before = 0; before < 140; before++) {
        int size = snprintf(text, sizeof text, TRACK "{\"sku\":\"%*s\\\",\"price\":\"y\"}}", before, "");

        compare(slice_of(text, (size_t)size));
        compare_levels(slice_of(text, (size_t)size));
        ck_assert_int_eq(both.part.reason, QUARANTINE_NOT_JSON);
    }
}
END_TEST

/* One document, used by two sets of paths in turn: what was learnt with one says nothing to the other. */
START_TEST(other_paths_learn_anew)
{
    const struct slice message = slice_from(TRACK "{\"sku\":\"s\",\"price\":1,\"x\":2}}");
    const struct slice keys[] = {SLICE_LITERAL("sku"), SLICE_LITERAL("x")};
    static const char *const wanted[] = {"s", "2"};
    struct event_projection projections[2];
    struct json_document document;
    enum quarantine_reason reason;
    struct error err = ERROR_INIT;
    struct arena arena;
    struct event event;

    json_document_init(&document);
    arena_init(&arena, 1 << 20);
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_ok(event_projection_init(&projections[i], 1, &err));
        ck_assert_ok(event_projection_add(&projections[i], &keys[i], 1, 0, &err));
    }
    for (unsigned i = 0; i < 7; i++) {
        unsigned use = i / 2 % 2;

        ck_assert_ok(event_decode_projected(message, &projections[use], &document, &arena, &event, &reason, &err));
        ck_assert_int_eq(reason, QUARANTINE_NONE);
        ck_assert_ptr_nonnull(event.found);
        ck_assert(slice_equal_text(json_raw(&document, event.found[0]), wanted[use]));
    }
    for (unsigned i = 0; i < 2; i++) {
        event_projection_clear(&projections[i]);
    }
    json_document_clear(&document);
    arena_clear(&arena);
}
END_TEST

/* What was learnt from a message takes others of its form, and none that only looks like it. */
START_TEST(forms_that_were_learnt_agree)
{
    static const char *const values[] = {"1",
                                         "-1.5",
                                         "0",
                                         "true",
                                         "false",
                                         "null",
                                         "\"\"",
                                         "\"x\"",
                                         "\"a longer text, of more than sixteen bytes\"",
                                         "1e3",
                                         "01",
                                         "tru",
                                         "nulll",
                                         "\"\\n\"",
                                         "\"\xc3\xa9\"",
                                         "\"\x01\"",
                                         "[]",
                                         "{}",
                                         "[1]",
                                         "{\"price\":1}",
                                         "",
                                         "1234567890123456",
                                         "12345678901234567",
                                         "\"",
                                         "-",
                                         "1.",
                                         "{\"sku\":[1,{}]}"};
    const uint32_t count = sizeof values / sizeof values[0];
    char text[400];
    unsigned learnt = 0;

    for (unsigned i = 0; i < 20000; i++) {
        int size = snprintf(text, sizeof text, TRACK "{\"sku\":%s,\"x\":%s,\"price\":%s}%s}%s",
                            values[random_below(count)], values[random_below(count)], values[random_below(count)],
                            random_below(4) == 0 ? ",\"messageId\":\"m\"" : "", random_below(4) == 0 ? " " : "");

        compare(slice_of(text, (size_t)size));
        learnt += was_known();
    }
    ck_assert_uint_gt(learnt, 1000);
}
END_TEST

/* Learns a message, then compares one of its size in which a byte of that text is another. */
static void compare_changed(const char *format, const char *inserted, size_t at, char byte)
{
    char text[400];
    int size = snprintf(text, sizeof text, format, inserted);

    end();
    begin();
    compare(slice_of(text, (size_t)size));
    compare(slice_of(text, (size_t)size));
    text[at] = byte;
    compare(slice_of(text, (size_t)size));
}

/* While all strings in one place have the same size, they are only looked through up to there; and pieces between
 * values are compared in steps that overlap. */
START_TEST(sizes_that_were_learnt_agree)
{
    static const char *const formats[] = {TRACK "{\"sku\":\"%s\",\"price\":2}}",
                                          TRACK "{\"a\":1,\"%s\":2,\"price\":2}}"};
    static const char bytes[] = {'"', '\\', '\x01', '\xc3', 'y'};
    char inserted[72];

    for (size_t size = 0; size < 70; size++) {
        memset(inserted, 'x', size);
        inserted[size] = '\0';
        for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
            size_t begin_at = (size_t)(strchr(formats[i], '%') - formats[i]);

            for (size_t at = begin_at; at <= begin_at + size; at++) {
                compare_changed(formats[i], inserted, at, bytes[(at + size) % sizeof bytes]);
            }
        }
    }
}
END_TEST

static const char *pick(const char *const *texts, size_t count)
{
    return texts[random_below((uint32_t)count)];
}
#define PICK(texts) pick(texts, sizeof(texts) / sizeof(texts)[0])

static void add_member(struct buffer *text, const char *key, const char *value)
{
    buffer_append_text(text, text->size == 0 ? "{\"" : ",\"");
    buffer_append_text(text, key);
    buffer_append_text(text, "\":");
    buffer_append_text(text, value);
}

/* A string of so many bytes. */
static const char *string_of(size_t size, char text[400])
{
    memset(text, 'i', size + 2);
    text[0] = text[size + 1] = '"';
    text[size + 2] = '\0';
    return text;
}

/* A message with usual values, or `wild` ones. */
static void append_envelope(struct buffer *text, bool wild, bool cloud)
{
    static const char *const types[] = {"\"track\"",   "\"page\"",   "\"screen\"", "\"identify\"",
                                        "\"consent\"", "\"delete\"", "\"other\"",  "1"};
    static const char *const ids[] = {"\"a\"", "\"bc\"", "\"\"", "null", "7", "-7", "true", "false", "\"\\u0000\""};
    static const char *const times[] = {"\"2026-05-01T10:00:00.000Z\"",
                                        "\"2026-05-01T12:00:00+02:00\"",
                                        "1777629600000",
                                        "\"2026-02-30T10:00:00.000Z\"",
                                        "1777629600000.5",
                                        "999999999999999",
                                        "null",
                                        "true"};
    static const char *const names[] = {"\"e\"", "\"another name\"", "\"\"", "null", "5", "{\"first\":\"x\"}"};
    static const char *const versions[] = {"\"1.0\"", "\"1.1\"", "null", "1.0"};
    static const char *const objects[] = {
        "{\"sku\":\"s\",\"price\":1}", "{\"name\":null,\"price\":2}", "{\"name\":\"n\"}", "null", "3", "{}"};
    static const char *const places[] = {"properties", "traits", "purposes", "data", "data_base64"};
    char texts[2][400];
    const char *user = wild ? PICK(ids) : ids[random_below(2)];
    const char *id = wild ? PICK(ids) : ids[random_below(2)];

    if (random_below(8) == 0) {
        user = string_of(254 + random_below(4), texts[0]);
    }
    if (random_below(8) == 0) {
        id = string_of(250 + random_below(8), texts[1]);
    }
    add_member(text, "type", wild ? PICK(types) : types[random_below(2)]);
    if (cloud) {
        add_member(text, "specversion", wild ? PICK(versions) : versions[0]);
        add_member(text, "source", wild ? PICK(ids) : ids[random_below(2)]);
    }
    if (!wild || random_below(4) != 0) {
        add_member(text, cloud ? "id" : "messageId", id);
    }
    add_member(text, cloud ? "subject" : "userId", user);
    if (wild && random_below(3) == 0) {
        add_member(text, "anonymousId", PICK(ids));
    }
    add_member(text, cloud ? "time" : "timestamp", wild ? PICK(times) : times[random_below(3)]);
    add_member(text, "event", wild ? PICK(names) : names[random_below(2)]);
    if (random_below(2) == 0) {
        add_member(text, "name", PICK(names));
    }
    add_member(text, wild ? PICK(places) : places[cloud ? 3 : 0], wild ? PICK(objects) : objects[random_below(2)]);
    buffer_append_char(text, '}');
}

/* What a form says of the envelope is the same in all its messages; what can differ is looked at. */
START_TEST(envelopes_of_known_forms_agree)
{
    unsigned known = 0;
    struct buffer text;

    buffer_init(&text, 1 << 16);
    for (unsigned i = 0; i < 60000; i++) {
        buffer_reset(&text);
        append_envelope(&text, i % 2 == 0, i % 3 == 0);
        compare(buffer_slice(&text));
        known += was_known();
    }
    ck_assert(!text.failed);
    ck_assert_uint_gt(known, 20000);
    buffer_clear(&text);
}
END_TEST

/* Strings that have all had the same size are compared with what is between them, until too many do not fit. */
START_TEST(runs_of_strings_agree)
{
    static const char bytes[] = {'"', '\\', '\x01', '\x7f', '\xc3', 'y', '{', ','};
    char text[500];

    for (unsigned round = 0; round < 40; round++) {
        unsigned fixed = 1 + random_below(40);
        unsigned varying = random_below(3) == 0 ? 3 : 1;

        for (unsigned i = 0; i < 60; i++) {
            int size =
                snprintf(text, sizeof text,
                         "{\"type\":\"track\",\"messageId\":\"%0*u\",\"userId\":\"u%0*u\",\"timestamp\":"
                         "\"2026-05-01T10:00:00.%03uZ\",\"event\":\"e%u\",\"properties\":{\"sku\":\"%0*u\",\"a\":%u}}",
                         (int)fixed, i, (int)(8 + random_below(varying)), i, i, i, (int)(fixed / 2), i, i);

            if (i > 8 && i % 3 == 0) {
                text[random_below((uint32_t)size)] = bytes[random_below(sizeof bytes)];
            }
            compare(slice_of(text, (size_t)size));
            ck_assert(i < 8 || i % 3 == 0 || was_known());
        }
        end();
        begin();
    }
}
END_TEST

START_TEST(values_of_other_characters_are_known)
{
    static const char *const values[] = {
        "plain text", "\xc3\xa4", "M\xc3\xbcller, a name of more than sixteen bytes \xe2\x82\xac \xf0\x9f\x98\x80",
        "sixteen bytes ..\xc3\xa9", "\xc3\xa9 and plain"};
    static const char *const others[] = {"\xc3",         "\xc3\"",     "\xff",          "\xed\xa0\x80",    "\xc0\xaf",
                                         "\xc3\xa9\x01", "\xc3\xa9\\", "\xc3\xa9\\\"x", "\xf4\x90\x80\x80"};
    char text[500];

    for (unsigned i = 0; i < 2000; i++) {
        bool good = i % 7 != 6;
        int size = snprintf(text, sizeof text, TRACK "{\"sku\":\"%s\",\"price\":%u,\"name\":\"%s\"}}",
                            good ? PICK(values) : PICK(others), i, PICK(values));

        compare(slice_of(text, (size_t)size));
        ck_assert(!good || i == 0 || was_known());
    }
    ck_assert_uint_gt(line_count, 500);
}
END_TEST

/* More forms than are kept, then a few again and again. */
START_TEST(more_forms_than_are_kept_agree)
{
    char text[400];

    for (unsigned i = 0; i < 72000; i++) {
        unsigned form = i % 9 == 0 ? i % 7 : i;
        int size = snprintf(text, sizeof text, TRACK "{\"sku\":\"%u\",\"k%u\":%u,\"price\":%u,\"k%u\":%u}}", i,
                            form % 20, i, i, form, form);

        compare(slice_of(text, (size_t)size));
        ck_assert_int_eq(both.part.reason, form < 20 ? QUARANTINE_NOT_JSON : QUARANTINE_NONE);
    }
}
END_TEST

/* Nesting and many keys, around the limits. */
START_TEST(limits_agree)
{
    struct buffer text;

    buffer_init(&text, 4 << 20);
    for (unsigned depth = 60; depth < 68; depth++) {
        buffer_reset(&text);
        buffer_append_text(&text, "{\"type\":\"delete\"," REST ",\"x\":");
        for (unsigned i = 1; i < depth; i++) {
            buffer_append_text(&text, i % 2 == 0 ? "{\"a\":" : "[");
        }
        buffer_append_char(&text, '0');
        for (unsigned i = depth - 1; i >= 1; i--) {
            buffer_append_char(&text, i % 2 == 0 ? '}' : ']');
        }
        buffer_append_char(&text, '}');
        compare(buffer_slice(&text));
        ck_assert_int_eq(both.part.reason, depth <= EVENT_DEPTH_MAX ? QUARANTINE_NONE : QUARANTINE_TOO_DEEP);
    }
    for (unsigned keys = 20; keys < 600; keys += 9) {
        for (unsigned repeated = 0; repeated < 2; repeated++) {
            buffer_reset(&text);
            buffer_append_text(&text, TRACK "{");
            for (unsigned i = 0; i < keys; i++) {
                char key[64];

                (void)snprintf(key, sizeof key, "\"property_%03u_of_many\":%u,", i, i);
                buffer_append_text(&text, key);
            }
            buffer_append_text(&text, repeated != 0 ? "\"property_007_of_many\":1}}" : "\"price\":1}}");
            compare(buffer_slice(&text));
            ck_assert_int_eq(both.part.reason, repeated != 0 ? QUARANTINE_NOT_JSON : QUARANTINE_NONE);
        }
    }
    ck_assert(!text.failed);
    buffer_clear(&text);
}
END_TEST

START_TEST(the_fuzz_corpus_agrees)
{
    static const char folder[] = "tests/fuzz/corpus/event";
    const struct dirent *entry;
    DIR *directory = opendir(folder);
    struct error err = ERROR_INIT;
    struct buffer text;
    unsigned count = 0;

    ck_assert_ptr_nonnull(directory);
    buffer_init(&text, 4 << 20);
    while ((entry = readdir(directory)) != NULL) {
        char path[600];

        if (entry->d_name[0] != '.') {
            (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
            buffer_reset(&text);
            ck_assert_ok(file_read(path, &text, &err));
            compare(buffer_slice(&text));
            compare_levels(buffer_slice(&text));
            count++;
        }
    }
    ck_assert_uint_ge(count, 20);
    buffer_clear(&text);
    (void)closedir(directory);
}
END_TEST

/* Paths in one object that are many, and alike. */
START_TEST(many_paths_are_found)
{
    enum { MANY = 3000 };
    static char names[MANY][24];
    struct error err = ERROR_INIT;
    struct json_document document;
    struct json_paths paths;
    struct buffer text;
    const int32_t *found;

    buffer_init(&text, 1 << 20);
    json_document_init(&document);
    json_paths_init(&paths, MANY);
    buffer_append_char(&text, '{');
    for (uint32_t i = 0; i < MANY; i++) {
        struct slice key;

        (void)snprintf(names[i], sizeof names[i], "k%06u%s", i * 7, i % 2 == 0 ? "" : "_and_some_more");
        key = slice_from(names[i]);
        ck_assert(json_paths_add(&paths, &key, 1, i, false));
        if (i % 15 == 0) {
            char member[64];

            (void)snprintf(member, sizeof member, "\"%s\":%u,\"x%u\":0,", names[i], i, i);
            buffer_append_text(&text, i < 1500 ? member : "");
        }
    }
    buffer_append_text(&text, "\"end\":0}");
    ck_assert_ok(json_parse_paths(&document, buffer_slice(&text),
                                  &(struct json_limits){.depth_max = 4, .size_max = 1 << 20}, &paths, &found, &err));
    ck_assert_ptr_nonnull(found);
    for (uint32_t i = 0; i < MANY; i++) {
        char number[16];

        ck_assert_int_eq(found[i] != JSON_ABSENT, i % 15 == 0 && i < 1500);
        if (found[i] != JSON_ABSENT) {
            (void)snprintf(number, sizeof number, "%u", i);
            ck_assert(slice_equal_text(json_raw(&document, found[i]), number));
        }
    }
    json_paths_clear(&paths);
    json_document_clear(&document);
    buffer_clear(&text);
}
END_TEST

Suite *json_project_suite(void)
{
    Suite *suite = suite_create("json_project");
    TCase *tests = tcase_create("core");

    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, whole_messages_agree);
    tcase_add_test(tests, values_that_are_no_values_agree);
    tcase_add_test(tests, mutations_agree);
    tcase_add_test(tests, runs_of_backslashes_agree);
    tcase_add_test(tests, an_escaped_quote_ends_no_string);
    tcase_add_test(tests, other_paths_learn_anew);
    tcase_add_test(tests, forms_that_were_learnt_agree);
    tcase_add_test(tests, sizes_that_were_learnt_agree);
    tcase_add_test(tests, envelopes_of_known_forms_agree);
    tcase_add_test(tests, runs_of_strings_agree);
    tcase_add_test(tests, values_of_other_characters_are_known);
    tcase_add_test(tests, more_forms_than_are_kept_agree);
    tcase_add_test(tests, limits_agree);
    tcase_add_test(tests, the_fuzz_corpus_agrees);
    tcase_add_test(tests, many_paths_are_found);
    suite_add_tcase(suite, tests);
    return suite;
}
