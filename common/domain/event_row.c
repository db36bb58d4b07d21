#include "common/domain/event_row.h"

#include "common/domain/decimal.h"

#include <inttypes.h>

enum { NUMBER_SIZE_MAX = 30, VALUES_SIZE_MAX = 16 << 20 };

/* What one object becomes: its JSON (PostgreSQL), or a JSON object of path to JSON text (DuckDB, Spark). */
struct row_writer {
    const struct json_document *document;
    struct buffer *json;
    struct buffer path; /* of the map's entry */
    struct buffer value;
    bool map;
    bool first;
};

void event_row_append_header(struct buffer *out)
{
    buffer_append_text(out, "event_no,user_id,event_time,kind,message_id,name,properties,traits\n");
}

/* In quotes, with quotes doubled; NULL is empty. */
static void append_cell(struct buffer *out, struct slice text)
{
    buffer_append_char(out, ',');
    if (text.data == NULL) {
        return;
    }
    buffer_append_char(out, '"');
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '"') {
            buffer_append_char(out, '"');
        }
        buffer_append_char(out, text.data[i]);
    }
    buffer_append_char(out, '"');
}

/* Exactly as written where every engine reads it exactly; else the decimal that it counts as, null where it is none. */
static void append_number(struct buffer *out, struct slice text, bool rounded)
{
    bool plain = text.size <= NUMBER_SIZE_MAX && memchr(text.data, 'e', text.size) == NULL &&
                 memchr(text.data, 'E', text.size) == NULL;
    int64_t micros;

    if (plain && !rounded) {
        buffer_append_slice(out, text);
    } else if (decimal_parse(text, &micros)) {
        decimal_append(out, micros);
    } else {
        buffer_append_text(out, "null");
    }
}

static void append_json(const struct row_writer *writer, struct buffer *out, uint32_t token)
{
    const struct json_token *tokens = writer->document->tokens;
    uint32_t end = tokens[token].end_token;
    bool object = tokens[token].type == JSON_OBJECT;

    switch (tokens[token].type) {
    case JSON_NUMBER:
        append_number(out, json_raw(writer->document, (int32_t)token), writer->map);
        return;
    case JSON_STRING:
        buffer_append_char(out, '"');
        buffer_append_slice(out, json_raw(writer->document, (int32_t)token));
        buffer_append_char(out, '"');
        return;
    case JSON_OBJECT:
    case JSON_ARRAY:
        buffer_append_char(out, object ? '{' : '[');
        for (uint32_t item = token + 1; item < end; item = tokens[item].end_token) {
            if (item > token + 1) {
                buffer_append_char(out, ',');
            }
            if (object) {
                append_json(writer, out, item++);
                buffer_append_char(out, ':');
            }
            append_json(writer, out, item);
        }
        buffer_append_char(out, object ? '}' : ']');
        return;
    default:
        buffer_append_slice(out, json_raw(writer->document, (int32_t)token));
        return;
    }
}

static void append_json_string(struct buffer *out, struct slice text)
{
    buffer_append_char(out, '"');
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.data[i];

        if (byte < 0x20) {
            buffer_append_format(out, "\\u%04x", byte);
            continue;
        }
        if (byte == '"' || byte == '\\') {
            buffer_append_char(out, '\\');
        }
        buffer_append_char(out, (char)byte);
    }
    buffer_append_char(out, '"');
}

/* One entry of the map, and those below it. */
static bool append_entry(struct row_writer *writer, struct slice key, uint32_t token, struct arena *arena)
{
    const struct json_token *tokens = writer->document->tokens;
    size_t size = writer->path.size;
    struct slice name;

    if (size > 0) {
        buffer_append_char(&writer->path, '.');
    }
    for (size_t i = 0; i < key.size; i++) {
        if (key.data[i] == '.' || key.data[i] == '\\') {
            buffer_append_char(&writer->path, '\\');
        }
        buffer_append_char(&writer->path, key.data[i]);
    }
    buffer_append_text(writer->json, writer->first ? "" : ",");
    writer->first = false;
    append_json_string(writer->json, buffer_slice(&writer->path));
    buffer_append_char(writer->json, ':');
    buffer_reset(&writer->value);
    append_json(writer, &writer->value, token);
    append_json_string(writer->json, buffer_slice(&writer->value));
    if (tokens[token].type == JSON_OBJECT) {
        for (uint32_t item = token + 1; item < tokens[token].end_token; item = tokens[item + 1].end_token) {
            if (!json_string(writer->document, (int32_t)item, arena, &name) ||
                !append_entry(writer, name, item + 1, arena)) {
                return false;
            }
        }
    }
    writer->path.size = size;
    return true;
}

/* The members of the object, with `page_name` for a missing "name". */
static bool append_object(struct row_writer *writer, int32_t object, int32_t page_name, struct arena *arena)
{
    const struct json_token *tokens = writer->document->tokens;
    uint32_t end = object == JSON_ABSENT ? 0 : tokens[object].end_token;
    int32_t own = json_member(writer->document, object, SLICE_LITERAL("name"));
    bool named = page_name != JSON_ABSENT && (own == JSON_ABSENT || tokens[own].type == JSON_NULL);
    struct slice key;

    buffer_append_char(writer->json, '{');
    for (uint32_t item = (uint32_t)object + 1; object != JSON_ABSENT && item < end; item = tokens[item + 1].end_token) {
        if (named && (int32_t)item + 1 == own) {
            continue;
        }
        if (writer->map) {
            if (!json_string(writer->document, (int32_t)item, arena, &key) ||
                !append_entry(writer, key, item + 1, arena)) {
                return false;
            }
            continue;
        }
        buffer_append_text(writer->json, writer->first ? "" : ",");
        writer->first = false;
        append_json(writer, writer->json, item);
        buffer_append_char(writer->json, ':');
        append_json(writer, writer->json, item + 1);
    }
    if (named && writer->map) {
        if (!append_entry(writer, SLICE_LITERAL("name"), (uint32_t)page_name, arena)) {
            return false;
        }
    } else if (named) {
        buffer_append_text(writer->json, writer->first ? "\"name\":" : ",\"name\":");
        append_json(writer, writer->json, (uint32_t)page_name);
    }
    buffer_append_char(writer->json, '}');
    return true;
}

/* Whether a JSON text holds U+0000: raw it cannot, so there is \u0000 behind an even number of backslashes. */
static bool holds_nul(struct slice json)
{
    for (size_t i = 0; i + 5 < json.size; i++) {
        if (json.data[i] == '\\') {
            if (memcmp(json.data + i, "\\u0000", 6) == 0) {
                return true;
            }
            i++;
        }
    }
    return false;
}

static bool append_values(struct buffer *out, enum sql_dialect dialect, const struct event *event, int64_t event_no,
                          struct arena *arena, struct error *err)
{
    bool identify = event->kind == EVENT_IDENTIFY;
    struct row_writer writer = {.document = event->document, .map = dialect != SQL_POSTGRES, .first = true};
    struct buffer json;
    bool done = false;

    buffer_init(&json, VALUES_SIZE_MAX);
    buffer_init(&writer.path, VALUES_SIZE_MAX);
    buffer_init(&writer.value, VALUES_SIZE_MAX);
    writer.json = &json;
    if (!append_object(&writer, identify ? event->traits : event->properties, event->page_name, arena)) {
        (void)error_no_memory(err, "a row of the event table");
        goto out;
    }
    if (!buffer_finish(&json, "a row of the event table", err) ||
        !buffer_finish(&writer.path, "a path of the event table", err) ||
        !buffer_finish(&writer.value, "a value of the event table", err)) {
        goto out;
    }
    if (dialect == SQL_POSTGRES && (holds_nul(buffer_slice(&json)) ||
                                    (event->name.size > 0 && memchr(event->name.data, 0, event->name.size) != NULL))) {
        (void)error_set(err, ERROR_INPUT, "message %" PRId64 " holds a text with U+0000, which PostgreSQL cannot store",
                        event_no);
        (void)error_hint(err, "leave that message out, or use another dialect");
        goto out;
    }
    append_cell(out, identify ? slice_of(NULL, 0) : buffer_slice(&json));
    append_cell(out, identify ? buffer_slice(&json) : slice_of(NULL, 0));
    done = true;
out:
    buffer_clear(&json);
    buffer_clear(&writer.path);
    buffer_clear(&writer.value);
    return done;
}

bool event_row_append(struct buffer *out, enum sql_dialect dialect, const struct event *event, int64_t event_no,
                      struct arena *arena, struct error *err)
{
    if (event->kind == EVENT_CONSENT || event->kind == EVENT_DELETE) {
        return true;
    }
    buffer_append_integer(out, event_no);
    append_cell(out, event->user);
    buffer_append_char(out, ',');
    buffer_append_integer(out, event->time_ms);
    append_cell(out, slice_from(event_kind_name(event->kind)));
    append_cell(out, event->has_message_id ? event->message_id : slice_of(NULL, 0));
    append_cell(out, event->kind == EVENT_IDENTIFY
                         ? slice_of(NULL, 0)
                         : slice_of(event->name.data == NULL ? "" : event->name.data, event->name.size));
    if (!append_values(out, dialect, event, event_no, arena, err)) {
        return false;
    }
    buffer_append_char(out, '\n');
    return true;
}
