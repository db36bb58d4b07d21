/* Reading a parsed document: members, strings, values. */
#include "common/domain/decimal.h"
#include "common/domain/json.h"
#include "common/domain/json_scan.h"

static bool is_type(const struct json_document *document, int32_t token, enum json_type type)
{
    return token >= 0 && (uint32_t)token < document->token_count && document->tokens[token].type == type;
}

struct slice json_raw(const struct json_document *document, int32_t token)
{
    const struct json_token *found = &document->tokens[token];

    return slice_of(document->text.data + found->begin, found->size);
}

bool json_equal(const struct json_document *document, int32_t token, struct slice text)
{
    struct slice raw = json_raw(document, token);
    struct json_unescape reader;

    if (!document->tokens[token].escaped) {
        return slice_equal(raw, text);
    }
    json_unescape_begin(&reader, raw);
    for (size_t i = 0; i < text.size; i++) {
        if (json_unescape_next(&reader) != (unsigned char)text.data[i]) {
            return false;
        }
    }
    return json_unescape_next(&reader) < 0;
}

int32_t json_member(const struct json_document *document, int32_t object, struct slice key)
{
    const struct json_token *tokens = document->tokens;

    if (!is_type(document, object, JSON_OBJECT)) {
        return JSON_ABSENT;
    }
    for (uint32_t at = (uint32_t)object + 1; at < tokens[object].end_token; at = tokens[at + 1].end_token) {
        if (json_equal(document, (int32_t)at, key)) {
            return (int32_t)at + 1;
        }
    }
    return JSON_ABSENT;
}

int32_t json_path(const struct json_document *document, int32_t object, const struct slice *keys, size_t key_count)
{
    int32_t token = object;

    for (size_t i = 0; i < key_count && token != JSON_ABSENT; i++) {
        token = json_member(document, token, keys[i]);
    }
    return token;
}

/* Not the common case, and with what needs room on the stack. */
static __attribute__((noinline)) bool unescape(struct slice raw, struct arena *arena, struct slice *out)
{
    struct json_unescape reader;
    size_t size = 0;
    char *copy = arena_allocate(arena, raw.size); /* an escape is never shorter than what it means */

    if (copy == NULL) {
        return false;
    }
    json_unescape_begin(&reader, raw);
    for (int byte = json_unescape_next(&reader); byte >= 0; byte = json_unescape_next(&reader)) {
        copy[size++] = (char)byte;
    }
    *out = slice_of(copy, size);
    return true;
}

bool json_string(const struct json_document *document, int32_t token, struct arena *arena, struct slice *out)
{
    *out = json_raw(document, token);
    return !document->tokens[token].escaped || unescape(*out, arena, out);
}

bool json_value(const struct json_document *document, int32_t token, struct arena *arena, struct value *out,
                bool *out_of_range)
{
    *out = (struct value){.type = VALUE_MISSING};
    if (token == JSON_ABSENT) {
        return true;
    }
    switch ((enum json_type)document->tokens[token].type) {
    case JSON_TRUE:
    case JSON_FALSE:
        out->type = VALUE_BOOLEAN;
        out->boolean = document->tokens[token].type == JSON_TRUE;
        return true;
    case JSON_NUMBER:
        if (decimal_parse(json_raw(document, token), &out->micros)) {
            out->type = VALUE_NUMBER;
        } else if (out_of_range != NULL) {
            *out_of_range = true;
        }
        return true;
    case JSON_STRING:
        out->type = VALUE_STRING;
        return json_string(document, token, arena, &out->text);
    case JSON_ARRAY:
    case JSON_OBJECT:
        out->type = VALUE_COMPOUND;
        out->text = json_raw(document, token);
        return true;
    case JSON_NULL:
    case JSON_NONE:
        break;
    }
    return true;
}

size_t json_line(const struct json_document *document, uint32_t offset)
{
    size_t line = 1;

    for (uint32_t i = 0; i < offset && i < document->text.size; i++) {
        line += document->text.data[i] == '\n';
    }
    return line;
}
