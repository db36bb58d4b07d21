/* What comes in, judged (segment-language, section 2). The members of the message are sorted into fields by one walk,
 * then each kind takes the fields it uses; others are not looked at, so that nothing but what can matter is judged. */
#include "common/domain/event.h"

#include "common/base/timestamp.h"
#include "common/domain/decimal.h"
#include "common/domain/event_form.h"
#include "common/domain/optimisation.h"

struct decoder {
    const struct json_document *document;
    struct arena *arena;
    struct error *why;
    const int32_t *fields; /* by enum event_field: token of the value, or JSON_ABSENT */
    bool no_memory;
};

const char *event_kind_name(enum event_kind kind)
{
    switch (kind) {
    case EVENT_NONE:
        return "none";
    case EVENT_TRACK:
        return "track";
    case EVENT_PAGE:
        return "page";
    case EVENT_SCREEN:
        return "screen";
    case EVENT_IDENTIFY:
        return "identify";
    case EVENT_CONSENT:
        return "consent";
    case EVENT_DELETE:
        return "delete";
    }
    return "unknown";
}

const char *quarantine_reason_name(enum quarantine_reason reason)
{
    switch (reason) {
    case QUARANTINE_NONE:
        return "none";
    case QUARANTINE_NOT_JSON:
        return "not_json";
    case QUARANTINE_NOT_OBJECT:
        return "not_object";
    case QUARANTINE_TOO_LARGE:
        return "too_large";
    case QUARANTINE_TOO_DEEP:
        return "too_deep";
    case QUARANTINE_TYPE:
        return "type";
    case QUARANTINE_USER:
        return "user";
    case QUARANTINE_EVENT:
        return "event";
    case QUARANTINE_MESSAGE_ID:
        return "message_id";
    case QUARANTINE_TIMESTAMP:
        return "timestamp";
    case QUARANTINE_PROPERTIES:
        return "properties";
    case QUARANTINE_PURPOSES:
        return "purposes";
    case QUARANTINE_FUTURE:
        return "future";
    case QUARANTINE_KEY:
        return "key";
    case QUARANTINE_MAPPING:
        return "mapping";
    case QUARANTINE_COUNT:
        break;
    }
    return "unknown";
}

/* json_string, but for nearly all strings, which hold no escape, without a call. */
static inline bool string_at(const struct decoder *decoder, uint32_t token, struct slice *out)
{
    const struct json_token *found = &decoder->document->tokens[token];

    if (__builtin_expect(found->escaped, 0)) {
        return json_string(decoder->document, (int32_t)token, decoder->arena, out);
    }
    *out = slice_of(decoder->document->text.data + found->begin, found->size);
    return true;
}

/* Where all members have tokens. */
static bool sort_fields(const struct decoder *decoder, int32_t fields[EVENT_FIELD_COUNT])
{
    const struct json_token *tokens = decoder->document->tokens;
    uint32_t end = tokens[0].end_token;

    for (size_t field = 0; field < EVENT_FIELD_COUNT; field++) {
        fields[field] = JSON_ABSENT;
    }
    for (uint32_t key = 1; key < end; key = tokens[key + 1].end_token) {
        struct slice text;

        if (!string_at(decoder, key, &text)) {
            return false;
        }
        fields[event_field_of(text)] = (int32_t)key + 1;
    }
    return true;
}

static enum json_type type_at(const struct decoder *decoder, int32_t token)
{
    return token == JSON_ABSENT ? JSON_NONE : (enum json_type)decoder->document->tokens[token].type;
}

static bool is_missing(const struct decoder *decoder, int32_t token)
{
    enum json_type type = type_at(decoder, token);

    return type == JSON_NONE || type == JSON_NULL;
}

static enum quarantine_reason refuse(struct decoder *decoder, enum quarantine_reason reason, const char *detail)
{
    (void)error_set(decoder->why, ERROR_INPUT, "%s", detail);
    return reason;
}

/* A string field; where it is none: `reason` with "FIELD is missing" or "FIELD is no string". */
static enum quarantine_reason take_string(struct decoder *decoder, enum event_field field, const char *name,
                                          enum quarantine_reason reason, struct slice *out)
{
    int32_t token = decoder->fields[field];

    if (type_at(decoder, token) != JSON_STRING) {
        (void)error_set(decoder->why, ERROR_INPUT, "%s is %s", name,
                        is_missing(decoder, token) ? "missing" : "no string");
        return reason;
    }
    decoder->no_memory = !string_at(decoder, (uint32_t)token, out);
    return QUARANTINE_NONE;
}

/* U+0000 can only stand in a string as an escape. */
static enum quarantine_reason check_id(struct decoder *decoder, struct slice id, bool escaped, const char *name,
                                       enum quarantine_reason reason)
{
    if (id.size == 0) {
        (void)error_set(decoder->why, ERROR_INPUT, "%s is empty", name);
        return reason;
    }
    if (id.size > EVENT_ID_SIZE_MAX) {
        (void)error_set(decoder->why, ERROR_INPUT, "%s has %zu bytes, at most %d are allowed", name, id.size,
                        EVENT_ID_SIZE_MAX);
        return reason;
    }
    if (escaped && memchr(id.data, '\0', id.size) != NULL) {
        (void)error_set(decoder->why, ERROR_INPUT, "%s holds U+0000", name);
        return reason;
    }
    return QUARANTINE_NONE;
}

static enum quarantine_reason take_id(struct decoder *decoder, enum event_field field, const char *name,
                                      enum quarantine_reason reason, struct slice *out)
{
    enum quarantine_reason wrong = take_string(decoder, field, name, reason, out);

    if (wrong != QUARANTINE_NONE || decoder->no_memory) {
        return wrong;
    }
    return check_id(decoder, *out, decoder->document->tokens[decoder->fields[field]].escaped, name, reason);
}

static enum quarantine_reason take_time(struct decoder *decoder, enum event_field field, const char *name,
                                        int64_t *out_ms)
{
    int32_t token = decoder->fields[field];
    enum json_type type = type_at(decoder, token);
    struct slice text;
    bool good = false;

    if (type == JSON_STRING) {
        if (!string_at(decoder, (uint32_t)token, &text)) {
            decoder->no_memory = true;
            return QUARANTINE_NONE;
        }
        good = timestamp_parse(text, out_ms);
    } else if (type == JSON_NUMBER) {
        good = decimal_parse_integral(json_raw(decoder->document, token), out_ms) && *out_ms >= TIMESTAMP_MIN &&
               *out_ms <= TIMESTAMP_MAX;
    }
    if (!good) {
        (void)
            error_set(decoder->why, ERROR_INPUT, "%s is %s", name,
                      is_missing(decoder, token)
                          ? "missing"
                          : "neither RFC 3339 with seconds and zone nor whole epoch milliseconds, years 0001 to 9999");
        return QUARANTINE_TIMESTAMP;
    }
    return QUARANTINE_NONE;
}

/* An object, or JSON_ABSENT where it is absent or null. */
static enum quarantine_reason take_object(struct decoder *decoder, enum event_field field, const char *name,
                                          int32_t *out)
{
    int32_t token = decoder->fields[field];

    if (is_missing(decoder, token)) {
        *out = JSON_ABSENT;
        return QUARANTINE_NONE;
    }
    if (type_at(decoder, token) != JSON_OBJECT) {
        (void)error_set(decoder->why, ERROR_INPUT, "%s is no object", name);
        return QUARANTINE_PROPERTIES;
    }
    *out = token;
    return QUARANTINE_NONE;
}

/* A name that the store cannot hold would stop every reader of the log for good, and so would thousands of them. */
enum { PURPOSE_COUNT_MAX = 256 };

static enum quarantine_reason check_purpose(struct decoder *decoder, uint32_t key)
{
    struct slice name;

    if (!string_at(decoder, key, &name)) {
        decoder->no_memory = true;
        return QUARANTINE_NONE;
    }
    return check_id(decoder, name, decoder->document->tokens[key].escaped, "the name of a purpose",
                    QUARANTINE_PURPOSES);
}

static enum quarantine_reason take_purposes(struct decoder *decoder, int32_t *out)
{
    const struct json_token *tokens = decoder->document->tokens;
    int32_t object = decoder->fields[EVENT_FIELD_PURPOSES];
    enum quarantine_reason wrong;

    if (type_at(decoder, object) != JSON_OBJECT) {
        return refuse(decoder, QUARANTINE_PURPOSES, "purposes is no object");
    }
    if (tokens[object].count > PURPOSE_COUNT_MAX) {
        return refuse(decoder, QUARANTINE_PURPOSES, "more than 256 purposes");
    }
    for (uint32_t key = (uint32_t)object + 1; key < tokens[object].end_token; key = tokens[key + 1].end_token) {
        if (tokens[key + 1].type != JSON_TRUE && tokens[key + 1].type != JSON_FALSE) {
            return refuse(decoder, QUARANTINE_PURPOSES, "a purpose is neither true nor false");
        }
        wrong = check_purpose(decoder, key);
        if (wrong != QUARANTINE_NONE || decoder->no_memory) {
            return wrong;
        }
    }
    *out = object;
    return QUARANTINE_NONE;
}

/* Stops at the first wrong field. */
#define TAKE(call)                                                                                                     \
    do {                                                                                                               \
        enum quarantine_reason wrong = (call);                                                                         \
        if (wrong != QUARANTINE_NONE || decoder->no_memory) {                                                          \
            return wrong;                                                                                              \
        }                                                                                                              \
    } while (0)

/* messageId = source, one space, id. */
static enum quarantine_reason decode_cloud_event(struct decoder *decoder, struct event *event)
{
    struct slice source;
    struct slice id;
    char *joined;

    event->kind = EVENT_TRACK;
    TAKE(take_id(decoder, EVENT_FIELD_SOURCE, "source", QUARANTINE_MESSAGE_ID, &source));
    TAKE(take_id(decoder, EVENT_FIELD_ID, "id", QUARANTINE_MESSAGE_ID, &id));
    joined = arena_allocate(decoder->arena, source.size + 1 + id.size);
    if (joined == NULL) {
        decoder->no_memory = true;
        return QUARANTINE_NONE;
    }
    memcpy(joined, source.data, source.size);
    joined[source.size] = ' ';
    memcpy(joined + source.size + 1, id.data, id.size);
    event->has_message_id = true;
    event->message_id = slice_of(joined, source.size + 1 + id.size);
    TAKE(check_id(decoder, event->message_id, false, "source and id", QUARANTINE_MESSAGE_ID));
    TAKE(take_id(decoder, EVENT_FIELD_SUBJECT, "subject", QUARANTINE_USER, &event->user));
    TAKE(take_string(decoder, EVENT_FIELD_TYPE, "type", QUARANTINE_EVENT, &event->name));
    TAKE(take_time(decoder, EVENT_FIELD_TIME, "time", &event->time_ms));
    if (decoder->fields[EVENT_FIELD_DATA_BASE64] != JSON_ABSENT) {
        return refuse(decoder, QUARANTINE_PROPERTIES, "data_base64 is not supported; send data as an object");
    }
    return take_object(decoder, EVENT_FIELD_DATA, "data", &event->properties);
}

static enum event_kind kind_of(struct slice type)
{
    static const enum event_kind by_size[] = {
        [4] = EVENT_PAGE, [5] = EVENT_TRACK, [6] = EVENT_SCREEN, [7] = EVENT_CONSENT, [8] = EVENT_IDENTIFY};
    enum event_kind kind = type.size < sizeof by_size / sizeof by_size[0] ? by_size[type.size] : EVENT_NONE;

    if (kind == EVENT_SCREEN && type.data[0] == 'd') {
        kind = EVENT_DELETE;
    }
    return kind != EVENT_NONE && memcmp(type.data, event_kind_name(kind), type.size) == 0 ? kind : EVENT_NONE;
}

static enum quarantine_reason take_user(struct decoder *decoder, struct event *event)
{
    bool anonymous = event->kind != EVENT_CONSENT && event->kind != EVENT_DELETE &&
                     is_missing(decoder, decoder->fields[EVENT_FIELD_USER_ID]) &&
                     !is_missing(decoder, decoder->fields[EVENT_FIELD_ANONYMOUS_ID]);

    return anonymous ? take_id(decoder, EVENT_FIELD_ANONYMOUS_ID, "anonymousId", QUARANTINE_USER, &event->user)
                     : take_id(decoder, EVENT_FIELD_USER_ID, "userId", QUARANTINE_USER, &event->user);
}

/* track, page, screen, identify: optional messageId (null is as absent). */
static enum quarantine_reason take_message_id(struct decoder *decoder, struct event *event)
{
    if (is_missing(decoder, decoder->fields[EVENT_FIELD_MESSAGE_ID])) {
        return QUARANTINE_NONE;
    }
    event->has_message_id = true;
    return take_id(decoder, EVENT_FIELD_MESSAGE_ID, "messageId", QUARANTINE_MESSAGE_ID, &event->message_id);
}

static enum quarantine_reason decode_message(struct decoder *decoder, struct event *event)
{
    struct slice type;

    TAKE(take_string(decoder, EVENT_FIELD_TYPE, "type", QUARANTINE_TYPE, &type));
    event->kind = kind_of(type);
    if (event->kind == EVENT_NONE) {
        return refuse(decoder, QUARANTINE_TYPE, "type is none of track, page, screen, identify, consent, delete");
    }
    TAKE(take_user(decoder, event));
    TAKE(take_time(decoder, EVENT_FIELD_TIMESTAMP, "timestamp", &event->time_ms));
    switch (event->kind) {
    case EVENT_TRACK:
        TAKE(take_message_id(decoder, event));
        TAKE(take_string(decoder, EVENT_FIELD_EVENT, "event", QUARANTINE_EVENT, &event->name));
        return take_object(decoder, EVENT_FIELD_PROPERTIES, "properties", &event->properties);
    case EVENT_PAGE:
    case EVENT_SCREEN:
        TAKE(take_message_id(decoder, event));
        event->name = slice_from(event_kind_name(event->kind));
        event->page_name =
            is_missing(decoder, decoder->fields[EVENT_FIELD_NAME]) ? JSON_ABSENT : decoder->fields[EVENT_FIELD_NAME];
        return take_object(decoder, EVENT_FIELD_PROPERTIES, "properties", &event->properties);
    case EVENT_IDENTIFY:
        TAKE(take_message_id(decoder, event));
        return take_object(decoder, EVENT_FIELD_TRAITS, "traits", &event->traits);
    case EVENT_CONSENT:
        return take_purposes(decoder, &event->purposes);
    case EVENT_DELETE:
    case EVENT_NONE:
        break;
    }
    return QUARANTINE_NONE;
}

#undef TAKE

static enum quarantine_reason reason_of(enum json_fault fault)
{
    switch (fault) {
    case JSON_FAULT_TOO_DEEP:
        return QUARANTINE_TOO_DEEP;
    case JSON_FAULT_TOO_LARGE:
        return QUARANTINE_TOO_LARGE;
    default:
        return QUARANTINE_NOT_JSON;
    }
}

/* Judges a message that is JSON. */
static bool judge(struct decoder *decoder, struct event *out, enum quarantine_reason *reason)
{
    const struct json_document *document = decoder->document;
    int32_t specversion = decoder->fields[EVENT_FIELD_SPECVERSION];

    *out = (struct event){
        .document = document,
        .properties = JSON_ABSENT,
        .traits = JSON_ABSENT,
        .purposes = JSON_ABSENT,
        .page_name = JSON_ABSENT,
    };
    if (type_at(decoder, specversion) == JSON_STRING && json_equal(document, specversion, SLICE_LITERAL("1.0"))) {
        out->cloud_event = true;
        *reason = decode_cloud_event(decoder, out);
    } else {
        *reason = decode_message(decoder, out);
    }
    return decoder->no_memory ? error_no_memory(decoder->why, "a message") : true;
}

static bool judge_all(struct decoder *decoder, struct event *out, enum quarantine_reason *reason)
{
    int32_t fields[EVENT_FIELD_COUNT];

    if (decoder->document->tokens[0].type != JSON_OBJECT) {
        *reason = refuse(decoder, QUARANTINE_NOT_OBJECT, "the message is no JSON object");
        return true;
    }
    if (!sort_fields(decoder, fields)) {
        return error_no_memory(decoder->why, "a message");
    }
    decoder->fields = fields;
    return judge(decoder, out, reason);
}

static const struct json_limits message_limits = {.depth_max = EVENT_DEPTH_MAX, .size_max = EVENT_SIZE_MAX};

bool event_decode(struct slice text, struct json_document *document, struct arena *arena, struct event *out,
                  enum quarantine_reason *reason, struct error *why)
{
    struct decoder decoder = {.document = document, .arena = arena, .why = why};

    if (!json_parse(document, text, &message_limits, why)) {
        *reason = reason_of(document->fault);
        return document->fault != JSON_FAULT_NO_MEMORY;
    }
    return judge_all(&decoder, out, reason);
}

static enum event_projection_place place_of(const struct event *event)
{
    if (event->kind == EVENT_IDENTIFY) {
        return EVENT_PROJECTION_TRAITS;
    }
    return event->cloud_event ? EVENT_PROJECTION_DATA : EVENT_PROJECTION_PROPERTIES;
}

bool event_decode_anew(struct slice text, const struct event_projection *projection, struct json_document *document,
                       struct arena *arena, struct event *out, enum quarantine_reason *reason, struct error *why)
{
    struct decoder decoder = {.document = document, .arena = arena, .why = why};

    if (!optimisation_on(OPTIMISATION_PROJECTION)) {
        return event_decode(text, document, arena, out, reason, why);
    }
    if (!json_parse_paths(document, text, &message_limits, &projection->paths, &decoder.fields, why)) {
        *reason = reason_of(document->fault);
        return document->fault != JSON_FAULT_NO_MEMORY;
    }
    if (decoder.fields == NULL) {
        return judge_all(&decoder, out, reason);
    }
    if (!judge(&decoder, out, reason)) {
        return false;
    }
    if (*reason != QUARANTINE_NONE || out->kind == EVENT_CONSENT || out->kind == EVENT_DELETE) {
        return true; /* these have no properties, whatever stands under that name */
    }
    out->projection = projection;
    out->found = decoder.fields + event_projection_begin(projection, place_of(out));
    return event_form_learn(out, decoder.fields, document) || error_no_memory(why, "a message");
}

bool event_decode_projected(struct slice text, const struct event_projection *projection,
                            struct json_document *document, struct arena *arena, struct event *out,
                            enum quarantine_reason *reason, struct error *why)
{
    enum event_form_result result = optimisation_on(OPTIMISATION_PROJECTION)
                                        ? event_form_take(text, projection, document, arena, out)
                                        : EVENT_FORM_UNKNOWN;

    if (result == EVENT_FORM_UNKNOWN) {
        return event_decode_anew(text, projection, document, arena, out, reason, why);
    }
    *reason = QUARANTINE_NONE;
    return result == EVENT_FORM_TAKEN || error_no_memory(why, "a message");
}

bool event_decode_line(struct slice lines, const struct event_projection *projection, struct json_document *document,
                       struct arena *arena, struct event *out)
{
    return optimisation_on(OPTIMISATION_PROJECTION) &&
           event_form_take_line(lines, projection, document, arena, out) == EVENT_FORM_TAKEN;
}

bool event_property(const struct event *event, const struct slice *keys, size_t key_count, struct arena *arena,
                    struct value *out, bool *out_of_range)
{
    const struct json_document *document = event->document;
    int32_t token = json_path(document, event->properties, keys, key_count);

    if (event->page_name != JSON_ABSENT && key_count > 0 && slice_equal_text(keys[0], "name")) {
        int32_t own = json_member(document, event->properties, keys[0]);

        if (own == JSON_ABSENT || document->tokens[own].type == JSON_NULL) {
            token = json_path(document, event->page_name, keys + 1, key_count - 1);
        }
    }
    return json_value(document, token, arena, out, out_of_range);
}

bool event_read_by_keys(const struct event *event, size_t index, const struct slice *keys, size_t key_count,
                        struct arena *arena, struct value *out)
{
    bool name = event->page_name != JSON_ABSENT && slice_equal_text(keys[0], "name");

    if (event->found != NULL && !name) {
        return json_value(event->document, event->found[index], arena, out, NULL);
    }
    if (event->kind == EVENT_IDENTIFY) {
        return json_value(event->document, json_path(event->document, event->traits, keys, key_count), arena, out,
                          NULL);
    }
    return event_property(event, keys, key_count, arena, out, NULL);
}

bool event_purposes(const struct event *event, struct arena *arena, event_purpose_visit *visit, void *context)
{
    const struct json_document *document = event->document;
    const struct json_token *tokens = document->tokens;
    uint32_t end;

    if (event->purposes == JSON_ABSENT) {
        return true;
    }
    end = tokens[event->purposes].end_token;
    for (uint32_t key = (uint32_t)event->purposes + 1; key < end; key = tokens[key + 1].end_token) {
        struct slice purpose;

        if (!json_string(document, (int32_t)key, arena, &purpose) ||
            !visit(context, purpose, tokens[key + 1].type == JSON_TRUE)) {
            return false;
        }
    }
    return true;
}
