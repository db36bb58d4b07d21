/* `muster segments list` and `show`: what the store holds. */
#include "common/base/output.h"
#include "common/cli/segment_choice.h"
#include "common/cli/segments.h"
#include "common/io/store.h"

#include "sql_text.h"

#include <stdio.h>

static const struct slice none = {.data = NULL, .size = 0};

/* Queries as the operator; the caller clears the result. */
static bool query(const struct command_line *line, const char *sql, const struct pg_value *values, size_t count,
                  PGresult **out, struct error *err)
{
    const struct config *config;
    struct pg *pg = NULL;
    bool done = command_config(line, &config, err) && store_open(config, STORE_ROLE_OPERATOR, &pg, err) &&
                pg_query(pg, sql, values, count, out, err);

    pg_close(pg);
    return done;
}

static struct slice or_none(struct slice text)
{
    return text.size == 0 ? none : text;
}

/* ---- list ---- */

enum {
    LIST_SEGMENT = 0,
    LIST_VERSION,
    LIST_IN_FORCE,
    LIST_EVALUATION,
    LIST_MERGE,
    LIST_PURPOSE,
    LIST_OBJECTION,
    LIST_APPLIED_AT,
    LIST_AUTHOR,
    LIST_COMMIT,
    LIST_RETIRED_AT,
};

bool segments_list(const struct command_line *line, struct error *err)
{
    static const char *const columns[] = {"segment",    "version", "in_force", "evaluation", "merge",     "purpose",
                                          "applied_at", "author",  "commit",   "state",      "retired_at"};
    enum { COLUMN_COUNT = sizeof(columns) / sizeof(columns[0]), COMMIT_SHOWN = 12 };
    enum output_format format;
    struct output *output = NULL;
    PGresult *result = NULL;
    bool done = false;

    if (!output_format_parse(command_text(line, "format"), OUTPUT_TEXT, &format, err) ||
        !query(line, sql_definitions_list, NULL, 0, &result, err) ||
        !output_begin(stdout, format, columns, COLUMN_COUNT, &output, err)) {
        goto out;
    }
    for (int row = 0; row < PQntuples(result); row++) {
        struct slice commit = or_none(pg_text_at(result, row, LIST_COMMIT));
        bool in_force = PQgetisnull(result, row, LIST_IN_FORCE) == 0;
        bool newest =
            in_force && slice_equal(pg_text_at(result, row, LIST_IN_FORCE), pg_text_at(result, row, LIST_VERSION));
        char shown[COMMIT_SHOWN + 2];
        bool retired = PQgetisnull(result, row, LIST_RETIRED_AT) == 0;
        const char *state = retired ? "retired" : newest ? "in force" : "pending";
        struct slice cells[COLUMN_COUNT] = {
            pg_text_at(result, row, LIST_SEGMENT),
            pg_text_at(result, row, LIST_VERSION),
            pg_text_at(result, row, LIST_IN_FORCE),
            pg_text_at(result, row, LIST_EVALUATION),
            pg_text_at(result, row, LIST_MERGE),
            pg_text_at(result, row, LIST_PURPOSE),
            pg_text_at(result, row, LIST_APPLIED_AT),
            pg_text_at(result, row, LIST_AUTHOR),
            commit,
            slice_from(state),
            or_none(pg_text_at(result, row, LIST_RETIRED_AT)),
        };

        if (format == OUTPUT_TEXT && commit.size > COMMIT_SHOWN) {
            bool changed = commit.data[commit.size - 1] == 's'; /* "...+changes" */

            (void)snprintf(shown, sizeof(shown), "%.*s%s", (int)COMMIT_SHOWN, commit.data, changed ? "+" : "");
            cells[8] = slice_from(shown);
        }
        if (!output_row(output, cells, err)) {
            goto out;
        }
    }
    done = true;
out:
    PQclear(result);
    if (!done) {
        output_abort(output);
        return false;
    }
    return output_end(output, err);
}

/* ---- show ---- */

enum {
    SHOW_VERSION = 0,
    SHOW_IN_FORCE,
    SHOW_NEWEST,
    SHOW_EVALUATION,
    SHOW_MERGE,
    SHOW_PURPOSE,
    SHOW_OBJECTION,
    SHOW_APPLIED_AT,
    SHOW_AUTHOR,
    SHOW_COMMIT,
    SHOW_RETIRED,
    SHOW_SHA256,
    SHOW_DOCUMENT,
    SHOW_REFERS_TO,
    SHOW_RETIRED_AT,
    SHOW_RETIRED_BY,
};

/* Control characters, which could steer a terminal, become "?". */
static void print_field(const char *name, struct slice text)
{
    (void)printf("%-11s ", name);
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.data[i];

        (void)putchar(byte < 0x20 || byte == 0x7f ? '?' : byte);
    }
    (void)printf("%s\n", text.size == 0 ? "-" : "");
}

static void print_text(const char *segment, const PGresult *result)
{
    struct slice document = pg_text_at(result, 0, SHOW_DOCUMENT);
    struct slice in_force = pg_text_at(result, 0, SHOW_IN_FORCE);

    print_field("segment", slice_from(segment));
    (void)printf("%-11s %s of %s%s\n", "version", PQgetvalue(result, 0, SHOW_VERSION),
                 PQgetvalue(result, 0, SHOW_NEWEST), pg_boolean_at(result, 0, SHOW_RETIRED) ? ", retired" : "");
    print_field("in force", in_force);
    print_field("evaluation", pg_text_at(result, 0, SHOW_EVALUATION));
    print_field("merge", pg_text_at(result, 0, SHOW_MERGE));
    if (PQgetisnull(result, 0, SHOW_PURPOSE) != 0) {
        print_field("purpose", SLICE_LITERAL("not subject to consent"));
    } else {
        (void)printf("%-11s %s (%s)\n", "purpose", PQgetvalue(result, 0, SHOW_PURPOSE),
                     pg_boolean_at(result, 0, SHOW_OBJECTION) ? "allowed until an objection" : "needs consent");
    }
    print_field("refers to", pg_text_at(result, 0, SHOW_REFERS_TO));
    print_field("applied at", pg_text_at(result, 0, SHOW_APPLIED_AT));
    print_field("author", pg_text_at(result, 0, SHOW_AUTHOR));
    print_field("commit", pg_text_at(result, 0, SHOW_COMMIT));
    if (pg_boolean_at(result, 0, SHOW_RETIRED)) {
        print_field("retired at", pg_text_at(result, 0, SHOW_RETIRED_AT));
        print_field("retired by", pg_text_at(result, 0, SHOW_RETIRED_BY));
    }
    print_field("sha256", pg_text_at(result, 0, SHOW_SHA256));
    (void)printf("\n%.*s\n", (int)document.size, document.data);
}

static bool print_row(const char *segment, const PGresult *result, enum output_format format, struct error *err)
{
    static const char *const columns[] = {"segment",    "version",    "in_force",   "evaluation", "merge",
                                          "purpose",    "refers_to",  "applied_at", "author",     "commit",
                                          "retired_at", "retired_by", "sha256",     "document"};
    enum { COLUMN_COUNT = sizeof(columns) / sizeof(columns[0]) };
    struct slice cells[COLUMN_COUNT] = {
        slice_from(segment),
        pg_text_at(result, 0, SHOW_VERSION),
        pg_text_at(result, 0, SHOW_IN_FORCE),
        pg_text_at(result, 0, SHOW_EVALUATION),
        pg_text_at(result, 0, SHOW_MERGE),
        pg_text_at(result, 0, SHOW_PURPOSE),
        pg_text_at(result, 0, SHOW_REFERS_TO),
        pg_text_at(result, 0, SHOW_APPLIED_AT),
        pg_text_at(result, 0, SHOW_AUTHOR),
        or_none(pg_text_at(result, 0, SHOW_COMMIT)),
        pg_text_at(result, 0, SHOW_RETIRED_AT),
        pg_text_at(result, 0, SHOW_RETIRED_BY),
        pg_text_at(result, 0, SHOW_SHA256),
        pg_text_at(result, 0, SHOW_DOCUMENT),
    };
    struct output *output = NULL;

    if (!output_begin(stdout, format, columns, COLUMN_COUNT, &output, err)) {
        return false;
    }
    if (!output_row(output, cells, err)) {
        output_abort(output);
        return false;
    }
    return output_end(output, err);
}

bool segments_show(const struct command_line *line, struct error *err)
{
    const char *segment = command_argument(line, 0);
    struct pg_value values[2] = {pg_text(slice_from(segment)), pg_null()};
    enum output_format format;
    PGresult *result = NULL;
    bool done = false;

    if (!output_format_parse(command_text(line, "format"), OUTPUT_TEXT, &format, err)) {
        return false;
    }
    if (command_has(line, "version")) {
        pg_set_integer(&values[1], command_integer(line, "version", 0));
    }
    if (!query(line, sql_definitions_show, values, 2, &result, err)) {
        goto out;
    }
    if (PQntuples(result) == 0) {
        segment_choice_unknown(segment, command_integer(line, "version", 0), err);
        goto out;
    }
    if (format == OUTPUT_TEXT) {
        print_text(segment, result);
        done = true;
    } else {
        done = print_row(segment, result, format, err);
    }
out:
    PQclear(result);
    return done;
}
