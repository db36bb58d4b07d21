/* muster history: every change of a user's memberships, or of a segment's, with what decided it. */
#include "common/cli/commands.h"
#include "common/cli/listing.h"
#include "sql_text.h"

static const struct listing_column history_columns[] = {
    {"id", false},       {"segment", false},   {"user", false},       {"change", false},
    {"member", false},   {"valid_from", true}, {"entered_at", true},  {"valid_until", true},
    {"decision", false}, {"version", false},   {"build", false},      {"run", false},
    {"position", false}, {"block", false},     {"recorded_at", true}, {"detail", false},
};

static bool history_run(const struct command_line *line, struct error *err)
{
    struct pg_value values[2] = {pg_null(), pg_null()};
    const char *segment_id = command_text(line, "segment");
    struct pg *pg = NULL;
    int32_t segment_no;
    int64_t user_no;
    bool ok = false;

    if (command_argument_count(line) == 0 && segment_id == NULL) {
        error_set(err, ERROR_USAGE, "neither USER nor --segment given");
        return error_hint(err, "muster history USER, or muster history --segment SEGMENT");
    }
    if (!listing_open(line, &pg, err)) {
        return false;
    }
    if (command_argument_count(line) > 0) {
        if (!listing_user(pg, command_argument(line, 0), &user_no, err)) {
            goto out;
        }
        pg_set_integer(&values[0], user_no);
    }
    if (segment_id != NULL) {
        if (!listing_segment(pg, segment_id, &segment_no, err)) {
            goto out;
        }
        pg_set_integer(&values[1], segment_no);
    }
    ok = listing_print(line, pg, sql_history_list, values, 2, history_columns,
                       sizeof history_columns / sizeof history_columns[0], NULL, err);

out:
    pg_close(pg);
    return ok;
}

static const struct option history_options[] = {
    {.name = "segment", .kind = OPTION_TEXT, .value = "SEGMENT", .help = "only this segment's changes"},
    LISTING_OPTION_FORMAT,
    {0},
};

const struct command command_history = {
    .name = "history",
    .arguments = "[USER]",
    .summary = "list the changes of a user's memberships or of a segment, and what decided each",
    .help =
        "valid_from is the event time from which a row holds; recorded_at when the ledger sealed it (empty: not yet).",
    .options = history_options,
    .argument_min = 0,
    .argument_max = 1,
    .run = history_run,
};
