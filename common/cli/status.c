/* muster status: how everything stands, one line per thing. */
#include "common/cli/commands.h"
#include "common/cli/listing.h"
#include "sql_text.h"

static bool status_run(const struct command_line *line, struct error *err)
{
    static const struct listing_column columns[] = {{"what", false},
                                                    {"subject", false},
                                                    {"state", false},
                                                    {"detail", false}};
    struct pg *pg = NULL;
    bool ok;

    if (!listing_open(line, &pg, err)) {
        return false;
    }
    ok = listing_print(line, pg, sql_status_list, NULL, 0, columns, sizeof columns / sizeof columns[0], NULL, err);
    pg_close(pg);
    return ok;
}

static const struct option status_options[] = {LISTING_OPTION_FORMAT, {0}};

const struct command command_status = {
    .name = "status",
    .arguments = "",
    .summary = "show lanes, loads, runs, segments, builds, uncertain users, alerts, quarantine, erasures, ledger",
    .options = status_options,
    .run = status_run,
};
