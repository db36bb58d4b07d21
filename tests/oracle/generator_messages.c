#include "tests/oracle/calendar.h"
#include "tests/oracle/generator_parts.h"

#include <inttypes.h>

static void put_value(struct generator *generator)
{
    static const char *const values[] = {"\"x\"", "\"y\"", "\"1\"",     "\"1.0\"", "\"\"",      "true",     "false",
                                         "null",  "[]",    "[1,\"x\"]", "{}",      "{\"p\":1}", "\"gold\"", NULL};

    if (one_in(generator, 2)) {
        put_number(generator, true);
    } else {
        put(generator, pick(generator, values));
    }
}

static void put_word(struct generator *generator)
{
    static const char *const words[] = {"\"x\"", "\"y\"", "\"x\"", "\"y\"",   "\"z\"", "1",
                                        "1.0",   "\"1\"", "null",  "[\"x\"]", NULL};

    put(generator, pick(generator, words));
}

/* `ms` as the many ways to write it. */
static void put_time(struct generator *generator, int64_t ms)
{
    char text[40];
    int form = below(generator, 8);

    if (form < 4 || ms < INT64_C(-62135500000000) || ms > INT64_C(253402200000000)) {
        if (one_in(generator, 10)) {
            buffer_append_format(&generator->out, "%" PRId64 ".0", ms);
        } else {
            buffer_append_format(&generator->out, "%" PRId64, ms);
        }
        return;
    }
    if (form == 4) { /* local time of a zone of +05:30 */
        (void)calendar_text(ms + 19800000, text);
        text[strlen(text) - 1] = 0;
        buffer_append_format(&generator->out, "\"%s999+05:30\"", text);
        return;
    }
    if (form == 5 && ms % 60000 == 0) { /* second 60 of the minute before */
        (void)calendar_text(ms - 60000, text);
        buffer_append_format(&generator->out, "\"%.17s60-00:00\"", text);
        return;
    }
    (void)calendar_text(ms, text);
    if (ms % 1000 == 0 && form == 6) {
        buffer_append_format(&generator->out, "\"%.10st%.8sz\"", text, text + 11);
        return;
    }
    buffer_append_format(&generator->out, "\"%s\"", text);
}

static void put_instant_trait(struct generator *generator)
{
    static const char *const dates[] = {"\"2024-02-29\"",
                                        "\"2025-03-01\"",
                                        "\"2026-02-28\"",
                                        "\"2026-13-01\"",
                                        "\"2025-10-24\"",
                                        "null",
                                        "\"soon\"",
                                        "\"2024-02-29T12:00:00Z\"",
                                        "1.5",
                                        NULL};
    int64_t ms = random_instant(generator);

    if (one_in(generator, 3)) {
        put(generator, pick(generator, dates));
    } else if (ms < 0) {
        char text[40];

        buffer_append_format(&generator->out, "\"%s\"", calendar_text(ms, text));
    } else {
        put_time(generator, ms);
    }
}

static void put_user(struct generator *generator)
{
    static const char *const hostile[] = {"u,1", "a\\\"b", "\\u00fc", "l\\ni", NULL};

    if (one_in(generator, 60)) {
        put(generator, pick(generator, hostile));
    } else {
        buffer_append_format(&generator->out, "u%d", below(generator, generator->user_count));
    }
}

/* `"messageId":...,` or nothing; gives the message's time. An id that has been used comes again after about a day. */
static int64_t put_message_id(struct generator *generator)
{
    int64_t ms = random_instant(generator);

    if (one_in(generator, 5)) {
        put(generator, one_in(generator, 3) ? "\"messageId\":null," : "");
    } else if (one_in(generator, 12)) {
        buffer_append_format(&generator->out, "\"messageId\":\"m%d\",", below(generator, 3));
    } else if (generator->previous_number >= 0 && one_in(generator, 12)) {
        int64_t apart = CALENDAR_DAY + below(generator, 3) - 1;

        buffer_append_format(&generator->out, "\"messageId\":\"i%d\",", generator->previous_number);
        ms = generator->previous_ms + (one_in(generator, 3) ? -apart : apart);
    } else {
        int number = generator->message_number++;

        number = number * 7 % 23 + 23 * (number / 23);
        buffer_append_format(&generator->out, "\"messageId\":\"i%d\",", number);
        generator->previous_number = number;
        generator->previous_ms = ms;
    }
    return calendar_possible(ms) ? ms : generator->previous_ms;
}

static void put_properties(struct generator *generator)
{
    put(generator, "{\"n\":");
    put_value(generator);
    if (!one_in(generator, 3)) {
        put(generator, ",\"k\":");
        put_word(generator);
    }
    if (one_in(generator, 2)) {
        put(generator, ",\"m\":");
        put_number(generator, true);
    }
    if (one_in(generator, 3)) {
        put(generator, ",\"o\":{\"p\":");
        put_value(generator);
        put(generator, "}");
    }
    if (one_in(generator, 6)) {
        put(generator, ",\"x.y\":");
        put_value(generator);
    }
    if (one_in(generator, 8)) {
        put(generator, ",\"name\":");
        put_word(generator);
    }
    if (one_in(generator, 8)) {
        put(generator, ",\"list\":[\"x\",1,1.0000001,null,{\"a\":1}]");
    }
    put(generator, "}");
}

static void put_traits(struct generator *generator)
{
    static const char *const names[] = {"t", "k", "x.y", NULL};

    put(generator, "{");
    if (one_in(generator, 2)) {
        put(generator, "\"since\":");
        put_instant_trait(generator);
    } else {
        buffer_append_format(&generator->out, "\"%s\":", pick(generator, names));
        put_value(generator);
    }
    if (one_in(generator, 3)) {
        put(generator, ",\"o\":{\"p\":");
        put_value(generator);
        put(generator, "}");
    }
    put(generator, "}");
}

static void put_envelope(struct generator *generator)
{
    buffer_append_format(&generator->out, "{\"specversion\":\"1.0\",\"source\":\"s\",\"id\":\"%d\",\"subject\":\"",
                         generator->message_number++);
    put_user(generator);
    put(generator, one_in(generator, 2) ? "\",\"type\":\"a\",\"time\":" : "\",\"type\":\"b\",\"time\":");
    put_time(generator, random_instant(generator));
    put(generator, ",\"data\":");
    put_properties(generator);
    put(generator, "}");
}

/* Lines that are no events, or no events for the rules. */
static void put_odd_line(struct generator *generator)
{
    static const char *const lines[] = {
        "",
        "{",
        "[]",
        "null",
        "{\"type\":\"track\"}",
        "{\"type\":\"alias\",\"userId\":\"u0\",\"timestamp\":1}",
        "{\"type\":\"track\",\"userId\":\"u0\",\"event\":\"a\",\"timestamp\":1772323201000.5}",
        "{\"type\":\"track\",\"userId\":\"u0\",\"event\":\"a\",\"timestamp\":\"2026-02-29T00:00:00Z\"}",
        "{\"type\":\"track\",\"userId\":\"u0\",\"event\":\"a\",\"timestamp\":1772323201000,\"timestamp\":1}",
        "{\"type\":\"track\",\"userId\":\"u0\",\"event\":\"a\",\"timestamp\":1772323201000,\"properties\":[]}",
        "{\"type\":\"track\",\"userId\":\"u0\",\"event\":1,\"timestamp\":1772323201000}",
        "{\"type\":\"track\",\"userId\":7,\"event\":\"a\",\"timestamp\":1772323201000}",
        "{\"type\":\"track\",\"userId\":\"\",\"event\":\"a\",\"timestamp\":1772323201000}",
        "{\"type\":\"track\",\"userId\":\"u\\u0000\",\"event\":\"a\",\"timestamp\":1772323201000}",
        "{\"type\":\"track\",\"userId\":\"u0\",\"messageId\":5,\"event\":\"a\",\"timestamp\":1772323201000}",
        "{\"type\":\"track\",\"userId\":\"u0\",\"event\":\"a\",\"timestamp\":1.772323201e12}",
        "{\"type\":\"track\",\"userId\":\"u0\",\"event\":\"a\",\"timestamp\":1772323201000,\"properties\":{\"n\":01}}",
        "{\"type\":\"consent\",\"userId\":\"u0\",\"timestamp\":1772323201000,\"purposes\":{\"marketing\":false}}",
        "{\"type\":\"consent\",\"userId\":\"u0\",\"timestamp\":1772323201000,\"purposes\":{\"marketing\":1}}",
        "{\"type\":\"delete\",\"userId\":\"u0\",\"timestamp\":1772323201000}",
        NULL};

    put(generator, pick(generator, lines));
}

void put_message(struct generator *generator)
{
    static const char *const names[] = {"a", "a", "a", "b", "b", "c", "page", "other", NULL};
    int form = below(generator, 40);
    int64_t ms;

    if (form == 0) {
        put_odd_line(generator);
        return;
    }
    if (form == 1) {
        put_envelope(generator);
        return;
    }
    put(generator, "{");
    ms = put_message_id(generator);
    put(generator, one_in(generator, 10) ? "\"userId\":null,\"anonymousId\":\"" : "\"userId\":\"");
    put_user(generator);
    put(generator, "\",\"timestamp\":");
    put_time(generator, ms);
    if (form < 10) {
        put(generator, ",\"type\":\"identify\",\"traits\":");
        put_traits(generator);
    } else if (form < 13) {
        put(generator, one_in(generator, 2) ? ",\"type\":\"page\"" : ",\"type\":\"screen\"");
        put(generator, one_in(generator, 2) ? ",\"name\":\"x\",\"properties\":" : ",\"properties\":");
        put_properties(generator);
    } else {
        buffer_append_format(&generator->out, ",\"type\":\"track\",\"event\":\"%s\"",
                             generator->narrow ? (one_in(generator, 3) ? "b" : "a") : pick(generator, names));
        if (!one_in(generator, 8)) {
            put(generator, ",\"properties\":");
            put_properties(generator);
        }
    }
    put(generator, "}");
}
