/* Definitions and events built from bytes: nearly every input is a valid rule, so the evaluator is what gets fuzzed.
 * All ways to ask for memberships must agree, a lane must announce the truth, and where a byte says so one allocation
 * fails: then there must be an error, and nothing else. */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

enum { DEFINITIONS_MAX = 4, DEPTH_MAX = 3 };

struct source {
    const unsigned char *data;
    size_t size;
    size_t at;
};

/* A number below `count` from the next byte; 0 when there are none left. */
static unsigned pick(struct source *source, unsigned count)
{
    return source->at < source->size ? source->data[source->at++] % count : 0;
}

#define PICK(source, array) ((array)[pick(source, sizeof(array) / sizeof((array)[0]))])

static const char *const durations[] = {"1s",  "2s", "500ms", "3s",  "5s", "7s",
                                        "1ms", "1m", "1h",    "24h", "2d", "1500ms"};
static const char *const names[] = {"a", "b", "c", "d"};
static const char *const properties[] = {"n", "m", "k", "deep.k", "gone"};
static const char *const operators[] = {">=", "=", "<", ">", "<=", "!="};
static const char *const numbers[] = {"1", "2", "0", "3", "1.5", "-1", "1e3", "9200000000000", "0.000001"};

static void put_duration(struct source *source, struct buffer *out, const char *key)
{
    buffer_append_format(out, ",\"%s\":\"%s\"", key, PICK(source, durations));
}

/* "op":number, once or twice. */
static void put_comparison(struct source *source, struct buffer *out)
{
    unsigned first = pick(source, 6);

    buffer_append_format(out, "\"%s\":%s", operators[first], PICK(source, numbers));
    if (pick(source, 8) == 7) {
        buffer_append_format(out, ",\"%s\":%s", operators[(first + 1) % 6], PICK(source, numbers));
    }
}

/* Any comparison of a value. */
static void put_value_comparison(struct source *source, struct buffer *out)
{
    static const char *const others[] = {
        "\"=\":\"x\"",         "\"in\":[\"x\",2,true]", "\"exists\":true",       "\"exists\":false",   "\"!=\":\"x\"",
        "\"notIn\":[\"y\",1]", "\"contains\":\"x\"",    "\"startsWith\":\"y\"",  "\"endsWith\":\"z\"", "\">\":\"x\"",
        "\"=\":true",          "\"contains\":1",        "\"!=\":1,\"<\":\"zz\"",
    };

    if (pick(source, 2) == 0) {
        put_comparison(source, out);
    } else {
        buffer_append_text(out, PICK(source, others));
    }
}

static void put_span_comparison(struct source *source, struct buffer *out)
{
    unsigned first = pick(source, 6);

    buffer_append_format(out, "\"%s\":\"%s\"", operators[first], PICK(source, durations));
    if (pick(source, 4) == 3) {
        buffer_append_format(out, ",\"%s\":\"%s\"", operators[(first + 2) % 6], PICK(source, durations));
    }
}

/* "event":..., perhaps with where. */
static void put_selector(struct source *source, struct buffer *out)
{
    switch (pick(source, 8)) {
    case 6:
        buffer_append_text(out, "\"event\":\"*\"");
        break;
    case 7:
        buffer_append_format(out, "\"event\":[\"%s\",\"page\"]", PICK(source, names));
        break;
    default:
        buffer_append_format(out, "\"event\":\"%s\"", PICK(source, names));
    }
    if (pick(source, 3) == 2) {
        buffer_append_format(out, ",\"where\":[{\"property\":\"%s\",", PICK(source, properties));
        put_value_comparison(source, out);
        buffer_append_text(out, "}]");
    }
}

static void put_window(struct source *source, struct buffer *out, bool calendar)
{
    static const char *const periods[] = {"day", "week", "month", "quarter", "year"};

    switch (pick(source, calendar ? 6 : 5)) {
    case 0:
        break;
    case 5:
        buffer_append_format(out, ",\"window\":{\"calendar\":\"%s\",\"last\":%u,\"complete\":%s,\"zone\":\"%s\"}",
                             PICK(source, periods), pick(source, 3) + 1, pick(source, 2) == 0 ? "false" : "true",
                             pick(source, 2) == 0 ? "UTC" : "Fuzz/Land");
        break;
    case 4:
        put_duration(source, out, "window");
        put_duration(source, out, "slide");
        if (pick(source, 2) == 1) {
            put_duration(source, out, "offset");
        }
        break;
    case 3:
        put_duration(source, out, "window");
        put_duration(source, out, "offset");
        break;
    default:
        put_duration(source, out, "window");
    }
}

static void put_property(struct source *source, struct buffer *out)
{
    if (pick(source, 5) == 4) {
        buffer_append_format(out, "\"product\":[\"%s\",\"%s\"]", PICK(source, properties), PICK(source, properties));
    } else {
        buffer_append_format(out, "\"property\":\"%s\"", PICK(source, properties));
    }
}

/* ,"measure":{...}; without its comparison inside compare. */
static void put_measure(struct source *source, struct buffer *out, bool compared)
{
    static const char *const values[] = {"sum", "avg", "min", "max"};
    unsigned kind = pick(source, compared ? 7 : 11);

    if (kind == 0) {
        buffer_append_text(out, ",\"count\":{");
    } else if (kind < 5) {
        buffer_append_format(out, ",\"%s\":{", values[kind - 1]);
        put_property(source, out);
    } else if (kind == 5) {
        buffer_append_format(out, ",\"distinct\":{\"property\":\"%s\"", PICK(source, properties));
    } else if (kind == 6) {
        buffer_append_format(out, ",\"distinct\":{\"period\":\"day\",\"zone\":\"%s\"",
                             pick(source, 2) == 0 ? "UTC" : "Fuzz/Land");
    } else if (kind < 9) {
        buffer_append_format(out, ",\"%s\":{", kind == 7 ? "first" : "last");
        put_span_comparison(source, out);
        buffer_append_char(out, '}');
        return;
    } else {
        buffer_append_format(out, ",\"%s\":{\"property\":\"%s\",", kind == 9 ? "latest" : "earliest",
                             PICK(source, properties));
        put_value_comparison(source, out);
        buffer_append_char(out, '}');
        return;
    }
    if (!compared) {
        buffer_append_text(out, kind == 0 ? "" : ",");
        put_comparison(source, out);
    }
    buffer_append_char(out, '}');
}

static void put_same(struct source *source, struct buffer *out)
{
    if (pick(source, 4) == 3) {
        buffer_append_format(out, ",\"same\":[\"%s\"]", PICK(source, properties));
    }
}

static void put_absence(struct source *source, struct buffer *out)
{
    put_selector(source, out);
    if (pick(source, 3) == 2) {
        put_duration(source, out, "window");
        buffer_append_format(out, ",\"condition\":\"no_%s_after\"", PICK(source, names));
        put_same(source, out);
        return;
    }
    buffer_append_text(out, ",\"notFollowedBy\":{");
    put_selector(source, out);
    buffer_append_char(out, '}');
    put_duration(source, out, "within");
    put_window(source, out, false);
    if (pick(source, 3) == 2) {
        buffer_append_text(out, ",\"orLater\":true");
    }
    put_same(source, out);
}

static void put_sequence(struct source *source, struct buffer *out)
{
    unsigned steps = 2 + pick(source, 3);

    buffer_append_text(out, "\"sequence\":[");
    for (unsigned i = 0; i < steps; i++) {
        buffer_append_text(out, i == 0 ? "{" : ",{");
        put_selector(source, out);
        buffer_append_char(out, '}');
    }
    buffer_append_char(out, ']');
    put_duration(source, out, "within");
    put_window(source, out, false);
    put_same(source, out);
}

static void put_trait(struct source *source, struct buffer *out)
{
    static const char *const traits[] = {"t", "o.p", "since"};
    unsigned kind = pick(source, 3);

    if (kind == 0) {
        buffer_append_format(out, "\"trait\":\"%s\",", PICK(source, traits));
        put_value_comparison(source, out);
        return;
    }
    buffer_append_format(out, "\"trait\":\"since\",\"%s\":{", kind == 1 ? "age" : "until");
    put_span_comparison(source, out);
    buffer_append_char(out, '}');
}

static void put_criterion(struct source *source, struct buffer *out, unsigned definition, unsigned depth);

static void put_group(struct source *source, struct buffer *out, unsigned definition, unsigned depth)
{
    unsigned kind = pick(source, 3);

    if (kind == 0) {
        buffer_append_text(out, "\"not\":");
        put_criterion(source, out, definition, depth + 1);
        return;
    }
    buffer_append_text(out, kind == 1 ? "\"any\":[" : "\"all\":[");
    put_criterion(source, out, definition, depth + 1);
    buffer_append_char(out, ',');
    put_criterion(source, out, definition, depth + 1);
    buffer_append_char(out, ']');
}

static void put_criterion(struct source *source, struct buffer *out, unsigned definition, unsigned depth)
{
    static const char *const times[] = {"1", "2", "0.5", "0", "-1", "0.333333"};
    unsigned kind = pick(source, 10);

    buffer_append_char(out, '{');
    if (kind == 9 && definition > 0) {
        buffer_append_format(out, "\"segment\":\"s%u\"", pick(source, definition));
    } else if (kind == 8 && depth < DEPTH_MAX) {
        put_group(source, out, definition, depth);
    } else if (kind == 7) {
        put_trait(source, out);
    } else if (kind == 6) {
        put_sequence(source, out);
    } else if (kind >= 4) {
        put_absence(source, out);
    } else if (kind == 3) {
        buffer_append_text(out, "\"compare\":{\"left\":{");
        put_selector(source, out);
        put_window(source, out, true);
        put_measure(source, out, true);
        buffer_append_format(out, "},\"op\":\"%s\",\"right\":{", PICK(source, operators));
        put_selector(source, out);
        put_window(source, out, true);
        put_measure(source, out, true);
        buffer_append_format(out, "},\"times\":%s}", PICK(source, times));
    } else {
        put_selector(source, out);
        put_window(source, out, true);
        if (pick(source, 4) > 0) {
            put_measure(source, out, false);
        }
    }
    buffer_append_char(out, '}');
}

static void put_definitions(struct source *source, struct buffer *out)
{
    unsigned count = 1 + pick(source, DEFINITIONS_MAX);

    for (unsigned i = 0; i < count; i++) {
        unsigned lifetime = pick(source, 8);

        buffer_append_format(out, "%s{\"segmentId\":\"s%u\",\"criteria\":[", i == 0 ? "[" : ",", i);
        put_criterion(source, out, i, 0);
        if (pick(source, 4) == 3) {
            buffer_append_char(out, ',');
            put_criterion(source, out, i, 0);
        }
        buffer_append_char(out, ']');
        if (pick(source, 4) == 3) {
            buffer_append_text(out, ",\"exclude\":[");
            put_criterion(source, out, i, 0);
            buffer_append_char(out, ']');
        }
        if ((lifetime & 1) != 0) {
            put_duration(source, out, "membershipDuration");
            buffer_append_text(out, lifetime >= 6 ? ",\"membershipMode\":\"sticky\"" : "");
        }
        if ((lifetime & 3) > 1) {
            put_duration(source, out, "exclusionWindow");
        }
        buffer_append_char(out, '}');
    }
    buffer_append_char(out, ']');
}

/* Times on a grid of half a second around midnight, with ties, edges, and now and then a leap. */
static int64_t pick_time(struct source *source, int64_t *now_ms)
{
    static const int64_t leaps[] = {86400000, 3600000, 60000, INT64_C(40) * 86400000};
    unsigned step = pick(source, 32);

    if (step >= 28) {
        *now_ms += leaps[step - 28];
    } else if (step >= 20) {
        return *now_ms - 500 * (int64_t)(step - 19) + (step == 27 ? 1 : 0); /* late */
    } else {
        *now_ms += 500 * (int64_t)(step / 2) + (step == 19 ? -1 : 0);
    }
    return *now_ms;
}

static void put_properties(struct source *source, struct buffer *out)
{
    static const char *const values[] = {"1",      "2",        "-1",   "0.5",       "\"x\"",     "\"y\"",
                                         "\"xz\"", "null",     "true", "[\"x\",1]", "{\"p\":1}", "9200000000000",
                                         "1e99",   "0.0000005"};
    unsigned present = pick(source, 16);
    const char *comma = "";

    for (unsigned i = 0; i < 3; i++) {
        if ((present >> i & 1) == 0) {
            buffer_append_format(out, "%s\"%s\":%s", comma, properties[i], PICK(source, values));
            comma = ",";
        }
    }
    if ((present & 8) != 0) {
        buffer_append_format(out, "%s\"deep\":{\"k\":%s}", comma, PICK(source, values));
    }
}

static bool put_message(struct source *source, struct fuzz_world *world, int64_t *now_ms)
{
    static const char *const traits[] = {"0", "1", "2", "\"x\"", "null", "true", "{\"p\":1}"};
    struct buffer *out = &world->texts;
    unsigned kind = pick(source, 16);
    int64_t time_ms = pick_time(source, now_ms);
    unsigned id = pick(source, 64);

    buffer_append_format(out, "{\"userId\":\"u%u\",\"timestamp\":%lld", kind >= 14 ? 1 : 0, (long long)time_ms);
    if (id < 40) {
        /* Mostly ids of their own; the smallest come again. */
        buffer_append_format(out, ",\"messageId\":\"%s%zu\"", id < 8 ? "m" : "n", id < 8 ? id : world->message_count);
    }
    if (kind < 3) {
        buffer_append_format(out, ",\"type\":\"identify\",\"traits\":{\"t\":%s,\"since\":%lld,\"o\":{\"p\":%s}}}",
                             PICK(source, traits), (long long)time_ms + 500 * ((int64_t)pick(source, 21) - 10),
                             PICK(source, traits));
    } else if (kind == 3) {
        buffer_append_format(out, ",\"type\":\"page\",\"name\":\"%s\",\"properties\":{", PICK(source, names));
        put_properties(source, out);
        buffer_append_text(out, "}}");
    } else {
        buffer_append_format(out, ",\"type\":\"track\",\"event\":\"%s\",\"properties\":{", PICK(source, names));
        put_properties(source, out);
        buffer_append_text(out, "}}");
    }
    return fuzz_world_message(world);
}

/* Everything, from the text of the definitions to the records. */
static bool evaluate(struct source source, struct slice definitions, struct error *err)
{
    struct fuzz_world world;
    int64_t now_ms = FUZZ_EPOCH_MS;
    size_t step = 1 + pick(&source, 9);
    int64_t bound_ms = 1000 * (int64_t)pick(&source, 6);
    bool done = false;

    if (!fuzz_world_init(&world, definitions, err)) {
        goto out;
    }
    while (source.at < source.size && put_message(&source, &world, &now_ms)) {
    }
    if (!buffer_finish(&world.texts, "messages", err)) {
        goto out;
    }
    done = fuzz_world_compare(&world, err) && fuzz_world_lane(&world, step, bound_ms, err);
out:
    fuzz_world_clear(&world);
    return done;
}

void fuzz_rules(struct slice input)
{
    struct source source = {.data = (const unsigned char *)input.data, .size = input.size};
    struct error err = ERROR_INIT;
    struct buffer definitions;
    unsigned failing = pick(&source, 256); /* 0 to 199: none */
    unsigned scale = pick(&source, 16);
    bool done;

    buffer_init(&definitions, 1 << 16);
    put_definitions(&source, &definitions);
    fuzz_check(buffer_finish(&definitions, "definitions", &err), "%s", err.message);
    if (getenv("FUZZ_SHOW") != NULL) {
        (void)fprintf(stderr, "%s\n", buffer_text(&definitions));
    }
    if (failing < 200) {
        done = evaluate(source, buffer_slice(&definitions), &err);
        if (getenv("FUZZ_SHOW") != NULL) {
            (void)fprintf(stderr, "%s\n", done ? "compared" : err.message);
        }
        fuzz_check(done || err.code == ERROR_INPUT, "%s", err.message);
    } else {
        (void)memory_fail_at((size_t)(failing - 199) + (size_t)scale * 57);
        done = evaluate(source, buffer_slice(&definitions), &err);
        (void)memory_fail_at(0);
        fuzz_check(done || err.code == ERROR_INPUT || err.code == ERROR_INTERNAL, "failed without an error: %s",
                   err.message);
    }
    buffer_clear(&definitions);
}
