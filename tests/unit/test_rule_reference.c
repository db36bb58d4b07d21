/* The reference says what the parser takes: schemas/segment-language.md is generated, and every example is accepted and
 * makes sense. */
#include "common/base/file.h"
#include "common/domain/rule_operators.h"
#include "common/domain/rule_parse.h"
#include "common/domain/rule_reader.h"
#include "common/domain/rule_reference.h"
#include "common/domain/rule_sense.h"
#include "tests/unit/unit.h"

#include <stdio.h>

Suite *rule_reference_suite(void);

START_TEST(committed_reference_is_the_generated_one)
{
    struct error err = ERROR_INIT;
    struct buffer committed;
    struct buffer generated;

    buffer_init(&committed, 1 << 20);
    buffer_init(&generated, 1 << 20);
    ck_assert_ok(file_read("schemas/segment-language.md", &committed, &err));
    rule_reference_markdown(&generated);
    ck_assert_ok(buffer_finish(&generated, "the reference", &err));
    ck_assert_msg(memmem(generated.data, generated.size, "|  |", 4) == NULL, "a cell is empty");
    ck_assert_msg(slice_equal(buffer_slice(&committed), buffer_slice(&generated)),
                  "make reference brings schemas/segment-language.md up to date");
    buffer_clear(&committed);
    buffer_clear(&generated);
}
END_TEST

static bool accepts(void *context, const struct rule_entry *entry)
{
    struct error err = ERROR_INIT;
    struct rule_problems problems;
    struct segment_set set;
    size_t *count = context;
    char text[2048];

    (void)snprintf(text, sizeof(text),
                   "[{\"segmentId\":\"a\",\"evaluation\":\"batch\",\"criteria\":[%s]},"
                   "{\"segmentId\":\"high_value\",\"criteria\":[{\"event\":\"x\"}]}]",
                   entry->example);
    rule_problems_init(&problems);
    segment_set_init(&set);
    set.problems = &problems;
    ck_assert_ok(segment_set_add(&set, SLICE_LITERAL("f.json"), slice_from(text), 0, &err));
    ck_assert_ok(segment_set_check(&set, &err));
    ck_assert_ok(rule_sense_check(&set, RULE_ERROR, &err));
    ck_assert_msg(problems.count == 0, "%s: %s", entry->name,
                  problems.count == 0 ? "" : problems.items[0].message.data);
    ck_assert_msg(strstr(entry->example, entry->name) != NULL, "the example of %s does not show it", entry->name);
    ck_assert_msg(entry->state[0] != '\0' && entry->sql[0] != '\0', "%s", entry->name);
    ck_assert_msg(entry->help[0] != '\0' && entry->place[0] != '\0' && entry->operand[0] != '\0', "%s", entry->name);
    segment_set_clear(&set);
    rule_problems_clear(&problems);
    ++*count;
    return true;
}

START_TEST(examples_are_accepted)
{
    size_t count = 0;
    size_t form_count = 0;

    ck_assert(rule_reference_each(accepts, &count));
    for (size_t i = 1; i < CRITERION_OPERATOR_COUNT; i++) {
        form_count += criterion_operators[i].shorthand.form == NULL ? 1 : 2;
    }
    ck_assert_uint_eq(count, form_count + MEASURE_OPERATOR_COUNT - 1 + COMPARISON_OPERATOR_COUNT - 1);
}
END_TEST

START_TEST(every_key_has_help)
{
    const struct rule_form *const *const groups[] = {rule_forms_definition, rule_forms_criterion, rule_forms_event};

    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        for (const struct rule_form *const *form = groups[i]; *form != NULL; form++) {
            for (const struct rule_key *key = (*form)->keys; key->name != NULL; key++) {
                bool measure = key->read == rule_key_measure || key->read == rule_key_measure_operand;

                ck_assert_msg(measure || key->help != NULL, "%s.%s", (*form)->name, key->name);
            }
        }
    }
}
END_TEST

Suite *rule_reference_suite(void)
{
    Suite *suite = suite_create("rule_reference");
    TCase *cases = tcase_create("rule_reference");

    tcase_add_test(cases, committed_reference_is_the_generated_one);
    tcase_add_test(cases, examples_are_accepted);
    tcase_add_test(cases, every_key_has_help);
    suite_add_tcase(suite, cases);
    return suite;
}
