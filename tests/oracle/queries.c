#include "tests/oracle/queries.h"

#include "common/base/timestamp.h"
#include "common/domain/event_row.h"
#include "tests/oracle/product.h"

#include <inttypes.h>

enum { ROWS_SIZE_MAX = 64 << 20, DEDUP_MS = 24 * 3600 * 1000 };

/* A case under way. */
struct asking {
    struct queries *queries;
    struct arena *arena;
    const struct oracle_case *test;
    const char *name;
    struct product product;
    int64_t newest;
    size_t asked;
    struct error err;
};

/* ---- expected rows ---- */

static void print_instant(FILE *file, int64_t ms)
{
    if (ms == TIMESTAMP_NEVER) {
        (void)fputs(", null", file);
    } else {
        (void)fprintf(file, ", %" PRId64, ms);
    }
}

static void append_question(const struct asking *asking, struct buffer *out, size_t segment, int64_t at,
                            enum sql_rows rows)
{
    struct slice id = asking->product.set.definitions[segment].segment_id;

    buffer_append_format(out, "\"%s\", \"%.*s\", %" PRId64 ", \"%s\"", asking->name, (int)id.size, id.data, at,
                         sql_rows_name(rows));
}

static void print_expected(struct asking *asking, size_t segment, int64_t at, enum sql_rows rows, struct slice user,
                           const struct interval *interval)
{
    FILE *file = asking->queries->expected;
    struct buffer line;

    buffer_init(&line, 1 << 20);
    buffer_append_char(&line, '[');
    append_question(asking, &line, segment, at, rows);
    buffer_append_text(&line, ", ");
    tree_write_string(user, &line);
    (void)fwrite(line.data, 1, line.size, file);
    if (rows != SQL_MEMBERS) {
        print_instant(file, interval->entered_at);
        print_instant(file, interval->left_at);
    }
    (void)fputs("]\n", file);
    buffer_clear(&line);
}

static bool expect_members(struct asking *asking, const struct product_user *user, size_t segment, int64_t at,
                           enum sql_rows rows)
{
    struct product *product = &asking->product;
    struct membership members[PRODUCT_SEGMENTS_MAX];

    if (!user_state_memberships(product->ruleset, user->state, at, product->evaluation, members, &asking->err)) {
        return false;
    }
    if (members[segment].member) {
        bool ranked = product->set.definitions[segment].needs_percentile;
        const struct interval interval = {.entered_at = ranked ? at : members[segment].entered_at,
                                          .left_at = ranked || rows == SQL_INTERVALS ? TIMESTAMP_NEVER
                                                                                     : members[segment].valid_until};

        print_expected(asking, segment, at, rows, user->id, &interval);
    }
    return true;
}

static bool expect_intervals(struct asking *asking, const struct product_user *user, size_t segment, int64_t at)
{
    struct product *product = &asking->product;
    const struct interval *intervals = NULL;
    size_t count = 0;

    if (!user_state_history(product->ruleset, user->state, segment, at, product->evaluation, &intervals, &count,
                            &asking->err)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        struct interval interval = intervals[i];

        if (interval.entered_at <= at) {
            interval.left_at = interval.left_at <= at ? interval.left_at : TIMESTAMP_NEVER;
            print_expected(asking, segment, at, SQL_INTERVALS, user->id, &interval);
        }
    }
    return true;
}

static bool expect(struct asking *asking, size_t segment, int64_t at, enum sql_rows rows)
{
    bool history = rows == SQL_INTERVALS && !asking->product.set.definitions[segment].needs_percentile;

    for (size_t i = 0; i < asking->product.user_count; i++) {
        const struct product_user *user = &asking->product.users[i];

        if (!(history ? expect_intervals(asking, user, segment, at)
                      : expect_members(asking, user, segment, at, rows))) {
            return false;
        }
    }
    return true;
}

/* ---- queries ---- */

/* PostgreSQL's is asked in the text; the others have the parameter. */
static bool append_query(struct asking *asking, size_t segment, int64_t at, enum sql_rows rows)
{
    static const char *const columns[] = {"", ", entered_at, valid_until", ", entered_at, left_at"};
    struct queries *queries = asking->queries;
    bool postgres = queries->dialect == SQL_POSTGRES;
    const struct rule_sql_options options = {.dialect = queries->dialect,
                                             .rows = rows,
                                             .as_of_given = postgres,
                                             .as_of_ms = at};
    struct buffer query;

    buffer_init(&query, ROWS_SIZE_MAX);
    if (!rule_sql_append(&query, &asking->product.set, segment, &options, &asking->err)) {
        buffer_clear(&query);
        return false;
    }
    if (postgres) {
        struct buffer question;

        buffer_init(&question, 1 << 10);
        append_question(asking, &question, segment, at, rows);
        buffer_append_text(&queries->out, "SELECT json_build_array(");
        for (size_t i = 0; i < question.size; i++) { /* only the name, ids and words: no quote to double */
            buffer_append_char(&queries->out, question.data[i] == '"' ? '\'' : question.data[i]);
        }
        buffer_append_format(&queries->out, ", user_id%s) FROM (\n%s) q;\n", columns[rows], buffer_text(&query));
        buffer_clear(&question);
    } else {
        buffer_append_text(&queries->out, asking->asked > 0 ? ", [[" : "[[");
        append_question(asking, &queries->out, segment, at, rows);
        buffer_append_text(&queries->out, "], ");
        tree_write_string(buffer_slice(&query), &queries->out);
        buffer_append_char(&queries->out, ']');
    }
    asking->asked++;
    buffer_clear(&query);
    return true;
}

static bool ask(struct asking *asking, size_t segment, int64_t at, enum sql_rows rows)
{
    struct slice id = asking->product.set.definitions[segment].segment_id;

    if (append_query(asking, segment, at, rows)) {
        (void)fprintf(asking->queries->asked, "%s %.*s\n", asking->name, (int)id.size, id.data);
        return expect(asking, segment, at, rows);
    }
    if (asking->err.code != ERROR_INPUT) {
        return false;
    }
    (void)fprintf(asking->queries->refused, "%s %.*s: %s\n", asking->name, (int)id.size, id.data, asking->err.message);
    return true;
}

/* Members, members with their times, and the history take turns; the newest event's instant is asked about too. */
static bool ask_all(struct asking *asking)
{
    for (int i = 0; i < CASE_INSTANTS + (asking->newest != INT64_MIN); i++) {
        int64_t at = i < CASE_INSTANTS ? asking->test->instants[i] : asking->newest;

        if (!product_rank(&asking->product, at, &asking->err)) {
            return false;
        }
        for (size_t segment = 0; segment < asking->product.set.definition_count; segment++) {
            enum sql_rows rows = (enum sql_rows)((asking->test->seed + segment + (size_t)i) % SQL_ROWS_COUNT);

            if (!ask(asking, segment, at, rows)) {
                return false;
            }
        }
    }
    return true;
}

/* ---- rows ---- */

static bool append_rows(struct asking *asking, struct buffer *rows)
{
    asking->newest = INT64_MIN;
    event_row_append_header(rows);
    for (size_t i = 0; i < asking->test->line_count; i++) {
        struct event event;
        bool accepted = false;

        if (!product_decode(&asking->product, asking->test->lines[i], &event, &accepted, &asking->err)) {
            return false;
        }
        if (!accepted) {
            continue;
        }
        if (!product_fold(&asking->product, &event, false, &asking->err) ||
            !event_row_append(rows, asking->queries->dialect, &event, (int64_t)i + 1, asking->arena, &asking->err)) {
            return false;
        }
        if (event.kind != EVENT_CONSENT && event.kind != EVENT_DELETE && event.time_ms > asking->newest) {
            asking->newest = event.time_ms;
        }
    }
    return true;
}

static void append_loading(struct queries *queries, struct buffer *rows)
{
    struct buffer tables;
    const char *distinct;

    if (queries->dialect != SQL_POSTGRES) {
        buffer_append_text(&queries->out, "{\"rows\": ");
        tree_write_string(buffer_slice(rows), &queries->out);
        buffer_append_text(&queries->out, ", \"queries\": [");
        return;
    }
    buffer_init(&tables, 1 << 20);
    rule_sql_append_tables(&tables, queries->dialect, DEDUP_MS);
    distinct = strstr(buffer_text(&tables), "INSERT INTO");
    buffer_append_format(&queries->out,
                         "DELETE FROM muster_messages; DELETE FROM muster_events;\n"
                         "COPY muster_messages FROM STDIN WITH (FORMAT csv, HEADER);\n%s\\.\n%s",
                         buffer_text(rows), distinct == NULL ? "" : distinct);
    buffer_clear(&tables);
}

bool queries_print(struct queries *queries, struct arena *arena, const struct oracle_case *test, const char *name)
{
    struct asking asking = {.queries = queries, .arena = arena, .test = test, .name = name};
    struct buffer rows;
    bool done;

    buffer_init(&rows, ROWS_SIZE_MAX);
    buffer_reset(&queries->out);
    done = product_init(&asking.product, arena, queries->zones, test->definitions, &asking.err) &&
           append_rows(&asking, &rows);
    if (done) {
        append_loading(queries, &rows);
        done = ask_all(&asking);
        buffer_append_text(&queries->out, queries->dialect == SQL_POSTGRES ? "" : "]}\n");
        (void)fwrite(queries->out.data, 1, queries->out.size, stdout);
    }
    if (!done) {
        (void)fprintf(queries->refused, "%s: %s\n", name, asking.err.message);
    }
    product_clear(&asking.product);
    buffer_clear(&rows);
    return done && !queries->out.failed;
}
