/* muster members: who is in a segment, now or at a past instant, as known now or then. */
#include "common/base/timestamp.h"
#include "common/cli/commands.h"
#include "common/cli/listing.h"
#include "sql_text.h"

static const struct listing_column member_columns[] = {{"segment", false},
                                                       {"user", false},
                                                       {"entered_at", true},
                                                       {"valid_until", true}};
enum { MEMBER_COLUMN_COUNT = sizeof member_columns / sizeof member_columns[0] };

static bool members_as_of(const struct command_line *line, struct pg *pg, const struct pg_value *segment,
                          struct error *err)
{
    struct pg_value values[3];
    char known_at[TIMESTAMP_TEXT_SIZE];

    values[0] = *segment;
    if (segment->data != NULL) {
        values[0].data = values[0].number;
    }
    pg_set_integer(&values[1], command_instant(line, "as-of", command_instant(line, "known-at", 0)));
    values[2] = pg_null();
    if (command_instant(line, "known-at", TIMESTAMP_ALWAYS) > timestamp_now()) {
        error_set(err, ERROR_USAGE, "--known-at lies in the future: nobody can tell yet what will be known then");
        return error_hint(err, "leave it out to ask what is known now");
    }
    if (command_has(line, "known-at")) {
        values[2] = pg_text(slice_from(timestamp_text(command_instant(line, "known-at", 0), known_at)));
    }
    return listing_print(line, pg, sql_members_as_of, values, 3, member_columns, MEMBER_COLUMN_COUNT, NULL, err);
}

static bool members_run(const struct command_line *line, struct error *err)
{
    struct pg_value segment = pg_null();
    struct pg *pg = NULL;
    int32_t segment_no;
    bool ok = false;

    if (!listing_open(line, &pg, err)) {
        return false;
    }
    if (command_argument_count(line) > 0) {
        if (!listing_segment(pg, command_argument(line, 0), &segment_no, err)) {
            goto out;
        }
        pg_set_integer(&segment, segment_no);
    }
    if (command_has(line, "as-of") || command_has(line, "known-at")) {
        ok = members_as_of(line, pg, &segment, err);
    } else {
        ok = listing_print(line, pg, sql_members_now, &segment, 1, member_columns, MEMBER_COLUMN_COUNT, NULL, err);
    }

out:
    pg_close(pg);
    return ok;
}

static const struct option members_options[] = {
    {.name = "as-of", .kind = OPTION_INSTANT, .value = "T", .help = "who was a member at T, from the history"},
    {.name = "known-at",
     .kind = OPTION_INSTANT,
     .value = "K",
     .help = "as the ledger knew it at K: an answer that never changes (without --as-of: at K)"},
    LISTING_OPTION_FORMAT,
    {0},
};

const struct command command_members = {
    .name = "members",
    .arguments = "[SEGMENT]",
    .summary = "list who is in a segment (or in all), now or at a past instant",
    .options = members_options,
    .argument_min = 0,
    .argument_max = 1,
    .run = members_run,
};
