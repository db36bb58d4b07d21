#include "stream/stream.h"

#include "common/base/command.h"

#include <stdlib.h>

/* "2" or "0-3". */
static bool parse_lanes(const char *text, struct run_options *options, struct error *err)
{
    char *end = NULL;
    long first = strtol(text, &end, 10);
    long last = first;
    bool good = end != text;

    if (good && *end == '-') {
        const char *rest = end + 1;
        last = strtol(rest, &end, 10);
        good = end != rest;
    }
    if (!good || *end != '\0' || first < 0 || last < first || last >= STREAM_LANES_MAX) {
        error_set(err, ERROR_USAGE, "--lanes %s: expected a lane or a range", text);
        return error_hint(err, "for example --lanes 0-3");
    }
    options->lane_first = (int32_t)first;
    options->lane_last = (int32_t)last;
    return true;
}

static bool command_run(const struct command_line *line, struct error *err)
{
    struct run_options options = {
        .until_ms = command_instant(line, "until", TIMESTAMP_NEVER),
        .lane_first = -1,
        .lane_last = -1,
    };
    const struct config *config = NULL;

    if (command_has(line, "lanes") && !parse_lanes(command_text(line, "lanes"), &options, err)) {
        return false;
    }
    return command_config(line, &config, err) && run_stream(config, &options, err);
}

static bool command_lag(const struct command_line *line, struct error *err)
{
    const struct config *config = NULL;

    return command_config(line, &config, err) && lag_print(config, command_text(line, "format"), err);
}

static const struct option run_options[] = {
    {.name = "until",
     .kind = OPTION_INSTANT,
     .value = "T",
     .help = "read to the ends, move every watermark to T, fire timers, exit (time.clock = event)"},
    {.name = "lanes", .kind = OPTION_TEXT, .value = "A-B", .help = "only these lanes (partitions); default: all"},
    {.name = NULL},
};

static const struct option lag_options[] = {
    {.name = "format", .kind = OPTION_TEXT, .value = "FORMAT", .help = "text, csv or jsonl"},
    {.name = NULL},
};

static const struct command commands[] = {
    {.name = "run",
     .arguments = "",
     .summary = "follow the log and write stream records",
     .help =
         "Rebuilds the states of its lanes from the archive and the log, announces what new definitions bring, and "
         "then\n"
         "writes a record for every change of membership, with its progress in the same transaction. A second process\n"
         "for the same lanes takes them over; the first one then stops, having written nothing more.\n"
         "\n"
         "With --until T every membership announces its true end before the process ends, since nobody will renew it.\n"
         "Events later than T are read and passed, but not evaluated by this process; the next run,\n"
         "which rebuilds the states, has them. A definition that is applied while the stream runs is taken up at "
         "once:\n"
         "the stream rebuilds its states with the newest versions and goes on with those.\n"
         "SIGTERM ends after the step under way, with exit status 0.",
     .options = run_options,
     .run = command_run},
    {.name = "lag",
     .arguments = "",
     .summary = "how far each lane is behind the log",
     .help = "One row per lane and topic: the offsets the log holds [low, end), the next one to be read, how many are "
             "left,\n"
             "the lane's watermark, and how long ago it was last written.",
     .options = lag_options,
     .run = command_lag},
    {.name = NULL},
};

static const struct command root = {
    .name = "muster-stream",
    .arguments = "",
    .summary = "the streaming pipeline: events in, stream records out",
    .subcommands = commands,
};

int main(int argc, char **argv)
{
    return command_main(&root, argc, argv);
}
