/* Generated SQL: names and literals cannot break out, and what is refused is refused by name. That queries mean what
 * the rules mean is tests/integration/sql.sh. */
#include "common/domain/rule_parse.h"
#include "common/domain/rule_sql.h"
#include "tests/unit/unit.h"

static const char *literal(struct buffer *out, enum sql_dialect dialect, const char *text)
{
    buffer_reset(out);
    ck_assert(sql_append_literal(out, dialect, slice_from(text)));
    return buffer_text(out);
}

START_TEST(literals_stay_literals)
{
    struct buffer out;

    buffer_init(&out, 1 << 12);
    for (int dialect = SQL_POSTGRES; dialect <= SQL_SPARK; dialect++) {
        ck_assert_str_eq(literal(&out, (enum sql_dialect)dialect, ""), "''");
        ck_assert_str_eq(literal(&out, (enum sql_dialect)dialect, "a b"), "'a b'");
        ck_assert(!sql_append_literal(&out, (enum sql_dialect)dialect, slice_of("a\0b", 3)));
    }
    ck_assert_str_eq(literal(&out, SQL_POSTGRES, "it's"), "'it''s'");
    ck_assert_str_eq(literal(&out, SQL_DUCKDB, "it's"), "'it''s'");
    ck_assert_str_eq(literal(&out, SQL_SPARK, "it's"), "'it\\'s'");
    ck_assert_str_eq(literal(&out, SQL_POSTGRES, "\\'"), "E'\\\\'''");
    ck_assert_str_eq(literal(&out, SQL_DUCKDB, "\\'"), "'\\'''");
    ck_assert_str_eq(literal(&out, SQL_SPARK, "\\'"), "'\\\\\\''");
    ck_assert_str_eq(literal(&out, SQL_SPARK, "${env:HOME} $ {$"), "'$\\{env:HOME} $ {$'");
    ck_assert_str_eq(literal(&out, SQL_POSTGRES, "${env:HOME}"), "'${env:HOME}'");
    buffer_clear(&out);
}
END_TEST

START_TEST(identifiers_stay_identifiers)
{
    struct buffer out;

    buffer_init(&out, 1 << 12);
    ck_assert(sql_append_identifier(&out, SQL_POSTGRES, slice_from("a\"b`c")));
    ck_assert(sql_append_identifier(&out, SQL_SPARK, slice_from("a\"b`c")));
    ck_assert_str_eq(buffer_text(&out), "\"a\"\"b`c\"`a\"b``c`");
    ck_assert(!sql_append_identifier(&out, SQL_POSTGRES, slice_from("")));
    ck_assert(!sql_append_identifier(&out, SQL_DUCKDB, slice_of("a\0b", 3)));
    ck_assert(!sql_append_identifier(&out, SQL_SPARK, slice_from("a${b}")));
    buffer_clear(&out);
}
END_TEST

/* The query of the only definition, or the message of the refusal. */
static bool generate(const char *document, enum sql_dialect dialect, struct buffer *out, struct error *err)
{
    struct rule_sql_options options = {.dialect = dialect};
    struct segment_set set;
    bool done;

    buffer_reset(out);
    segment_set_init(&set);
    ck_assert(segment_set_add(&set, slice_from("a.json"), slice_from(document), 0, err));
    ck_assert(segment_set_check(&set, err));
    done = rule_sql_append(out, &set, 0, &options, err);
    segment_set_clear(&set);
    return done;
}

START_TEST(refusals_name_the_form)
{
    static const struct {
        const char *document;
        enum sql_dialect dialect;
        const char *message;
    } cases[] = {
        {"{\"segmentId\": \"s\", \"criteria\": [{\"trait\": \"a\", \"contains\": 1e9}]}", SQL_DUCKDB,
         "s: criteria[0]: \"contains\" with a number of 1e9"},
        {"{\"segmentId\": \"s\", \"criteria\": [{\"event\": \"a\\u0000b\"}]}", SQL_POSTGRES, "s: a text with U+0000"},
    };
    struct buffer out;

    buffer_init(&out, 1 << 20);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = ERROR_INIT;

        ck_assert(!generate(cases[i].document, cases[i].dialect, &out, &err));
        ck_assert_int_eq(err.code, ERROR_INPUT);
        ck_assert_msg(strncmp(err.message, cases[i].message, strlen(cases[i].message)) == 0, "%s", err.message);
    }
    buffer_clear(&out);
}
END_TEST

/* A rule that would like to leave its comment or its literal. */
START_TEST(rules_do_not_break_out)
{
    struct error err = ERROR_INIT;
    struct buffer out;

    buffer_init(&out, 1 << 20);
    ck_assert(generate("{\"segmentId\": \"s\", \"criteria\": [{\"event\": \"a'); DROP TABLE x; --\\n\", \n \"where\": "
                       "[{\"property\": \"p.q'r\", \"=\": \"\\n'\"}]}]}",
                       SQL_POSTGRES, &out, &err));
    ck_assert(strstr(buffer_text(&out), "f.name = 'a''); DROP TABLE x; --\n'") != NULL);
    ck_assert(strstr(buffer_text(&out), "-> 'p' -> 'q''r'") != NULL);
    ck_assert(strstr(buffer_text(&out), "-- s criteria[0]: {\"event\": \"a'); DROP TABLE x; --\\n\", \"where\": ") !=
              NULL);
    /* Spark replaces ${...} before it reads anything else. */
    ck_assert(
        generate("{\"segmentId\": \"s\", \"criteria\": [{\"event\": \"${env:HOME}\"}], \"description\": \"${a}\"}",
                 SQL_SPARK, &out, &err));
    ck_assert(strstr(buffer_text(&out), "f.name = '$\\{env:HOME}'") != NULL);
    ck_assert(strstr(buffer_text(&out), "${") == NULL);
    buffer_clear(&out);
}
END_TEST

/* Only what a lifetime asks about is looked at over time, and no further back than it can matter. */
START_TEST(history_is_as_long_as_it_matters)
{
    static const struct {
        const char *lifetime;
        const char *wanted;
        const char *unwanted;
    } cases[] = {
        {"", "CROSS JOIN parameters p\n)", "lag("},
        {", \"membershipDuration\": \"1m\"", "c.t > greatest(k.since, p.as_of - 60000)", "_walk"},
        {", \"exclusionWindow\": \"1m\"", "c.t > k.since", "greatest(k.since"},
    };
    struct buffer document;
    struct buffer out;

    buffer_init(&document, 1 << 16);
    buffer_init(&out, 1 << 20);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = ERROR_INIT;

        buffer_reset(&document);
        buffer_append_format(&document, "{\"segmentId\": \"s\", \"criteria\": [{\"event\": \"a\"}]%s}",
                             cases[i].lifetime);
        ck_assert(generate(buffer_text(&document), SQL_POSTGRES, &out, &err));
        ck_assert(strstr(buffer_text(&out), cases[i].wanted) != NULL);
        ck_assert(strstr(buffer_text(&out), cases[i].unwanted) == NULL);
    }
    buffer_clear(&document);
    buffer_clear(&out);
}
END_TEST

/* Every allocation may fail: an error, no leak, no crash. */
START_TEST(no_memory_is_an_error)
{
    static const char document[] = "{\"segmentId\": \"s\", \"criteria\": [{\"sequence\": [{\"event\": \"a\"}, "
                                   "{\"event\": \"b\"}], \"within\": \"1d\", "
                                   "\"same\": [\"sku\"]}, {\"any\": [{\"trait\": \"t\", \"age\": {\">\": \"18y\"}}, "
                                   "{\"event\": \"x\", \"window\": "
                                   "{\"calendar\": \"day\"}}]}], \"membershipDuration\": \"1d\", "
                                   "\"exclusionWindow\": \"1d\"}";
    struct rule_sql_options options = {.dialect = SQL_POSTGRES, .rows = SQL_INTERVALS};
    struct error err = ERROR_INIT;
    struct segment_set set;
    bool done = false;

    segment_set_init(&set);
    ck_assert(segment_set_add(&set, slice_from("a.json"), slice_from(document), 0, &err));
    ck_assert(segment_set_check(&set, &err));
    for (size_t k = 1; !done && k < 1000; k++) {
        struct buffer out;

        buffer_init(&out, 1 << 20);
        err = (struct error)ERROR_INIT;
        (void)memory_fail_at(k);
        done = rule_sql_append(&out, &set, 0, &options, &err);
        (void)memory_fail_at(0);
        ck_assert(done || err.code == ERROR_INTERNAL);
        buffer_clear(&out);
    }
    ck_assert(done);
    segment_set_clear(&set);
}
END_TEST

Suite *rule_sql_suite(void);
Suite *rule_sql_suite(void)
{
    Suite *suite = suite_create("rule_sql");
    TCase *tcase = tcase_create("rule_sql");

    tcase_add_test(tcase, literals_stay_literals);
    tcase_add_test(tcase, identifiers_stay_identifiers);
    tcase_add_test(tcase, refusals_name_the_form);
    tcase_add_test(tcase, history_is_as_long_as_it_matters);
    tcase_add_test(tcase, rules_do_not_break_out);
    tcase_add_test(tcase, no_memory_is_an_error);
    suite_add_tcase(suite, tcase);
    return suite;
}
