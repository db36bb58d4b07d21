#include "common/domain/mapping.h"

#include "common/base/timestamp.h"
#include "common/domain/mapping_time.h"

#include "tests/unit/unit.h"

Suite *mapping_suite(void);

static const struct slice columns[] = {{"Id", 2}, {"When", 4}, {"No", 2}, {"Amount", 6}, {"a b", 3}, {"Flag", 4}};
enum { COLUMN_COUNT = sizeof columns / sizeof columns[0] };

#define BASE "user = Id\ntime = When\n"

/* A mapping, one record, and the message or the refusal (which begins with '!') it gives. */
static const struct {
    const char *mapping;
    const char *fields[COLUMN_COUNT];
    const char *wanted;
} applications[] = {
    {BASE "event = \"e\"",
     {"u", "5", "", "", "", ""},
     "{\"userId\":\"u\",\"timestamp\":5,\"event\":\"e\",\"type\":\"track\"}"},
    {"# comment\n; comment\n\n[mapping]\r\n" BASE "event = cancel if No ^= \"C\" else purchase\r\n",
     {"u", "1970-01-01T00:00:01Z", "C12", "", "", ""},
     "{\"userId\":\"u\",\"timestamp\":1000,\"event\":\"cancel\",\"type\":\"track\"}"},
    {BASE "event = cancel if No ^= \"C\" else purchase",
     {"u", "5", "12C", "", "", ""},
     "{\"userId\":\"u\",\"timestamp\":5,\"event\":\"purchase\",\"type\":\"track\"}"},
    {"user = Id | strip \".0\"\ntime = When format \"%d.%m.%Y %H:%M\" zone +01:00\nevent = No | trim | lower\n"
     "messageId = #line",
     {"17850.0", "2.1.1970 1:00", " BUY ", "", "", ""},
     "{\"userId\":\"17850\",\"timestamp\":86400000,\"event\":\"buy\",\"messageId\":\"LINE\",\"type\":\"track\"}"},
    {BASE
     "event = No\nproperty.n = Amount number\nproperty.t = [a b]\nproperty.f = Flag boolean\nconst.source = \"web\"\n"
     "const.five = 5.0\nconst.yes = true",
     {"u", "5", "e", " +07.50 ", "say \"\\hi\n", "Yes"},
     "{\"userId\":\"u\",\"timestamp\":5,\"event\":\"e\",\"type\":\"track\",\"properties\":{\"n\":7.50,\"t\":\"say "
     "\\\"\\\\hi\\u000a\","
     "\"f\":true,\"source\":\"web\",\"five\":5.0,\"yes\":true}}"},
    /* an empty cell is a missing value */
    {BASE "event = No\nproperty.n = Amount number\nproperty.t = [a b]\nproperty.f = Flag boolean\nmessageId = Flag",
     {"u", "5", "e", "", "", ""},
     "{\"userId\":\"u\",\"timestamp\":5,\"event\":\"e\",\"type\":\"track\"}"},
    {BASE "event = \"e\"",
     {"", "5", "", "", "", ""},
     "{\"userId\":\"\",\"timestamp\":5,\"event\":\"e\",\"type\":\"track\"}"},
    {BASE "anonymousId = No\nevent = \"e\"",
     {"", "5", "a", "", "", ""},
     "{\"timestamp\":5,\"anonymousId\":\"a\",\"event\":\"e\",\"type\":\"track\"}"},
    {BASE "event = \"e\"\nproperty.x = Id if No = \"1\" else Amount if No $= \"2\" else \"z\" if No *= \"3\"",
     {"u", "5", "42", "q", "", ""},
     "{\"userId\":\"u\",\"timestamp\":5,\"event\":\"e\",\"type\":\"track\",\"properties\":{\"x\":\"q\"}}"},
    {BASE "event = \"e\"\nproperty.x = Id if No != \"9\"",
     {"u", "5", "9", "q", "", ""},
     "{\"userId\":\"u\",\"timestamp\":5,\"event\":\"e\",\"type\":\"track\"}"},
    /* other types */
    {BASE "type = identify\ntrait.n = Amount number\nconst.c = \"x\"",
     {"u", "5", "", "1", "", ""},
     "{\"userId\":\"u\",\"timestamp\":5,\"type\":\"identify\",\"traits\":{\"n\":1,\"c\":\"x\"}}"},
    {BASE "type = consent\npurpose.marketing = Flag",
     {"u", "5", "", "", "", "0"},
     "{\"userId\":\"u\",\"timestamp\":5,\"type\":\"consent\",\"purposes\":{\"marketing\":false}}"},
    {BASE "type = \"page\"\nname = No",
     {"u", "5", "Home", "", "", ""},
     "{\"userId\":\"u\",\"timestamp\":5,\"type\":\"page\",\"name\":\"Home\"}"},
    /* cells that are not what the mapping says */
    {BASE "event = \"e\"\nproperty.n = Amount number",
     {"u", "5", "", "1,5", "", ""},
     "!property.n: the cell is no number"},
    {BASE "event = \"e\"\nproperty.n = Flag boolean",
     {"u", "5", "", "", "", "maybe"},
     "!property.n: the cell is neither true nor false"},
    {BASE "event = \"e\"",
     {"u", "yesterday", "", "", "", ""},
     "!time: the cell is neither RFC 3339 nor epoch milliseconds"},
    {BASE "event = \"e\"", {"u", "5.5", "", "", "", ""}, "!time: the cell is neither RFC 3339 nor epoch milliseconds"},
    {BASE "event = \"e\"", {"u", "", "", "", "", ""}, "!time: the cell is empty"},
    {"user = Id\ntime = When format \"%Y-%m-%d\"\nevent = \"e\"",
     {"u", "2026-02-30", "", "", "", ""},
     "!time: the cell is no time of that format"},
    {BASE "event = No", {"u", "5", "", "", "", ""}, "!event: the cell is empty, or no alternative applies"},
    {BASE "event = a if No = \"x\"",
     {"u", "5", "y", "", "", ""},
     "!event: the cell is empty, or no alternative applies"},
};

START_TEST(records_become_messages)
{
    for (size_t i = 0; i < sizeof applications / sizeof applications[0]; i++) {
        struct slice fields[COLUMN_COUNT];
        struct error err = ERROR_INIT;
        enum quarantine_reason reason;
        struct mapping *mapping;
        struct buffer out;

        buffer_init(&out, 1 << 16);
        for (size_t field = 0; field < COLUMN_COUNT; field++) {
            fields[field] = slice_from(applications[i].fields[field]);
        }
        ck_assert_ok(mapping_new(slice_from(applications[i].mapping), "m", &mapping, &err));
        ck_assert_ok(mapping_bind(mapping, columns, COLUMN_COUNT, &err));
        ck_assert_ok(mapping_apply(mapping, fields, COLUMN_COUNT, SLICE_LITERAL("LINE"), &out, &reason, &err));
        if (applications[i].wanted[0] == '!') {
            ck_assert_int_eq(reason, QUARANTINE_MAPPING);
            ck_assert_str_eq(err.message, applications[i].wanted + 1);
        } else {
            ck_assert_msg(reason == QUARANTINE_NONE, "%s: %s", applications[i].mapping, err.message);
            ck_assert_str_eq(buffer_text(&out), applications[i].wanted);
        }
        mapping_free(mapping);
        buffer_clear(&out);
    }
}
END_TEST

static const struct {
    const char *mapping;
    const char *part; /* of the message */
} broken[] = {
    {"", "m: expected a line user = COLUMN"},
    {"user = Id", "expected a line time"},
    {BASE, "expected a line event"},
    {"usr = Id", "m:1: unknown target"},
    {"\n\nuser", "m:3: expected target = expression"},
    {"user =", "m:1: expected a column"},
    {"user = \"u", "does not end"},
    {"user = \"u\\n\"", "behind a backslash"},
    {"user = [Id", "expected ]"},
    {"user = Id]", "unexpected ]"},
    {"user = Id Id", "expected |, number"},
    {"user = Id number", "expected |, number"},
    {"user = Id\nuser = No", "m:2: user is set already in line 1"},
    {"property.x = Id\nconst.x = 5", "set already"},
    {"user = Id | strip", "behind strip"},
    {"user = Id | shout", "expected a filter"},
    {"user = #line", "#line is for messageId only"},
    {"user = Id if", "expected a column behind if"},
    {"user = Id if No", "expected one of ="},
    {"user = Id if No ! \"x\"", "expected one of ="},
    {"user = Id if No = x", "expected a quoted text to compare with"},
    {"user = Id else No", "else behind a condition"},
    {"time = When zone UTC", "zone needs a format"},
    {"time = When format \"%Q\"", "unknown %Q"},
    {"time = When format \"%H:%M\"", "lacks a year"},
    {"time = When format \"%Y-%m-%d %I\"", "%I and %p"},
    {"time = When format \"%F\" zone Europe/Berlin", "not supported in this version: zone Europe/Berlin"},
    {"time = When format \"%F\" zone +25:00", "not supported"},
    {"const.x = Id", "expected a quoted text, a number, true or false"},
    {"const.x = [Id]", "expected a quoted text, a number, true or false"},
    {"property. = Id", "expected a name"},
    {"property.a.b = Id", "without dots"},
    {"purpose.x = Flag number", "a purpose is a boolean"},
};

START_TEST(broken_mappings_are_refused_with_their_line)
{
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct error err = ERROR_INIT;
        struct mapping *mapping;

        ck_assert_fails(mapping_new(slice_from(broken[i].mapping), "m", &mapping, &err), ERROR_INPUT, broken[i].part);
    }
}
END_TEST

static const struct {
    const char *mapping;
    const char *part;
} unbound[] = {
    {"user = Nope\ntime = When\nevent = \"e\"", "m:1: there is no column Nope"},
    {BASE "event = Evnt", "m:3: there is no column Evnt"}, /* a misspelt column is no event name */
    {BASE "event = e if Nope = \"x\" else f", "there is no column Nope"},
    {BASE "type = dance", "expected a column, or one of track"},
    {BASE "event = \"e\"\nproperty.x = [a  b]", "there is no column a  b"},
};

START_TEST(unknown_columns_are_refused_with_those_there_are)
{
    const struct slice twice[] = {SLICE_LITERAL("Id"), SLICE_LITERAL("When"), SLICE_LITERAL("Id")};
    struct error err = ERROR_INIT;
    struct mapping *mapping;

    for (size_t i = 0; i < sizeof unbound / sizeof unbound[0]; i++) {
        ck_assert_ok(mapping_new(slice_from(unbound[i].mapping), "m", &mapping, &err));
        ck_assert_fails(mapping_bind(mapping, columns, COLUMN_COUNT, &err), ERROR_INPUT, unbound[i].part);
        ck_assert(strstr(unbound[i].mapping, "type") != NULL || strstr(err.hint, "Id, When, No, Amount") != NULL);
        mapping_free(mapping);
    }
    ck_assert_ok(mapping_new(SLICE_LITERAL(BASE "event = \"e\""), "m", &mapping, &err));
    ck_assert_fails(mapping_bind(mapping, twice, 3, &err), ERROR_INPUT, "two columns Id");
    mapping_free(mapping);
}
END_TEST

START_TEST(records_of_another_width_are_refused)
{
    struct error err = ERROR_INIT;
    enum quarantine_reason reason;
    struct mapping *mapping;
    struct buffer out;

    buffer_init(&out, 1 << 16);
    ck_assert_ok(mapping_new(SLICE_LITERAL(BASE "event = \"e\""), "m", &mapping, &err));
    ck_assert_ok(mapping_bind(mapping, columns, COLUMN_COUNT, &err));
    ck_assert_ok(mapping_apply(mapping, columns, COLUMN_COUNT - 1, SLICE_LITERAL(""), &out, &reason, &err));
    ck_assert_int_eq(reason, QUARANTINE_MAPPING);
    ck_assert_str_eq(err.message, "5 fields, but the header has 6");
    mapping_free(mapping);
    buffer_clear(&out);
}
END_TEST

/* INT64_MIN: refused. */
static const struct {
    const char *format;
    const char *text;
    int64_t wanted;
} times[] = {
    {"%Y-%m-%d %H:%M:%S", "2010-12-01 08:26:00", INT64_C(1291191960000)},
    {"%F %T", "2010-12-01 08:26:00", INT64_C(1291191960000)},
    {"%FT%T.%fZ", "2010-12-01T08:26:00.1239Z", INT64_C(1291191960123)},
    {"%F %T%z", "2010-12-01 09:26:00+0100", INT64_C(1291191960000)},
    {"%F %T %z", "2010-12-01 03:26:00 -05:00", INT64_C(1291191960000)},
    {"%m/%d/%y %I:%M %p", "12/1/10 8:26 AM", INT64_C(1291191960000)},
    {"%d %b %Y %I:%M:%S%p", "1 DEC 2010 08:26:00pm", INT64_C(1291235160000)},
    {"%d %b %Y %I:%M:%S%p", "1 Dec 2010 12:00:00am", INT64_C(1291161600000)},
    {"%F %T", "2016-12-31 23:59:60", INT64_C(1483228800000)},
    {"%F", "1969-12-31", INT64_C(-86400000)},
    {"%F", "2024-02-29", INT64_C(1709164800000)},
    {"%s", "1291191960", INT64_C(1291191960000)},
    {"%s.%f", "1291191960.5", INT64_C(1291191960500)},
    {"%s", "-1", INT64_C(-1000)},
    {"%F%%", "1970-01-01%", 0},
    {"%F", "2023-02-29", INT64_MIN},
    {"%F", "2023-13-01", INT64_MIN},
    {"%F", "2023-00-01", INT64_MIN},
    {"%F", "0000-01-01", INT64_MIN},
    {"%F", "2023-1-1x", INT64_MIN},
    {"%F", "23-01-01", INT64_MIN},
    {"%F %T", "2023-01-01 24:00:00", INT64_MIN},
    {"%F %T", "2023-01-01 10:60:00", INT64_MIN},
    {"%F %T", "2023-01-01 10:00:61", INT64_MIN},
    {"%F %T", "2023-01-01", INT64_MIN},
    {"%F %I%p", "2023-01-01 13pm", INT64_MIN},
    {"%s", "999999999999999", INT64_MIN},
    {"%s", "", INT64_MIN},
};

START_TEST(times_are_read_strictly)
{
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        struct error err = ERROR_INIT;
        int64_t ms = 0;
        bool read;

        ck_assert_ok(mapping_time_check(slice_from(times[i].format), &err));
        read = mapping_time_parse(slice_from(times[i].format), slice_from(times[i].text), 0, &ms);
        ck_assert_msg(read == (times[i].wanted != INT64_MIN), "%s", times[i].text);
        ck_assert_msg(!read || ms == times[i].wanted, "%s: %lld", times[i].text, (long long)ms);
    }
}
END_TEST

static bool mapping_scenario(void *context, struct error *err)
{
    static const char text[] = BASE "event = No | lower\nproperty.n = Amount number\nproperty.t = \"x\" if No = \"y\"";
    struct slice fields[COLUMN_COUNT] = {SLICE_LITERAL("u"), SLICE_LITERAL("5"), SLICE_LITERAL("A"),
                                         SLICE_LITERAL("1"), SLICE_LITERAL(""),  SLICE_LITERAL("")};
    enum quarantine_reason reason;
    struct mapping *mapping;
    struct buffer out;
    bool good;

    (void)context;
    buffer_init(&out, 1 << 16);
    if (!mapping_new(slice_from(text), "m", &mapping, err)) {
        return false;
    }
    good = mapping_bind(mapping, columns, COLUMN_COUNT, err) &&
           mapping_apply(mapping, fields, COLUMN_COUNT, SLICE_LITERAL("l"), &out, &reason, err);
    mapping_free(mapping);
    buffer_clear(&out);
    return good;
}

START_TEST(mapping_survives_no_memory)
{
    unit_fail_each_allocation(mapping_scenario, NULL);
}
END_TEST

Suite *mapping_suite(void)
{
    Suite *suite = suite_create("mapping");
    TCase *tests = tcase_create("mapping");

    tcase_add_test(tests, records_become_messages);
    tcase_add_test(tests, broken_mappings_are_refused_with_their_line);
    tcase_add_test(tests, unknown_columns_are_refused_with_those_there_are);
    tcase_add_test(tests, records_of_another_width_are_refused);
    tcase_add_test(tests, times_are_read_strictly);
    tcase_add_test(tests, mapping_survives_no_memory);
    suite_add_tcase(suite, tests);
    return suite;
}
