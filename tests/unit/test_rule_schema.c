/* schemas/segment-definition.schema.json is written by hand, for editors; the parser's tables decide. Neither may have
 * a key or a word that the other lacks. */
#include "common/base/file.h"
#include "common/domain/rule_reader.h"
#include "tests/unit/unit.h"

#include <stdio.h>

Suite *rule_schema_suite(void);

struct schema {
    struct buffer text;
    struct json_document document;
    struct arena arena;
    int32_t definitions; /* $defs */
};

static void schema_open(struct schema *schema)
{
    static const struct json_limits limits = {.depth_max = 64, .size_max = 1 << 20};
    struct error err = ERROR_INIT;

    buffer_init(&schema->text, 1 << 20);
    arena_init(&schema->arena, 1 << 20);
    json_document_init(&schema->document);
    ck_assert_ok(file_read("schemas/segment-definition.schema.json", &schema->text, &err));
    ck_assert_ok(json_parse(&schema->document, buffer_slice(&schema->text), &limits, &err));
    schema->definitions = json_member(&schema->document, 0, SLICE_LITERAL("$defs"));
    ck_assert_int_ne(schema->definitions, JSON_ABSENT);
}

static void schema_close(struct schema *schema)
{
    json_document_clear(&schema->document);
    arena_clear(&schema->arena);
    buffer_clear(&schema->text);
}

static int32_t member(const struct schema *schema, int32_t object, const char *key)
{
    return json_member(&schema->document, object, slice_from(key));
}

static struct slice text_at(struct schema *schema, int32_t token)
{
    struct slice text = SLICE_LITERAL("");

    ck_assert(json_string(&schema->document, token, &schema->arena, &text));
    return text;
}

static uint32_t count_at(const struct schema *schema, int32_t token)
{
    return token == JSON_ABSENT ? 0 : schema->document.tokens[token].count;
}

/* Whether the array of strings (or nothing) holds the text. */
static bool lists(struct schema *schema, int32_t array, const char *text)
{
    for (uint32_t i = 0; i < count_at(schema, array); i++) {
        if (slice_equal_text(text_at(schema, array + 1 + (int32_t)i), text)) {
            return true;
        }
    }
    return false;
}

/* The schema of a key, its "$ref" followed. */
static int32_t resolve(struct schema *schema, int32_t token)
{
    int32_t reference = member(schema, token, "$ref");
    struct slice name;

    if (reference == JSON_ABSENT) {
        return token;
    }
    name = text_at(schema, reference);
    ck_assert(slice_starts_with(name, SLICE_LITERAL("#/$defs/")));
    token = json_member(&schema->document, schema->definitions, slice_of(name.data + 8, name.size - 8));
    ck_assert_msg(token != JSON_ABSENT, "%.*s leads nowhere", (int)name.size, name.data);
    return token;
}

static void compare_words(struct schema *schema, const struct rule_form *form, const struct rule_key *key,
                          int32_t token)
{
    int32_t words = member(schema, resolve(schema, token), "enum");

    ck_assert_msg(count_at(schema, words) == key->words->count - 1, "%s.%s: %u words", form->name, key->name,
                  count_at(schema, words));
    for (size_t i = 1; i < key->words->count; i++) {
        ck_assert_msg(lists(schema, words, rule_words_at(key->words, i)), "%s.%s lacks %s", form->name, key->name,
                      rule_words_at(key->words, i));
    }
}

static void compare_form(struct schema *schema, const struct rule_form *form)
{
    int32_t definition = member(schema, schema->definitions, form->name);
    int32_t properties = member(schema, definition, "properties");
    int32_t required = member(schema, definition, "required");
    int32_t closed = member(schema, definition, "additionalProperties");
    uint32_t key_count = 0;
    uint32_t required_count = 0;

    ck_assert_msg(properties != JSON_ABSENT, "the schema has no properties of %s", form->name);
    ck_assert_msg(closed != JSON_ABSENT && schema->document.tokens[closed].type == JSON_FALSE, "%s is open",
                  form->name);
    for (const struct rule_key *key = form->keys; key->name != NULL; key++) {
        int32_t property = member(schema, properties, key->name);

        ck_assert_msg(property != JSON_ABSENT, "the schema's %s lacks %s", form->name, key->name);
        (void)resolve(schema, property);
        ck_assert_msg(lists(schema, required, key->name) == key->required, "%s.%s: required?", form->name, key->name);
        key_count++;
        required_count += key->required ? 1 : 0;
        if (key->words != NULL) {
            compare_words(schema, form, key, property);
        }
    }
    for (size_t op = 1; op < rule_words_operator.count; op++) {
        const char *name = rule_words_at(&rule_words_operator, op);
        bool taken = rule_operands_take(form->operands, (enum rule_operator)op);

        ck_assert_msg((member(schema, properties, name) != JSON_ABSENT) == taken, "%s: operator %s?", form->name, name);
        key_count += taken ? 1 : 0;
    }
    ck_assert_msg(count_at(schema, properties) == key_count, "the schema's %s has %u keys, the parser %u", form->name,
                  count_at(schema, properties), key_count);
    ck_assert_msg(count_at(schema, required) == required_count, "%s requires another number of keys", form->name);
}

START_TEST(schema_lists_what_the_parser_takes)
{
    const struct rule_form *const *const groups[] = {rule_forms_definition, rule_forms_criterion, rule_forms_event};
    struct schema schema;
    uint32_t form_count = 0;
    uint32_t object_count = 0;
    int32_t token;

    schema_open(&schema);
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        for (const struct rule_form *const *form = groups[i]; *form != NULL; form++) {
            compare_form(&schema, *form);
            form_count++;
        }
    }
    token = schema.definitions + 1;
    for (uint32_t i = 0; i < count_at(&schema, schema.definitions); i++) {
        object_count += member(&schema, token + 1, "properties") != JSON_ABSENT ? 1 : 0;
        token = (int32_t)schema.document.tokens[token + 1].end_token;
    }
    ck_assert_uint_eq(object_count, form_count);
    schema_close(&schema);
}
END_TEST

Suite *rule_schema_suite(void)
{
    Suite *suite = suite_create("rule_schema");
    TCase *tests = tcase_create("rule_schema");

    tcase_add_test(tests, schema_lists_what_the_parser_takes);
    suite_add_tcase(suite, tests);
    return suite;
}
