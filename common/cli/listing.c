#include "common/cli/listing.h"

#include "common/cli/segment_choice.h"

#include "common/base/output.h"
#include "common/base/timestamp.h"
#include "common/io/store.h"
#include "common/io/store_users.h"

#include <stdio.h>

enum { LISTING_COLUMNS_MAX = 24 };

struct listing {
    struct output *output;
    const struct listing_column *columns;
    size_t column_count;
    int64_t row_count;
};

static bool listing_row(void *context, const PGresult *row, struct error *err)
{
    struct listing *listing = context;
    struct slice cells[LISTING_COLUMNS_MAX];
    char instants[LISTING_COLUMNS_MAX][TIMESTAMP_TEXT_SIZE];

    for (size_t i = 0; i < listing->column_count; i++) {
        cells[i] = pg_text_at(row, 0, (int)i);
        if (listing->columns[i].instant && cells[i].data != NULL) {
            cells[i] = slice_from(timestamp_text(pg_integer_at(row, 0, (int)i, TIMESTAMP_NEVER), instants[i]));
            cells[i].data = cells[i].size == 0 ? NULL : cells[i].data;
        }
    }
    listing->row_count++;
    return output_row(listing->output, cells, err);
}

bool listing_print(const struct command_line *line, struct pg *pg, const char *sql, const struct pg_value *values,
                   size_t value_count, const struct listing_column *columns, size_t column_count, int64_t *row_count,
                   struct error *err)
{
    struct listing listing = {.columns = columns, .column_count = column_count};
    const char *names[LISTING_COLUMNS_MAX];
    enum output_format format;

    if (column_count > LISTING_COLUMNS_MAX) {
        return error_set(err, ERROR_INTERNAL, "a listing has too many columns");
    }
    for (size_t i = 0; i < column_count; i++) {
        names[i] = columns[i].name;
    }
    if (!output_format_parse(command_text(line, "format"), OUTPUT_TEXT, &format, err) ||
        !output_begin(stdout, format, names, column_count, &listing.output, err)) {
        return false;
    }
    if (!pg_each(pg, sql, values, value_count, listing_row, &listing, err)) {
        output_abort(listing.output);
        return false;
    }
    if (row_count != NULL) {
        *row_count = listing.row_count;
    }
    return output_end(listing.output, err);
}

bool listing_open(const struct command_line *line, struct pg **out, struct error *err)
{
    const struct config *config = NULL;

    return command_config(line, &config, err) && store_open(config, STORE_ROLE_OPERATOR, out, err);
}

static bool visit_segment(void *context, const PGresult *row, struct error *err)
{
    (void)err;
    *(int32_t *)context = (int32_t)pg_integer_at(row, 0, 0, 0);
    return true;
}

bool listing_segment(struct pg *pg, const char *segment_id, int32_t *segment_no, struct error *err)
{
    struct pg_value value = pg_text(slice_from(segment_id));

    *segment_no = 0;
    if (!pg_each(pg, "SELECT segment_no FROM segments WHERE segment_id = $1", &value, 1, visit_segment, segment_no,
                 err)) {
        return false;
    }
    if (*segment_no == 0) {
        segment_choice_unknown(segment_id, 0, err);
        return false;
    }
    return true;
}

bool listing_user(struct pg *pg, const char *user_id, int64_t *user_no, struct error *err)
{
    int32_t lane;

    if (!store_users_look_up(pg, slice_from(user_id), user_no, &lane, err)) {
        return false;
    }
    if (*user_no == 0) {
        (void)error_set(err, ERROR_INPUT, "no such user in the store");
        return error_hint(
            err, "a user is known once an event or a change of consent was read; ids are compared byte by byte");
    }
    return true;
}
