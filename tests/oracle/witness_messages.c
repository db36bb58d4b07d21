#include "tests/oracle/witness_messages.h"

#include "common/base/timestamp.h"
#include "tests/oracle/generator.h"

#include <inttypes.h>
#include <stdio.h>

enum { POOL_MAX = 64, TEXTS_MAX = 200, VALUE_TRIES = 40, LINE_MAX = 1 << 16 };

/* Something a message can be made for: an event that a selector takes, or a trait. */
struct wish {
    const struct selector *selector; /* NULL: a trait */
    const struct path *measured[2];  /* property of the measure, and the factor */
    const struct terms *terms;       /* of the measure or the trait */
    const struct path *trait;
    const struct path *same;
    size_t same_count;
    bool instant; /* age, until */
};

struct witness_pool {
    struct wish wishes[POOL_MAX];
    size_t wish_count;
    struct slice values[TEXTS_MAX]; /* JSON texts */
    size_t value_count;
    int64_t durations[POOL_MAX];
    size_t duration_count;
    struct {
        struct slice zone;
        enum calendar_unit unit;
    } calendars[POOL_MAX];
    size_t calendar_count;
    struct slice texts[POOL_MAX]; /* strings that are mentioned */
    size_t text_count;
    bool ranked;
    struct arena *arena;
    uint64_t random;
    int64_t base_ms;

    struct arena *work; /* of the user in hand */
    int64_t now_ms;
    int left;      /* messages to come */
    int identical; /* of ten messages, so many are made for `favourite` */
    size_t favourite;
    struct slice shared; /* value of what is to be the same */
    int rushed;          /* of ten messages, so many come at once after another */
};

static uint64_t below(struct witness_pool *pool, uint64_t bound)
{
    return random_next(&pool->random) % bound;
}

/* ---- what a definition mentions ---- */

static void add_duration(struct witness_pool *pool, int64_t ms)
{
    if (ms > 0 && pool->duration_count < POOL_MAX) {
        pool->durations[pool->duration_count++] = ms;
    }
}

static void add_value(struct witness_pool *pool, const char *format, ...) PRINTF_LIKE(2, 3);
static void add_value(struct witness_pool *pool, const char *format, ...)
{
    char text[256];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (pool->value_count < TEXTS_MAX && arena_copy(pool->arena, slice_from(text), &pool->values[pool->value_count])) {
        pool->value_count++;
    }
}

static uint64_t magnitude(int64_t micros)
{
    return micros < 0 ? 0 - (uint64_t)micros : (uint64_t)micros;
}

static void add_micros(struct witness_pool *pool, int64_t micros)
{
    add_value(pool, "%s%" PRIu64 ".%06" PRIu64, micros < 0 ? "-" : "", magnitude(micros) / 1000000,
              magnitude(micros) % 1000000);
}

/* The text, and each that was mentioned before on either side of it. */
static void add_text(struct witness_pool *pool, struct slice text)
{
    add_value(pool, "[\"%.*s\"]", (int)text.size, text.data);
    add_value(pool, "\"%.*s!\"", (int)text.size, text.data);
    add_value(pool, "\"!%.*s\"", (int)text.size, text.data);
    for (size_t i = 0; i < pool->text_count; i++) {
        add_value(pool, "\"%.*s%.*s\"", (int)text.size, text.data, (int)pool->texts[i].size, pool->texts[i].data);
        add_value(pool, "\"%.*s%.*s\"", (int)pool->texts[i].size, pool->texts[i].data, (int)text.size, text.data);
    }
    if (pool->text_count < POOL_MAX) {
        pool->texts[pool->text_count++] = text;
    }
}

static void add_terms(struct witness_pool *pool, const struct terms *terms)
{
    for (size_t i = 0; i < terms->count; i++) {
        const struct term *term = &terms->items[i];

        for (size_t k = 0; k < term->operand_count; k++) {
            const struct answer *operand = &term->operands[k];
            struct buffer text;

            if (operand->kind == ANSWER_NUMBER) {
                add_micros(pool, operand->micros);
                add_micros(pool, operand->micros + (operand->micros < INT64_C(9200000000000000000)));
                add_micros(pool, operand->micros - (operand->micros > INT64_C(-9200000000000000000)));
                add_micros(pool, operand->micros / 2);
                add_value(pool, "[%s%" PRIu64 ".%06" PRIu64 "]", operand->micros < 0 ? "-" : "",
                          magnitude(operand->micros) / 1000000, magnitude(operand->micros) % 1000000);
            } else if (operand->kind == ANSWER_STRING) {
                buffer_init(&text, LINE_MAX);
                tree_write_string(operand->text, &text);
                add_value(pool, "%s", buffer_text(&text));
                buffer_clear(&text);
                add_text(pool, operand->text);
            } else if (operand->kind == ANSWER_BOOLEAN) {
                add_value(pool, operand->truth ? "true" : "false");
                add_value(pool, operand->truth ? "[true]" : "[false]");
            }
        }
        add_duration(pool, term->ms);
        add_duration(pool, term->years * INT64_C(31622400000));
    }
}

static void add_wish(struct witness_pool *pool, struct wish wish)
{
    if (pool->wish_count < POOL_MAX) {
        pool->wishes[pool->wish_count++] = wish;
    }
    for (size_t i = 0; wish.selector != NULL && i < wish.selector->where_count; i++) {
        add_terms(pool, &wish.selector->where[i].terms);
    }
}

static void add_calendar(struct witness_pool *pool, struct slice zone, enum calendar_unit unit)
{
    static const int64_t days[] = {0, 1, 7, 31, 92, 366};

    if (unit != CALENDAR_NONE && pool->calendar_count < POOL_MAX) {
        pool->calendars[pool->calendar_count].zone = zone.size > 0 ? zone : slice_from("UTC");
        pool->calendars[pool->calendar_count++].unit = unit;
        add_duration(pool, days[unit] * INT64_C(86400000));
    }
}

static void add_counting(struct witness_pool *pool, const struct counting *counting)
{
    add_duration(pool, counting->length_ms);
    add_duration(pool, counting->offset_ms);
    add_duration(pool, counting->slide_ms);
    add_calendar(pool, counting->zone, counting->unit);
}

static void add_rule(struct witness_pool *pool, const struct rule *rule)
{
    struct wish wish = {.selector = &rule->selector,
                        .terms = &rule->terms,
                        .same = rule->same,
                        .same_count = rule->same_count};

    add_terms(pool, &rule->terms);
    add_counting(pool, &rule->window);
    add_duration(pool, rule->within_ms);
    add_calendar(pool, rule->zone, rule->period);
    switch (rule->form) {
    case FORM_MEASURE:
        wish.measured[0] = rule->property.count > 0 ? &rule->property : NULL;
        wish.measured[1] = rule->product ? &rule->factor : NULL;
        add_wish(pool, wish);
        break;
    case FORM_ABSENCE:
        add_wish(pool, wish);
        wish.selector = &rule->ender;
        add_wish(pool, wish);
        break;
    case FORM_SEQUENCE:
        for (size_t i = 0; i < rule->step_count; i++) {
            wish.selector = &rule->steps[i];
            add_wish(pool, wish);
        }
        break;
    case FORM_TRAIT:
    case FORM_AGE:
    case FORM_UNTIL:
        add_wish(pool,
                 (struct wish){.trait = &rule->trait, .terms = &rule->terms, .instant = rule->form != FORM_TRAIT});
        break;
    case FORM_PERCENTILE:
        pool->ranked = true;
        break;
    default:
        break;
    }
    for (size_t i = 0; i < rule->child_count; i++) {
        add_rule(pool, &rule->children[i]);
    }
}

struct witness_pool *witness_pool_new(struct arena *arena, struct slice definitions, int64_t base_ms, uint64_t seed)
{
    static const char *const plain[] = {"0", "1", "2", "-1", "0.5", "\"x\"", "\"y\"", "true", "[]", "9200000000000"};
    struct witness_pool *pool = take(arena, 1, sizeof *pool);
    size_t count;
    struct segment *segment = rules_read(arena, tree_parse(arena, definitions), &count);

    pool->arena = arena;
    pool->random = seed;
    pool->base_ms = base_ms;
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        add_value(pool, "%s", plain[i]);
    }
    for (size_t i = 0; i < segment->criterion_count; i++) {
        add_rule(pool, &segment->criteria[i]);
    }
    for (size_t i = 0; i < segment->exclude_count; i++) {
        add_rule(pool, &segment->exclude[i]);
    }
    add_duration(pool, segment->duration_ms);
    add_duration(pool, segment->exclusion_ms);
    return pool->ranked ? NULL : pool;
}

/* ---- messages ---- */

/* Members of an object under construction: each a path and a JSON text. */
struct member {
    const struct path *path;
    struct slice text;
};

struct members {
    struct member items[POOL_MAX];
    size_t count;
};

static bool equal_paths(const struct path *a, const struct path *b)
{
    bool equal = a->count == b->count;

    for (size_t i = 0; equal && i < a->count; i++) {
        equal = slice_equal(a->keys[i], b->keys[i]);
    }
    return equal;
}

static bool is_set(const struct members *members, const struct path *path)
{
    for (size_t i = 0; i < members->count; i++) {
        if (equal_paths(members->items[i].path, path)) {
            return true;
        }
    }
    return false;
}

static void set_member(struct members *members, const struct path *path, struct slice text)
{
    if (members->count < POOL_MAX && !is_set(members, path)) {
        members->items[members->count++] = (struct member){.path = path, .text = text};
    }
}

static struct slice any_value(struct witness_pool *pool)
{
    return pool->values[below(pool, pool->value_count)];
}

/* Whether the value satisfies what the selector asks of this path. */
static bool suits(struct witness_pool *pool, const struct selector *selector, const struct path *path,
                  struct slice text)
{
    struct answer answer = answer_of(text.size == 0 ? NULL : tree_parse(pool->work, text));

    for (size_t i = 0; i < selector->where_count; i++) {
        if (equal_paths(&selector->where[i].path, path) && !terms_hold(&selector->where[i].terms, &answer)) {
            return false;
        }
    }
    return true;
}

/* A value of the pool that satisfies the terms; an empty text, which stands for no value, where none does. */
static struct slice pick_value(struct witness_pool *pool, const struct selector *selector, const struct path *path,
                               const struct terms *terms)
{
    for (int i = 0; i < VALUE_TRIES; i++) {
        struct slice text = any_value(pool);
        struct answer answer = answer_of(tree_parse(pool->work, text));

        if ((terms == NULL || terms_hold(terms, &answer)) && (selector == NULL || suits(pool, selector, path, text))) {
            return text;
        }
    }
    return slice_of("", 0);
}

static void satisfy_selector(struct witness_pool *pool, const struct wish *wish, struct members *members)
{
    const struct selector *selector = wish->selector;

    for (size_t i = 0; i < selector->where_count; i++) {
        const struct path *path = &selector->where[i].path;
        bool absent = suits(pool, selector, path, slice_of("", 0));

        if (!is_set(members, path)) {
            struct slice text = pick_value(pool, selector, path, NULL);

            set_member(members, path, absent && below(pool, 2) == 0 ? slice_of("", 0) : text);
        }
    }
    for (size_t i = 0; i < wish->same_count; i++) {
        struct slice text = pick_value(pool, selector, &wish->same[i], NULL);

        set_member(members, &wish->same[i], suits(pool, selector, &wish->same[i], pool->shared) ? pool->shared : text);
    }
    for (size_t i = 0; i < 2; i++) {
        if (wish->measured[i] != NULL && below(pool, 8) > 0) {
            bool aimed = below(pool, 2) == 0;

            set_member(members, wish->measured[i],
                       pick_value(pool, selector, wish->measured[i], aimed ? wish->terms : NULL));
        }
    }
}

static void write_key(struct buffer *out, struct slice key)
{
    tree_write_string(key, out);
    buffer_append_char(out, ':');
}

/* One after the other; a path that begins like one before is left out. */
static void write_members(const struct members *members, struct buffer *out)
{
    bool first = true;

    buffer_append_char(out, '{');
    for (size_t i = 0; i < members->count; i++) {
        const struct member *member = &members->items[i];
        bool taken = member->text.size == 0;

        for (size_t k = 0; k < i; k++) {
            taken = taken || (members->items[k].text.size > 0 &&
                              slice_equal(members->items[k].path->keys[0], member->path->keys[0]));
        }
        if (taken) {
            continue;
        }
        buffer_append_text(out, first ? "" : ",");
        first = false;
        for (size_t k = 0; k < member->path->count; k++) {
            buffer_append_text(out, k > 0 ? "{" : "");
            write_key(out, member->path->keys[k]);
        }
        buffer_append_slice(out, member->text);
        for (size_t k = 1; k < member->path->count; k++) {
            buffer_append_char(out, '}');
        }
    }
    buffer_append_char(out, '}');
}

static void write_event(struct witness_pool *pool, const struct wish *wish, struct buffer *out)
{
    struct members members = {.count = 0};
    struct slice name = wish->selector->names[below(pool, wish->selector->name_count)];
    bool page = slice_equal_text(name, "page") || slice_equal_text(name, "screen");

    satisfy_selector(pool, wish, &members);
    if (page) {
        buffer_append_format(out, "\"type\":\"%.*s\",\"properties\":", (int)name.size, name.data);
    } else {
        buffer_append_text(out, "\"type\":\"track\",\"event\":");
        tree_write_string(slice_equal_text(name, "*") ? slice_from("other") : name, out);
        buffer_append_text(out, ",\"properties\":");
    }
    write_members(&members, out);
}

static void write_identify(struct witness_pool *pool, const struct wish *wish, struct buffer *out)
{
    struct members members = {.count = 0};
    char text[40];
    char quoted[48];

    if (wish->instant) {
        int64_t apart = pool->durations[below(pool, pool->duration_count)] + (int64_t)below(pool, 3) - 1;
        int64_t ms = pool->now_ms + (below(pool, 2) == 0 ? apart : -apart);

        ms += below(pool, 3) == 0 ? apart * (int64_t)below(pool, 4) : 0;
        ms = ms < TIMESTAMP_MIN ? TIMESTAMP_MIN : ms > TIMESTAMP_MAX ? TIMESTAMP_MAX : ms;
        if (below(pool, 4) == 0) {
            (void)snprintf(quoted, sizeof quoted, "%" PRId64, ms);
        } else {
            (void)snprintf(quoted, sizeof quoted, "\"%s\"", calendar_text(ms, text));
        }
        set_member(&members, wish->trait, slice_from(quoted));
    } else {
        set_member(&members, wish->trait, pick_value(pool, NULL, NULL, wish->terms));
    }
    buffer_append_text(out, "\"type\":\"identify\",\"traits\":");
    write_members(&members, out);
}

void witness_begin(struct witness_pool *pool, struct arena *work)
{
    pool->work = work;
    pool->now_ms = pool->base_ms;
    pool->left = 1 + (int)below(pool, below(pool, 3) == 0 ? 20 : 5);
    pool->identical = below(pool, 2) == 0 ? 0 : (int)below(pool, 10);
    pool->favourite = pool->wish_count == 0 ? 0 : below(pool, pool->wish_count);
    pool->rushed = (int)below(pool, 11);
    pool->shared = any_value(pool);
    if (pool->shared.data[0] == '[') {
        pool->shared = slice_from("\"x\"");
    }
}

bool witness_message(struct witness_pool *pool, struct slice *out)
{
    struct buffer text;
    const struct wish *wish;
    char instant[40];
    bool written;

    if (pool->left-- == 0) {
        return false;
    }
    if (pool->calendar_count > 0 && below(pool, 4) == 0) {
        size_t i = below(pool, pool->calendar_count);
        struct slice zone = pool->calendars[i].zone;
        enum calendar_unit unit = pool->calendars[i].unit;
        int64_t edge = calendar_start(zone, unit, calendar_period(zone, unit, pool->now_ms) + 1);

        pool->now_ms = below(pool, 2) == 0 && edge - 1 > pool->now_ms ? edge - 1 : edge;
    } else if (pool->duration_count > 0 && (int)below(pool, 10) >= pool->rushed) {
        int64_t apart = pool->durations[below(pool, pool->duration_count)];

        apart = below(pool, 3) == 0 ? apart / (1 + (int64_t)below(pool, 12)) : apart + (int64_t)below(pool, 3) - 1;
        pool->now_ms += below(pool, 6) == 0 ? apart * 2 : apart;
    } else {
        pool->now_ms += (int64_t)below(pool, 2);
    }
    pool->now_ms = pool->now_ms > TIMESTAMP_MAX ? TIMESTAMP_MAX : pool->now_ms;
    buffer_init(&text, LINE_MAX);
    buffer_append_format(&text, "{\"userId\":\"u\",\"timestamp\":\"%s\",", calendar_text(pool->now_ms, instant));
    wish = pool->wish_count == 0                    ? NULL
           : (int)below(pool, 10) < pool->identical ? &pool->wishes[pool->favourite]
                                                    : &pool->wishes[below(pool, pool->wish_count)];
    if (wish == NULL || below(pool, 12) == 0) {
        buffer_append_text(&text, "\"type\":\"track\",\"event\":\"nothing\"");
    } else if (wish->selector != NULL) {
        write_event(pool, wish, &text);
    } else {
        write_identify(pool, wish, &text);
    }
    buffer_append_char(&text, '}');
    written = !text.failed && arena_copy(pool->work, buffer_slice(&text), out);
    buffer_clear(&text);
    return written;
}
