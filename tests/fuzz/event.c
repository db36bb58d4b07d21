/* One message from a stranger: decoded twice with the same result, read by paths, written again from its tokens and
 * read back; and decoded by some of its paths, with the same verdict and values, also as lines that are messages of
 * their own. All levels of the processor find the same joints in it. */
#include "tests/fuzz/fuzz.h"
#include "tests/projected.h"

#include "common/base/timestamp.h"
#include "common/domain/decimal.h"
#include "common/domain/ingest.h"

enum { PATHS_MAX = 64 };

struct decoder {
    struct json_document document;
    struct arena arena;
};

static void decoder_init(struct decoder *decoder)
{
    json_document_init(&decoder->document);
    arena_init(&decoder->arena, 4 * EVENT_SIZE_MAX);
}

static void decoder_clear(struct decoder *decoder)
{
    json_document_clear(&decoder->document);
    arena_clear(&decoder->arena);
}

/* Writes a value from its tokens: strings unescaped and escaped again, all else as it stood. */
static void write_value(const struct json_document *document, uint32_t token, struct arena *arena, struct buffer *out)
{
    const struct json_token *value = &document->tokens[token];
    uint32_t child = token + 1;
    struct slice text;

    if (value->type == JSON_STRING) {
        fuzz_check(json_string(document, (int32_t)token, arena, &text), "a string could not be read");
        fuzz_check(json_equal(document, (int32_t)token, text), "a string does not equal itself");
        fuzz_append_string(out, text);
        return;
    }
    if (value->type != JSON_ARRAY && value->type != JSON_OBJECT) {
        buffer_append_slice(out, json_raw(document, (int32_t)token));
        return;
    }
    buffer_append_char(out, value->type == JSON_ARRAY ? '[' : '{');
    for (uint32_t i = 0; i < value->count; i++) {
        fuzz_check(child < value->end_token, "a container ends before its last element");
        if (i > 0) {
            buffer_append_char(out, ',');
        }
        write_value(document, child, arena, out);
        child = document->tokens[child].end_token;
        if (value->type == JSON_OBJECT) {
            buffer_append_char(out, ':');
            write_value(document, child, arena, out);
            child = document->tokens[child].end_token;
        }
    }
    fuzz_check(child == value->end_token, "a container ends behind its last element");
    buffer_append_char(out, value->type == JSON_ARRAY ? ']' : '}');
}

static void check_round_trip(const struct json_document *document)
{
    static const struct json_limits limits = {.depth_max = EVENT_DEPTH_MAX, .size_max = 8 * EVENT_SIZE_MAX};
    struct error err = ERROR_INIT;
    struct json_document again;
    struct buffer text;
    struct arena arena;

    arena_init(&arena, 16 * EVENT_SIZE_MAX);
    buffer_init(&text, 8 * EVENT_SIZE_MAX);
    json_document_init(&again);
    write_value(document, 0, &arena, &text);
    fuzz_check(json_parse(&again, buffer_slice(&text), &limits, &err), "written again: %s", err.message);
    fuzz_check(again.token_count == document->token_count, "written again: %u tokens, before %u", again.token_count,
               document->token_count);
    for (uint32_t i = 0; i < again.token_count; i++) {
        fuzz_check(again.tokens[i].type == document->tokens[i].type &&
                       again.tokens[i].count == document->tokens[i].count &&
                       again.tokens[i].end_token == document->tokens[i].end_token,
                   "written again: token %u differs", i);
    }
    json_document_clear(&again);
    buffer_clear(&text);
    arena_clear(&arena);
}

static void check_value(const struct value *value, bool out_of_range)
{
    struct buffer text;
    int64_t again;

    fuzz_check(value->type != VALUE_NUMBER || (value->micros >= DECIMAL_MIN && value->micros <= DECIMAL_MAX),
               "a number out of its range: %lld", (long long)value->micros);
    fuzz_check(!out_of_range || value->type == VALUE_MISSING, "a number out of range that is not missing");
    fuzz_check(value->type == VALUE_MISSING || value_compare(value, value) == 0, "a value differs from itself");
    if (value->type == VALUE_NUMBER) {
        buffer_init(&text, 64);
        decimal_append(&text, value->micros);
        fuzz_check(!text.failed && decimal_parse(buffer_slice(&text), &again) && again == value->micros,
                   "%lld micros are written \"%s\"", (long long)value->micros, buffer_text(&text));
        buffer_clear(&text);
    }
}

/* Reads a member of the object by its own key, and each member of that. */
static void read_members(const struct event *event, struct arena *arena, uint32_t object, struct slice *keys,
                         size_t depth)
{
    const struct json_document *document = event->document;
    uint32_t child = object + 1;

    for (uint32_t i = 0; i < document->tokens[object].count && i < PATHS_MAX; i++) {
        bool out_of_range = false;
        uint32_t member = document->tokens[child].end_token;
        struct value value;

        if (!json_string(document, (int32_t)child, arena, &keys[depth])) {
            return;
        }
        fuzz_check(json_member(document, (int32_t)object, keys[depth]) == (int32_t)member,
                   "a member is not found by its key");
        if (!event_property(event, keys, depth + 1, arena, &value, &out_of_range)) {
            return;
        }
        check_value(&value, out_of_range);
        if (document->tokens[member].type == JSON_OBJECT && depth < 3) {
            read_members(event, arena, member, keys, depth + 1);
        }
        child = document->tokens[member].end_token;
    }
}

static bool visit_purpose(void *context, struct slice purpose, bool granted)
{
    size_t *count = context;

    (void)granted;
    fuzz_check(purpose.size > 0 && purpose.size <= EVENT_ID_SIZE_MAX, "a purpose of %zu bytes", purpose.size);
    (*count)++;
    return true;
}

static void check_id(struct slice id, const char *what)
{
    fuzz_check(id.size > 0 && id.size <= EVENT_ID_SIZE_MAX && memchr(id.data, '\0', id.size) == NULL,
               "an accepted %s of %zu bytes", what, id.size);
}

static void check_event(const struct event *event, struct arena *arena)
{
    struct ingest_origin origin = {.has_key = true, .key = event->user, .timestamp_ms = event->time_ms};
    static const struct slice name = {"name", 4};
    struct error why = ERROR_INIT;
    struct slice keys[8];
    size_t purposes = 0;
    bool out_of_range = false;
    struct value value;

    fuzz_check(event->kind != EVENT_NONE, "an accepted message of no kind");
    fuzz_check(event->time_ms >= TIMESTAMP_MIN && event->time_ms <= TIMESTAMP_MAX, "an impossible time");
    check_id(event->user, "user");
    if (event->has_message_id) {
        check_id(event->message_id, "messageId");
    }
    fuzz_check(ingest_check(event, &origin, &why) == QUARANTINE_NONE, "its own key is refused: %s", why.message);
    if (event->properties != JSON_ABSENT) {
        read_members(event, arena, (uint32_t)event->properties, keys, 0);
    }
    if (event_property(event, &name, 1, arena, &value, &out_of_range)) {
        check_value(&value, out_of_range);
    }
    if (event->kind == EVENT_CONSENT) {
        fuzz_check(event_purposes(event, arena, visit_purpose, &purposes), "purposes were not all visited");
    }
}

static void check_projected(struct slice input)
{
    const struct projected_path none = {0};
    struct projected both;
    const char *difference;

    projected_init(&both);
    fuzz_check(projected_paths(&both), "no memory for no paths");
    difference = projected_compare(&both, input);
    fuzz_check(difference == NULL, "decoded by its envelope: %s", difference);
    if (both.whole.reason == QUARANTINE_NONE) {
        projected_add_members(&both, both.whole.event.properties, none);
        projected_add_members(&both, both.whole.event.traits, none);
        projected_add_members(&both, both.whole.event.page_name,
                              (struct projected_path){.keys = {SLICE_LITERAL("name")}, .key_count = 1});
        fuzz_check(projected_paths(&both), "no memory for paths");
        difference = projected_compare(&both, input);
        fuzz_check(difference == NULL, "decoded by paths: %s", difference);
    }
    projected_clear(&both);
}

/* Line by line with one document, so that one message is read by the form of another: first before its end is known,
 * as far as that goes, then as a text. */
static void check_lines(struct slice input)
{
    char *copy = memory_allocate(input.size + JSON_SKELETON_REACH);
    const struct projected_path paths[] = {
        {.keys = {SLICE_LITERAL("a")}, .key_count = 1},
        {.keys = {SLICE_LITERAL("b"), SLICE_LITERAL("a")}, .key_count = 2},
        {.keys = {SLICE_LITERAL("name")}, .key_count = 1},
        {.keys = {SLICE_LITERAL("price")}, .key_count = 1},
    };
    struct projected both;

    projected_init(&both);
    both.path_count = sizeof paths / sizeof paths[0];
    memcpy(both.paths, paths, sizeof paths);
    fuzz_check(projected_paths(&both), "no memory for a few paths");
    fuzz_check(copy != NULL, "no memory for %zu bytes", input.size);
    memset(copy + input.size, 0, JSON_SKELETON_REACH);
    if (input.size > 0) {
        memcpy(copy, input.data, input.size);
    }
    input.data = copy;
    while (input.size > 0) {
        const char *end = memchr(input.data, '\n', input.size);
        struct slice line = slice_of(input.data, end == NULL ? input.size : (size_t)(end - input.data));
        const char *difference;
        bool decoded;

        arena_reset(&both.whole.arena);
        arena_reset(&both.part.arena);
        difference = projected_compare_line(&both, input, &decoded);
        fuzz_check(difference == NULL, "decoded as a line: %s", difference);
        input = end == NULL ? slice_of(NULL, 0) : slice_of(end + 1, input.size - line.size - 1);
        arena_reset(&both.whole.arena);
        arena_reset(&both.part.arena);
        both.part.document.readable = input.size;
        difference = projected_compare(&both, line);
        fuzz_check(difference == NULL, "decoded behind others: %s", difference);
        both.part.document.readable = 0;
        difference = projected_compare(&both, line);
        fuzz_check(difference == NULL, "decoded again: %s", difference);
    }
    projected_clear(&both);
    memory_free(copy);
}

static void check_levels(struct slice input)
{
    enum json_index_result wanted;
    struct json_index portable;
    struct json_index index;

    json_index_init(&portable);
    json_index_init(&index);
    wanted = json_index_find(&portable, input, JSON_INDEX_PORTABLE);
    for (enum json_index_level level = JSON_INDEX_PORTABLE; level < JSON_INDEX_LEVEL_COUNT; level++) {
        if (json_index_supports(level)) {
            fuzz_check(json_index_find(&index, input, level) == wanted, "%s: another verdict",
                       json_index_level_name(level));
            fuzz_check(index.count == portable.count && index.has_backslash == portable.has_backslash &&
                           memcmp(index.positions, portable.positions, index.count * sizeof *index.positions) == 0,
                       "%s: other joints", json_index_level_name(level));
        }
    }
    json_index_clear(&portable);
    json_index_clear(&index);
}

void fuzz_event(struct slice input)
{
    static const struct slice before = {"{\"a\":[1,\"b\"]}", 13}; /* what a document was used for does not matter */
    enum quarantine_reason reasons[2] = {QUARANTINE_NONE, QUARANTINE_NONE};
    struct decoder decoders[2];
    struct event events[2];
    struct error why = ERROR_INIT;

    decoder_init(&decoders[0]);
    decoder_init(&decoders[1]);
    fuzz_check(event_decode(before, &decoders[1].document, &decoders[1].arena, &events[1], &reasons[1], &why),
               "no memory for a small message");
    arena_reset(&decoders[1].arena);
    for (size_t i = 0; i < 2; i++) {
        fuzz_check(event_decode(input, &decoders[i].document, &decoders[i].arena, &events[i], &reasons[i], &why),
                   "no memory for a message of %zu bytes", input.size);
    }
    fuzz_check(reasons[0] == reasons[1], "decoded twice: %d and %d", (int)reasons[0], (int)reasons[1]);
    fuzz_check(reasons[0] < QUARANTINE_COUNT, "no such reason: %d", (int)reasons[0]);
    fuzz_check(reasons[0] == QUARANTINE_NONE || why.message[0] != '\0', "refused without a word");
    if (reasons[0] == QUARANTINE_NONE) {
        fuzz_check(slice_equal(events[0].user, events[1].user) && events[0].time_ms == events[1].time_ms,
                   "decoded twice with different results");
        check_event(&events[0], &decoders[0].arena);
        check_round_trip(&decoders[0].document);
    }
    decoder_clear(&decoders[0]);
    decoder_clear(&decoders[1]);
    check_projected(input);
    check_lines(input);
    check_levels(input);
}
