#include "tests/unit/json_schema.h"

#include "common/base/file.h"
#include "common/base/timestamp.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

enum { TEXT_SIZE_MAX = 1 << 20, NUMBER_SIZE = 64 };

/* One value against one schema. */
struct check {
    struct json_schema *schema;
    int32_t rule; /* the schema, in the schema's document */
    const struct json_document *document;
    int32_t at; /* the value */
};

typedef bool keyword_check(struct check *check, int32_t operand);

static bool takes(struct json_schema *schema, int32_t rule, const struct json_document *document, int32_t at);

void json_schema_open(struct json_schema *schema, const char *path)
{
    static const struct json_limits limits = {.depth_max = 64, .size_max = TEXT_SIZE_MAX};
    struct error err = ERROR_INIT;

    *schema = (struct json_schema){0};
    buffer_init(&schema->text, TEXT_SIZE_MAX);
    arena_init(&schema->arena, TEXT_SIZE_MAX);
    json_document_init(&schema->document);
    ck_assert_ok(file_read(path, &schema->text, &err));
    ck_assert_ok(json_parse(&schema->document, buffer_slice(&schema->text), &limits, &err));
}

void json_schema_close(struct json_schema *schema)
{
    json_document_clear(&schema->document);
    arena_clear(&schema->arena);
    buffer_clear(&schema->text);
}

static const struct json_token *token_of(const struct json_document *document, int32_t token)
{
    return &document->tokens[token];
}

static enum json_type type_of(const struct json_document *document, int32_t token)
{
    return (enum json_type)token_of(document, token)->type;
}

static uint32_t count_of(const struct json_document *document, int32_t token)
{
    return token_of(document, token)->count;
}

static struct slice text_of(struct json_schema *schema, const struct json_document *document, int32_t token)
{
    struct slice text = SLICE_LITERAL("");

    ck_assert_int_eq(type_of(document, token), JSON_STRING);
    ck_assert(json_string(document, token, &schema->arena, &text));
    return text;
}

static int32_t behind(const struct json_document *document, int32_t token)
{
    return (int32_t)token_of(document, token)->end_token;
}

static double number_of(const struct json_document *document, int32_t token)
{
    char text[NUMBER_SIZE];
    struct slice raw = json_raw(document, token);

    ck_assert_int_eq(type_of(document, token), JSON_NUMBER);
    (void)snprintf(text, sizeof text, "%.*s", (int)raw.size, raw.data);
    return strtod(text, NULL);
}

/* ---- keywords ---- */

static bool is_of_type(struct check *check, struct slice name)
{
    struct slice raw = json_raw(check->document, check->at);

    switch (type_of(check->document, check->at)) {
    case JSON_NULL:
        return slice_equal_text(name, "null");
    case JSON_TRUE:
    case JSON_FALSE:
        return slice_equal_text(name, "boolean");
    case JSON_NUMBER:
        return slice_equal_text(name, "number") ||
               (slice_equal_text(name, "integer") && memchr(raw.data, '.', raw.size) == NULL);
    case JSON_STRING:
        return slice_equal_text(name, "string");
    case JSON_ARRAY:
        return slice_equal_text(name, "array");
    case JSON_OBJECT:
        return slice_equal_text(name, "object");
    case JSON_NONE:
    default:
        return false;
    }
}

static bool check_type(struct check *check, int32_t operand)
{
    const struct json_document *rules = &check->schema->document;
    bool one = false;

    if (type_of(rules, operand) == JSON_STRING) {
        return is_of_type(check, text_of(check->schema, rules, operand));
    }
    for (uint32_t i = 0; i < count_of(rules, operand); i++) {
        one = one || is_of_type(check, text_of(check->schema, rules, operand + 1 + (int32_t)i));
    }
    return one;
}

/* Scalars only. */
static bool check_const(struct check *check, int32_t operand)
{
    const struct json_document *rules = &check->schema->document;
    enum json_type type = type_of(rules, operand);

    ck_assert(type != JSON_ARRAY && type != JSON_OBJECT);
    if (type != type_of(check->document, check->at)) {
        return false;
    }
    if (type == JSON_STRING) {
        return slice_equal(text_of(check->schema, rules, operand), text_of(check->schema, check->document, check->at));
    }
    return type != JSON_NUMBER || number_of(rules, operand) == number_of(check->document, check->at);
}

static bool check_enum(struct check *check, int32_t operand)
{
    bool one = false;

    for (uint32_t i = 0; i < count_of(&check->schema->document, operand); i++) {
        one = one || check_const(check, operand + 1 + (int32_t)i);
    }
    return one;
}

static bool check_required(struct check *check, int32_t operand)
{
    const struct json_document *rules = &check->schema->document;
    bool all = true;

    for (uint32_t i = 0; i < count_of(rules, operand) && type_of(check->document, check->at) == JSON_OBJECT; i++) {
        struct slice name = text_of(check->schema, rules, operand + 1 + (int32_t)i);

        all = all && json_member(check->document, check->at, name) != JSON_ABSENT;
    }
    return all;
}

static bool check_properties(struct check *check, int32_t operand)
{
    const struct json_document *document = check->document;
    int32_t key = check->at + 1;

    for (uint32_t i = 0; type_of(document, check->at) == JSON_OBJECT && i < count_of(document, check->at); i++) {
        int32_t rule = json_member(&check->schema->document, operand, text_of(check->schema, document, key));

        if (rule != JSON_ABSENT && !takes(check->schema, rule, document, key + 1)) {
            return false;
        }
        key = behind(document, key + 1);
    }
    return true;
}

/* What `properties` beside it does not name. */
static bool check_additional_properties(struct check *check, int32_t operand)
{
    const struct json_document *document = check->document;
    int32_t properties = json_member(&check->schema->document, check->rule, SLICE_LITERAL("properties"));
    int32_t key = check->at + 1;

    for (uint32_t i = 0; type_of(document, check->at) == JSON_OBJECT && i < count_of(document, check->at); i++) {
        struct slice name = text_of(check->schema, document, key);

        if (json_member(&check->schema->document, properties, name) == JSON_ABSENT &&
            !takes(check->schema, operand, document, key + 1)) {
            return false;
        }
        key = behind(document, key + 1);
    }
    return true;
}

static bool check_items(struct check *check, int32_t operand)
{
    const struct json_document *document = check->document;
    int32_t item = check->at + 1;

    for (uint32_t i = 0; type_of(document, check->at) == JSON_ARRAY && i < count_of(document, check->at); i++) {
        if (!takes(check->schema, operand, document, item)) {
            return false;
        }
        item = behind(document, item);
    }
    return true;
}

static bool check_items_min(struct check *check, int32_t operand)
{
    return type_of(check->document, check->at) != JSON_ARRAY ||
           count_of(check->document, check->at) >= number_of(&check->schema->document, operand);
}

static bool check_items_max(struct check *check, int32_t operand)
{
    return type_of(check->document, check->at) != JSON_ARRAY ||
           count_of(check->document, check->at) <= number_of(&check->schema->document, operand);
}

static bool check_minimum(struct check *check, int32_t operand)
{
    return type_of(check->document, check->at) != JSON_NUMBER ||
           number_of(check->document, check->at) >= number_of(&check->schema->document, operand);
}

static bool check_format(struct check *check, int32_t operand)
{
    int64_t instant;

    ck_assert(slice_equal_text(text_of(check->schema, &check->schema->document, operand), "date-time"));
    return type_of(check->document, check->at) != JSON_STRING ||
           timestamp_parse(text_of(check->schema, check->document, check->at), &instant);
}

static bool check_reference(struct check *check, int32_t operand)
{
    const struct json_document *rules = &check->schema->document;
    struct slice name = text_of(check->schema, rules, operand);
    int32_t rule;

    ck_assert(slice_starts_with(name, SLICE_LITERAL("#/$defs/")));
    rule = json_member(rules, json_member(rules, 0, SLICE_LITERAL("$defs")), slice_of(name.data + 8, name.size - 8));
    ck_assert_msg(rule != JSON_ABSENT, "%.*s leads nowhere", (int)name.size, name.data);
    return takes(check->schema, rule, check->document, check->at);
}

static uint32_t count_taken(struct check *check, int32_t operand)
{
    const struct json_document *rules = &check->schema->document;
    uint32_t count = 0;
    int32_t rule = operand + 1;

    for (uint32_t i = 0; i < count_of(rules, operand); i++) {
        count += takes(check->schema, rule, check->document, check->at) ? 1 : 0;
        rule = behind(rules, rule);
    }
    return count;
}

static bool check_all_of(struct check *check, int32_t operand)
{
    return count_taken(check, operand) == count_of(&check->schema->document, operand);
}

static bool check_any_of(struct check *check, int32_t operand)
{
    return count_taken(check, operand) > 0;
}

static bool check_if(struct check *check, int32_t operand)
{
    bool taken = takes(check->schema, operand, check->document, check->at);
    int32_t rule = json_member(&check->schema->document, check->rule, slice_from(taken ? "then" : "else"));

    return rule == JSON_ABSENT || takes(check->schema, rule, check->document, check->at);
}

static bool check_nothing(struct check *check, int32_t operand)
{
    (void)check;
    (void)operand;
    return true;
}

static const struct {
    const char *name;
    keyword_check *run;
} keywords[] = {
    {"$schema", check_nothing},
    {"$id", check_nothing},
    {"$defs", check_nothing},
    {"title", check_nothing},
    {"description", check_nothing},
    {"$ref", check_reference},
    {"type", check_type},
    {"const", check_const},
    {"enum", check_enum},
    {"required", check_required},
    {"properties", check_properties},
    {"additionalProperties", check_additional_properties},
    {"items", check_items},
    {"minItems", check_items_min},
    {"maxItems", check_items_max},
    {"minimum", check_minimum},
    {"format", check_format},
    {"allOf", check_all_of},
    {"anyOf", check_any_of},
    {"if", check_if},
    {"then", check_nothing}, /* by `if` */
    {"else", check_nothing},
};

static bool takes_keyword(struct check *check, struct slice name, int32_t operand)
{
    for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++) {
        if (slice_equal_text(name, keywords[i].name)) {
            return keywords[i].run(check, operand);
        }
    }
    ck_abort_msg("a keyword that the tests do not know: %.*s", (int)name.size, name.data);
    return false;
}

static bool takes(struct json_schema *schema, int32_t rule, const struct json_document *document, int32_t at)
{
    const struct json_document *rules = &schema->document;
    struct check check = {.schema = schema, .rule = rule, .document = document, .at = at};
    struct slice value = json_raw(document, at);
    int32_t key = rule + 1;

    if (type_of(rules, rule) != JSON_OBJECT) {
        return type_of(rules, rule) == JSON_TRUE;
    }
    for (uint32_t i = 0; i < count_of(rules, rule); i++) {
        struct slice name = text_of(schema, rules, key);

        if (!takes_keyword(&check, name, key + 1)) {
            (void)snprintf(schema->why, sizeof schema->why, "%.*s of %.*s", (int)name.size, name.data,
                           (int)(value.size < 160 ? value.size : 160), value.data);
            return false;
        }
        key = behind(rules, key + 1);
    }
    return true;
}

bool json_schema_takes(struct json_schema *schema, const char *name, const struct json_document *document)
{
    const struct json_document *rules = &schema->document;
    int32_t rule = 0;

    if (name != NULL) {
        rule = json_member(rules, json_member(rules, 0, SLICE_LITERAL("$defs")), slice_from(name));
        ck_assert_int_ne(rule, JSON_ABSENT);
    }
    schema->why[0] = '\0';
    return takes(schema, rule, document, 0);
}
