#include "common/io/store_control.h"

#include "common/base/timestamp.h"
#include "sql_text.h"

static const char *const control_kind_names[] = {
    [CONTROL_NONE] = "none",
    [CONTROL_DEFINITION_APPLIED] = "definition_applied",
    [CONTROL_DEFINITION_RETIRED] = "definition_retired",
    [CONTROL_LOAD_COMPLETED] = "load_completed",
    [CONTROL_RUN_ACTIVATED] = "run_activated",
    [CONTROL_BUILD_BEGUN] = "build_begun",
    [CONTROL_BUILD_READY] = "build_ready",
    [CONTROL_CONSENT_GRANTED] = "consent_granted",
    [CONTROL_CONSENT_WITHDRAWN] = "consent_withdrawn",
    [CONTROL_ERASURE_REQUESTED] = "erasure_requested",
    [CONTROL_REBUILD_REQUESTED] = "rebuild_requested",
};
enum { KIND_COUNT = sizeof control_kind_names / sizeof control_kind_names[0], READ_PIECE = 10000 };

const char *control_kind_name(enum control_kind kind)
{
    return control_kind_names[kind];
}

static enum control_kind kind_parse(struct slice name)
{
    for (int kind = CONTROL_NONE + 1; kind < KIND_COUNT; kind++) {
        if (slice_equal_text(name, control_kind_names[kind])) {
            return (enum control_kind)kind;
        }
    }
    return CONTROL_NONE;
}

bool store_control_append(struct pg *pg, const struct control_line *line, int64_t *control_no, struct error *err)
{
    struct pg_value values[9];
    PGresult *result = NULL;

    values[0] = pg_text(slice_from(control_kind_name(line->kind)));
    pg_set_integer(&values[1], line->segment_no);
    pg_set_integer(&values[2], line->version);
    pg_set_integer(&values[3], line->load_no);
    pg_set_integer(&values[4], line->run_no);
    pg_set_integer(&values[5], line->build_no);
    pg_set_integer(&values[6], line->lane);
    values[7] = pg_null();
    if (line->at_ms != TIMESTAMP_ALWAYS) {
        pg_set_integer(&values[7], line->at_ms);
    }
    values[8] = pg_text(line->detail);
    if (!pg_query(pg, sql_control_append, values, 9, &result, err)) {
        return error_context(err, "control log");
    }
    if (control_no != NULL) {
        *control_no = pg_integer_at(result, 0, 0, 0);
    }
    PQclear(result);
    return true;
}

static struct control_line line_at(const PGresult *result, int row)
{
    return (struct control_line){
        .control_no = pg_integer_at(result, row, 0, 0),
        .kind = kind_parse(pg_text_at(result, row, 1)),
        .segment_no = (int32_t)pg_integer_at(result, row, 2, 0),
        .version = (int32_t)pg_integer_at(result, row, 3, 0),
        .user_no = pg_integer_at(result, row, 4, 0),
        .purpose_no = (int32_t)pg_integer_at(result, row, 5, 0),
        .grant_no = pg_integer_at(result, row, 6, 0),
        .load_no = (int32_t)pg_integer_at(result, row, 7, 0),
        .run_no = pg_integer_at(result, row, 8, 0),
        .build_no = (int32_t)pg_integer_at(result, row, 9, 0),
        .lane = (int32_t)pg_integer_at(result, row, 10, -1),
        .at_ms = pg_integer_at(result, row, 11, TIMESTAMP_ALWAYS),
        .detail = pg_text_at(result, row, 12),
    };
}

bool store_control_read(struct pg *pg, int64_t after_no, store_control_visit *visit, void *context, struct error *err)
{
    int count;

    do {
        struct pg_value value;
        PGresult *result = NULL;

        pg_set_integer(&value, after_no);
        if (!pg_query(pg, sql_control_read, &value, 1, &result, err)) {
            return error_context(err, "control log");
        }
        count = PQntuples(result);
        for (int row = 0; row < count; row++) {
            struct control_line line = line_at(result, row);

            after_no = line.control_no;
            if (!visit(context, &line, err)) {
                PQclear(result);
                return false;
            }
        }
        PQclear(result);
    } while (count == READ_PIECE);
    return true;
}

bool store_control_head(struct pg *pg, int64_t *control_no, struct error *err)
{
    PGresult *result = NULL;

    if (!pg_query(pg, "SELECT control_no FROM control_head", NULL, 0, &result, err)) {
        return error_context(err, "control log");
    }
    *control_no = pg_integer_at(result, 0, 0, 0);
    PQclear(result);
    return true;
}
