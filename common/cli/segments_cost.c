/* `muster segments cost`: what definitions cost per user, before they ship. */
#include "common/base/duration.h"
#include "common/base/timestamp.h"
#include "common/cli/segments.h"
#include "common/domain/rule_cost.h"
#include "common/domain/rule_parse.h"
#include "common/io/definition_files.h"
#include "common/io/definition_zones.h"
#include "common/io/zone_files.h"

#include <stdio.h>

enum { COLUMN_COUNT = 9, CELL_SIZE = 64 };

struct assumptions {
    struct rule_cost_assumptions sizes;
    int64_t events_per_day;
    int64_t days;
};

/* Events within the reach, of a user with so many a day; -1: no bound. */
static int64_t events_in_reach(const struct rule_cost *cost, int64_t per_day)
{
    const int64_t day_ms = INT64_C(86400000);

    if (cost->reach_ms == TIMESTAMP_NEVER) {
        return -1;
    }
    return (cost->reach_ms / day_ms + (cost->reach_ms % day_ms > 0 ? 1 : 0)) * per_day;
}

static struct slice number_cell(char text[CELL_SIZE], int64_t number)
{
    int size = snprintf(text, CELL_SIZE, "%lld", (long long)number);

    return number < 0 ? SLICE_LITERAL("unlimited") : slice_of(text, size > 0 ? (size_t)size : 0);
}

static bool print_cost(struct output *output, struct slice id, const struct rule_cost *cost,
                       const struct assumptions *assumptions, struct error *err)
{
    int64_t needed = events_in_reach(cost, assumptions->events_per_day);
    int64_t kept = assumptions->events_per_day * assumptions->days;
    char cells[COLUMN_COUNT][CELL_SIZE];
    struct buffer reach;
    struct slice row[COLUMN_COUNT];
    bool done;

    buffer_init(&reach, CELL_SIZE);
    if (cost->reach_ms == TIMESTAMP_NEVER) {
        buffer_append_text(&reach, "unlimited");
    } else {
        duration_append(&reach, cost->reach_ms);
    }
    row[0] = id;
    row[1] = slice_from(cost->streams ? "yes" : "no");
    row[2] = buffer_slice(&reach);
    row[3] = number_cell(cells[3], cost->fixed_bytes);
    row[4] = number_cell(cells[4], cost->event_bytes);
    row[5] = number_cell(cells[5], needed);
    row[6] = number_cell(cells[6], needed < 0 ? -1 : cost->fixed_bytes + needed * cost->event_bytes);
    row[7] = number_cell(cells[7], cost->fixed_bytes + kept * cost->event_bytes);
    row[8] = cost->why[0] == '\0' ? (struct slice){.data = NULL, .size = 0} : slice_from(cost->why);
    done = buffer_finish(&reach, "a reach", err) && output_row(output, row, err);
    buffer_clear(&reach);
    return done;
}

static bool print_costs(const struct segment_set *set, const struct ruleset *ruleset, enum output_format format,
                        const struct assumptions *assumptions, struct error *err)
{
    static const char *const columns[COLUMN_COUNT] = {"segment",     "streams",      "reach",
                                                      "fixed_bytes", "event_bytes",  "events_in_reach",
                                                      "reach_bytes", "period_bytes", "reason"};
    struct output *output = NULL;
    struct rule_cost cost;

    if (!output_begin(stdout, format, columns, COLUMN_COUNT, &output, err)) {
        return false;
    }
    for (size_t i = 0; i < set->definition_count; i++) {
        rule_cost(ruleset, i, &assumptions->sizes, &cost);
        if (!print_cost(output, set->definitions[i].segment_id, &cost, assumptions, err)) {
            goto failed;
        }
    }
    if (format == OUTPUT_TEXT && set->definition_count > 1) {
        rule_cost(ruleset, SIZE_MAX, &assumptions->sizes, &cost);
        if (!print_cost(output, SLICE_LITERAL("(all together)"), &cost, assumptions, err)) {
            goto failed;
        }
    }
    return output_end(output, err);
failed:
    output_abort(output);
    return false;
}

bool segments_cost(const struct command_line *line, struct error *err)
{
    const struct assumptions assumptions = {
        .sizes = {.id_size = command_integer(line, "id-bytes", 36),
                  .text_size = command_integer(line, "text-bytes", 16)},
        .events_per_day = command_integer(line, "events-per-day", 10),
        .days = command_integer(line, "days", 365),
    };
    enum { LIMIT = 1000000 };
    enum output_format format;
    struct ruleset *ruleset = NULL;
    struct zone_files zones;
    struct segment_set set;
    bool done = false;

    if (assumptions.sizes.id_size < 0 || assumptions.sizes.id_size > 256 || assumptions.sizes.text_size < 0 ||
        assumptions.sizes.text_size > LIMIT || assumptions.events_per_day < 0 || assumptions.events_per_day > LIMIT ||
        assumptions.days < 0 || assumptions.days > 36525) {
        return error_set(
            err, ERROR_USAGE,
            "--id-bytes is at most 256, --days at most 36525, --text-bytes and --events-per-day at most %d",
            (int)LIMIT);
    }
    if (!output_format_parse(command_text(line, "format"), OUTPUT_TEXT, &format, err)) {
        return false;
    }
    zone_files_init(&zones);
    segment_set_init(&set);
    const struct ruleset_options options = {.zones = zone_files_find, .zones_context = &zones};

    if (definition_files_read(command_argument(line, 0), &set, NULL, err) && segment_set_check(&set, err) &&
        definition_zones_check(&set, err) && ruleset_new(&set, &options, &ruleset, err)) {
        done = print_costs(&set, ruleset, format, &assumptions, err);
    }
    if (done && format == OUTPUT_TEXT) {
        (void)printf(
            "per user, at worst: %lld events a day, message ids of %lld bytes, texts of %lld bytes; nothing kept "
            "expires yet,\nso after %lld days a state holds period_bytes; reach_bytes is what the rule itself can "
            "depend on\n",
            (long long)assumptions.events_per_day, (long long)assumptions.sizes.id_size,
            (long long)assumptions.sizes.text_size, (long long)assumptions.days);
        done = output_check(stdout, err);
    }
    ruleset_free(ruleset);
    segment_set_clear(&set);
    zone_files_clear(&zones);
    return done;
}
