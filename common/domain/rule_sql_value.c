/* Properties, traits and comparisons of values in generated SQL.
 *
 * PostgreSQL reads jsonb, whose numbers are exact decimals. DuckDB and Spark read numbers of JSON through binary, so
 * their event table has maps from dotted path to JSON text, with numbers already rounded (schemas/event-table.md). */
#include "common/domain/decimal.h"
#include "common/domain/rule_sql_parts.h"

#include <stdio.h>

enum { SQL_COLUMN_TYPE, SQL_COLUMN_NUMBER, SQL_COLUMN_TEXT, SQL_COLUMN_BOOLEAN, SQL_COLUMNS };

/* Rounded half-even it is within the range. */
static const char range[] = "9200000000000.0000005";

const char *rule_sql_path(struct rule_sql *sql, const struct rule_path *path, bool trait)
{
    struct sql_path *added;

    for (size_t i = 0; i < sql->path_count; i++) {
        if (sql->paths[i].trait == trait && slice_equal(sql->paths[i].path->text, path->text)) {
            return sql->paths[i].name.text;
        }
    }
    if (sql->path_count == SQL_PATHS_MAX) {
        (void)rule_sql_refuse(sql, NULL, "more than 500 different properties and traits");
        return sql->paths[0].name.text;
    }
    added = &sql->paths[sql->path_count++];
    added->path = path;
    added->trait = trait;
    added->name = rule_sql_name(trait ? "t" : "p", (unsigned)sql->path_count, path->text, "");
    return added->name.text;
}

/* The value at a path as stored: jsonb, or the JSON text in a map. */
static void append_raw(struct rule_sql *sql, struct buffer *out, const struct sql_path *path, size_t key_count)
{
    struct buffer *key = &sql->scratch;

    buffer_append_text(out, path->trait ? "e.traits" : "e.properties");
    if (sql->dialect == SQL_POSTGRES) {
        for (size_t i = 0; i < key_count; i++) {
            buffer_append_text(out, " -> ");
            rule_sql_literal(sql, out, path->path->keys[i]);
        }
        return;
    }
    buffer_reset(key);
    for (size_t i = 0; i < key_count; i++) {
        struct slice word = path->path->keys[i];

        if (i > 0) {
            buffer_append_char(key, '.');
        }
        for (size_t k = 0; k < word.size; k++) {
            if (word.data[k] == '.' || word.data[k] == '\\') {
                buffer_append_char(key, '\\');
            }
            buffer_append_char(key, word.data[k]);
        }
    }
    buffer_append_char(out, '[');
    rule_sql_literal(sql, out, buffer_slice(key));
    buffer_append_char(out, ']');
}

/* {0} the value's column, {1} the range. Half-even at the sixth digit: round() takes ties away from zero, so a tie is
 * rounded at half its size. */
static const char *const postgres_columns[SQL_COLUMNS] = {
    [SQL_COLUMN_TYPE] =
        "CASE jsonb_typeof({0})\n"
        "               WHEN 'number' THEN CASE WHEN abs({0}::numeric) <= {1} THEN 'number' END\n"
        "               WHEN 'object' THEN 'compound' WHEN 'array' THEN 'compound' WHEN 'null' THEN NULL\n"
        "               ELSE jsonb_typeof({0})\n"
        "           END",
    [SQL_COLUMN_NUMBER] = "CASE WHEN jsonb_typeof({0}) <> 'number' THEN NULL\n"
                          "               WHEN abs({0}::numeric) > {1} THEN NULL\n"
                          "               WHEN abs({0}::numeric * 1000000 % 1) = 0.5\n"
                          "               THEN round(2 * round({0}::numeric * 500000) * 0.000001, 6)\n"
                          "               ELSE round({0}::numeric, 6)\n"
                          "           END",
    [SQL_COLUMN_TEXT] = "CASE WHEN jsonb_typeof({0}) = 'string' THEN {0} #>> '{}' END",
    [SQL_COLUMN_BOOLEAN] = "CASE WHEN jsonb_typeof({0}) = 'boolean' THEN {0}::boolean END",
};

/* {2} how the dialect reads a JSON string. */
static const char *const map_columns[SQL_COLUMNS] = {
    [SQL_COLUMN_TYPE] = "CASE WHEN {0} IS NULL OR {0} = 'null' THEN NULL\n"
                        "               WHEN left({0}, 1) = '\"' THEN 'string'\n"
                        "               WHEN left({0}, 1) IN ('{', '[') THEN 'compound'\n"
                        "               WHEN {0} IN ('true', 'false') THEN 'boolean'\n"
                        "               ELSE 'number'\n"
                        "           END",
    [SQL_COLUMN_NUMBER] = ("CASE WHEN left({0}, 1) NOT IN ('\"', '{', '[', 't', 'f', 'n')\n"
                           "               THEN CAST({0} AS DECIMAL(19, 6)) END"),
    [SQL_COLUMN_TEXT] = "CASE WHEN left({0}, 1) = '\"' THEN {2} END",
    [SQL_COLUMN_BOOLEAN] = "CASE {0} WHEN 'true' THEN true WHEN 'false' THEN false END",
};

/* Of a value's columns, those that something names. */
static void append_columns(struct rule_sql *sql, struct buffer *out, const char *p)
{
    static const char *const words[SQL_COLUMNS] = {"type", "number", "text", "boolean"};
    const char *const *columns = sql->dialect == SQL_POSTGRES ? postgres_columns : map_columns;
    char string[2 * SQL_NAME_SIZE];

    (void)snprintf(string, sizeof string,
                   sql->dialect == SQL_DUCKDB ? "json_extract_string(%s, '$')"
                                              : "from_json(concat('[', %s, ']'), 'array<string>')[0]",
                   p);
    for (size_t i = 0; i < SQL_COLUMNS; i++) {
        char name[SQL_NAME_SIZE + 16];

        (void)snprintf(name, sizeof name, "%s_%s", p, words[i]);
        if (strstr(buffer_text(&sql->body), name) != NULL) {
            buffer_append_text(out, ",\n           ");
            rule_sql_template(out, columns[i], (const char *const[]){p, range, string});
            buffer_append_format(out, " AS %s", name);
        }
    }
}

void rule_sql_facts(struct rule_sql *sql, struct buffer *out)
{
    struct slice table = sql->options->table.size > 0 ? sql->options->table : SLICE_LITERAL("muster_events");

    /* Written out where it is read, PostgreSQL's planner keeps the statistics of the table. */
    buffer_append_format(out, "facts AS %s(\n    -- the events that anything below can see",
                         sql->dialect == SQL_POSTGRES ? "NOT MATERIALIZED " : "");
    if (sql->path_count > 0) {
        buffer_append_text(out, ", with the values that the rule reads; a number is a decimal of 6 digits,\n"
                                "    -- rounded half-even, and beyond +-9.2e12 it is missing");
    }
    buffer_append_text(out, "\n    SELECT event_no, user_id, event_time, kind, message_id, name");
    for (size_t i = 0; i < sql->path_count; i++) {
        const char *p = sql->paths[i].name.text;

        buffer_append_format(out, ",\n           %s", p);
        if (sql->paths[i].trait) {
            buffer_append_format(out, ", %s_set", p);
        }
        append_columns(sql, out, p);
    }
    buffer_append_text(out, "\n    FROM (SELECT e.event_no, e.user_id, e.event_time, e.kind, e.message_id, e.name");
    for (size_t i = 0; i < sql->path_count; i++) {
        buffer_append_text(out, ",\n                 ");
        append_raw(sql, out, &sql->paths[i], sql->paths[i].path->key_count);
        buffer_append_format(out, " AS %s", sql->paths[i].name.text);
        if (sql->paths[i].trait) {
            buffer_append_text(out, ",\n                 ");
            append_raw(sql, out, &sql->paths[i], 1);
            buffer_append_format(out, " IS NOT NULL AS %s_set", sql->paths[i].name.text);
        }
    }
    buffer_append_text(out, "\n          FROM ");
    if (!sql_append_identifier(out, sql->dialect, table)) {
        (void)rule_sql_refuse(sql, NULL, "the name of the event table is no identifier");
    }
    buffer_append_text(out, " e CROSS JOIN parameters\n          WHERE e.event_time <= parameters.as_of) stored\n)");
}

static void append_operand(struct rule_sql *sql, struct buffer *out, const struct value *operand)
{
    switch (operand->type) {
    case VALUE_NUMBER:
        decimal_append(out, operand->micros);
        break;
    case VALUE_BOOLEAN:
        buffer_append_text(out, operand->boolean ? "true" : "false");
        break;
    default:
        rule_sql_literal(sql, out, operand->text);
        break;
    }
}

static const char *column_of(const struct value *operand)
{
    return operand->type == VALUE_NUMBER ? "number" : operand->type == VALUE_BOOLEAN ? "boolean" : "text";
}

void rule_sql_in(struct rule_sql *sql, struct buffer *out, const struct criterion *criterion, const char *value,
                 const struct rule_term *term)
{
    (void)criterion;
    buffer_append_char(out, '(');
    for (size_t i = 0; i < term->operand_count; i++) {
        buffer_append_format(out, "%s%s_%s = ", i > 0 ? " OR " : "", value, column_of(&term->operands[i]));
        append_operand(sql, out, &term->operands[i]);
    }
    buffer_append_char(out, ')');
}

/* An existing value, and none of them. */
void rule_sql_not_in(struct rule_sql *sql, struct buffer *out, const struct criterion *criterion, const char *value,
                     const struct rule_term *term)
{
    (void)criterion;
    buffer_append_format(out, "(%s_type IS NOT NULL", value);
    for (size_t i = 0; i < term->operand_count; i++) {
        const char *column = column_of(&term->operands[i]);

        buffer_append_format(out, " AND (%s_%s IS NULL OR %s_%s <> ", value, column, value, column);
        append_operand(sql, out, &term->operands[i]);
        buffer_append_char(out, ')');
    }
    buffer_append_char(out, ')');
}

static void append_call(struct rule_sql *sql, struct buffer *out, const char *function, const char *value,
                        const struct value *operand)
{
    buffer_append_format(out, "%s(%s_text, ", function, value);
    append_operand(sql, out, operand);
    buffer_append_char(out, ')');
}

/* The operand as JSON text, for elements of arrays. */
static void append_json_operand(struct rule_sql *sql, struct buffer *out, const struct value *operand)
{
    struct buffer *json = &sql->scratch;

    buffer_reset(json);
    if (operand->type == VALUE_BOOLEAN) {
        buffer_append_text(json, operand->boolean ? "true" : "false");
    } else {
        buffer_append_char(json, '"');
        for (size_t i = 0; i < operand->text.size; i++) {
            unsigned char byte = (unsigned char)operand->text.data[i];

            if (byte < 0x20) {
                buffer_append_format(json, "\\u%04x", byte);
                continue;
            }
            if (byte == '"' || byte == '\\') {
                buffer_append_char(json, '\\');
            }
            buffer_append_char(json, (char)byte);
        }
        buffer_append_char(json, '"');
    }
    rule_sql_literal(sql, out, buffer_slice(json));
}

/* DuckDB reads the numbers in arrays through binary. Below 1e9 two decimals of six digits are never one there, and
 * rounded to six digits each is itself again. */
static void append_duckdb_contains_number(struct rule_sql *sql, struct buffer *out, const struct criterion *criterion,
                                          const char *value, const struct value *operand)
{
    static const int64_t exact_max = INT64_C(1000000000) * DECIMAL_ONE;

    if (operand->micros >= exact_max || operand->micros <= -exact_max) {
        (void)rule_sql_refuse(sql, criterion,
                              "\"contains\" with a number of 1e9 or more: DuckDB reads the elements of arrays through "
                              "binary");
        return;
    }
    buffer_append_format(out,
                         "(left(%s, 1) = '[' AND list_contains(list_transform(from_json(%s, '[\"JSON\"]'), lambda x:\n"
                         "            CASE WHEN json_type(x) IN ('UBIGINT', 'BIGINT', 'DOUBLE')\n"
                         "                 THEN CAST(json_extract_string(x, '$') AS DECIMAL(19, 6)) END), CAST(",
                         value, value);
    append_operand(sql, out, operand);
    buffer_append_text(out, " AS DECIMAL(19, 6))))");
}

/* A VARIANT keeps the types of elements, and decimals exact. */
static void append_spark_array_contains(struct rule_sql *sql, struct buffer *out, const char *value,
                                        const struct value *operand)
{
    buffer_append_format(out,
                         "(left(%s, 1) = '[' AND exists(try_variant_get(parse_json(%s), '$', 'ARRAY<VARIANT>'), x ->\n"
                         "            ",
                         value, value);
    if (operand->type == VALUE_NUMBER) {
        buffer_append_text(out, "CASE WHEN left(schema_of_variant(x), 7) IN ('BIGINT', 'DECIMAL')\n"
                                "                 THEN CAST(x AS DECIMAL(19, 6)) END = ");
    } else if (operand->type == VALUE_BOOLEAN) {
        buffer_append_text(out, "CASE WHEN schema_of_variant(x) = 'BOOLEAN' THEN CAST(x AS BOOLEAN) END = ");
    } else {
        buffer_append_text(out, "CASE WHEN schema_of_variant(x) = 'STRING' THEN CAST(x AS STRING) END = ");
    }
    append_operand(sql, out, operand);
    buffer_append_text(out, "))");
}

static void append_array_contains(struct rule_sql *sql, struct buffer *out, const struct criterion *criterion,
                                  const char *value, const struct value *operand)
{
    if (sql->dialect == SQL_POSTGRES && operand->type == VALUE_NUMBER) {
        buffer_append_format(
            out,
            "(%s_type = 'compound' AND jsonb_typeof(%s) = 'array' AND EXISTS (\n"
            "            SELECT 1 FROM jsonb_array_elements(CASE WHEN jsonb_typeof(%s) = 'array' THEN %s END) x\n"
            "            WHERE CASE WHEN jsonb_typeof(x.value) <> 'number' THEN false\n"
            "                WHEN abs(x.value::numeric * 1000000 %% 1) = 0.5\n"
            "                THEN 2 * round(x.value::numeric * 500000) * 0.000001 = ",
            value, value, value, value);
        append_operand(sql, out, operand);
        buffer_append_text(out, " ELSE round(x.value::numeric, 6) = ");
        append_operand(sql, out, operand);
        buffer_append_text(out, " END))");
        return;
    }
    if (operand->type == VALUE_NUMBER && sql->dialect == SQL_DUCKDB) {
        append_duckdb_contains_number(sql, out, criterion, value, operand);
        return;
    }
    if (sql->dialect == SQL_POSTGRES) {
        buffer_append_format(out, "(jsonb_typeof(%s) = 'array' AND %s @> jsonb_build_array(", value, value);
        append_json_operand(sql, out, operand);
        buffer_append_text(out, "::jsonb))");
    } else if (sql->dialect == SQL_DUCKDB) {
        buffer_append_format(
            out,
            "(left(%s, 1) = '[' AND list_contains(list_transform(from_json(%s, '[\"JSON\"]'), lambda x:\n"
            "            CASE WHEN json_type(x) = '%s' THEN json_extract_string(x, '$') END), ",
            value, value, operand->type == VALUE_BOOLEAN ? "BOOLEAN" : "VARCHAR");
        if (operand->type == VALUE_BOOLEAN) {
            buffer_append_text(out, operand->boolean ? "'true'" : "'false'");
        } else {
            append_operand(sql, out, operand);
        }
        buffer_append_text(out, "))");
    } else {
        append_spark_array_contains(sql, out, value, operand);
    }
}

void rule_sql_contains(struct rule_sql *sql, struct buffer *out, const struct criterion *criterion, const char *value,
                       const struct rule_term *term)
{
    const struct value *operand = term->operands;

    buffer_append_char(out, '(');
    if (operand->type == VALUE_STRING) {
        if (sql->dialect == SQL_POSTGRES) {
            buffer_append_format(out, "position(");
            append_operand(sql, out, operand);
            buffer_append_format(out, " IN %s_text) > 0", value);
        } else {
            append_call(sql, out, "contains", value, operand);
        }
        buffer_append_text(out, " OR ");
    }
    append_array_contains(sql, out, criterion, value, operand);
    buffer_append_char(out, ')');
}

void rule_sql_ends_with(struct rule_sql *sql, struct buffer *out, const struct criterion *criterion, const char *value,
                        const struct rule_term *term)
{
    const struct value *operand = term->operands;

    (void)criterion;
    if (operand->type != VALUE_STRING) {
        buffer_append_text(out, "false");
    } else if (sql->dialect == SQL_POSTGRES) {
        buffer_append_format(out, "right(%s_text, length(", value);
        append_operand(sql, out, operand);
        buffer_append_text(out, ")) = ");
        append_operand(sql, out, operand);
    } else {
        append_call(sql, out, sql->dialect == SQL_DUCKDB ? "ends_with" : "endswith", value, operand);
    }
}

void rule_sql_starts_with(struct rule_sql *sql, struct buffer *out, const struct criterion *criterion,
                          const char *value, const struct rule_term *term)
{
    (void)criterion;
    if (term->operands->type != VALUE_STRING) {
        buffer_append_text(out, "false");
    } else {
        append_call(sql, out, sql->dialect == SQL_SPARK ? "startswith" : "starts_with", value, term->operands);
    }
}

void rule_sql_exists(struct rule_sql *sql, struct buffer *out, const struct criterion *criterion, const char *value,
                     const struct rule_term *term)
{
    (void)sql;
    (void)criterion;
    buffer_append_format(out, "%s_type IS %sNULL", value, term->exists ? "NOT " : "");
}

void rule_sql_equal(struct rule_sql *sql, struct buffer *out, const struct criterion *criterion, const char *value,
                    const struct rule_term *term)
{
    (void)criterion;
    buffer_append_format(out, "%s_%s = ", value, column_of(term->operands));
    append_operand(sql, out, term->operands);
}

void rule_sql_ordered(struct rule_sql *sql, struct buffer *out, const struct criterion *criterion, const char *value,
                      const struct rule_term *term)
{
    const struct value *operand = term->operands;

    (void)criterion;
    if (operand->type == VALUE_BOOLEAN) {
        buffer_append_text(out, "false");
        return;
    }
    buffer_append_format(out, "%s_%s%s %s ", value, column_of(operand),
                         operand->type == VALUE_STRING ? rule_sql_bytewise(sql) : "", rule_sql_operator(term->op));
    append_operand(sql, out, operand);
}

void rule_sql_comparison(struct rule_sql *sql, struct buffer *out, const struct criterion *criterion, const char *value,
                         const struct rule_comparison *comparison)
{
    for (size_t i = 0; i < comparison->term_count; i++) {
        buffer_append_text(out, i > 0 ? " AND " : "");
        comparison_operators[comparison->terms[i].op].write_sql(sql, out, criterion, value, &comparison->terms[i]);
    }
}

void rule_sql_selector(struct rule_sql *sql, struct buffer *out, const struct criterion *criterion,
                       const struct rule_selector *selector)
{
    if (selector->any_name) {
        buffer_append_text(out, "f.kind <> 'identify'");
    } else {
        buffer_append_text(out, selector->name_count == 1 ? "f.name = " : "f.name IN (");
        for (size_t i = 0; i < selector->name_count; i++) {
            buffer_append_text(out, i > 0 ? ", " : "");
            rule_sql_literal(sql, out, selector->names[i]);
        }
        buffer_append_text(out, selector->name_count == 1 ? "" : ")");
    }
    for (size_t i = 0; i < selector->where_count; i++) {
        struct sql_name value = {.text = "f."};
        const char *path = rule_sql_path(sql, &selector->where[i].property, false);

        memcpy(value.text + 2, path, strlen(path) + 1 < sizeof value.text - 2 ? strlen(path) + 1 : 0);
        buffer_append_text(out, " AND ");
        rule_sql_comparison(sql, out, criterion, value.text, &selector->where[i].comparison);
    }
}

void rule_sql_value_columns(struct buffer *out, const char *prefix, const char *name)
{
    buffer_append_format(out, ",\n           %s%s AS value", prefix, name);
    buffer_append_format(out, ", %s%s_type AS value_type", prefix, name);
    buffer_append_format(out, ", %s%s_number AS value_number", prefix, name);
    buffer_append_text(out, ",\n           ");
    buffer_append_format(out, "%s%s_text AS value_text", prefix, name);
    buffer_append_format(out, ", %s%s_boolean AS value_boolean", prefix, name);
}

void rule_sql_key(struct rule_sql *sql, struct buffer *out, const char *value)
{
    const char *type = rule_sql_text_type(sql);

    buffer_append_format(out, "CASE %s_type WHEN 'number' THEN 'n' || CAST(%s_number AS %s)\n               ", value,
                         value, type);
    buffer_append_format(out, " WHEN 'string' THEN 's' || %s_text", value);
    buffer_append_format(out, "\n                WHEN 'boolean' THEN 'b' || CAST(%s_boolean AS %s) END", value, type);
}

void rule_sql_greatest_first(struct rule_sql *sql, struct buffer *out, const char *value)
{
    buffer_append_format(out,
                         "CASE %s_type WHEN 'compound' THEN 4 WHEN 'string' THEN 3 WHEN 'number' THEN 2\n"
                         "                    WHEN 'boolean' THEN 1 ELSE 0 END DESC,\n"
                         "               %s_boolean DESC, %s_number DESC, %s_text%s DESC",
                         value, value, value, value, rule_sql_bytewise(sql));
}

/* In PostgreSQL the product itself; else millionths of millionths, as a whole number. */
void rule_sql_factors(struct rule_sql *sql, struct buffer *out, const char *a, const char *b)
{
    if (sql->dialect == SQL_POSTGRES) {
        buffer_append_format(out, "f.%s_number * f.%s_number", a, b);
    } else {
        const char *type = sql->dialect == SQL_DUCKDB ? "HUGEINT" : "DECIMAL(19, 0)";

        buffer_append_format(out, "CAST(f.%s_number * 1000000 AS %s) * CAST(f.%s_number * 1000000 AS %s)", a, type, b,
                             type);
    }
}

void rule_sql_product(struct rule_sql *sql, struct buffer *out, const char *m)
{
    if (sql->dialect == SQL_POSTGRES) {
        buffer_append_format(out,
                             "CASE WHEN abs(%s) > %s THEN NULL\n"
                             "               WHEN abs(%s * 1000000 %% 1) = 0.5 THEN 2 * round(%s * 500000) * 0.000001\n"
                             "               ELSE round(%s, 6) END",
                             m, range, m, m, m);
    } else if (sql->dialect == SQL_DUCKDB) {
        buffer_append_format(
            out,
            "CASE WHEN abs(%s) <= 9200000000000000000500000 THEN\n"
            "               CAST(CAST(%s // 1000000 + CASE WHEN abs(%s %% 1000000) > 500000\n"
            "                   OR (abs(%s %% 1000000) = 500000 AND (%s // 1000000) %% 2 <> 0) THEN sign(%s) "
            "ELSE 0 END\n"
            "               AS DECIMAL(26, 0)) * 0.000001 AS DECIMAL(19, 6)) END",
            m, m, m, m, m, m);
    } else {
        buffer_append_format(out,
                             "CASE WHEN abs(%s) <= 9200000000000000000500000BD THEN\n"
                             "               CAST(CAST(bround(%s, -6) / 1000000 AS DECIMAL(19, 0)) * 0.000001BD AS "
                             "DECIMAL(19, 6)) END",
                             m, m);
    }
}
