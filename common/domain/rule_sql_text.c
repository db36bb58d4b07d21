/* Names, literals and comments in generated SQL. */
#include "common/domain/rule_sql_parts.h"

#include <stdio.h>

static const char *const dialect_names[] = {"none", "postgres", "duckdb", "spark"};

const char *sql_dialect_name(enum sql_dialect dialect)
{
    return dialect_names[dialect];
}

enum sql_dialect sql_dialect_find(const char *name)
{
    for (int i = SQL_POSTGRES; i <= SQL_SPARK; i++) {
        if (strcmp(dialect_names[i], name) == 0) {
            return (enum sql_dialect)i;
        }
    }
    return SQL_DIALECT_NONE;
}

static const char *const rows_names[] = {"members", "times", "intervals"};

const char *sql_rows_name(enum sql_rows rows)
{
    return rows_names[rows];
}

enum sql_rows sql_rows_find(const char *name)
{
    for (int i = SQL_MEMBERS; i < SQL_ROWS_COUNT; i++) {
        if (strcmp(rows_names[i], name) == 0) {
            return (enum sql_rows)i;
        }
    }
    return SQL_ROWS_COUNT;
}

/* Spark replaces ${...} by variables, even those of the environment, wherever in a statement it stands. */
static bool is_variable(struct slice text, size_t at)
{
    return text.data[at] == '$' && at + 1 < text.size && text.data[at + 1] == '{';
}

bool sql_append_identifier(struct buffer *out, enum sql_dialect dialect, struct slice name)
{
    char quote = dialect == SQL_SPARK ? '`' : '"';

    if (name.size == 0 || memchr(name.data, '\0', name.size) != NULL) {
        return false;
    }
    buffer_append_char(out, quote);
    for (size_t i = 0; i < name.size; i++) {
        if (dialect == SQL_SPARK && is_variable(name, i)) {
            return false;
        }
        if (name.data[i] == quote) {
            buffer_append_char(out, quote);
        }
        buffer_append_char(out, name.data[i]);
    }
    buffer_append_char(out, quote);
    return true;
}

/* PostgreSQL takes a backslash as it is only with standard_conforming_strings, so one is written as E'\\'. Spark takes
 * backslashes as escapes, and two quotes as the end of one string and the begin of the next. */
bool sql_append_literal(struct buffer *out, enum sql_dialect dialect, struct slice text)
{
    bool backslash = text.size > 0 && memchr(text.data, '\\', text.size) != NULL;
    bool escaped = dialect == SQL_SPARK || (dialect == SQL_POSTGRES && backslash);

    if (text.size > 0 && memchr(text.data, '\0', text.size) != NULL) {
        return false;
    }
    buffer_append_text(out, dialect == SQL_POSTGRES && backslash ? "E'" : "'");
    for (size_t i = 0; i < text.size; i++) {
        char byte = text.data[i];

        if (byte == '\'') {
            buffer_append_char(out, dialect == SQL_SPARK ? '\\' : '\'');
        } else if (byte == '\\' && escaped) {
            buffer_append_char(out, '\\');
        }
        buffer_append_char(out, byte);
        if (dialect == SQL_SPARK && is_variable(text, i)) {
            buffer_append_char(out, '\\');
        }
    }
    buffer_append_char(out, '\'');
    return true;
}

bool rule_sql_refuse(struct rule_sql *sql, const struct criterion *criterion, const char *what)
{
    if (!sql->refused) {
        struct slice path = criterion != NULL ? criterion->json_path : (struct slice){.data = "", .size = 0};

        sql->refused = true;
        (void)error_set(sql->err, ERROR_INPUT, "%.*s%s%.*s: %s", (int)sql->definition->segment_id.size,
                        sql->definition->segment_id.data, path.size > 0 ? ": " : "", (int)path.size, path.data, what);
    }
    return false;
}

struct sql_name rule_sql_name(const char *prefix, unsigned number, struct slice slug, const char *suffix)
{
    enum { SLUG_MAX = 32 };
    struct sql_name name;
    char word[SLUG_MAX + 2] = "";
    size_t size = 0;

    for (size_t i = 0; i < slug.size && size < SLUG_MAX; i++) {
        char byte = slug.data[i];

        if (byte >= 'A' && byte <= 'Z') {
            byte = (char)(byte - 'A' + 'a');
        }
        if (!((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9'))) {
            byte = '_';
        }
        if (byte == '_' && (size == 0 || word[size] == '_')) {
            word[0] = '_';
            continue;
        }
        word[++size] = byte;
    }
    word[0] = '_';
    word[size == 0 ? 0 : size + 1] = '\0';
    (void)snprintf(name.text, sizeof name.text, "%.8s%u%.34s%.16s", prefix, number, word, suffix);
    return name;
}

void rule_sql_literal(struct rule_sql *sql, struct buffer *out, struct slice text)
{
    if (!sql_append_literal(out, sql->dialect, text)) {
        (void)rule_sql_refuse(sql, NULL, "a text with U+0000 cannot be written in SQL");
    }
}

/* The token at "criteria[0].any[1]", or JSON_ABSENT. */
static int32_t find_token(const struct json_document *document, struct slice path)
{
    int32_t token = 0;
    size_t at = 0;

    while (at < path.size && token != JSON_ABSENT) {
        size_t begin = at;

        if (path.data[at] == '$' || path.data[at] == '.') {
            at++;
            continue;
        }
        if (path.data[at] == '[') {
            uint32_t index = 0;
            uint32_t element = (uint32_t)token + 1;

            for (at++; at < path.size && path.data[at] != ']'; at++) {
                index = index * 10 + (uint32_t)(path.data[at] - '0');
            }
            at++;
            if (document->tokens[token].type != JSON_ARRAY || index >= document->tokens[token].count) {
                return JSON_ABSENT;
            }
            while (index-- > 0) {
                element = document->tokens[element].end_token;
            }
            token = (int32_t)element;
            continue;
        }
        while (at < path.size && path.data[at] != '.' && path.data[at] != '[') {
            at++;
        }
        token = json_member(document, token, slice_of(path.data + begin, at - begin));
    }
    return token;
}

/* The JSON text on one line, and its end. */
static void append_quoted(struct rule_sql *sql, struct buffer *out, int32_t token)
{
    struct slice text = json_raw(&sql->document, token);
    bool string = sql->document.tokens[token].type == JSON_STRING; /* its text is without the quotes */
    bool in_string = string;
    size_t written = 0;

    buffer_append_text(out, string ? "\"" : "");
    for (size_t i = 0; i < text.size && written < SQL_NOTE_SIZE_MAX; i++) {
        char byte = text.data[i];
        bool blank = byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';

        if (in_string && byte == '\\' && i + 1 < text.size) {
            buffer_append_char(out, byte);
            byte = text.data[++i];
        } else if (byte == '"') {
            in_string = !in_string;
        }
        if (in_string || !blank) {
            buffer_append_char(out, byte);
            written++;
        }
        if ((!in_string && (byte == ',' || byte == ':')) || (sql->dialect == SQL_SPARK && is_variable(text, i))) {
            buffer_append_char(out, ' ');
        }
    }
    buffer_append_text(out, string ? "\"" : "");
    buffer_append_text(out, written >= SQL_NOTE_SIZE_MAX ? " ...\n" : "\n");
}

void rule_sql_note(struct rule_sql *sql, struct buffer *out, const char *indent, struct slice json_path)
{
    int32_t token = sql->document.token_count > 0 ? find_token(&sql->document, json_path) : JSON_ABSENT;

    buffer_append_format(out, "%s-- %.*s %.*s: ", indent, (int)sql->definition->segment_id.size,
                         sql->definition->segment_id.data, (int)json_path.size, json_path.data);
    if (token == JSON_ABSENT) {
        buffer_append_char(out, '\n');
    } else {
        append_quoted(sql, out, token);
    }
}

void rule_sql_note_key(struct rule_sql *sql, struct buffer *out, const char *indent, struct slice json_path,
                       const char *key)
{
    int32_t token = sql->document.token_count > 0 ? find_token(&sql->document, json_path) : JSON_ABSENT;

    token = token == JSON_ABSENT ? JSON_ABSENT : json_member(&sql->document, token, slice_from(key));
    if (token != JSON_ABSENT) {
        buffer_append_format(out, "%s-- %.*s %.*s%s%s: ", indent, (int)sql->definition->segment_id.size,
                             sql->definition->segment_id.data, (int)json_path.size, json_path.data,
                             json_path.size > 0 ? "." : "", key);
        append_quoted(sql, out, token);
    }
}

const char *rule_sql_operator(enum rule_operator op)
{
    return comparison_operators[op].sql_symbol;
}

const char *rule_sql_bigint(const struct rule_sql *sql)
{
    return sql->dialect == SQL_POSTGRES ? "bigint" : "BIGINT";
}

const char *rule_sql_text_type(const struct rule_sql *sql)
{
    return sql->dialect == SQL_POSTGRES ? "text" : sql->dialect == SQL_DUCKDB ? "VARCHAR" : "STRING";
}

const char *rule_sql_bytewise(const struct rule_sql *sql)
{
    return sql->dialect == SQL_POSTGRES ? " COLLATE \"C\"" : "";
}
