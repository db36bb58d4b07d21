/* muster eval: definitions over a file of events, with no server at all (segment-language, section 7). */
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/output.h"
#include "common/cli/commands.h"
#include "common/cli/eval_batch.h"
#include "common/cli/eval_explain.h"
#include "common/cli/eval_stream.h"
#include "common/domain/rule_parse.h"
#include "common/io/definition_files.h"
#include "common/io/source.h"
#include "common/io/zone_version.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct eval {
    const struct command_line *line;
    struct segment_set set;
    struct zone_files zones;
    struct ruleset *ruleset;
    struct eval_options options;
    struct eval_batch batch;
    struct eval_stream stream;   /* with options.stream, instead of the batch */
    struct eval_explain explain; /* with --explain */
    struct eval_rows rows;
    int64_t newest; /* greatest event time; TIMESTAMP_ALWAYS before the first */
    uint64_t line_count;
    uint64_t event_count;
    uint64_t refused[QUARANTINE_MAPPING + 1];
    uint64_t refused_count;
    int64_t cpu_begin_ns;
};

/* ---- definitions ---- */

static bool refers_to_missing(const struct segment_set *set, const struct criterion *criteria, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if ((criteria[i].kind == CRITERION_SEGMENT && segment_set_find(set, criteria[i].segment_id) == SIZE_MAX) ||
            refers_to_missing(set, criteria[i].children, criteria[i].child_count)) {
            return true;
        }
    }
    return false;
}

/* Takes out what this version cannot evaluate and, again and again, what refers to that. */
static void skip_unsupported(struct segment_set *set)
{
    size_t before = SIZE_MAX;

    while (set->definition_count != before) {
        size_t kept = 0;

        before = set->definition_count;
        for (size_t i = 0; i < before; i++) {
            const struct definition *definition = &set->definitions[i];
            const char *what = "a segment that is left out";
            struct slice path;

            if (ruleset_supports(definition, &what, &path) &&
                !refers_to_missing(set, definition->criteria, definition->criterion_count) &&
                !refers_to_missing(set, definition->exclude, definition->exclude_count)) {
                set->definitions[kept++] = *definition;
            } else {
                fprintf(stderr, "left out %.*s: not supported in this version: %s\n", (int)definition->segment_id.size,
                        definition->segment_id.data, what);
            }
        }
        set->definition_count = kept;
    }
}

static bool read_definitions(struct eval *eval, struct error *err)
{
    struct ruleset_options options = {.zones = zone_files_find, .zones_context = &eval->zones};
    const struct config *config;

    if (!command_config(eval->line, &config, err) ||
        !definition_files_read(command_text(eval->line, "segments"), &eval->set, NULL, err)) {
        return false;
    }
    if (command_has(eval->line, "skip-unsupported")) {
        skip_unsupported(&eval->set);
    }
    options.dedup_ms = config_duration_ms(config, "time.dedup");
    return segment_set_check(&eval->set, err) && ruleset_new(&eval->set, &options, &eval->ruleset, err);
}

/* ---- events ---- */

static void report(const char *name, int64_t line, const char *what, const char *detail)
{
    fprintf(stderr, "%s:%" PRId64 ": %s: %s\n", name, line, what, detail);
}

static void report_copy(const char *name, int64_t line)
{
    report(name, line, "copy", "the messageId is known with other content; this one is ignored");
}

static bool take_event(struct eval *eval, const struct source *source, const struct source_item *item,
                       struct error *err)
{
    const struct event *event = &item->event;
    bool different;

    if ((event->kind == EVENT_CONSENT || event->kind == EVENT_DELETE) && !eval->options.consent) {
        return true;
    }
    if (eval->explain.user.size > 0 && !eval_explain_take(&eval->explain, event, err)) {
        return false;
    }
    eval->event_count++;
    eval->newest = event->time_ms > eval->newest ? event->time_ms : eval->newest;
    if (!eval->options.stream) {
        return eval_batch_add(&eval->batch, event, item->line, err);
    }
    if (!eval_stream_take(&eval->stream, event, &different, err)) {
        return false;
    }
    if (different) {
        report_copy(source_name(source), item->line);
    }
    return true;
}

static bool read_events(struct eval *eval, struct error *err)
{
    const struct source_options options = {.map_path = command_text(eval->line, "map"),
                                           .decode = true,
                                           .projection = ruleset_projection(eval->ruleset)};
    struct source *source = NULL;
    struct source_item item;
    bool done = false;

    if (!source_open(command_text(eval->line, "events"), &options, &source, err)) {
        return false;
    }
    for (;;) {
        if (!source_next(source, &item, err)) {
            goto out;
        }
        if (item.kind == SOURCE_END) {
            break;
        }
        eval->line_count++;
        if (item.kind == SOURCE_REFUSED) {
            eval->refused[item.reason]++;
            eval->refused_count++;
            report(source_name(source), item.line, quarantine_reason_name(item.reason), item.detail);
            continue;
        }
        if (!take_event(eval, source, &item, err)) {
            goto out;
        }
    }
    done = true;
out:
    source_close(source);
    return done;
}

/* The batch engine finds copies when all is read. */
static bool find_rows(struct eval *eval, struct error *err)
{
    const char *path = command_text(eval->line, "events");
    int64_t at = command_instant(eval->line, "as-of", eval->newest);
    struct piles_counts counts;

    if (!eval_rows_init(&eval->rows, eval->ruleset, &eval->options, at, err)) {
        return false;
    }
    if (eval->options.stream) {
        return eval_stream_rows(&eval->stream, &eval->rows, err) && eval_rows_arrange(&eval->rows, err);
    }
    if (!eval_batch_rows(&eval->batch, &eval->rows, err)) {
        return false;
    }
    counts = piles_counts(eval->batch.piles);
    for (uint64_t i = 0; i < counts.copy_different_count; i++) {
        report_copy(strcmp(path, "-") == 0 ? "standard input" : path, counts.lines_different[i]);
    }
    return eval_rows_arrange(&eval->rows, err);
}

/* ---- output ---- */

static int compare_segments(const void *left, const void *right)
{
    const struct definition *const *a = left;
    const struct definition *const *b = right;

    return slice_compare((*a)->segment_id, (*b)->segment_id);
}

static struct slice instant_cell(int64_t ms, char text[TIMESTAMP_TEXT_SIZE])
{
    if (ms == TIMESTAMP_NEVER) {
        return slice_of(NULL, 0);
    }
    return slice_from(timestamp_text(ms, text));
}

/* Users are many, and their ids lie where they were found: the ids are asked for so many rows before, the users twice.
 */
enum { FETCH_ROW = 8 };

static bool print_segment(const struct eval *eval, struct output *output, const struct definition *definition,
                          struct error *err)
{
    const struct eval_rows *rows = &eval->rows;
    size_t count;
    const struct eval_row *found = eval_rows_of(rows, (size_t)(definition - eval->set.definitions), &count);

    for (size_t i = 0; i < count; i++) {
        const struct eval_row *row = &found[i];
        char entered[TIMESTAMP_TEXT_SIZE];
        char left[TIMESTAMP_TEXT_SIZE];
        const struct slice cells[] = {
            definition->segment_id,
            rows->users[row->user].id,
            instant_cell(row->interval.entered_at, entered),
            instant_cell(row->interval.left_at, left),
        };

        if (i + 2 * FETCH_ROW < count) {
            __builtin_prefetch(&rows->users[found[i + 2 * FETCH_ROW].user]);
            __builtin_prefetch(rows->users[found[i + FETCH_ROW].user].id.data);
        }
        if (!output_row(output, cells, err)) {
            return false;
        }
    }
    return true;
}

static bool print_rows(const struct eval *eval, enum output_format format, struct error *err)
{
    const char *columns[] = {"segment", "user", "entered_at",
                             command_has(eval->line, "intervals") ? "left_at" : "valid_until"};
    size_t count = ruleset_segment_count(eval->ruleset);
    const struct definition **order = memory_allocate_zeroed(count, sizeof *order);
    struct output *output = NULL;
    bool done = false;

    if (order == NULL) {
        return error_no_memory(err, "rows");
    }
    for (size_t i = 0; i < count; i++) {
        order[i] = ruleset_definition(eval->ruleset, i);
    }
    qsort(order, count, sizeof *order, compare_segments);
    if (!output_begin(stdout, format, columns, sizeof columns / sizeof columns[0], &output, err)) {
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        if (!print_segment(eval, output, order[i], err)) {
            output_abort(output);
            goto out;
        }
    }
    done = output_end(output, err);
out:
    memory_free(order);
    return done;
}

static bool print_stats(const struct eval *eval, struct error *err)
{
    char tz_version[ZONE_VERSION_SIZE];
    struct piles_counts counts = {.user_count = eval->stream.count};
    double seconds = (double)(timestamp_cpu_ns() - eval->cpu_begin_ns) / 1e9;

    if (eval->options.stream) {
        struct lane_counts lane = lane_counts(eval->stream.lane);

        counts.copy_count = lane.copies;
        counts.copy_different_count = lane.copies_different;
        counts.size = eval_stream_size(&eval->stream);
    } else {
        counts = piles_counts(eval->batch.piles);
    }
    fprintf(stderr, "lines %" PRIu64 ", events %" PRIu64 ", users %zu\n", eval->line_count, eval->event_count,
            counts.user_count);
    fprintf(stderr, "copies %" PRIu64 ", with other content %" PRIu64 "\n", counts.copy_count,
            counts.copy_different_count);
    fprintf(stderr, "quarantined %" PRIu64 "\n", eval->refused_count);
    for (int reason = 1; reason <= QUARANTINE_MAPPING; reason++) {
        if (eval->refused[reason] > 0) {
            fprintf(stderr, "  %s %" PRIu64 "\n", quarantine_reason_name((enum quarantine_reason)reason),
                    eval->refused[reason]);
        }
    }
    fprintf(stderr, "state %zu bytes, %zu per user\n", counts.size,
            counts.user_count > 0 ? counts.size / counts.user_count : 0);
    fprintf(stderr, "cpu %.3f s, %.0f lines/s\n", seconds, seconds > 0 ? (double)eval->line_count / seconds : 0.0);
    if (!zone_version(&eval->zones, tz_version, err)) {
        return false;
    }
    fprintf(stderr, "time zones %s, %s\n", tz_version[0] == '\0' ? "of unknown version" : tz_version,
            zone_files_at(&eval->zones, 0) == NULL ? "not needed" : "needed");
    return true;
}

static bool parse_engine(const struct command_line *line, bool *stream, struct error *err)
{
    const char *engine = command_text(line, "engine");

    *stream = engine != NULL && strcmp(engine, "stream") == 0;
    if (engine == NULL || *stream || strcmp(engine, "batch") == 0) {
        return true;
    }
    return error_set(err, ERROR_USAGE, "--engine: expected batch or stream, got \"%s\"", engine);
}

static bool print_answer(struct eval *eval, enum output_format format, struct error *err)
{
    if (command_has(eval->line, "explain")) {
        return eval_explain_print(&eval->explain, &eval->batch, &eval->set, eval->line,
                                  command_instant(eval->line, "as-of", eval->newest), err);
    }
    return find_rows(eval, err) && print_rows(eval, format, err);
}

/* What an explanation is not combined with, and what needs one. */
static bool check_explain(const struct command_line *line, struct error *err)
{
    static const char *const others[] = {"intervals", "consent", "engine"};

    if (!command_has(line, "explain")) {
        return !command_has(line, "segment") || error_set(err, ERROR_USAGE, "--segment goes with --explain");
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (command_has(line, others[i])) {
            return error_set(err, ERROR_USAGE, "--explain does not go with --%s", others[i]);
        }
    }
    return true;
}

static bool evaluate(struct eval *eval, enum output_format format, struct error *err)
{
    if (!read_events(eval, err) || !print_answer(eval, format, err)) {
        return false;
    }
    if (command_has(eval->line, "stats")) {
        if (!print_stats(eval, err)) {
            return false;
        }
    } else if (eval->refused_count > 0) {
        fprintf(stderr, "quarantined %" PRIu64 " of %" PRIu64 " lines\n", eval->refused_count, eval->line_count);
    }
    if (eval->refused_count > 0 && command_has(eval->line, "strict")) {
        return error_set(err, ERROR_INPUT, "%" PRIu64 " lines were quarantined", eval->refused_count);
    }
    return true;
}

static bool run(const struct command_line *line, struct error *err)
{
    struct eval eval = {.line = line, .newest = TIMESTAMP_ALWAYS, .cpu_begin_ns = timestamp_cpu_ns()};
    enum output_format format = OUTPUT_CSV;
    bool done;

    eval.options.intervals = command_has(line, "intervals");
    eval.options.consent = command_has(line, "consent");
    if (!parse_engine(line, &eval.options.stream, err) || !check_explain(line, err) ||
        (!command_has(line, "explain") &&
         !output_format_parse(command_text(line, "format"), OUTPUT_CSV, &format, err)) ||
        !command_config(line, &eval.options.config, err)) {
        return false;
    }
    segment_set_init(&eval.set);
    zone_files_init(&eval.zones);
    eval_explain_init(&eval.explain, command_text(line, "explain"));
    done = read_definitions(&eval, err) &&
           (eval.options.stream ? eval_stream_init(&eval.stream, eval.ruleset, &eval.options, err)
                                : eval_batch_init(&eval.batch, eval.ruleset, &eval.options, err)) &&
           evaluate(&eval, format, err);
    eval_explain_clear(&eval.explain);
    eval_rows_clear(&eval.rows);
    eval_batch_clear(&eval.batch);
    eval_stream_clear(&eval.stream);
    ruleset_free(eval.ruleset);
    zone_files_clear(&eval.zones);
    segment_set_clear(&eval.set);
    return done;
}

static const struct option eval_options_table[] = {
    {"segments", OPTION_TEXT, "FILE_OR_DIR", "definitions: a file, or a folder's *.json", true},
    {"events", OPTION_TEXT, "FILE", "events as JSON lines, or CSV with --map; - for standard input", true},
    {"map", OPTION_TEXT, "M", "the events are CSV; M says how its columns become messages (schemas/mapping.md)", false},
    {"as-of", OPTION_INSTANT, "T", "the instant asked about; default: the greatest event time", false},
    {"intervals", OPTION_FLAG, NULL, "print the whole history up to that instant", false},
    {"engine", OPTION_TEXT, "NAME", "batch (default), or stream: event by event in the order of the lines", false},
    {"explain", OPTION_TEXT, "USER", "print why this user is, or is not, a member, criterion by criterion", false},
    {"segment", OPTION_TEXT, "ID", "with --explain: this segment only", false},
    {"format", OPTION_TEXT, "NAME", "csv (default), jsonl or text; with --explain text (default), jsonl or json",
     false},
    {"strict", OPTION_FLAG, NULL, "exit 4 when a line was quarantined", false},
    {"consent", OPTION_FLAG, NULL, "only users who are allowed, since they are", false},
    {"stats", OPTION_FLAG, NULL, "counts, bytes of state and rate on standard error", false},
    {"skip-unsupported", OPTION_FLAG, NULL, "leave out definitions that this version cannot evaluate", false},
    {0},
};

const struct command command_eval = {
    .name = "eval",
    .arguments = "",
    .summary = "evaluate definitions over a file of events, without a server",
    .help = "Prints the members at --as-of as segment,user,entered_at,valid_until, or with --intervals every\n"
            "membership as segment,user,entered_at,left_at. Both engines print the same for any order of lines.\n\n"
            "With --consent a membership counts only while its purpose is granted by the consent and delete\n"
            "messages of the input, by their timestamps; [consent] says what holds before the first.\n\n"
            "With --explain the exit status is 0 whether or not the user is a member, and 4 when there is no event of\n"
            "that user.\n\n"
            "  muster eval --segments segments/ --events events.jsonl --as-of 2026-05-02T10:00:00Z\n",
    .options = eval_options_table,
    .run = run,
};
