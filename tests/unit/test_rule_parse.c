/* The parser of definitions: what it accepts, and that every message names file, path and what was expected. */
#include "common/base/buffer.h"
#include "common/domain/rule_parse.h"
#include "common/domain/rule_reader.h"
#include "tests/unit/unit.h"

#include <stdio.h>

Suite *rule_parse_suite(void);

enum { TEXT_SIZE = 8192 };

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* Adds and checks one document, or the definition "a" with this one criterion. */
static bool read_text(struct segment_set *set, const char *text, bool criterion, struct error *err)
{
    char document[TEXT_SIZE];

    segment_set_init(set);
    if (criterion) {
        (void)snprintf(document, sizeof(document), "{\"segmentId\":\"a\",\"criteria\":[%s]}", text);
    } else {
        (void)snprintf(document, sizeof(document), "%s", text);
    }
    return segment_set_add(set, SLICE_LITERAL("f.json"), slice_from(document), 0, err) && segment_set_check(set, err);
}

static void expect_refused(const char *text, bool criterion, const char *message)
{
    struct error err = ERROR_INIT;
    struct segment_set set;
    char wanted[TEXT_SIZE];

    (void)snprintf(wanted, sizeof(wanted), "f.json: $%s", message);
    ck_assert_msg(!read_text(&set, text, criterion, &err), "accepted: %s", text);
    segment_set_clear(&set);
    ck_assert_msg(err.code == ERROR_INPUT, "%s: code %s: %s", text, error_code_name(err.code), err.message);
    ck_assert_msg(strcmp(err.message, wanted) == 0, "%s:\n     is \"%s\"\n not \"%s\"", text, err.message, wanted);
}

/* ---- accepted ---- */

static const char *const accepted_criteria[] = {
    "{\"event\":\"x\"}",
    "{\"event\":[\"x\",\"y\"],\"where\":[]}",
    "{\"event\":\"*\",\"window\":\"1h30m\"}",
    "{\"event\":\"x\",\"window\":\"P1DT12H\",\"offset\":\"1d\",\"slide\":\"1h\"}",
    "{\"event\":\"x\",\"window\":{\"calendar\":\"day\"}}",
    "{\"event\":\"x\",\"window\":{\"calendar\":\"quarter\",\"last\":7,\"complete\":true,\"zone\":\"Europe/Berlin\"}}",
    "{\"event\":\"x\",\"window\":{\"calendar\":\"week\",\"zone\":\"Etc/GMT+3\"}}",
    "{\"event\":\"x\",\"where\":[{\"property\":\"a.b\",\"=\":\"s\"},{\"property\":\"c\",\"!=\":1.5,\">\":\"b\","
    "\">=\":-2e3}]}",
    "{\"event\":\"x\",\"where\":[{\"property\":\"p\",\"<\":1,\"<=\":2,\"in\":[1,\"a\",true],\"notIn\":[false]}]}",
    "{\"event\":\"x\",\"where\":[{\"property\":\"p\",\"exists\":false,\"contains\":true,\"startsWith\":\"\","
    "\"endsWith\":\"z\"}]}",
    "{\"event\":\"x\",\"count\":{\"=\":0}}",
    "{\"event\":\"x\",\"sum\":{\"property\":\"p\",\">\":9200000000000}}",
    "{\"event\":\"x\",\"avg\":{\"product\":[\"p\",\"q\"],\">\":-9200000000000}}",
    "{\"event\":\"x\",\"min\":{\"property\":\"p\",\"<\":1},\"window\":\"1d\"}",
    "{\"event\":\"x\",\"max\":{\"property\":\"p\",\"<\":1}}",
    "{\"event\":\"x\",\"distinct\":{\"property\":\"p\",\"<\":1}}",
    "{\"event\":\"x\",\"distinct\":{\"period\":\"day\",\"zone\":\"UTC\",\"<\":1}}",
    "{\"event\":\"x\",\"distinct\":{\"period\":\"month\",\"!=\":1}}",
    "{\"event\":\"x\",\"first\":{\"<\":\"2d\",\">=\":\"1ms\"}}",
    "{\"event\":\"x\",\"last\":{\"=\":\"36525d\"}}",
    "{\"event\":\"x\",\"latest\":{\"property\":\"p\",\"exists\":false}}",
    "{\"event\":\"x\",\"earliest\":{\"property\":\"p\",\"in\":[\"a\"]}}",
    "{\"compare\":{\"left\":{\"event\":\"x\",\"count\":{}},\"op\":\">\",\"right\":{\"event\":\"x\","
    "\"distinct\":{\"period\":\"day\"}},"
    "\"times\":-0.5}}",
    "{\"compare\":{\"left\":{\"event\":\"x\",\"window\":\"1d\",\"offset\":\"1d\",\"sum\":{\"property\":\"p\"}},"
    "\"op\":\"!=\","
    "\"right\":{\"event\":\"*\",\"where\":[],\"max\":{\"product\":[\"p\",\"q\"]}}}}",
    "{\"event\":\"x\",\"notFollowedBy\":{\"event\":\"y\"},\"within\":\"1d\"}",
    "{\"event\":\"x\",\"notFollowedBy\":{\"event\":[\"y\"],\"where\":[{\"property\":\"p\",\"=\":1}]},"
    "\"within\":\"1d\",\"window\":\"2d\","
    "\"offset\":\"1h\",\"slide\":\"1h\",\"orLater\":true,\"same\":[\"sku\",\"a.b\"]}",
    "{\"event\":\"x\",\"notFollowedBy\":{\"event\":\"y\"},\"within\":\"1d\",\"orLater\":false}",
    "{\"event\":\"x\",\"window\":\"30m\",\"condition\":\"no_y_after\",\"where\":[],\"same\":[\"sku\"]}",
    "{\"sequence\":[{\"event\":\"x\"},{\"event\":\"*\",\"where\":[]}],\"within\":\"1d\",\"same\":[\"s\"],"
    "\"window\":\"1d\",\"offset\":\"1d\"}",
    "{\"trait\":\"tier\",\"=\":\"gold\"}",
    "{\"trait\":\"a.b\",\"exists\":true}",
    "{\"trait\":\"born\",\"age\":{\">=\":\"18y\",\"<\":\"36525d\"}}",
    "{\"trait\":\"end\",\"until\":{\"<=\":\"7d\"}}",
    "{\"all\":[{\"any\":[{\"not\":{\"event\":\"x\"}}]}]}",
};

START_TEST(criteria_are_accepted)
{
    struct error err = ERROR_INIT;
    struct segment_set set;

    ck_assert_msg(read_text(&set, accepted_criteria[_i], true, &err), "%s: %s", accepted_criteria[_i], err.message);
    ck_assert_uint_eq(set.definition_count, 1);
    ck_assert_uint_eq(set.definitions[0].criterion_count, 1);
    segment_set_clear(&set);
}
END_TEST

/* ---- refused: criteria ---- */

#define DURATION "expected a duration such as \"30m\", of ms, s, m, h, d or w (more than 0, at most 36525d), got "
#define SCALAR "expected a string, a number or a boolean, got "
#define PATH "expected the dotted path of a property such as \"product.category\", got "

static const struct {
    const char *text;
    const char *message;
} refused_criteria[] = {
    /* which form */
    {"{}",
     ".criteria[0]: expected a criterion with one of \"event\", \"compare\", \"sequence\", \"trait\", \"segment\", "
     "\"all\", \"any\", \"not\", \"percentile\""},
    {"{\"where\":[]}",
     ".criteria[0]: expected a criterion with one of \"event\", \"compare\", \"sequence\", \"trait\", "
     "\"segment\", \"all\", \"any\", \"not\", \"percentile\""},
    {"\"x\"", ".criteria[0]: expected a criterion (an object), got \"x\""},
    {"null", ".criteria[0]: expected a criterion (an object), got null"},
    {"{\"event\":\"x\",\"trait\":\"y\"}", ".criteria[0]: a criterion cannot have both \"event\" and \"trait\""},
    {"{\"any\":[{\"event\":\"x\"}],\"not\":{\"event\":\"x\"}}",
     ".criteria[0]: a criterion cannot have both \"any\" and \"not\""},
    /* keys */
    {"{\"event\":\"x\",\"widow\":\"1d\"}",
     ".criteria[0]: unknown key \"widow\" in an event criterion: did you mean \"window\"?"},
    {"{\"event\":\"x\",\"colour\":\"red\"}",
     ".criteria[0]: unknown key \"colour\" in an event criterion: it takes event, where, window, offset, slide, count, "
     "sum, avg, min, max, distinct, first, last, latest, earliest"},
    {"{\"event\":\"x\",\"within\":\"1d\"}",
     ".criteria[0]: unknown key \"within\" in an event criterion: it takes event, where, window, offset, slide, count, "
     "sum, avg, min, max, distinct, first, last, latest, earliest"},
    {"{\"event\":\"x\",\">\":3}", ".criteria[0]: operator \">\" is not taken by an event criterion"},
    {"{\"all\":[{\"event\":\"x\"}],\"where\":[]}",
     ".criteria[0]: unknown key \"where\" in an all criterion: it takes all"},
    /* event names */
    {"{\"event\":\"\"}", ".criteria[0].event: expected the name of an event, an array of names, or \"*\", got \"\""},
    {"{\"event\":7}", ".criteria[0].event: expected the name of an event, an array of names, or \"*\", got 7"},
    {"{\"event\":[]}", ".criteria[0].event: expected a non-empty array of event names, got an empty array"},
    {"{\"event\":[\"x\",null]}", ".criteria[0].event[1]: expected the name of an event, got null"},
    {"{\"event\":[\"x\",\"*\"]}",
     ".criteria[0].event[1]: \"*\" stands for every event and cannot be one of several names"},
    /* where */
    {"{\"event\":\"x\",\"where\":{\"property\":\"p\",\"=\":1}}",
     ".criteria[0].where: expected an array of predicates, got an object"},
    {"{\"event\":\"x\",\"where\":[{\"=\":1}]}", ".criteria[0].where[0]: a predicate needs \"property\""},
    {"{\"event\":\"x\",\"where\":[{\"property\":\"p\"}]}",
     ".criteria[0].where[0]: expected a comparison such as \"=\": \"shoes\""},
    {"{\"event\":\"x\",\"where\":[{\"property\":\"p\",\"equals\":1}]}",
     ".criteria[0].where[0]: unknown key \"equals\" in a predicate: it takes property, =, !=, >, >=, <, <=, in, notIn, "
     "exists, contains, startsWith, endsWith"},
    {"{\"event\":\"x\",\"where\":[{\"property\":\"p\",\"startWith\":\"a\"}]}",
     ".criteria[0].where[0]: unknown key \"startWith\" in a predicate: did you mean \"startsWith\"?"},
    {"{\"event\":\"x\",\"where\":[{\"property\":\"p\",\"=\":null}]}", ".criteria[0].where[0].=: " SCALAR "null"},
    {"{\"event\":\"x\",\"where\":[{\"property\":\"p\",\"=\":[1]}]}",
     ".criteria[0].where[0].=: " SCALAR "an array of 1"},
    {"{\"event\":\"x\",\"where\":[{\"property\":\"p\",\">\":true}]}",
     ".criteria[0].where[0].>: expected a string or a number, got true"},
    {"{\"event\":\"x\",\"where\":[{\"property\":\"p\",\"in\":[]}]}",
     ".criteria[0].where[0].in: expected a non-empty array of strings, numbers or booleans, got an empty array"},
    {"{\"event\":\"x\",\"where\":[{\"property\":\"p\",\"in\":\"a\"}]}",
     ".criteria[0].where[0].in: expected a non-empty array of strings, numbers or booleans, got \"a\""},
    {"{\"event\":\"x\",\"where\":[{\"property\":\"p\",\"notIn\":[1,{}]}]}",
     ".criteria[0].where[0].notIn[1]: " SCALAR "an empty object"},
    {"{\"event\":\"x\",\"where\":[{\"property\":\"p\",\"notIn\":[null]}]}",
     ".criteria[0].where[0].notIn[0]: " SCALAR "null"},
    {"{\"event\":\"x\",\"where\":[{\"property\":\"p\",\"exists\":1}]}",
     ".criteria[0].where[0].exists: expected true or false, got 1"},
    {"{\"event\":\"x\",\"where\":[{\"property\":\"p\",\"startsWith\":1}]}",
     ".criteria[0].where[0].startsWith: expected a string, got 1"},
    {"{\"event\":\"x\",\"where\":[{\"property\":\"p\",\"endsWith\":true}]}",
     ".criteria[0].where[0].endsWith: expected a string, got true"},
    {"{\"event\":\"x\",\"where\":[{\"property\":\"p\",\"<\":9200000000001}]}",
     ".criteria[0].where[0].<: expected a number from -9.2e12 to 9.2e12, got 9200000000001"},
    {"{\"event\":\"x\",\"where\":[{\"property\":\"p\",\"in\":[1e400]}]}",
     ".criteria[0].where[0].in[0]: expected a number from -9.2e12 to 9.2e12, got 1e400"},
    /* paths */
    {"{\"trait\":\"\",\"=\":1}", ".criteria[0].trait: " PATH "\"\""},
    {"{\"trait\":\"a..b\",\"=\":1}", ".criteria[0].trait: " PATH "\"a..b\""},
    {"{\"trait\":\".a\",\"=\":1}", ".criteria[0].trait: " PATH "\".a\""},
    {"{\"trait\":\"a.\",\"=\":1}", ".criteria[0].trait: " PATH "\"a.\""},
    {"{\"trait\":[\"a\"],\"=\":1}", ".criteria[0].trait: " PATH "an array of 1"},
    /* windows */
    {"{\"event\":\"x\",\"window\":\"30 min\"}", ".criteria[0].window: " DURATION "\"30 min\""},
    {"{\"event\":\"x\",\"window\":\"0s\"}", ".criteria[0].window: " DURATION "\"0s\""},
    {"{\"event\":\"x\",\"window\":\"36526d\"}", ".criteria[0].window: " DURATION "\"36526d\""},
    {"{\"event\":\"x\",\"window\":\"1M\"}", ".criteria[0].window: " DURATION "\"1M\""},
    {"{\"event\":\"x\",\"window\":\"P1Y\"}", ".criteria[0].window: " DURATION "\"P1Y\""},
    {"{\"event\":\"x\",\"window\":\"-1d\"}", ".criteria[0].window: " DURATION "\"-1d\""},
    {"{\"event\":\"x\",\"window\":3600}", ".criteria[0].window: " DURATION "3600"},
    {"{\"event\":\"x\",\"window\":null}", ".criteria[0].window: " DURATION "null"},
    {"{\"event\":\"x\",\"offset\":\"1d\"}", ".criteria[0].offset: \"offset\" needs a \"window\" that is a duration"},
    {"{\"event\":\"x\",\"slide\":\"1d\"}", ".criteria[0].slide: \"slide\" needs a \"window\" that is a duration"},
    {"{\"event\":\"x\",\"slide\":\"1d\",\"window\":{\"calendar\":\"day\"}}",
     ".criteria[0].slide: \"slide\" needs a \"window\" that is a duration, not a calendar window"},
    {"{\"event\":\"x\",\"offset\":\"0s\",\"window\":\"1d\"}", ".criteria[0].offset: " DURATION "\"0s\""},
    {"{\"event\":\"x\",\"window\":{}}", ".criteria[0].window: a calendar window needs \"calendar\""},
    {"{\"event\":\"x\",\"window\":{\"calendar\":\"days\"}}",
     ".criteria[0].window.calendar: expected \"day\", \"week\", \"month\", \"quarter\" or \"year\", got \"days\""},
    {"{\"event\":\"x\",\"window\":{\"calendar\":\"day\",\"last\":0}}",
     ".criteria[0].window.last: expected a whole number of periods from 1 to 36525, got 0"},
    {"{\"event\":\"x\",\"window\":{\"calendar\":\"day\",\"last\":1.5}}",
     ".criteria[0].window.last: expected a whole number of periods from 1 to 36525, got 1.5"},
    {"{\"event\":\"x\",\"window\":{\"calendar\":\"day\",\"complete\":\"yes\"}}",
     ".criteria[0].window.complete: expected true or false, got \"yes\""},
    {"{\"event\":\"x\",\"window\":{\"calendar\":\"day\",\"zone\":\"../etc/passwd\"}}",
     ".criteria[0].window.zone: expected a time zone such as \"Europe/Berlin\", got \"../etc/passwd\""},
    {"{\"event\":\"x\",\"window\":{\"calendar\":\"day\",\"zone\":\"/UTC\"}}",
     ".criteria[0].window.zone: expected a time zone such as \"Europe/Berlin\", got \"/UTC\""},
    {"{\"event\":\"x\",\"window\":{\"calendar\":\"day\",\"offset\":\"1d\"}}",
     ".criteria[0].window: unknown key \"offset\" in a calendar window: it takes calendar, last, complete, zone"},
    /* measures */
    {"{\"event\":\"x\",\"count\":{}}", ".criteria[0].count: expected a comparison such as {\">=\": 3}"},
    {"{\"event\":\"x\",\"count\":3}", ".criteria[0].count: expected a count such as {\">=\": 3}, got 3"},
    {"{\"event\":\"x\",\"count\":{\">=\":\"3\"}}", ".criteria[0].count.>=: expected a number, got \"3\""},
    {"{\"event\":\"x\",\"count\":{\">=\":true}}", ".criteria[0].count.>=: expected a number, got true"},
    {"{\"event\":\"x\",\"count\":{\"in\":[3]}}", ".criteria[0].count: operator \"in\" is not taken by a count"},
    {"{\"event\":\"x\",\"count\":{\"property\":\"p\",\">\":1}}",
     ".criteria[0].count: unknown key \"property\" in a count: it takes =, !=, >, >=, <, <="},
    {"{\"event\":\"x\",\"count\":{\">\":1},\"sum\":{\"property\":\"p\",\">\":1}}",
     ".criteria[0]: \"count\" and \"sum\": one measure at most"},
    {"{\"event\":\"x\",\"sum\":{\">\":1}}",
     ".criteria[0].sum: a sum, avg, min or max needs one of \"property\" and \"product\""},
    {"{\"event\":\"x\",\"sum\":{\"property\":\"p\"}}", ".criteria[0].sum: expected a comparison such as {\">=\": 3}"},
    {"{\"event\":\"x\",\"avg\":{\"property\":\"p\",\"product\":[\"a\",\"b\"],\">\":1}}",
     ".criteria[0].avg: a sum, avg, min or max needs only one of \"property\" and \"product\""},
    {"{\"event\":\"x\",\"min\":{\"product\":[\"a\"],\">\":1}}",
     ".criteria[0].min.product: expected an array of two property paths, got an array of 1"},
    {"{\"event\":\"x\",\"max\":{\"product\":[\"a\",\"b\",\"c\"],\">\":1}}",
     ".criteria[0].max.product: expected an array of two property paths, got an array of 3"},
    {"{\"event\":\"x\",\"max\":{\"product\":[\"a\",1],\">\":1}}", ".criteria[0].max.product[1]: " PATH "1"},
    {"{\"event\":\"x\",\"sum\":{\"property\":\"p\",\"exists\":true}}",
     ".criteria[0].sum: operator \"exists\" is not taken by a sum, avg, min or max"},
    {"{\"event\":\"x\",\"sum\":{\"property\":\"p\",\"period\":\"day\",\">\":1}}",
     ".criteria[0].sum: unknown key \"period\" in a sum, avg, min or max: it takes property, product, =, !=, >, >=, <, "
     "<="},
    {"{\"event\":\"x\",\"distinct\":{\">\":1}}",
     ".criteria[0].distinct: a distinct needs one of \"property\", \"product\" and \"period\""},
    {"{\"event\":\"x\",\"distinct\":{\"property\":\"p\",\"period\":\"day\",\">\":1}}",
     ".criteria[0].distinct: a distinct needs only one of \"property\", \"product\" and \"period\""},
    {"{\"event\":\"x\",\"distinct\":{\"property\":\"p\",\"zone\":\"UTC\",\">\":1}}",
     ".criteria[0].distinct: \"zone\" needs a \"period\""},
    {"{\"event\":\"x\",\"first\":{}}", ".criteria[0].first: expected a comparison such as {\"<=\": \"7d\"}"},
    {"{\"event\":\"x\",\"first\":{\"<\":3}}", ".criteria[0].first.<: " DURATION "3"},
    {"{\"event\":\"x\",\"last\":{\"<\":\"1y\"}}", ".criteria[0].last.<: " DURATION "\"1y\""},
    {"{\"event\":\"x\",\"last\":{\"in\":[\"1d\"]}}",
     ".criteria[0].last: operator \"in\" is not taken by a first or last"},
    {"{\"event\":\"x\",\"latest\":{\"=\":1}}",
     ".criteria[0].latest: a latest or earliest needs one of \"property\" and \"product\""},
    {"{\"event\":\"x\",\"latest\":{\"property\":\"p\"}}",
     ".criteria[0].latest: expected a comparison such as \"=\": \"shoes\""},
    /* compare */
    {"{\"compare\":{\"left\":{\"event\":\"x\",\"count\":{}},\"op\":\">\"}}",
     ".criteria[0].compare: an object with \"left\", \"op\" and \"right\" needs \"right\""},
    {"{\"compare\":{\"left\":{\"event\":\"x\",\"count\":{}},\"right\":{\"event\":\"x\",\"count\":{}}}}",
     ".criteria[0].compare: an object with \"left\", \"op\" and \"right\" needs \"op\""},
    {"{\"compare\":{\"left\":{\"event\":\"x\"},\"op\":\">\",\"right\":{\"event\":\"x\",\"count\":{}}}}",
     ".criteria[0].compare.left: expected a measure: \"count\": {}, or sum, avg, min, max or distinct of a property"},
    {"{\"compare\":{\"left\":{\"event\":\"x\",\"count\":{\">\":1}},\"op\":\">\",\"right\":{\"event\":\"x\","
     "\"count\":{}}}}",
     ".criteria[0].compare.left.count: operator \">\" is not taken by a count inside compare or percentile"},
    {"{\"compare\":{\"left\":{\"event\":\"x\",\"sum\":{}},\"op\":\">\",\"right\":{\"event\":\"x\",\"count\":{}}}}",
     ".criteria[0].compare.left.sum: a sum, avg, min or max needs one of \"property\" and \"product\""},
    {"{\"compare\":{\"left\":{\"event\":\"x\",\"first\":{}},\"op\":\">\",\"right\":{\"event\":\"x\",\"count\":{}}}}",
     ".criteria[0].compare.left: unknown key \"first\" in an event form inside compare or percentile: it takes event, "
     "where, window, offset, slide, count, sum, avg, min, max, distinct"},
    {"{\"compare\":{\"left\":{\"event\":\"x\",\"count\":{}},\"op\":\"in\",\"right\":{\"event\":\"x\",\"count\":{}}}}",
     ".criteria[0].compare.op: expected \"=\", \"!=\", \">\", \">=\", \"<\" or \"<=\", got \"in\""},
    {"{\"compare\":{\"left\":{\"event\":\"x\",\"count\":{}},\"op\":\">\",\"right\":{\"event\":\"x\","
     "\"count\":{}},\"times\":\"3\"}}",
     ".criteria[0].compare.times: expected a number from -9.2e12 to 9.2e12, got \"3\""},
    {"{\"compare\":{\"left\":{\"event\":\"x\",\"offset\":\"1d\",\"count\":{}},\"op\":\">\","
     "\"right\":{\"event\":\"x\",\"count\":{}}}}",
     ".criteria[0].compare.left.offset: \"offset\" needs a \"window\" that is a duration"},
    /* absences */
    {"{\"event\":\"x\",\"notFollowedBy\":{\"event\":\"y\"}}",
     ".criteria[0]: a notFollowedBy criterion needs \"within\""},
    {"{\"event\":\"x\",\"notFollowedBy\":\"y\",\"within\":\"1d\"}",
     ".criteria[0].notFollowedBy: expected an object with \"event\" and \"where\", got \"y\""},
    {"{\"event\":\"x\",\"notFollowedBy\":{\"event\":\"y\",\"window\":\"1d\"},\"within\":\"1d\"}",
     ".criteria[0].notFollowedBy: unknown key \"window\" in an object with \"event\" and \"where\": "
     "it takes event, where"},
    {"{\"event\":\"x\",\"notFollowedBy\":{\"event\":\"y\"},\"within\":\"1d\",\"count\":{\">\":1}}",
     ".criteria[0]: unknown key \"count\" in a notFollowedBy criterion: it takes event, where, notFollowedBy, within, "
     "orLater, same, window, offset, slide"},
    {"{\"event\":\"x\",\"notFollowedBy\":{\"event\":\"y\"},\"within\":\"1d\",\"orLater\":1}",
     ".criteria[0].orLater: expected true or false, got 1"},
    {"{\"event\":\"x\",\"notFollowedBy\":{\"event\":\"y\"},\"within\":\"1d\",\"same\":[]}",
     ".criteria[0].same: expected a non-empty array of property paths, got an empty array"},
    {"{\"event\":\"x\",\"notFollowedBy\":{\"event\":\"y\"},\"within\":\"1d\",\"same\":\"sku\"}",
     ".criteria[0].same: expected a non-empty array of property paths, got \"sku\""},
    {"{\"event\":\"x\",\"window\":\"1d\",\"condition\":\"no_after\"}",
     ".criteria[0].condition: expected \"no_EVENT_after\", got \"no_after\""},
    {"{\"event\":\"x\",\"window\":\"1d\",\"condition\":\"no__after\"}",
     ".criteria[0].condition: expected \"no_EVENT_after\", got \"no__after\""},
    {"{\"event\":\"x\",\"window\":\"1d\",\"condition\":\"a_no_b_after\"}",
     ".criteria[0].condition: expected \"no_EVENT_after\", got \"a_no_b_after\""},
    {"{\"event\":\"x\",\"window\":\"1d\",\"condition\":\"no_b_before\"}",
     ".criteria[0].condition: expected \"no_EVENT_after\", got \"no_b_before\""},
    {"{\"event\":\"x\",\"condition\":\"no_b_after\"}", ".criteria[0]: a criterion with a condition needs \"window\""},
    {"{\"event\":\"x\",\"window\":{\"calendar\":\"day\"},\"condition\":\"no_b_after\"}",
     ".criteria[0].window: " DURATION "an object"},
    {"{\"event\":\"x\",\"window\":\"1d\",\"condition\":\"no_b_after\",\"orLater\":true}",
     ".criteria[0]: unknown key \"orLater\" in a criterion with a condition: it takes event, where, condition, window, "
     "same"},
    /* sequences */
    {"{\"sequence\":[{\"event\":\"x\"}],\"within\":\"1d\"}",
     ".criteria[0].sequence: expected an array of 2 steps or more, got an array of 1"},
    {"{\"sequence\":[{\"event\":\"x\"},{\"event\":\"y\"}]}", ".criteria[0]: a sequence criterion needs \"within\""},
    {"{\"sequence\":[{\"event\":\"x\"},{\"event\":\"y\",\"count\":{\">\":1}}],\"within\":\"1d\"}",
     ".criteria[0].sequence[1]: unknown key \"count\" in an object with \"event\" and \"where\": it takes event, "
     "where"},
    {"{\"sequence\":[\"x\",\"y\"],\"within\":\"1d\"}",
     ".criteria[0].sequence[0]: expected an object with \"event\" and \"where\", got \"x\""},
    {"{\"sequence\":[{\"event\":\"x\"},{\"event\":\"y\"}],\"within\":\"1d\",\"orLater\":true}",
     ".criteria[0]: unknown key \"orLater\" in a sequence criterion: it takes sequence, within, same, window, offset, "
     "slide"},
    /* traits */
    {"{\"trait\":\"t\"}", ".criteria[0]: expected a comparison such as \"=\": \"shoes\""},
    {"{\"trait\":\"t\",\"age\":{\">\":\"18y3d\"}}", ".criteria[0].age.>: expected a duration such as \"30d\", "
                                                    "or years alone such as \"18y\" (at most 36525d or 100y), "
                                                    "got \"18y3d\""},
    {"{\"trait\":\"t\",\"age\":{\">\":\"101y\"}}", ".criteria[0].age.>: expected a duration such as \"30d\", "
                                                   "or years alone such as \"18y\" (at most 36525d or 100y), "
                                                   "got \"101y\""},
    {"{\"trait\":\"t\",\"until\":{\">\":\"1y\"}}", ".criteria[0].until.>: " DURATION "\"1y\""},
    {"{\"trait\":\"t\",\"age\":{}}", ".criteria[0].age: expected a comparison such as {\">=\": \"18y\"}"},
    {"{\"trait\":\"t\",\"age\":{\">\":\"1d\"},\"=\":1}",
     ".criteria[0]: operator \"=\" is not taken by a trait's age criterion"},
    {"{\"trait\":\"t\",\"age\":{\">\":\"1d\"},\"until\":{\">\":\"1d\"}}",
     ".criteria[0]: unknown key \"until\" in a trait's age criterion: it takes trait, age"},
    /* logic and references */
    {"{\"all\":[]}", ".criteria[0].all: expected a non-empty array of criteria, got an empty array"},
    {"{\"any\":{\"event\":\"x\"}}", ".criteria[0].any: expected a non-empty array of criteria, got an object"},
    {"{\"not\":[{\"event\":\"x\"}]}", ".criteria[0].not: expected a criterion (an object), got an array of 1"},
    {"{\"any\":[{\"all\":[{\"not\":{\"event\":\"x\",\"window\":\"1\"}}]}]}",
     ".criteria[0].any[0].all[0].not.window: " DURATION "\"1\""},
    {"{\"segment\":\"b\"}",
     ".criteria[0].segment: unknown segment \"b\": give the folder that has its definition, too"},
    {"{\"segment\":\"a\"}", ".criteria[0].segment: references form a cycle: a -> a"},
    {"{\"segment\":7}", ".criteria[0].segment: expected the id of a segment, got 7"},
    /* percentiles */
    {"{\"percentile\":0,\"of\":{\"event\":\"x\",\"count\":{}}}",
     ".criteria[0].percentile: expected a number above 0 and up to 100, got 0"},
    {"{\"percentile\":100.1,\"of\":{\"event\":\"x\",\"count\":{}}}",
     ".criteria[0].percentile: expected a number above 0 and up to 100, got 100.1"},
    {"{\"percentile\":90}", ".criteria[0]: a percentile criterion needs \"of\""},
    {"{\"percentile\":90,\"of\":{\"event\":\"x\"}}",
     ".criteria[0].of: expected a measure: \"count\": {}, or sum, avg, min, max or distinct of a property"},
    {"{\"percentile\":90,\"of\":{\"event\":\"x\",\"count\":{}}}",
     ".evaluation: a segment that depends on a percentile must say \"evaluation\": \"batch\""},
};

START_TEST(criteria_are_refused)
{
    expect_refused(refused_criteria[_i].text, true, refused_criteria[_i].message);
}
END_TEST

/* ---- refused: documents and sets ---- */

#define X "\"criteria\":[{\"event\":\"x\"}]"
#define TOP "\"criteria\":[{\"percentile\":9,\"of\":{\"event\":\"x\",\"count\":{}}}]"

static const struct {
    const char *text;
    const char *message;
} refused_documents[] = {
    {"7", ": expected a segment definition (an object), got 7"},
    {"[]", ": expected a segment definition or a non-empty array of them, got an empty array"},
    {"[{\"segmentId\":\"a\"," X "},null]", "[1]: expected a segment definition (an object), got null"},
    {"{" X "}", ": a segment definition (an object) needs \"segmentId\""},
    {"{\"segmentId\":\"a\"}", ": a segment definition (an object) needs \"criteria\""},
    {"{\"segmentId\":\"a\",\"criteria\":[]}", ".criteria: expected a non-empty array of criteria, got an empty array"},
    {"{\"segmentId\":\"a\",\"criterias\":[]}",
     ": unknown key \"criterias\" in a segment definition (an object): did you mean \"criteria\"?"},
    {"{\"segmentId\":\"a\"," X ",\"exclude\":[{}]}",
     ".exclude[0]: expected a criterion with one of \"event\", \"compare\", \"sequence\", \"trait\", \"segment\", "
     "\"all\", "
     "\"any\", \"not\", \"percentile\""},
    {"{\"segmentId\":\"A\"," X "}",
     ".segmentId: expected a segment id: a lower-case letter, then up to 62 of a-z, 0-9 and _, got \"A\""},
    {"{\"segmentId\":\"a-b\"," X "}",
     ".segmentId: expected a segment id: a lower-case letter, then up to 62 of a-z, 0-9 and _, got \"a-b\""},
    {"{\"segmentId\":\"a123456789012345678901234567890123456789012345678901234567890123\"," X "}",
     ".segmentId: expected a segment id: a lower-case letter, then up to 62 of a-z, 0-9 and _, got "
     "\"a123456789012345678901234567890123456789...\""},
    {"{\"segmentId\":\"a\"," X ",\"description\":null}", ".description: expected a string, got null"},
    {"{\"segmentId\":\"a\"," X ",\"tags\":\"t\"}", ".tags: expected an array of strings, got \"t\""},
    {"{\"segmentId\":\"a\"," X ",\"tags\":[1]}", ".tags[0]: expected a non-empty string, got 1"},
    {"{\"segmentId\":\"a\"," X ",\"purpose\":\"\"}",
     ".purpose: expected the name of a purpose (at most 256 bytes, no control characters), got \"\""},
    {"{\"segmentId\":\"a\"," X ",\"purpose\":\"a\\u0000b\"}",
     ".purpose: expected the name of a purpose (at most 256 bytes, no control characters), got \"a\\u0000b\""},
    {"{\"segmentId\":\"a\"," X ",\"lawfulBasis\":\"consnt\"}",
     ".lawfulBasis: expected \"consent\", \"contract\", \"legal_obligation\" or \"legitimate_interest\", "
     "got \"consnt\""},
    {"{\"segmentId\":\"a\"," X ",\"membershipDuration\":24}", ".membershipDuration: " DURATION "24"},
    {"{\"segmentId\":\"a\"," X ",\"membershipMode\":\"sticky\"}",
     ".membershipMode: \"sticky\" needs a \"membershipDuration\""},
    {"{\"segmentId\":\"a\"," X ",\"membershipMode\":\"none\"}",
     ".membershipMode: expected \"while_true\" or \"sticky\", got \"none\""},
    {"{\"segmentId\":\"a\"," X ",\"exclusionWindow\":\"\"}", ".exclusionWindow: " DURATION "\"\""},
    {"{\"segmentId\":\"a\"," X ",\"evaluation\":\"nightly\"}",
     ".evaluation: expected \"hybrid\", \"batch\" or \"stream\", got \"nightly\""},
    {"{\"segmentId\":\"a\"," X ",\"merge\":\"union\"}",
     ".merge: expected \"streaming_first\", \"streaming_updates\", \"last_writer_wins\" or "
     "\"union_with_batch_exclusions\", got \"union\""},
    {"{\"segmentId\":\"a\"," X ",\"divergence\":{\"threshold\":5}}",
     ".divergence.threshold: expected a share from 0 to 1, got 5"},
    {"{\"segmentId\":\"a\"," X ",\"divergence\":{\"passes\":0}}",
     ".divergence.passes: expected a whole number of passes from 1, got 0"},
    {"{\"segmentId\":\"a\"," X ",\"expectedSize\":{\"min\":-1}}",
     ".expectedSize.min: expected a whole number of users from 0 to 1000000000, got -1"},
    {"{\"segmentId\":\"a\"," X ",\"expectedSize\":{\"min\":3,\"max\":2}}",
     ".expectedSize: \"min\" is greater than \"max\""},
    {"{\"segmentId\":\"a\"," X ",\"expectedSize\":{\"maxDrop\":1.1}}",
     ".expectedSize.maxDrop: expected a share from 0 to 1, got 1.1"},
    {"[{\"segmentId\":\"b\"," X "},{\"segmentId\":\"a\"," X "},{\"segmentId\":\"b\"," X "}]",
     "[2].segmentId: segment \"b\" is already defined in f.json: $[0]"},
    {"[{\"segmentId\":\"vip\"," X "},{\"segmentId\":\"b\",\"exclude\":[{\"segment\":\"vpi\"}]," X "}]",
     "[1].exclude[0].segment: unknown segment \"vpi\": did you mean \"vip\"?"},
    {"[{\"segmentId\":\"a\",\"criteria\":[{\"segment\":\"b\"}]},"
     "{\"segmentId\":\"b\",\"criteria\":[{\"event\":\"x\"},{\"any\":[{\"segment\":\"c\"}]}]},"
     "{\"segmentId\":\"c\"," X ",\"exclude\":[{\"not\":{\"segment\":\"b\"}}]}]",
     "[2].exclude[0].not.segment: references form a cycle: b -> c -> b"},
    {"[{\"segmentId\":\"a\",\"criteria\":[{\"segment\":\"top\"}]},{\"segmentId\":\"top\",\"evaluation\":\"batch\"," TOP
     "}]",
     "[0].evaluation: a segment that depends on a percentile must say \"evaluation\": \"batch\""},
    {"{\"segmentId\":\"a\",\"evaluation\":\"batch\",\"membershipDuration\":\"1d\"," TOP "}",
     ".membershipDuration: not taken by a segment that depends on a percentile"},
    {"{\"segmentId\":\"a\",\"evaluation\":\"batch\",\"membershipMode\":\"while_true\"," TOP "}",
     ".membershipMode: not taken by a segment that depends on a percentile"},
    {"{\"segmentId\":\"a\",\"evaluation\":\"batch\",\"exclusionWindow\":\"1d\"," TOP "}",
     ".exclusionWindow: not taken by a segment that depends on a percentile"},
};

START_TEST(documents_are_refused)
{
    expect_refused(refused_documents[_i].text, false, refused_documents[_i].message);
}
END_TEST

/* What is no JSON at all has a byte instead of a path. */
static const char *const broken_texts[] = {
    "",
    "{",
    "{\"segmentId\":\"a\"," X "} x",
    "{\"segmentId\":\"a\",\"segmentId\":\"b\"," X "}",
    "{\"segmentId\":\"\xff\"," X "}",
    "\xef\xbb\xbf{\"segmentId\":\"a\"," X "}",
    "{'segmentId':'a'}",
    "{\"segmentId\":\"a\",\"criteria\":[{\"event\":\"x\",\"count\":{\">\":01}}]}",
};

START_TEST(broken_json_is_refused)
{
    struct error err = ERROR_INIT;
    struct segment_set set;

    segment_set_init(&set);
    ck_assert_fails(segment_set_add(&set, SLICE_LITERAL("f.json"), slice_from(broken_texts[_i]), 0, &err), ERROR_INPUT,
                    "f.json: ");
    segment_set_clear(&set);
}
END_TEST

static bool nest(size_t nots, struct error *err)
{
    struct segment_set set;
    char text[TEXT_SIZE] = "";
    bool read;

    for (size_t i = 0; i < nots; i++) {
        memcpy(text + 7 * i, "{\"not\":", 8);
    }
    memcpy(text + 7 * nots, "{\"event\":\"x\"}", 14);
    memset(text + 7 * nots + 13, '}', nots);
    text[8 * nots + 13] = '\0';
    read = read_text(&set, text, true, err);
    segment_set_clear(&set);
    return read;
}

START_TEST(depth_is_bounded)
{
    struct error err = ERROR_INIT;

    ck_assert_ok(nest(61, &err)); /* with the document, its criteria and the innermost object 64 */
    ck_assert_fails(nest(62, &err), ERROR_INPUT, "f.json: ");
}
END_TEST

/* ---- the tree ---- */

static const struct definition *read_one(struct segment_set *set, const char *text)
{
    struct error err = ERROR_INIT;

    ck_assert_msg(read_text(set, text, false, &err), "%s", err.message);
    ck_assert_uint_eq(set->definition_count, 1);
    return &set->definitions[0];
}

START_TEST(defaults_stand)
{
    struct segment_set set;
    const char *text = " {\"segmentId\":\"a\"," X "} ";
    const struct definition *definition = read_one(&set, text);

    ck_assert(slice_equal_text(definition->purpose, "marketing"));
    ck_assert_int_eq(definition->basis, BASIS_CONSENT);
    ck_assert_int_eq(definition->mode, MODE_WHILE_TRUE);
    ck_assert(!definition->mode_given);
    ck_assert_int_eq(definition->evaluation, EVALUATION_HYBRID);
    ck_assert_int_eq(definition->merge, MERGE_STREAMING_FIRST);
    ck_assert_int_eq(definition->divergence_threshold_micros, 50000);
    ck_assert_int_eq(definition->divergence_passes, 3);
    ck_assert_int_eq(definition->expected_min, -1);
    ck_assert_int_eq(definition->expected_max, -1);
    ck_assert_int_eq(definition->expected_max_drop_micros, 500000);
    ck_assert_int_eq(definition->duration_ms, 0);
    ck_assert(slice_equal_text(definition->json_path, "$"));
    ck_assert(slice_equal(definition->text, slice_of(text + 1, strlen(text) - 2)));
    ck_assert(definition->streams);
    segment_set_clear(&set);
}
END_TEST

START_TEST(every_key_is_read)
{
    struct segment_set set;
    const struct definition *definition = read_one(
        &set,
        "{\"segmentId\":\"a\",\"description\":\"d\",\"owner\":\"o\",\"tags\":[\"t\",\"u\"],\"purpose\":\"p\","
        "\"lawfulBasis\":\"contract\"," X ",\"exclude\":[{\"event\":\"y\"}],\"membershipDuration\":\"24h\","
        "\"membershipMode\":\"sticky\",\"exclusionWindow\":\"2h\",\"evaluation\":\"stream\",\"merge\":"
        "\"last_writer_wins\",\"divergence\":{\"threshold\":0.1,\"passes\":5},\"expectedSize\":{\"min\":1,\"max\":9,"
        "\"maxDrop\":0.25}}");

    ck_assert(slice_equal_text(definition->description, "d"));
    ck_assert(slice_equal_text(definition->owner, "o"));
    ck_assert_uint_eq(definition->tag_count, 2);
    ck_assert(slice_equal_text(definition->tags[1], "u"));
    ck_assert(slice_equal_text(definition->purpose, "p"));
    ck_assert_int_eq(definition->basis, BASIS_CONTRACT);
    ck_assert_uint_eq(definition->exclude_count, 1);
    ck_assert(slice_equal_text(definition->exclude[0].json_path, "exclude[0]"));
    ck_assert_int_eq(definition->duration_ms, 86400000);
    ck_assert_int_eq(definition->mode, MODE_STICKY);
    ck_assert(definition->mode_given);
    ck_assert_int_eq(definition->exclusion_window_ms, 7200000);
    ck_assert_int_eq(definition->evaluation, EVALUATION_STREAM);
    ck_assert_int_eq(definition->merge, MERGE_LAST_WRITER_WINS);
    ck_assert_int_eq(definition->divergence_threshold_micros, 100000);
    ck_assert_int_eq(definition->divergence_passes, 5);
    ck_assert_int_eq(definition->expected_min, 1);
    ck_assert_int_eq(definition->expected_max, 9);
    ck_assert_int_eq(definition->expected_max_drop_micros, 250000);
    segment_set_clear(&set);
}
END_TEST

static const struct criterion *read_criterion(struct segment_set *set, const char *text)
{
    struct error err = ERROR_INIT;

    ck_assert_msg(read_text(set, text, true, &err), "%s", err.message);
    return &set->definitions[0].criteria[0];
}

START_TEST(condition_is_an_absence)
{
    struct segment_set set;
    const struct criterion *c =
        read_criterion(&set, "{\"event\":\"cart\",\"window\":\"30m\",\"condition\":\"no_no_b_after_after\"}");

    ck_assert_int_eq(c->kind, CRITERION_ABSENCE);
    ck_assert(slice_equal_text(c->json_path, "criteria[0]"));
    ck_assert(slice_equal_text(c->selector.names[0], "cart"));
    ck_assert_uint_eq(c->followed_by.name_count, 1);
    ck_assert(slice_equal_text(c->followed_by.names[0], "no_b_after"));
    ck_assert(c->or_later);
    ck_assert_int_eq(c->within_ms, 1800000);
    ck_assert_int_eq(c->window.kind, RULE_WINDOW_NONE);
    segment_set_clear(&set);
}
END_TEST

START_TEST(windows_and_measures_are_read)
{
    struct segment_set set;
    const struct criterion *c =
        read_criterion(&set, "{\"event\":[\"x\",\"y\"],\"window\":\"2d\",\"offset\":\"1d\",\"slide\":\"6h\","
                             "\"sum\":{\"product\":[\"a\",\"b.c\"],"
                             "\">=\":0.7,\"<\":1e3}}");

    ck_assert_int_eq(c->window.kind, RULE_WINDOW_SLIDING);
    ck_assert_int_eq(c->window.length_ms, 172800000);
    ck_assert_int_eq(c->window.offset_ms, 86400000);
    ck_assert_int_eq(c->window.slide_ms, 21600000);
    ck_assert_uint_eq(c->selector.name_count, 2);
    ck_assert_int_eq(c->measure.kind, RULE_SUM);
    ck_assert(c->measure.product);
    ck_assert(slice_equal_text(c->measure.property.keys[0], "a"));
    ck_assert_uint_eq(c->measure.factor.key_count, 2);
    ck_assert_uint_eq(c->measure.comparison.term_count, 2);
    ck_assert_int_eq(c->measure.comparison.terms[0].op, RULE_GREATER_EQUAL);
    ck_assert_int_eq(c->measure.comparison.terms[0].operands[0].micros, 700000);
    ck_assert_int_eq(c->measure.comparison.terms[1].operands[0].micros, 1000 * DECIMAL_ONE);
    segment_set_clear(&set);

    c = read_criterion(&set, "{\"event\":\"*\",\"window\":{\"calendar\":\"week\",\"last\":7,\"complete\":true},"
                             "\"distinct\":{\"period\":\"day\",\">\":1}}");
    ck_assert(c->selector.any_name);
    ck_assert_int_eq(c->window.kind, RULE_WINDOW_CALENDAR);
    ck_assert_int_eq(c->window.period, RULE_WEEK);
    ck_assert_int_eq(c->window.last, 7);
    ck_assert(c->window.complete);
    ck_assert(slice_equal_text(c->window.zone, "UTC"));
    ck_assert_int_eq(c->measure.period, RULE_DAY);
    ck_assert(slice_equal_text(c->measure.zone, "UTC"));
    segment_set_clear(&set);

    c = read_criterion(&set, "{\"trait\":\"born\",\"age\":{\">=\":\"18y\",\"<\":\"1h\"}}");
    ck_assert_int_eq(c->kind, CRITERION_TRAIT_AGE);
    ck_assert_int_eq(c->durations.terms[0].span.years, 18);
    ck_assert_int_eq(c->durations.terms[0].span.ms, 0);
    ck_assert_int_eq(c->durations.terms[1].span.ms, 3600000);
    ck_assert_int_eq(c->durations.terms[1].span.years, 0);
    segment_set_clear(&set);
}
END_TEST

START_TEST(paths_are_split)
{
    struct segment_set set;
    const struct criterion *c = read_criterion(&set, "{\"trait\":\"a\\\\.b.c\\\\d\",\"in\":[1,true,\"\\u00e9\"]}");

    ck_assert_uint_eq(c->trait.key_count, 2);
    ck_assert(slice_equal_text(c->trait.keys[0], "a.b"));
    ck_assert(slice_equal_text(c->trait.keys[1], "c\\d"));
    ck_assert_uint_eq(c->comparison.terms[0].operand_count, 3);
    ck_assert_int_eq(c->comparison.terms[0].operands[1].type, VALUE_BOOLEAN);
    ck_assert(slice_equal_text(c->comparison.terms[0].operands[2].text, "\xc3\xa9"));
    segment_set_clear(&set);
}
END_TEST

START_TEST(compare_and_percentile_are_read)
{
    struct segment_set set;
    const struct criterion *c = read_criterion(
        &set, "{\"compare\":{\"op\":\"<=\",\"right\":{\"event\":\"x\",\"count\":{}},\"left\":{\"event\":\"y\",\"avg\":"
              "{\"property\":\"p\"}},\"times\":2.5}}");
    const struct definition *definition;

    ck_assert_int_eq(c->kind, CRITERION_COMPARE);
    ck_assert_int_eq(c->op, RULE_LESS_EQUAL);
    ck_assert_int_eq(c->times_micros, 2500000);
    ck_assert_int_eq(c->left->measure.kind, RULE_AVG);
    ck_assert(slice_equal_text(c->left->json_path, "criteria[0].compare.left"));
    ck_assert_int_eq(c->right->measure.kind, RULE_COUNT);
    segment_set_clear(&set);

    definition =
        read_one(&set,
                 "{\"segmentId\":\"a\",\"evaluation\":\"batch\",\"criteria\":[{\"percentile\":99.5,\"by\":\"r\",\"of\":"
                 "{\"event\":\"x\",\"window\":\"1d\",\"max\":{\"property\":\"p\"}}}]}");
    c = &definition->criteria[0];
    ck_assert_int_eq(c->kind, CRITERION_PERCENTILE);
    ck_assert_int_eq(c->percentile_micros, 99500000);
    ck_assert_int_eq(c->measure.kind, RULE_MAX);
    ck_assert_int_eq(c->window.length_ms, 86400000);
    ck_assert_uint_eq(c->trait.key_count, 1);
    ck_assert(definition->needs_percentile);
    ck_assert(!definition->streams);
    segment_set_clear(&set);
}
END_TEST

/* ---- the set ---- */

START_TEST(references_are_ordered)
{
    struct error err = ERROR_INIT;
    struct segment_set set;
    size_t at[4];

    ck_assert_ok(read_text(
        &set,
        "[{\"segmentId\":\"d\",\"criteria\":[{\"segment\":\"c\"},{\"not\":{\"segment\":\"a\"}},{\"segment\":\"c\"}]},"
        "{\"segmentId\":\"c\",\"criteria\":[{\"any\":[{\"segment\":\"a\"},{\"event\":\"x\"}]}]},"
        "{\"segmentId\":\"a\"," X "},{\"segmentId\":\"b\"," X ",\"exclude\":[{\"segment\":\"d\"}]}]",
        false, &err));
    for (size_t i = 0; i < 4; i++) {
        at[set.evaluation_order[i]] = i;
    }
    ck_assert_uint_lt(at[2], at[1]);
    ck_assert_uint_lt(at[1], at[0]);
    ck_assert_uint_lt(at[0], at[3]);
    ck_assert_uint_eq(set.definitions[0].reference_count, 2);
    ck_assert_uint_eq(set.definitions[0].references[0], 1);
    ck_assert_uint_eq(set.definitions[0].references[1], 2);
    ck_assert_uint_eq(set.definitions[0].criteria[0].segment_index, 1);
    ck_assert_uint_eq(set.definitions[0].criteria[1].children[0].segment_index, 2);
    ck_assert_uint_eq(segment_set_find(&set, SLICE_LITERAL("b")), 3);
    ck_assert_uint_eq(segment_set_find(&set, SLICE_LITERAL("e")), SIZE_MAX);
    segment_set_clear(&set);
}
END_TEST

START_TEST(unbounded_state_is_named)
{
    struct error err = ERROR_INIT;
    struct segment_set set;
    const char *why = "";

    ck_assert_ok(read_text(
        &set,
        "[{\"segmentId\":\"a\",\"criteria\":[{\"any\":[{\"event\":\"x\",\"notFollowedBy\":{\"event\":\"y\"},\"within\":"
        "\"1d\",\"orLater\":true,\"same\":[\"s\"]}]}]},"
        "{\"segmentId\":\"b\",\"criteria\":[{\"segment\":\"a\"}]},"
        "{\"segmentId\":\"c\",\"criteria\":[{\"event\":\"x\",\"notFollowedBy\":{\"event\":\"y\"},\"within\":\"1d\","
        "\"orLater\":true,\"same\":[\"s\"],\"window\":\"9d\"}]},"
        "{\"segmentId\":\"d\",\"criteria\":[{\"event\":\"x\",\"window\":\"1d\",\"condition\":\"no_y_after\",\"same\":"
        "[\"s\"]}]}]",
        false, &err));
    ck_assert(!rule_streams(&set.definitions[0], &why));
    ck_assert_str_eq(why, "notFollowedBy with orLater and same but no window");
    ck_assert(!set.definitions[0].streams);
    ck_assert(rule_streams(&set.definitions[1], &why));
    ck_assert(!set.definitions[1].streams);
    ck_assert(set.definitions[2].streams);
    ck_assert(!set.definitions[3].streams);
    segment_set_clear(&set);
}
END_TEST

/* A chain as long as the set: the check must not recurse along it. */
START_TEST(long_chains_are_checked)
{
    enum { CHAIN = 20000 };
    struct error err = ERROR_INIT;
    struct segment_set set;
    char text[256];

    segment_set_init(&set);
    for (int i = 0; i < CHAIN; i++) {
        (void)snprintf(text, sizeof(text), "{\"segmentId\":\"s%d\",\"criteria\":[{\"segment\":\"s%d\"}]}", i, i + 1);
        ck_assert_ok(segment_set_add(&set, SLICE_LITERAL("f.json"), slice_from(text), 0, &err));
    }
    (void)snprintf(text, sizeof(text), "{\"segmentId\":\"s%d\"," X "}", CHAIN);
    ck_assert_ok(segment_set_add(&set, SLICE_LITERAL("f.json"), slice_from(text), 0, &err));
    ck_assert_ok(segment_set_check(&set, &err));
    ck_assert_uint_eq(set.evaluation_order[0], CHAIN);
    ck_assert_uint_eq(set.evaluation_order[CHAIN], 0);
    segment_set_clear(&set);

    segment_set_init(&set);
    for (int i = 0; i < CHAIN; i++) {
        (void)snprintf(text, sizeof(text), "{\"segmentId\":\"s%d\",\"criteria\":[{\"segment\":\"s%d\"}]}", i,
                       (i + 1) % CHAIN);
        ck_assert_ok(segment_set_add(&set, SLICE_LITERAL("f.json"), slice_from(text), 0, &err));
    }
    ck_assert_fails(segment_set_check(&set, &err), ERROR_INPUT, "references form a cycle: s0 -> s1 -> s2");
    segment_set_clear(&set);
}
END_TEST

static bool parse_and_check(void *context, struct error *err)
{
    struct segment_set set;
    bool worked = true;

    (void)context;
    segment_set_init(&set);
    for (int i = 0; worked && i < COUNT_OF(accepted_criteria); i++) {
        char text[TEXT_SIZE];

        (void)snprintf(text, sizeof(text), "{\"segmentId\":\"s%d\",\"criteria\":[{\"any\":[%s%s]}]}", i,
                       i > 0 ? "{\"segment\":\"s0\"}," : "", accepted_criteria[i]);
        worked = segment_set_add(&set, SLICE_LITERAL("f.json"), slice_from(text), 0, err);
    }
    worked = worked && segment_set_check(&set, err);
    segment_set_clear(&set);
    return worked;
}

START_TEST(every_failed_allocation_ends_cleanly)
{
    unit_fail_each_allocation(parse_and_check, NULL);
}
END_TEST

/* A machine wrote this: it is refused at once, with its path, instead of costing minutes and gigabytes later. */
START_TEST(too_many_criteria_are_refused)
{
    struct error err = ERROR_INIT;
    struct segment_set set;
    struct buffer text;

    buffer_init(&text, 1 << 20);
    buffer_append_format(&text, "{\"segmentId\":\"a\",\"criteria\":[");
    for (int i = 0; i <= RULE_CRITERION_MAX; i++) {
        buffer_append_format(&text, "%s{\"event\":\"x%d\"}", i > 0 ? "," : "", i);
    }
    buffer_append_format(&text, "]}");
    segment_set_init(&set);
    ck_assert(!segment_set_add(&set, SLICE_LITERAL("f.json"), buffer_slice(&text), 0, &err));
    ck_assert_int_eq(err.code, ERROR_INPUT);
    ck_assert_str_eq(err.message, "f.json: $.criteria: more than 10000 criteria");
    segment_set_clear(&set);
    buffer_clear(&text);
}
END_TEST

Suite *rule_parse_suite(void)
{
    Suite *suite = suite_create("rule_parse");
    TCase *tests = tcase_create("rule_parse");

    tcase_add_loop_test(tests, criteria_are_accepted, 0, COUNT_OF(accepted_criteria));
    tcase_add_loop_test(tests, criteria_are_refused, 0, COUNT_OF(refused_criteria));
    tcase_add_loop_test(tests, documents_are_refused, 0, COUNT_OF(refused_documents));
    tcase_add_loop_test(tests, broken_json_is_refused, 0, COUNT_OF(broken_texts));
    tcase_add_test(tests, depth_is_bounded);
    tcase_add_test(tests, defaults_stand);
    tcase_add_test(tests, every_key_is_read);
    tcase_add_test(tests, condition_is_an_absence);
    tcase_add_test(tests, windows_and_measures_are_read);
    tcase_add_test(tests, paths_are_split);
    tcase_add_test(tests, compare_and_percentile_are_read);
    tcase_add_test(tests, references_are_ordered);
    tcase_add_test(tests, unbounded_state_is_named);
    tcase_add_test(tests, long_chains_are_checked);
    tcase_add_test(tests, every_failed_allocation_ends_cleanly);
    tcase_add_test(tests, too_many_criteria_are_refused);
    suite_add_tcase(suite, tests);
    return suite;
}
