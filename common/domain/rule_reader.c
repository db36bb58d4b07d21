/* The machinery below the parser of definitions: places, messages, objects by form, plain values. Which objects there
 * are and what they mean stands in the tables of rule_comparison.c, rule_event.c, rule_criterion.c and rule_parse.c. */
#include "common/domain/rule_reader.h"

#include "common/base/duration.h"
#include "common/base/nearest.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { GOT_SIZE = 48, KEYS_SIZE = 400, ZONE_SIZE_MAX = 64 };

/* ---- places and messages ---- */

static void place_append(struct rule_reader *reader, const struct rule_place *place, const struct rule_place *stop)
{
    if (place == NULL || place == stop) {
        return;
    }
    place_append(reader, place->parent, stop);
    if (place->key == NULL) {
        buffer_append_format(&reader->path, "[%zu]", place->index);
        return;
    }
    if (reader->path.size > 0) {
        buffer_append_char(&reader->path, '.');
    }
    buffer_append_text(&reader->path, place->key);
}

bool rule_place_text(struct rule_reader *reader, const struct rule_place *place, bool within, struct slice *out)
{
    buffer_reset(&reader->path);
    place_append(reader, place, within ? reader->root : NULL);
    return buffer_finish(&reader->path, "a path in a definition", reader->err) &&
           (arena_copy(reader->arena, buffer_slice(&reader->path), out) || rule_no_memory(reader));
}

/* The token at a place, or the innermost one on the way where the last key is missing. */
static int32_t place_token(const struct rule_reader *reader, const struct rule_place *place)
{
    const struct json_document *document = reader->document;
    int32_t parent;
    int32_t token;

    if (place == NULL || place->parent == NULL) {
        return 0;
    }
    parent = place_token(reader, place->parent);
    if (place->key != NULL) {
        token = json_member(document, parent, slice_from(place->key));
        return token == JSON_ABSENT ? parent : token;
    }
    if (document->tokens[parent].type != JSON_ARRAY || place->index >= document->tokens[parent].count) {
        return parent;
    }
    token = parent + 1;
    for (size_t i = 0; i < place->index; i++) {
        token = (int32_t)document->tokens[token].end_token;
    }
    return token;
}

/* Puts the failure into the list, with the line that it is about. */
static bool record(struct rule_reader *reader, const struct rule_place *place, const char *message)
{
    int32_t token = reader->culprit != JSON_ABSENT ? reader->culprit : place_token(reader, place);
    struct rule_problem problem = {
        .severity = RULE_ERROR,
        .kind = RULE_PROBLEM_FORM,
        .file = reader->file,
        .line = json_line(reader->document, reader->document->tokens[token].begin),
        .path = buffer_slice(&reader->path),
        .message = slice_from(message),
        .suggestion = slice_from(reader->suggestion == NULL ? "" : reader->suggestion),
    };

    return rule_problems_add(reader->problems, &problem, reader->err);
}

bool rule_fail(struct rule_reader *reader, const struct rule_place *place, const char *format, ...)
{
    char message[ERROR_MESSAGE_SIZE];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    buffer_reset(&reader->path);
    place_append(reader, place, NULL);
    (void)error_set(reader->err, ERROR_INPUT, "%.*s: %s: %s", (int)reader->file.size, reader->file.data,
                    buffer_text(&reader->path), message);
    if (reader->problems != NULL) {
        (void)record(reader, place, message);
    }
    reader->culprit = JSON_ABSENT;
    reader->suggestion = NULL;
    return false;
}

bool rule_goes_on(const struct rule_reader *reader)
{
    return reader->problems != NULL && reader->err->code == ERROR_INPUT;
}

bool rule_no_memory(struct rule_reader *reader)
{
    return error_no_memory(reader->err, "reading a segment definition");
}

enum json_type rule_type(const struct rule_reader *reader, int32_t token)
{
    return (enum json_type)reader->document->tokens[token].type;
}

/* What stands there, short enough for a message. */
static const char *got(const struct rule_reader *reader, int32_t token, char text[GOT_SIZE])
{
    enum json_type type = rule_type(reader, token);
    struct slice raw = json_raw(reader->document, token);
    const char *quote = type == JSON_STRING ? "\"" : "";
    size_t size = raw.size;

    if (type == JSON_ARRAY || type == JSON_OBJECT) {
        uint32_t count = reader->document->tokens[token].count;

        if (type == JSON_ARRAY && count > 0) {
            (void)snprintf(text, GOT_SIZE, "an array of %" PRIu32, count);
        } else {
            (void)snprintf(text, GOT_SIZE, "%s %s", count == 0 ? "an empty" : "an",
                           type == JSON_ARRAY ? "array" : "object");
        }
        return text;
    }
    if (size > GOT_SIZE - 8) {
        size = GOT_SIZE - 8;
        while (size > 0 && ((unsigned char)raw.data[size] & 0xC0U) == 0x80U) {
            size--;
        }
    }
    (void)snprintf(text, GOT_SIZE, "%s%.*s%s%s", quote, (int)size, raw.data, size < raw.size ? "..." : "", quote);
    return text;
}

bool rule_expected(struct rule_reader *reader, const struct rule_place *place, int32_t token, const char *what)
{
    char text[GOT_SIZE];

    reader->culprit = token;
    return rule_fail(reader, place, "expected %s, got %s", what, got(reader, token, text));
}

static bool expected_such_as(struct rule_reader *reader, const struct rule_place *place, int32_t token,
                             const struct rule_form *form)
{
    char text[GOT_SIZE];

    reader->culprit = token;
    return rule_fail(reader, place, "expected %s such as %s, got %s", form->what, form->example,
                     got(reader, token, text));
}

/* ---- objects ---- */

static const struct rule_key *find_key(const struct rule_form *form, struct slice name)
{
    for (const struct rule_key *key = form->keys; key->name != NULL; key++) {
        if (slice_equal_text(name, key->name)) {
            return key;
        }
    }
    return NULL;
}

static void append_known(char *known, size_t *used, const char *name)
{
    if (*used < KEYS_SIZE) {
        int size = snprintf(known + *used, KEYS_SIZE - *used, "%s%s", *used == 0 ? "" : ", ", name);

        *used += size > 0 ? (size_t)size : 0;
    }
}

/* Operators as other languages write them. */
static const char *usual_operator(struct slice name)
{
    static const char *const usual[][2] = {
        {"==", "="}, {"eq", "="},  {"<>", "!="},  {"ne", "!="}, {"=>", ">="},     {"gte", ">="},
        {"gt", ">"}, {"=<", "<="}, {"lte", "<="}, {"lt", "<"},  {"nin", "notIn"}, {"not_in", "notIn"},
    };

    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
        if (slice_equal_text(name, usual[i][0])) {
            return usual[i][1];
        }
    }
    return NULL;
}

/* Refuses the key at `token`; *meant is the key of the form that it probably is, or NULL. */
static bool unknown_key(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                        const struct rule_form *form, struct slice name, const char **meant)
{
    char known[KEYS_SIZE] = "";
    char text[GOT_SIZE];
    size_t used = 0;
    const char *usual = usual_operator(name);
    struct nearest nearest;

    nearest_begin(&nearest, name);
    reader->culprit = token;
    if (rule_words_find(&rule_words_operator, name) != 0) {
        return rule_fail(reader, place, "operator %s is not taken by %s", got(reader, token, text), form->what);
    }
    for (const struct rule_key *key = form->keys; key->name != NULL; key++) {
        append_known(known, &used, key->name);
        nearest_offer(&nearest, key->name);
    }
    for (size_t op = 1; op < rule_words_operator.count; op++) {
        if (rule_operands_take(form->operands, (enum rule_operator)op)) {
            append_known(known, &used, rule_words_at(&rule_words_operator, op));
            nearest_offer(&nearest, rule_words_at(&rule_words_operator, op));
            if (usual != NULL && strcmp(usual, rule_words_at(&rule_words_operator, op)) == 0) {
                nearest.name = usual;
            }
        }
    }
    *meant = nearest.name;
    reader->suggestion = nearest.name;
    if (nearest.name != NULL) {
        return rule_fail(reader, place, "unknown key %s in %s: did you mean \"%s\"?", got(reader, token, text),
                         form->what, nearest.name);
    }
    return rule_fail(reader, place, "unknown key %s in %s: it takes %s", got(reader, token, text), form->what, known);
}

#define OPERATOR_MEANT (UINT64_C(1) << 63)

/* Reads one member of the object. A failure that is recorded does not end the reading: *good says so. `meant` collects
 * the keys (bits, in the order of the form) that misspelt ones stand for, so
 * that they are not said to be missing as well. */
static bool read_member(struct rule_reader *reader, int32_t member, const struct rule_place *place,
                        const struct rule_form *form, void *target, uint64_t *meant, bool *good)
{
    const struct rule_key *key;
    const char *probably = NULL;
    struct slice name;
    bool read = true;

    if (!json_string(reader->document, member, reader->arena, &name)) {
        return rule_no_memory(reader);
    }
    key = find_key(form, name);
    if (key != NULL) {
        struct rule_place at = {.parent = place, .key = key->name};

        read = key->read(reader, member + 1, &at, key, target);
    } else if (!rule_operands_take(form->operands, (enum rule_operator)rule_words_find(&rule_words_operator, name))) {
        read = unknown_key(reader, member, place, form, name, &probably);
    }
    for (size_t i = 0; probably != NULL && form->keys[i].name != NULL && i < 63; i++) {
        *meant |= strcmp(form->keys[i].name, probably) == 0 ? UINT64_C(1) << i : 0;
    }
    if (probably != NULL && rule_words_find(&rule_words_operator, slice_from(probably)) != 0) {
        *meant |= OPERATOR_MEANT;
    }
    *good = *good && read;
    return read || rule_goes_on(reader);
}

bool rule_read_object(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                      const struct rule_form *form, void *target)
{
    const struct json_document *document = reader->document;
    int32_t member = token + 1;
    uint64_t meant = 0;
    bool good = true;

    if (rule_type(reader, token) != JSON_OBJECT) {
        return form->example == NULL ? rule_expected(reader, place, token, form->what)
                                     : expected_such_as(reader, place, token, form);
    }
    for (uint32_t i = 0; i < document->tokens[token].count; i++) {
        if (!read_member(reader, member, place, form, target, &meant, &good)) {
            return false;
        }
        member = (int32_t)document->tokens[member + 1].end_token;
    }
    for (size_t i = 0; form->keys[i].name != NULL; i++) {
        const struct rule_key *key = &form->keys[i];

        if (!key->required || json_member(document, token, slice_from(key->name)) != JSON_ABSENT ||
            (i < 63 && (meant >> i & 1) != 0)) {
            continue;
        }
        good = rule_fail(reader, place, "%s needs \"%s\"", form->what, key->name);
        if (!rule_goes_on(reader)) {
            return false;
        }
    }
    if (form->operands != RULE_OPERANDS_NONE && (meant & OPERATOR_MEANT) == 0 &&
        !rule_read_comparison(reader, token, place, form->operands, (char *)target + form->comparison_offset)) {
        return false;
    }
    return good;
}

bool rule_count_limit(struct rule_reader *reader, int32_t token, const struct rule_place *place, size_t count_max,
                      const char *what)
{
    return rule_type(reader, token) != JSON_ARRAY || reader->document->tokens[token].count <= count_max ||
           rule_fail(reader, place, "more than %zu %s", count_max, what);
}

bool rule_read_array(struct rule_reader *reader, int32_t token, const struct rule_place *place, size_t count_min,
                     const char *what, size_t size, rule_element_read *read, void *array_out, size_t *count_out)
{
    const struct json_document *document = reader->document;
    size_t count = document->tokens[token].count;
    int32_t element = token + 1;
    bool good = true;
    char *array;

    if (rule_type(reader, token) != JSON_ARRAY || count < count_min) {
        char expected[128];

        (void)snprintf(expected, sizeof(expected), count_min == 0 ? "an array of %s" : "a non-empty array of %s", what);
        if (count_min > 1) {
            (void)snprintf(expected, sizeof(expected), "an array of %zu %s or more", count_min, what);
        }
        return rule_expected(reader, place, token, expected);
    }
    if (!rule_count_limit(reader, token, place, RULE_ARRAY_MAX, what)) {
        return false;
    }
    array = arena_allocate_zeroed(reader->arena, count, size);
    if (array == NULL) {
        return rule_no_memory(reader);
    }
    for (size_t i = 0; i < count; i++) {
        struct rule_place at = {.parent = place, .index = i};

        if (!read(reader, element, &at, array + i * size)) {
            good = false;
            if (!rule_goes_on(reader)) {
                return false;
            }
        }
        element = (int32_t)document->tokens[element].end_token;
    }
    memcpy(array_out, &array, sizeof(array));
    *count_out = count;
    return good;
}

/* ---- values ---- */

static bool read_text(struct rule_reader *reader, int32_t token, const struct rule_place *place, const char *what,
                      struct slice *out)
{
    if (rule_type(reader, token) != JSON_STRING) {
        return rule_expected(reader, place, token, what);
    }
    return json_string(reader->document, token, reader->arena, out) || rule_no_memory(reader);
}

bool rule_read_name(struct rule_reader *reader, int32_t token, const struct rule_place *place, const char *what,
                    struct slice *out)
{
    return read_text(reader, token, place, what, out) && (out->size > 0 || rule_expected(reader, place, token, what));
}

/* "product.category" has two keys; "\." writes a dot inside one, any other backslash stands for itself. */
bool rule_read_path(struct rule_reader *reader, int32_t token, const struct rule_place *place, struct rule_path *out)
{
    static const char what[] = "the dotted path of a property such as \"product.category\"";
    size_t count = 1;
    char *bytes;
    size_t begin = 0;
    size_t used = 0;

    if (!rule_read_name(reader, token, place, what, &out->text)) {
        return false;
    }
    for (size_t i = 0; i < out->text.size; i++) {
        count += out->text.data[i] == '.' ? 1 : 0;
    }
    out->keys = arena_allocate_zeroed(reader->arena, count, sizeof(*out->keys));
    bytes = arena_allocate(reader->arena, out->text.size);
    if (out->keys == NULL || bytes == NULL) {
        return rule_no_memory(reader);
    }
    for (size_t i = 0; i <= out->text.size; i++) {
        if (i == out->text.size || out->text.data[i] == '.') {
            if (used == begin) {
                return rule_expected(reader, place, token, what);
            }
            out->keys[out->key_count++] = slice_of(bytes + begin, used - begin);
            begin = used;
            continue;
        }
        if (out->text.data[i] == '\\' && i + 1 < out->text.size && out->text.data[i + 1] == '.') {
            i++;
        }
        bytes[used++] = out->text.data[i];
    }
    return true;
}

bool rule_read_duration(struct rule_reader *reader, int32_t token, const struct rule_place *place, int64_t *out_ms)
{
    static const char what[] = "a duration such as \"30m\", of ms, s, m, h, d or w (more than 0, at most 36525d)";
    struct slice text;

    return read_text(reader, token, place, what, &text) &&
           (duration_parse(text, out_ms) || rule_expected(reader, place, token, what));
}

bool rule_read_decimal(struct rule_reader *reader, int32_t token, const struct rule_place *place, int64_t least,
                       int64_t greatest, const char *what, int64_t *out_micros)
{
    struct value value;
    bool out_of_range = false;

    if (!json_value(reader->document, token, reader->arena, &value, &out_of_range)) {
        return rule_no_memory(reader);
    }
    if (out_of_range || value.type != VALUE_NUMBER || value.micros < least || value.micros > greatest) {
        return rule_expected(reader, place, token, what);
    }
    *out_micros = value.micros;
    return true;
}

bool rule_read_integer(struct rule_reader *reader, int32_t token, const struct rule_place *place, int64_t least,
                       int64_t greatest, const char *what, int64_t *out)
{
    int64_t micros;

    if (!rule_read_decimal(reader, token, place, least * DECIMAL_ONE, greatest * DECIMAL_ONE, what, &micros)) {
        return false;
    }
    if (micros % DECIMAL_ONE != 0) {
        return rule_expected(reader, place, token, what);
    }
    *out = micros / DECIMAL_ONE;
    return true;
}

bool rule_read_word(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                    const struct rule_words *words, int *out)
{
    char expected[256] = "";
    size_t used = 0;
    struct slice text = SLICE_LITERAL("");
    struct nearest nearest;

    for (size_t i = 1; i < words->count && used < sizeof(expected); i++) {
        const char *separator = i == 1 ? "" : i + 1 == words->count ? " or " : ", ";
        int size = snprintf(expected + used, sizeof(expected) - used, "%s\"%s\"", separator, rule_words_at(words, i));

        used += size > 0 ? (size_t)size : 0;
    }
    if (!read_text(reader, token, place, expected, &text)) {
        return false;
    }
    *out = rule_words_find(words, text);
    if (*out != 0) {
        return true;
    }
    nearest_begin(&nearest, text);
    for (size_t i = 1; i < words->count; i++) {
        nearest_offer(&nearest, rule_words_at(words, i));
    }
    reader->suggestion = nearest.name;
    (void)rule_expected(reader, place, token, expected);
    return nearest.name == NULL ? false : error_hint(reader->err, "did you mean \"%s\"?", nearest.name);
}

/* Whether the zone exists is asked where zones are loaded; here only that its name cannot lead out of their folder. */
bool rule_read_zone(struct rule_reader *reader, int32_t token, const struct rule_place *place, struct slice *out)
{
    static const char what[] = "a time zone such as \"Europe/Berlin\"";
    bool good;

    if (!rule_read_name(reader, token, place, what, out)) {
        return false;
    }
    good = out->size <= ZONE_SIZE_MAX && out->data[0] != '/' && out->data[out->size - 1] != '/';
    for (size_t i = 0; good && i < out->size; i++) {
        char c = out->data[i];

        good = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '+' ||
               c == '-' || (c == '/' && out->data[i - 1] != '/');
    }
    return good || rule_expected(reader, place, token, what);
}

bool rule_key_text(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                   const struct rule_key *key, void *target)
{
    return read_text(reader, token, place, "a string", (struct slice *)(void *)((char *)target + key->offset));
}

bool rule_key_path(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                   const struct rule_key *key, void *target)
{
    return rule_read_path(reader, token, place, (struct rule_path *)(void *)((char *)target + key->offset));
}

bool rule_key_duration(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                       const struct rule_key *key, void *target)
{
    return rule_read_duration(reader, token, place, (int64_t *)(void *)((char *)target + key->offset));
}

bool rule_key_boolean(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                      const struct rule_key *key, void *target)
{
    enum json_type type = rule_type(reader, token);

    if (type != JSON_TRUE && type != JSON_FALSE) {
        return rule_expected(reader, place, token, "true or false");
    }
    *((bool *)target + key->offset) = type == JSON_TRUE;
    return true;
}

bool rule_key_zone(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                   const struct rule_key *key, void *target)
{
    return rule_read_zone(reader, token, place, (struct slice *)(void *)((char *)target + key->offset));
}

bool rule_key_word(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                   const struct rule_key *key, void *target)
{
    int word;

    _Static_assert(sizeof(word) == sizeof(enum rule_period), "enumerations are as large as int");
    if (!rule_read_word(reader, token, place, key->words, &word)) {
        return false;
    }
    memcpy((char *)target + key->offset, &word, sizeof(word));
    return true;
}
