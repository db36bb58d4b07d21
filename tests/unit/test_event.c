#include "common/domain/event.h"

#include "common/base/timestamp.h"

#include "tests/unit/unit.h"

#include <stdio.h>

Suite *event_suite(void);

static struct json_document document;
static struct arena arena;

static void begin(void)
{
    json_document_init(&document);
    arena_init(&arena, 4 << 20);
}

static void end(void)
{
    arena_clear(&arena);
    json_document_clear(&document);
}

static enum quarantine_reason decode(struct slice text, struct event *out)
{
    enum quarantine_reason reason = QUARANTINE_COUNT;
    struct error why = ERROR_INIT;

    arena_reset(&arena);
    ck_assert_msg(event_decode(text, &document, &arena, out, &reason, &why), "no memory");
    ck_assert_msg(reason == QUARANTINE_NONE || why.message[0] != '\0', "%s has no words",
                  quarantine_reason_name(reason));
    return reason;
}

#define REST "\"userId\":\"u\",\"timestamp\":1"
#define TRACK "\"type\":\"track\",\"event\":\"e\","
#define CLOUD "\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\",\"subject\":\"u\",\"time\":1"
#define AT_255                                                                                                         \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"                            \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"                            \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
    const char *text;
    enum quarantine_reason reason;
} verdicts[] = {
    /* not JSON, not an object */
    {"", QUARANTINE_NOT_JSON},
    {"{", QUARANTINE_NOT_JSON},
    {"{" TRACK REST "} x", QUARANTINE_NOT_JSON},
    {"{" TRACK REST ",\"userId\":\"u\"}", QUARANTINE_NOT_JSON},
    {"{" TRACK REST ",\"properties\":{\"a\":1,\"a\":1}}", QUARANTINE_NOT_JSON},
    {"{" TRACK REST ",\"x\":\"\xff\"}", QUARANTINE_NOT_JSON},
    {"[]", QUARANTINE_NOT_OBJECT},
    {"null", QUARANTINE_NOT_OBJECT},
    /* type */
    {"{" REST "}", QUARANTINE_TYPE},
    {"{\"type\":\"dance\"," REST "}", QUARANTINE_TYPE},
    {"{\"type\":\"Track\",\"event\":\"e\"," REST "}", QUARANTINE_TYPE},
    {"{\"type\":null," REST "}", QUARANTINE_TYPE},
    {"{\"type\":1," REST "}", QUARANTINE_TYPE},
    {"{\"type\":\"none\"," REST "}", QUARANTINE_TYPE},
    {"{\"t\\u0079pe\":\"tr\\u0061ck\",\"event\":\"e\"," REST "}", QUARANTINE_NONE},
    /* users */
    {"{" TRACK "\"timestamp\":1}", QUARANTINE_USER},
    {"{" TRACK "\"timestamp\":1,\"userId\":null}", QUARANTINE_USER},
    {"{" TRACK "\"timestamp\":1,\"userId\":null,\"anonymousId\":null}", QUARANTINE_USER},
    {"{" TRACK "\"timestamp\":1,\"userId\":null,\"anonymousId\":\"a\"}", QUARANTINE_NONE},
    {"{" TRACK "\"timestamp\":1,\"anonymousId\":\"a\"}", QUARANTINE_NONE},
    {"{" TRACK "\"timestamp\":1,\"anonymousId\":7}", QUARANTINE_USER},
    {"{" TRACK "\"timestamp\":1,\"userId\":7,\"anonymousId\":\"a\"}", QUARANTINE_USER},
    {"{" TRACK "\"timestamp\":1,\"userId\":\"\",\"anonymousId\":\"a\"}", QUARANTINE_USER},
    {"{" TRACK "\"timestamp\":1,\"userId\":\"a\\u0000b\"}", QUARANTINE_USER},
    {"{" TRACK "\"timestamp\":1,\"userId\":\"" AT_255 "x\"}", QUARANTINE_NONE},
    {"{" TRACK "\"timestamp\":1,\"userId\":\"" AT_255 "xx\"}", QUARANTINE_USER},
    {"{" TRACK "\"timestamp\":1,\"userId\":\"" AT_255 "\xc3\xa9\"}", QUARANTINE_USER},
    {"{" TRACK "\"timestamp\":1,\"userId\":\"" AT_255 "\\u0078\"}", QUARANTINE_NONE},
    {"{\"type\":\"consent\",\"purposes\":{},\"timestamp\":1,\"anonymousId\":\"a\"}", QUARANTINE_USER},
    {"{\"type\":\"delete\",\"timestamp\":1,\"anonymousId\":\"a\"}", QUARANTINE_USER},
    /* events */
    {"{\"type\":\"track\"," REST "}", QUARANTINE_EVENT},
    {"{\"type\":\"track\",\"event\":null," REST "}", QUARANTINE_EVENT},
    {"{\"type\":\"track\",\"event\":[]," REST "}", QUARANTINE_EVENT},
    {"{\"type\":\"page\",\"event\":5," REST "}", QUARANTINE_NONE}, /* not used by a page */
    /* message ids */
    {"{" TRACK REST ",\"messageId\":\"m\"}", QUARANTINE_NONE},
    {"{" TRACK REST ",\"messageId\":null}", QUARANTINE_NONE},
    {"{" TRACK REST ",\"messageId\":5}", QUARANTINE_MESSAGE_ID},
    {"{" TRACK REST ",\"messageId\":\"\"}", QUARANTINE_MESSAGE_ID},
    {"{" TRACK REST ",\"messageId\":\"\\u0000\"}", QUARANTINE_MESSAGE_ID},
    {"{" TRACK REST ",\"messageId\":\"" AT_255 "xx\"}", QUARANTINE_MESSAGE_ID},
    {"{\"type\":\"delete\"," REST ",\"messageId\":5}", QUARANTINE_NONE},
    /* times */
    {"{" TRACK "\"userId\":\"u\"}", QUARANTINE_TIMESTAMP},
    {"{" TRACK "\"userId\":\"u\",\"timestamp\":null}", QUARANTINE_TIMESTAMP},
    {"{" TRACK "\"userId\":\"u\",\"timestamp\":true}", QUARANTINE_TIMESTAMP},
    {"{" TRACK "\"userId\":\"u\",\"timestamp\":\"2026-05-01 10:00\"}", QUARANTINE_TIMESTAMP},
    {"{" TRACK "\"userId\":\"u\",\"timestamp\":\"1777629600000\"}", QUARANTINE_TIMESTAMP},
    {"{" TRACK "\"userId\":\"u\",\"timestamp\":\"2026-05-01T10:00:00Z\\u0000\"}", QUARANTINE_TIMESTAMP},
    {"{" TRACK "\"userId\":\"u\",\"timestamp\":1e3}", QUARANTINE_NONE},
    {"{" TRACK "\"userId\":\"u\",\"timestamp\":1.5}", QUARANTINE_TIMESTAMP},
    {"{" TRACK "\"userId\":\"u\",\"timestamp\":1.0000001}", QUARANTINE_TIMESTAMP},
    {"{" TRACK "\"userId\":\"u\",\"timestamp\":253402300799999}", QUARANTINE_NONE},
    {"{" TRACK "\"userId\":\"u\",\"timestamp\":253402300800000}", QUARANTINE_TIMESTAMP},
    {"{" TRACK "\"userId\":\"u\",\"timestamp\":-62135596800000}", QUARANTINE_NONE},
    {"{" TRACK "\"userId\":\"u\",\"timestamp\":-62135596800001}", QUARANTINE_TIMESTAMP},
    {"{" TRACK "\"userId\":\"u\",\"timestamp\":1e99}", QUARANTINE_TIMESTAMP},
    /* properties, traits, purposes */
    {"{" TRACK REST ",\"properties\":null}", QUARANTINE_NONE},
    {"{" TRACK REST ",\"properties\":[]}", QUARANTINE_PROPERTIES},
    {"{" TRACK REST ",\"properties\":\"{}\"}", QUARANTINE_PROPERTIES},
    {"{" TRACK REST ",\"traits\":5}", QUARANTINE_NONE},
    {"{\"type\":\"identify\"," REST "}", QUARANTINE_NONE},
    {"{\"type\":\"identify\"," REST ",\"traits\":5}", QUARANTINE_PROPERTIES},
    {"{\"type\":\"consent\"," REST ",\"purposes\":{\"marketing\":true}}", QUARANTINE_NONE},
    {"{\"type\":\"consent\"," REST ",\"purposes\":{}}", QUARANTINE_NONE},
    {"{\"type\":\"consent\"," REST "}", QUARANTINE_PURPOSES},
    {"{\"type\":\"consent\"," REST ",\"purposes\":null}", QUARANTINE_PURPOSES},
    {"{\"type\":\"consent\"," REST ",\"purposes\":[true]}", QUARANTINE_PURPOSES},
    {"{\"type\":\"consent\"," REST ",\"purposes\":{\"a\":true,\"b\":1}}", QUARANTINE_PURPOSES},
    {"{\"type\":\"consent\"," REST ",\"purposes\":{\"a\":null}}", QUARANTINE_PURPOSES},
    {"{\"type\":\"consent\"," REST ",\"purposes\":{\"\":true}}", QUARANTINE_PURPOSES},
    {"{\"type\":\"consent\"," REST ",\"purposes\":{\"a\":true,\"b\\u0000\":true}}", QUARANTINE_PURPOSES},
    {"{\"type\":\"consent\"," REST ",\"purposes\":{\"a\":\"true\"}}", QUARANTINE_PURPOSES},
    /* CloudEvents */
    {"{" CLOUD "}", QUARANTINE_NONE},
    {"{" CLOUD ",\"data\":null}", QUARANTINE_NONE},
    {"{" CLOUD ",\"data\":[1]}", QUARANTINE_PROPERTIES},
    {"{" CLOUD ",\"data\":\"x\"}", QUARANTINE_PROPERTIES},
    {"{" CLOUD ",\"data_base64\":\"eA==\"}", QUARANTINE_PROPERTIES},
    {"{" CLOUD ",\"userId\":5,\"messageId\":5}", QUARANTINE_NONE},
    {"{\"specversion\":\"1.0\",\"source\":\"/s\",\"type\":\"t\",\"subject\":\"u\",\"time\":1}", QUARANTINE_MESSAGE_ID},
    {"{\"specversion\":\"1.0\",\"id\":\"1\",\"type\":\"t\",\"subject\":\"u\",\"time\":1}", QUARANTINE_MESSAGE_ID},
    {"{\"specversion\":\"1.0\",\"id\":\"" AT_255 "\",\"source\":\"s\",\"type\":\"t\",\"subject\":\"u\",\"time\":1}",
     QUARANTINE_MESSAGE_ID},
    {"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\",\"time\":1}", QUARANTINE_USER},
    {"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"subject\":\"u\",\"time\":1}", QUARANTINE_EVENT},
    {"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\",\"subject\":\"u\"}", QUARANTINE_TIMESTAMP},
    {"{\"specversion\":\"0.3\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\",\"subject\":\"u\",\"time\":1}",
     QUARANTINE_TYPE},
};

START_TEST(messages_are_judged)
{
    begin();
    for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++) {
        struct event event;
        enum quarantine_reason reason = decode(slice_from(verdicts[i].text), &event);

        ck_assert_msg(reason == verdicts[i].reason, "%s: %s, not %s", verdicts[i].text, quarantine_reason_name(reason),
                      quarantine_reason_name(verdicts[i].reason));
    }
    end();
}
END_TEST

START_TEST(size_and_depth_are_bounded)
{
    char *text = memory_allocate(EVENT_SIZE_MAX + 1);
    struct event event;
    size_t size = 0;

    begin();
    memset(text, ' ', EVENT_SIZE_MAX + 1);
    ck_assert_int_eq(decode(slice_of(text, EVENT_SIZE_MAX + 1), &event), QUARANTINE_TOO_LARGE);
    ck_assert_int_eq(decode(slice_of(text, EVENT_SIZE_MAX), &event), QUARANTINE_NOT_JSON);
    for (int depth = 64; depth <= 65; depth++) { /* the message itself is the first level */
        size = (size_t)snprintf(text, 200, "{" TRACK REST ",\"x\":");
        memset(text + size, '[', (size_t)depth - 1);
        memset(text + size + depth - 1, ']', (size_t)depth - 1);
        size += 2 * ((size_t)depth - 1);
        text[size++] = '}';
        ck_assert_int_eq(decode(slice_of(text, size), &event), depth == 64 ? QUARANTINE_NONE : QUARANTINE_TOO_DEEP);
    }
    end();
    memory_free(text);
}
END_TEST

static struct value property(const struct event *event, const char *first, const char *second)
{
    struct slice keys[] = {slice_from(first), slice_from(second == NULL ? "" : second)};
    struct value value;

    ck_assert(event_property(event, keys, second == NULL ? 1 : 2, &arena, &value, NULL));
    return value;
}

START_TEST(fields_are_filled)
{
    struct event event;

    begin();
    ck_assert_int_eq(decode(SLICE_LITERAL("{\"type\":\"track\",\"messageId\":\"m\\u00e9\",\"userId\":\"\\u0075\","
                                          "\"timestamp\":\"2026-05-01T12:00:00.1239+02:00\",\"event\":\"buy\","
                                          "\"properties\":{\"amount\":1.5,\"p\":{\"c\":\"shoes\"}}}"),
                            &event),
                     QUARANTINE_NONE);
    ck_assert_int_eq(event.kind, EVENT_TRACK);
    ck_assert(slice_equal_text(event.user, "u"));
    ck_assert(event.has_message_id && slice_equal_text(event.message_id, "m\xc3\xa9"));
    ck_assert(slice_equal_text(event.name, "buy"));
    ck_assert_int_eq(event.time_ms, INT64_C(1777629600123));
    ck_assert_int_eq(property(&event, "amount", NULL).micros, 1500000);
    ck_assert(slice_equal_text(property(&event, "p", "c").text, "shoes"));
    ck_assert_int_eq(property(&event, "p", "x").type, VALUE_MISSING);
    ck_assert_int_eq(property(&event, "amount", "x").type, VALUE_MISSING);

    ck_assert_int_eq(decode(SLICE_LITERAL(
                                "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/shop\",\"type\":\"order\","
                                "\"subject\":\"c\",\"time\":5,\"data\":{\"amount\":10}}"),
                            &event),
                     QUARANTINE_NONE);
    ck_assert_int_eq(event.kind, EVENT_TRACK);
    ck_assert(slice_equal_text(event.user, "c"));
    ck_assert(slice_equal_text(event.message_id, "/shop 1"));
    ck_assert(slice_equal_text(event.name, "order"));
    ck_assert_int_eq(property(&event, "amount", NULL).micros, 10000000);

    ck_assert_int_eq(decode(SLICE_LITERAL("{\"type\":\"identify\"," REST ",\"traits\":{\"a\":1}}"), &event),
                     QUARANTINE_NONE);
    ck_assert_int_eq(event.kind, EVENT_IDENTIFY);
    ck_assert(!event.has_message_id);
    ck_assert_uint_eq(event.name.size, 0);
    ck_assert_int_ne(event.traits, JSON_ABSENT);
    ck_assert_int_eq(event.properties, JSON_ABSENT);
    end();
}
END_TEST

START_TEST(page_name_stands_in_for_the_property)
{
    struct event event;

    begin();
    ck_assert_int_eq(decode(SLICE_LITERAL("{\"type\":\"page\"," REST ",\"name\":\"Home\"}"), &event), QUARANTINE_NONE);
    ck_assert(slice_equal_text(event.name, "page"));
    ck_assert(slice_equal_text(property(&event, "name", NULL).text, "Home"));
    ck_assert_int_eq(property(&event, "title", NULL).type, VALUE_MISSING);
    ck_assert_int_eq(decode(SLICE_LITERAL("{\"type\":\"screen\"," REST
                                          ",\"name\":\"Home\",\"properties\":{\"name\":\"Cart\"}}"),
                            &event),
                     QUARANTINE_NONE);
    ck_assert(slice_equal_text(event.name, "screen"));
    ck_assert(slice_equal_text(property(&event, "name", NULL).text, "Cart"));
    ck_assert_int_eq(
        decode(SLICE_LITERAL("{\"type\":\"page\"," REST ",\"name\":\"Home\",\"properties\":{\"name\":null}}"), &event),
        QUARANTINE_NONE);
    ck_assert(slice_equal_text(property(&event, "name", NULL).text, "Home"));
    ck_assert_int_eq(decode(SLICE_LITERAL("{" TRACK REST ",\"name\":\"Home\"}"), &event), QUARANTINE_NONE);
    ck_assert_int_eq(property(&event, "name", NULL).type, VALUE_MISSING);
    end();
}
END_TEST

static bool collect(void *context, struct slice purpose, bool granted)
{
    struct buffer *text = context;

    buffer_append_slice(text, purpose);
    buffer_append_text(text, granted ? "+" : "-");
    return !slice_equal_text(purpose, "stop");
}

START_TEST(purposes_are_visited_in_order)
{
    struct buffer text;
    struct event event;

    begin();
    buffer_init(&text, 100);
    ck_assert_int_eq(
        decode(SLICE_LITERAL("{\"type\":\"consent\"," REST ",\"purposes\":{\"b\":true,\"\\u0061\":false}}"), &event),
        QUARANTINE_NONE);
    ck_assert(event_purposes(&event, &arena, collect, &text));
    ck_assert_str_eq(buffer_text(&text), "b+a-");
    buffer_reset(&text);
    ck_assert_int_eq(decode(SLICE_LITERAL("{\"type\":\"consent\"," REST ",\"purposes\":{\"stop\":true,\"x\":false}}"),
                            &event),
                     QUARANTINE_NONE);
    ck_assert(!event_purposes(&event, &arena, collect, &text));
    ck_assert_str_eq(buffer_text(&text), "stop+");
    buffer_clear(&text);
    end();
}
END_TEST

static bool decode_scenario(void *context, struct error *err)
{
    static const char text[] =
        "{\"t\\u0079pe\":\"track\",\"event\":\"\\u0065\",\"userId\":\"\\u0075\",\"timestamp\":1}";
    enum quarantine_reason reason;
    struct event event;
    bool decoded;

    (void)context;
    begin();
    decoded = event_decode(slice_of(text, sizeof text - 1), &document, &arena, &event, &reason, err);
    end();
    return decoded;
}

START_TEST(decode_survives_no_memory)
{
    unit_fail_each_allocation(decode_scenario, NULL);
}
END_TEST

START_TEST(names_are_all_different)
{
    for (enum quarantine_reason a = QUARANTINE_NONE; a < QUARANTINE_COUNT; a++) {
        ck_assert_str_ne(quarantine_reason_name(a), "unknown");
        for (enum quarantine_reason b = a + 1; b < QUARANTINE_COUNT; b++) {
            ck_assert_str_ne(quarantine_reason_name(a), quarantine_reason_name(b));
        }
    }
}
END_TEST

Suite *event_suite(void)
{
    Suite *suite = suite_create("event");
    TCase *tests = tcase_create("event");

    tcase_add_test(tests, messages_are_judged);
    tcase_add_test(tests, size_and_depth_are_bounded);
    tcase_add_test(tests, fields_are_filled);
    tcase_add_test(tests, page_name_stands_in_for_the_property);
    tcase_add_test(tests, purposes_are_visited_in_order);
    tcase_add_test(tests, decode_survives_no_memory);
    tcase_add_test(tests, names_are_all_different);
    suite_add_tcase(suite, tests);
    return suite;
}
