/* muster drift: how far batch and stream differ, by the newest measurement of each segment. */
#include "common/cli/commands.h"
#include "common/cli/listing.h"
#include "sql_text.h"

static const struct listing_column drift_columns[] = {
    {"segment", false}, {"kind", false},       {"run", false},        {"at", true},           {"comparable", false},
    {"batch", false},   {"stream", false},     {"only_batch", false}, {"only_stream", false}, {"jaccard", false},
    {"causes", false},  {"measured_at", true}, {"alert", false},
};

static bool visit_count(void *context, const PGresult *row, struct error *err)
{
    (void)err;
    *(int64_t *)context = pg_integer_at(row, 0, 0, 0);
    return true;
}

static bool drift_run(const struct command_line *line, struct error *err)
{
    struct pg_value segment = pg_null();
    struct pg_value subject = pg_null();
    struct pg *pg = NULL;
    int32_t segment_no;
    int64_t raised = 0;
    bool ok = false;

    if (!listing_open(line, &pg, err)) {
        return false;
    }
    if (command_argument_count(line) > 0) {
        if (!listing_segment(pg, command_argument(line, 0), &segment_no, err)) {
            goto out;
        }
        pg_set_integer(&segment, segment_no);
        subject = pg_text(slice_from(command_argument(line, 0)));
    }
    if (!listing_print(line, pg, sql_drift_list, &segment, 1, drift_columns,
                       sizeof drift_columns / sizeof drift_columns[0], NULL, err) ||
        !pg_each(pg,
                 "SELECT count(*) FROM alerts WHERE kind = 'divergence' AND state = 'raised' AND ($1::text IS NULL OR "
                 "subject = $1)",
                 &subject, 1, visit_count, &raised, err)) {
        goto out;
    }
    ok = raised == 0 || error_set(err, ERROR_FOUND, "%lld segment%s above the threshold of divergence",
                                  (long long)raised, raised == 1 ? " is" : "s are");

out:
    pg_close(pg);
    return ok;
}

static const struct option drift_options[] = {LISTING_OPTION_FORMAT, {0}};

const struct command command_drift = {
    .name = "drift",
    .arguments = "[SEGMENT]",
    .summary = "show how far batch and stream differ, and why",
    .help = "raw compares the run with the stream now, aligned both at the run's as_of (the honest comparison).\n"
            "jaccard is members in both by members in either. causes counts the differences; its users are a few\n"
            "of them, by number (muster.user_ids). Exit status 1 while an alert is raised.",
    .options = drift_options,
    .argument_min = 0,
    .argument_max = 1,
    .run = drift_run,
};
