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

#define DAY_MS INT64_C(86400000)

static struct slice number_cell(char text[CELL_SIZE], int64_t number)
{
    int size = snprintf(text, CELL_SIZE, "%lld", (long long)number);

    return number < 0 ? SLICE_LITERAL("unlimited") : slice_of(text, size > 0 ? (size_t)size : 0);
}

static bool print_cost(struct output *output, struct slice id, const struct rule_cost *cost, struct error *err)
{
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
    row[5] = number_cell(cells[5], cost->kept_count);
    row[6] = number_cell(cells[6], cost->pane_count);
    row[7] = number_cell(cells[7], cost->state_bytes);
    row[8] = cost->why[0] == '\0' ? (struct slice){.data = NULL, .size = 0} : slice_from(cost->why);
    done = buffer_finish(&reach, "a reach", err) && output_row(output, row, err);
    buffer_clear(&reach);
    return done;
}

static bool print_costs(const struct segment_set *set, const struct ruleset *ruleset, enum output_format format,
                        const struct rule_cost_assumptions *assumptions, struct error *err)
{
    static const char *const columns[COLUMN_COUNT] = {"segment",     "streams",     "reach",
                                                      "fixed_bytes", "event_bytes", "events_kept",
                                                      "panes_kept",  "state_bytes", "reason"};
    struct output *output = NULL;
    struct rule_cost cost;

    if (!output_begin(stdout, format, columns, COLUMN_COUNT, &output, err)) {
        return false;
    }
    for (size_t i = 0; i < set->definition_count; i++) {
        rule_cost(ruleset, i, assumptions, &cost);
        if (!print_cost(output, set->definitions[i].segment_id, &cost, err)) {
            goto failed;
        }
    }
    if (format == OUTPUT_TEXT && set->definition_count > 1) {
        rule_cost(ruleset, SIZE_MAX, assumptions, &cost);
        if (!print_cost(output, SLICE_LITERAL("(all together)"), &cost, err)) {
            goto failed;
        }
    }
    return output_end(output, err);
failed:
    output_abort(output);
    return false;
}

/* How the columns add up, so that a reader can. */
static bool explain_costs(const struct ruleset *ruleset, const struct rule_cost_assumptions *assumptions,
                          struct error *err)
{
    struct rule_cost cost;

    rule_cost(ruleset, SIZE_MAX, assumptions, &cost);
    (void)printf(
        "per user, at worst, unpacked in memory: %lld events a day, message ids of %lld bytes, texts of %lld "
        "bytes;\nevents_kept and panes_kept are what the rules can still need of what no late event can change "
        "any more,\nbeside them the %lld events of the last %lld days and of the time in which copies may come;\n"
        "since a log may double before it is pruned,\n"
        "state_bytes = fixed_bytes + event_bytes x (2 x (events_kept + panes_kept + %lld) + 16)\n",
        (long long)assumptions->events_per_day, (long long)assumptions->id_size, (long long)assumptions->text_size,
        (long long)cost.recent_count, (long long)(assumptions->lateness_ms / DAY_MS), (long long)cost.recent_count);
    return output_check(stdout, err);
}

static bool check_limits(const struct command_line *line, struct error *err)
{
    static const struct {
        const char *option;
        int64_t max;
    } limits[] = {{"id-bytes", 256}, {"lateness-days", 36525}, {"text-bytes", 1000000}, {"events-per-day", 1000000}};

    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        int64_t value = command_integer(line, limits[i].option, 0);

        if (value < 0 || value > limits[i].max) {
            return error_set(err, ERROR_USAGE, "--%s: expected 0 to %lld, got %lld", limits[i].option,
                             (long long)limits[i].max, (long long)value);
        }
    }
    return true;
}

bool segments_cost(const struct command_line *line, struct error *err)
{
    const struct rule_cost_assumptions assumptions = {
        .id_size = command_integer(line, "id-bytes", 36),
        .text_size = command_integer(line, "text-bytes", 16),
        .events_per_day = command_integer(line, "events-per-day", 10),
        .lateness_ms = command_integer(line, "lateness-days", 7) * DAY_MS,
    };
    enum output_format format;
    struct ruleset *ruleset = NULL;
    struct zone_files zones;
    struct segment_set set;
    bool done = false;

    if (!check_limits(line, err) || !output_format_parse(command_text(line, "format"), OUTPUT_TEXT, &format, err)) {
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
        done = explain_costs(ruleset, &assumptions, err);
    }
    ruleset_free(ruleset);
    segment_set_clear(&set);
    zone_files_clear(&zones);
    return done;
}
