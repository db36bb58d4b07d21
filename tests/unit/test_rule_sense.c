/* All problems at once, and rules that nothing or everybody satisfies. What is said to be impossible is compared with
 * the comparisons themselves on many values: nothing that can hold may be called impossible. */
#include "common/domain/rule_parse.h"
#include "common/domain/rule_range.h"
#include "common/domain/rule_sense.h"
#include "tests/unit/unit.h"

#include <stdio.h>

Suite *rule_sense_suite(void);

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* Reads, checks and judges; the problems as "LINE PATH KIND: MESSAGE", one a line. */
static bool judge(const char *text, struct buffer *out, struct error *err)
{
    struct rule_problems problems;
    struct segment_set set;
    bool done;

    buffer_init(out, 1 << 20);
    rule_problems_init(&problems);
    segment_set_init(&set);
    set.problems = &problems;
    done = segment_set_add(&set, SLICE_LITERAL("f.json"), slice_from(text), 0, err) && segment_set_check(&set, err) &&
           rule_sense_check(&set, RULE_ERROR, err);
    rule_problems_sort(&problems);
    for (size_t i = 0; done && i < problems.count; i++) {
        const struct rule_problem *problem = &problems.items[i];

        buffer_append_format(out, "%zu %.*s %s: %.*s", problem->line, (int)problem->path.size, problem->path.data,
                             rule_problem_kind_name(problem->kind), (int)problem->message.size, problem->message.data);
        if (problem->suggestion.size > 0) {
            buffer_append_format(out, " <%.*s>", (int)problem->suggestion.size, problem->suggestion.data);
        }
        buffer_append_char(out, '\n');
    }
    done = done && buffer_finish(out, "problems", err);
    segment_set_clear(&set);
    rule_problems_clear(&problems);
    return done;
}

static void expect(const char *text, const char *wanted)
{
    struct error err = ERROR_INIT;
    struct buffer out;

    ck_assert_ok(judge(text, &out, &err));
    ck_assert_msg(strcmp(buffer_text(&out), wanted) == 0, "%s\n--- is\n%s--- not\n%s", text, buffer_text(&out), wanted);
    buffer_clear(&out);
}

#define NO_CRITERION                                                                                                   \
    "expected a criterion with one of \"event\", \"compare\", \"sequence\", \"trait\", \"segment\", \"all\", "         \
    "\"any\", \"not\", "                                                                                               \
    "\"percentile\""

static const struct {
    const char *text;
    const char *problems;
} documents[] = {
    {"{\"segmentId\":\"a\",\"criteria\":[{\"event\":\"x\"}]}", ""},
    {"{", "1 $ syntax: not JSON: unexpected end at byte 1\n"},
    {"{\"segmentId\":\"a\",\n\"owner\":1,\n\"criteria\":[\n{\"event\":\"x\",\"windw\":\"1d\"},\n{\"evnt\":\"x\"},\n"
     "{\"any\":[{\"event\":\"x\",\"window\":\"1 d\"},\n{\"event\":\"x\",\"count\":{\">\":\"a\",\"<\":true}}]}]}",
     "2 $.owner form: expected a string, got 1\n"
     "4 $.criteria[0] form: unknown key \"windw\" in an event criterion: did you mean \"window\"? <window>\n"
     "5 $.criteria[1] form: " NO_CRITERION " <event>\n"
     "6 $.criteria[2].any[0].window form: expected a duration such as \"30m\", of ms, s, m, h, d or w (more than 0, "
     "at most 36525d), got \"1 d\"\n"
     "7 $.criteria[2].any[1].count.< form: expected a number, got true\n"
     "7 $.criteria[2].any[1].count.> form: expected a number, got \"a\"\n"},
    /* a misspelt key is not missing as well */
    {"{\"segmntId\":\"a\",\"criteria\":[{\"trait\":\"t\",\"==\":1}]}",
     "1 $ form: unknown key \"segmntId\" in a segment definition (an object): did you mean \"segmentId\"? "
     "<segmentId>\n"
     "1 $.criteria[0] form: unknown key \"==\" in a trait criterion: did you mean \"=\"? <=>\n"},
    {"{\"criteria\":[]}", "1 $ form: a segment definition (an object) needs \"segmentId\"\n"
                          "1 $.criteria form: expected a non-empty array of criteria, got an empty array\n"},
    /* and and or, as most languages name them; a foreign operator is no criterion */
    {"{\"segmentId\":\"a\",\"criteria\":[{\"or\":[]},\n{\"and\":[]},\n{\"gte\":[]}]}",
     "1 $.criteria[0] form: " NO_CRITERION " <any>\n2 $.criteria[1] form: " NO_CRITERION " <all>\n"
     "3 $.criteria[2] form: " NO_CRITERION "\n"},
    /* references */
    {"[{\"segmentId\":\"a\",\"criteria\":[{\"segment\":\"bb\"},{\"segment\":\"zzzz\"}]},\n"
     "{\"segmentId\":\"b\",\"criteria\":[{\"segment\":\"c\"}]},\n{\"segmentId\":\"c\",\"criteria\":[{\"segment\":"
     "\"b\"}]},\n{\"segmentId\":\"c\",\"criteria\":[{\"segment\":\"a\",\"event\":\"x\"}]}]",
     "1 $[0].criteria[0].segment reference: unknown segment \"bb\": did you mean \"b\"? <b>\n"
     "1 $[0].criteria[1].segment reference: unknown segment \"zzzz\": give the folder that has its definition, too\n"
     "3 $[2].criteria[0].segment reference: references form a cycle: b -> c -> b\n"
     "4 $[3].criteria[0] form: a criterion cannot have both \"event\" and \"segment\"\n"
     "4 $[3].segmentId reference: segment \"c\" is already defined in f.json: $[2]\n"},
    {"[{\"segmentId\":\"pay\",\"criteria\":[{\"segment\":\"payrs\"}]},"
     "{\"segmentId\":\"payers\",\"criteria\":[{\"event\":\"x\"}],\"evaluation\":\"strean\"}]",
     "1 $[0].criteria[0].segment reference: unknown segment \"payrs\": did you mean \"payers\"? <payers>\n"
     "1 $[1].evaluation form: expected \"hybrid\", \"batch\" or \"stream\", got \"strean\" <stream>\n"},
    /* what follows from the impossible */
    {"[{\"segmentId\":\"a\",\"criteria\":[{\"event\":\"x\",\"count\":{\"<\":0}}]},"
     "{\"segmentId\":\"b\",\"criteria\":[{\"any\":[{\"segment\":\"a\"},{\"event\":\"y\"}]}]},"
     "{\"segmentId\":\"c\",\"criteria\":[{\"segment\":\"b\"}]}]",
     "1 $[0].criteria[0].count impossible: impossible: no count (a whole number from 0) satisfies this comparison\n"
     "1 $[1].criteria[0].any[0].segment impossible: impossible: that segment can have no members\n"},
    {"{\"segmentId\":\"a\",\"criteria\":[{\"trait\":\"t\",\"=\":\"x\"},{\"event\":\"e\"},{\"trait\":\"t\",\"=\":"
     "\"y\"}]}",
     "1 $.criteria[2] impossible: impossible: this and criteria[0] cannot hold together\n"},
    {"{\"segmentId\":\"a\",\"criteria\":[{\"any\":[{\"trait\":\"t\",\"=\":\"x\"},{\"trait\":\"t\",\"=\":\"y\"}]}]}",
     ""},
    {"{\"segmentId\":\"a\",\"criteria\":[{\"event\":\"e\",\"window\":\"60m\"}],\"exclude\":[{\"event\":\"e\","
     "\"window\":\"1h\"}]}",
     "1 $.exclude[0] impossible: impossible: this excludes everybody whom criteria[0] lets in\n"},
    {"{\"segmentId\":\"a\",\"criteria\":[{\"event\":\"e\"}],\"exclude\":[{\"event\":\"e\"}],\"membershipMode\":"
     "\"sticky\",\"membershipDuration\":\"1d\"}",
     ""},
    {"{\"segmentId\":\"a\",\"criteria\":[{\"event\":\"e\",\"count\":{\">=\":0}}]}",
     "1 $.criteria always: every known user is a member, always\n"
     "1 $.criteria[0].count always: every number satisfies this comparison: so does every known user\n"},
    {"{\"segmentId\":\"a\",\"criteria\":[{\"event\":\"e\",\"notFollowedBy\":{\"event\":\"f\"},\"within\":\"1d\","
     "\"orLater\":true,\"same\":[\"s\"]}]}",
     "1 $.evaluation stream: apply refuses this: a stream has no bound for its state: notFollowedBy with orLater and "
     "same but no window; say \"evaluation\": \"batch\", or give the criterion a \"window\"\n"},
};

START_TEST(all_problems_are_told)
{
    expect(documents[_i].text, documents[_i].problems);
}
END_TEST

/* One criterion each, and whether it is impossible. */
static const struct {
    bool impossible;
    const char *criterion;
} criteria[] = {
    {true, "{\"event\":\"x\",\"count\":{\"<\":0}}"},
    {false, "{\"event\":\"x\",\"count\":{\"<\":1}}"},
    {true, "{\"event\":\"x\",\"count\":{\"=\":2.5}}"},
    {true, "{\"event\":\"x\",\"count\":{\">\":5,\"<\":6}}"},
    {true, "{\"event\":\"x\",\"count\":{\">\":5,\"<\":7,\"!=\":6}}"},
    {false, "{\"event\":\"x\",\"count\":{\">\":5,\"<\":8,\"!=\":6}}"},
    {true, "{\"event\":\"x\",\"sum\":{\"property\":\"p\",\">\":1,\"<\":1.000001}}"},
    {false, "{\"event\":\"x\",\"sum\":{\"property\":\"p\",\">\":1,\"<\":1.000002}}"},
    {false, "{\"event\":\"x\",\"sum\":{\"property\":\"p\",\">\":9200000000000}}"},
    {true, "{\"event\":\"x\",\"max\":{\"property\":\"p\",\">\":9200000000000}}"},
    {false, "{\"event\":\"x\",\"avg\":{\"property\":\"p\",\">\":1,\"<\":1.000001}}"},
    {true, "{\"event\":\"x\",\"avg\":{\"property\":\"p\",\">\":1,\"<=\":1}}"},
    {true, "{\"event\":\"x\",\"avg\":{\"property\":\"p\",\">=\":1,\"<=\":1,\"!=\":1}}"},
    {true, "{\"event\":\"x\",\"window\":\"7d\",\"last\":{\">=\":\"7d\"}}"},
    {false, "{\"event\":\"x\",\"window\":\"7d\",\"last\":{\">\":\"6d23h\"}}"},
    {false, "{\"event\":\"x\",\"window\":\"7d\",\"slide\":\"1h\",\"last\":{\">=\":\"7d\"}}"},
    {true, "{\"event\":\"x\",\"window\":\"7d\",\"offset\":\"1d\",\"first\":{\"<\":\"1d\"}}"},
    {false, "{\"event\":\"x\",\"window\":\"7d\",\"offset\":\"1d\",\"first\":{\"<=\":\"1d\"}}"},
    {false, "{\"event\":\"x\",\"last\":{\">\":\"100d\"}}"},
    {true, "{\"event\":\"x\",\"window\":\"7d\",\"distinct\":{\"period\":\"month\",\">\":9}}"},
    {false, "{\"event\":\"x\",\"window\":\"7d\",\"distinct\":{\"period\":\"day\",\">\":7}}"},
    {true, "{\"event\":\"x\",\"latest\":{\"product\":[\"p\",\"q\"],\"=\":\"a\"}}"},
    {false, "{\"event\":\"x\",\"latest\":{\"product\":[\"p\",\"q\"],\"exists\":false}}"},
    {true, "{\"event\":\"x\",\"where\":[{\"property\":\"p\",\">\":3},{\"property\":\"q\",\">\":3},{\"property\":\"p\","
           "\"<\":2}]}"},
    {false, "{\"event\":\"x\",\"where\":[{\"property\":\"p\",\">\":3},{\"property\":\"q\",\"<\":2}]}"},
    {true, "{\"trait\":\"t\",\"startsWith\":\"ab\",\">\":\"b\"}"},
    {false, "{\"trait\":\"t\",\"startsWith\":\"ab\",\"<\":\"ac\"}"},
    {true, "{\"trait\":\"t\",\"startsWith\":\"ab\",\"in\":[\"b\",\"ac\"]}"},
    {true, "{\"trait\":\"t\",\"exists\":false,\"!=\":1}"},
    {true, "{\"trait\":\"t\",\">\":3,\"<\":\"a\"}"},
    {false, "{\"trait\":\"t\",\"contains\":1}"},
    {true, "{\"trait\":\"t\",\"contains\":1,\"startsWith\":\"a\"}"},
    {true, "{\"trait\":\"t\",\"age\":{\">=\":\"18y\",\"<\":\"18y\"}}"},
    {false, "{\"trait\":\"t\",\"age\":{\">\":\"18y\",\"<\":\"19y\"}}"},
    {true, "{\"trait\":\"t\",\"age\":{\">\":\"18y\",\"<\":\"6569d\"}}"},
    {false, "{\"trait\":\"t\",\"age\":{\">\":\"18y\",\"<\":\"6575d\"}}"},
    {false, "{\"trait\":\"t\",\"until\":{\"<\":\"1ms\"}}"},
    {true, "{\"trait\":\"t\",\"until\":{\"<\":\"1d\",\">\":\"1d\"}}"},
    /* an absence holds from a.t + within on, while the a counts */
    {true, "{\"event\":\"a\",\"notFollowedBy\":{\"event\":\"b\"},\"within\":\"1h\",\"window\":\"1h\"}"},
    {false, "{\"event\":\"a\",\"notFollowedBy\":{\"event\":\"b\"},\"within\":\"1h\",\"window\":\"3600001ms\"}"},
    {false, "{\"event\":\"a\",\"notFollowedBy\":{\"event\":\"b\"},\"within\":\"1h\",\"window\":\"1h\",\"offset\":"
            "\"1h\"}"},
    {false, "{\"event\":\"a\",\"notFollowedBy\":{\"event\":\"b\"},\"within\":\"1h\",\"window\":\"1h\",\"slide\":"
            "\"1m\"}"},
    {true, "{\"event\":\"a\",\"notFollowedBy\":{\"event\":\"b\"},\"within\":\"9d\",\"window\":{\"calendar\":\"day\","
           "\"last\":3}}"},
    {false, "{\"event\":\"a\",\"notFollowedBy\":{\"event\":\"b\"},\"within\":\"3d\",\"window\":{\"calendar\":\"day\","
            "\"last\":3}}"},
    /* what where leaves to be measured, and to be the same */
    {true, "{\"event\":\"x\",\"where\":[{\"property\":\"p\",\"exists\":false}],\"min\":{\"property\":\"p\",\"<\":6}}"},
    {false, "{\"event\":\"x\",\"where\":[{\"property\":\"q\",\"exists\":false}],\"min\":{\"property\":\"p\",\"<\":6}}"},
    {true,
     "{\"event\":\"x\",\"where\":[{\"property\":\"p\",\">=\":\"k\"}],\"min\":{\"product\":[\"p\",\"q\"],\">=\":4}}"},
    {true,
     "{\"event\":\"x\",\"where\":[{\"property\":\"q\",\">=\":\"k\"}],\"sum\":{\"product\":[\"p\",\"q\"],\">\":0}}"},
    {false, "{\"event\":\"x\",\"where\":[{\"property\":\"q\",\">=\":3}],\"sum\":{\"product\":[\"p\",\"q\"],\">\":0}}"},
    {true, "{\"event\":\"x\",\"where\":[{\"property\":\"p\",\"!=\":2}],\"max\":{\"property\":\"p\",\"=\":2}}"},
    {false, "{\"event\":\"x\",\"where\":[{\"property\":\"p\",\"!=\":2}],\"sum\":{\"property\":\"p\",\"=\":2}}"},
    {true,
     "{\"event\":\"x\",\"where\":[{\"property\":\"p\",\"=\":\"a\"}],\"latest\":{\"property\":\"p\",\"=\":\"b\"}}"},
    {false,
     "{\"event\":\"x\",\"where\":[{\"property\":\"p\",\"exists\":false}],\"latest\":{\"property\":\"p\",\"exists\":"
     "false}}"},
    {true,
     "{\"event\":\"x\",\"where\":[{\"property\":\"p\",\"exists\":false}],\"distinct\":{\"property\":\"p\",\">\":0}}"},
    {true, "{\"sequence\":[{\"event\":\"a\"},{\"event\":\"b\",\"where\":[{\"property\":\"p\",\"exists\":false}]}],"
           "\"within\":\"1h\",\"same\":[\"p\"]}"},
    {true, "{\"event\":\"a\",\"where\":[{\"property\":\"p\",\"exists\":false}],\"notFollowedBy\":{\"event\":\"b\"},"
           "\"within\":\"1h\",\"same\":[\"p\"]}"},
    {false, "{\"event\":\"a\",\"notFollowedBy\":{\"event\":\"b\",\"where\":[{\"property\":\"p\",\"exists\":false}]},"
            "\"within\":\"1h\",\"same\":[\"p\"]}"},
    {true, "{\"all\":[{\"trait\":\"t\",\"age\":{\"<=\":\"2d\"}},{\"trait\":\"t\",\"age\":{\">\":\"2d\"}}]}"},
    {false, "{\"all\":[{\"trait\":\"t\",\"age\":{\"<=\":\"2d\"}},{\"trait\":\"t\",\"age\":{\">=\":\"2d\"}}]}"},
    {false, "{\"all\":[{\"trait\":\"t\",\"age\":{\"<=\":\"2d\"}},{\"trait\":\"s\",\"age\":{\">\":\"2d\"}}]}"},
    {true, "{\"all\":[{\"trait\":\"t\",\"age\":{\">\":\"1ms\"}},{\"trait\":\"t\",\"until\":{\"<\":\"2d\"}}]}"},
    {false, "{\"all\":[{\"trait\":\"t\",\"age\":{\"<\":\"1ms\"}},{\"trait\":\"t\",\"until\":{\"<\":\"2d\"}}]}"},
    /* only the last step of a sequence must be in the window */
    {false, "{\"sequence\":[{\"event\":\"a\"},{\"event\":\"b\"}],\"within\":\"9d\",\"window\":\"1h\"}"},
    {true, "{\"compare\":{\"left\":{\"event\":\"a\",\"count\":{}},\"op\":\">\",\"right\":{\"event\":\"a\",\"count\":"
           "{}}}}"},
    {false, "{\"compare\":{\"left\":{\"event\":\"a\",\"count\":{}},\"op\":\">\",\"right\":{\"event\":\"a\",\"count\":"
            "{}},\"times\":0.5}}"},
    {true, "{\"compare\":{\"left\":{\"event\":\"a\",\"count\":{}},\"op\":\"<\",\"right\":{\"event\":\"b\",\"count\":"
           "{}},\"times\":-2}}"},
};

START_TEST(impossible_criteria_are_found)
{
    struct error err = ERROR_INIT;
    struct buffer out;
    char text[1024];

    (void)snprintf(text, sizeof(text), "{\"segmentId\":\"a\",\"criteria\":[%s]}", criteria[_i].criterion);
    ck_assert_ok(judge(text, &out, &err));
    ck_assert_msg((strstr(buffer_text(&out), " impossible: ") != NULL) == criteria[_i].impossible, "%s: %s", text,
                  buffer_text(&out));
    buffer_clear(&out);
}
END_TEST

/* ---- against the comparisons themselves ---- */

static struct value number(int64_t micros)
{
    return (struct value){.type = VALUE_NUMBER, .micros = micros};
}

/* Operands close to each other; the values tried are these and their neighbours. */
static const int64_t edges[] = {-2, -1, 0, 1, 2, 999999, 1000000, 1000001, 2000000};

/* Averages are tried as halves. */
static bool a_quotient_holds(const struct rule_comparison *comparison, enum rule_numbers numbers)
{
    static const int64_t around[] = {-5000000, 0, 1000000, 2000000, 3000000, 5000000};
    int64_t count = numbers == RULE_NUMBERS_AVERAGE ? 2 : 1;

    for (int i = 0; i < COUNT_OF(around); i++) {
        for (int64_t off = -12; off <= 12; off++) {
            struct quotient value = {.exists = true, .sum = around[i] * count + off, .count = count};

            if (numbers == RULE_NUMBERS_WHOLE && (value.sum < 0 || off != 0)) {
                continue;
            }
            if (comparison_quotient(comparison, &value)) {
                return true;
            }
        }
    }
    return false;
}

START_TEST(numbers_agree_with_trying)
{
    enum rule_numbers numbers = (enum rule_numbers)_i;

    for (size_t i = 0; i < 6 * COUNT_OF(edges); i++) {
        for (size_t k = 0; k < 6 * COUNT_OF(edges); k++) {
            struct value operands[2] = {number(edges[i / 6]), number(edges[k / 6])};
            struct rule_term terms[2] = {
                {.op = (enum rule_operator)(RULE_EQUAL + i % 6), .operands = &operands[0], .operand_count = 1},
                {.op = (enum rule_operator)(RULE_EQUAL + k % 6), .operands = &operands[1], .operand_count = 1},
            };
            struct rule_comparison comparison = {.terms = terms, .term_count = 2};
            enum rule_truth truth = rule_range_numbers(terms, 2, numbers, RULE_UNBOUNDED);

            ck_assert_msg((truth == RULE_NEVER) == !a_quotient_holds(&comparison, numbers), "%d: %s %ld, %s %ld", _i,
                          rule_operator_name(terms[0].op), (long)edges[i / 6], rule_operator_name(terms[1].op),
                          (long)edges[k / 6]);
        }
    }
}
END_TEST

/* Every pair and triple of terms over a few operands: where one of many values satisfies it, it is not impossible. */
START_TEST(values_that_hold_are_possible)
{
    static const char *const texts[] = {"", "a", "ab", "abc", "b", "ba", "c", "zz"};
    struct comparison_scratch scratch;
    struct value tried[24] = {{.type = VALUE_MISSING},
                              {.type = VALUE_BOOLEAN, .boolean = true},
                              {.type = VALUE_BOOLEAN, .boolean = false},
                              {.type = VALUE_COMPOUND, .text = SLICE_LITERAL("[1,\"a\",true]")},
                              {.type = VALUE_COMPOUND, .text = SLICE_LITERAL("{}")}};
    struct value operands[6] = {number(0), number(1), {0}, {0}, {0}, {.type = VALUE_BOOLEAN, .boolean = true}};
    size_t tried_count = 5;
    size_t possible = 0;
    size_t impossible = 0;

    comparison_scratch_init(&scratch);
    for (int i = 0; i < COUNT_OF(texts); i++) {
        tried[tried_count++] = (struct value){.type = VALUE_STRING, .text = slice_from(texts[i])};
    }
    for (int64_t micros = -2; micros <= 3; micros++) {
        tried[tried_count++] = number(micros);
    }
    operands[2] = tried[6];
    operands[3] = tried[7];
    operands[4] = tried[9];
    for (size_t i = 0; i < 72 * 72 * 72; i += 5) {
        size_t picks[3] = {i % 72, i / 72 % 72, i / 72 / 72};
        struct rule_term terms[3];
        struct rule_comparison comparison = {.terms = terms, .term_count = 3};
        enum rule_truth truth;
        bool holds = false;

        for (size_t k = 0; k < 3; k++) {
            enum rule_operator op = (enum rule_operator)(RULE_EQUAL + picks[k] / 6);
            struct value *operand = &operands[picks[k] % 6];

            if ((op == RULE_STARTS_WITH || op == RULE_ENDS_WITH) && operand->type != VALUE_STRING) {
                operand = &operands[2];
            }
            if (operand->type == VALUE_BOOLEAN && op >= RULE_GREATER && op <= RULE_LESS_EQUAL) {
                operand = &operands[0];
            }
            terms[k] = (struct rule_term){.op = op, .operands = operand, .operand_count = 1};
            if (op == RULE_EXISTS) {
                terms[k] = (struct rule_term){.op = op, .exists = picks[k] % 2 == 0};
            }
        }
        truth = rule_range_values(terms, 3, false, &scratch);
        for (size_t k = 0; !holds && k < tried_count; k++) {
            holds = comparison_value(&comparison, &tried[k], &scratch);
        }
        possible += holds ? 1 : 0;
        impossible += truth == RULE_NEVER ? 1 : 0;
        ck_assert_msg(!holds || truth != RULE_NEVER, "%s %s %s is possible", rule_operator_name(terms[0].op),
                      rule_operator_name(terms[1].op), rule_operator_name(terms[2].op));
    }
    ck_assert_uint_gt(possible, 1000);
    ck_assert_uint_gt(impossible, 1000);
    comparison_scratch_clear(&scratch);
}
END_TEST

static bool judge_scenario(void *context, struct error *err)
{
    struct buffer out;
    bool done = judge(context, &out, err);

    buffer_clear(&out);
    return done;
}

START_TEST(every_allocation_may_fail)
{
    static char text[] = "[{\"segmentId\":\"a\",\"ownr\":1,\"criteria\":[{\"segment\":\"x\"},{\"evnt\":1},{\"event\":"
                         "\"e\",\"count\":{\"<\":0}}]},{\"segmentId\":\"a\",\"criteria\":[{\"trait\":\"t\",\"contains\""
                         ":1,\"=\":\"a\"}]}]";

    unit_fail_each_allocation(judge_scenario, text);
}
END_TEST

Suite *rule_sense_suite(void)
{
    Suite *suite = suite_create("rule_sense");
    TCase *cases = tcase_create("rule_sense");

    tcase_add_loop_test(cases, all_problems_are_told, 0, COUNT_OF(documents));
    tcase_add_loop_test(cases, impossible_criteria_are_found, 0, COUNT_OF(criteria));
    tcase_add_loop_test(cases, numbers_agree_with_trying, RULE_NUMBERS_WHOLE, RULE_NUMBERS_AVERAGE + 1);
    tcase_add_test(cases, values_that_hold_are_possible);
    tcase_add_test(cases, every_allocation_may_fail);
    suite_add_tcase(suite, cases);
    return suite;
}
