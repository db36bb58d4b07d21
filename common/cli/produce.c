/* muster produce: a file into Kafka, keyed by user. */
#include "common/base/progress.h"
#include "common/base/timestamp.h"
#include "common/cli/commands.h"
#include "common/io/kafka.h"
#include "common/io/refusals.h"
#include "common/io/source.h"

#include <inttypes.h>
#include <stdio.h>

enum { FLUSH_TIMEOUT_MS = 30000 };

struct production {
    const char *topic;
    const struct config *config;
    struct source *source;
    struct kafka_producer *producer;
    struct refusals refusals;
    uint64_t sent;
    int64_t line_last; /* of the last line looked at */
};

/* Sends what the source yields until its end or a signal. */
static bool send_all(struct production *production, struct error *err)
{
    struct progress progress;
    struct source_item item;
    bool good = true;

    progress_begin(&progress, "produce", source_size(production->source));
    while (good && !command_stopping()) {
        good = source_next(production->source, &item, err);
        if (!good || item.kind == SOURCE_END) {
            break;
        }
        production->line_last = item.line;
        if (item.kind == SOURCE_REFUSED) {
            refusals_add(&production->refusals, source_name(production->source), &item);
        } else {
            good = kafka_producer_send(production->producer, production->topic, item.event.user, item.text, 0, err);
            production->sent += good;
        }
        if ((production->sent & 1023) == 0) {
            progress_update(&progress, source_offset(production->source));
        }
    }
    progress_end(&progress);
    return good;
}

/* What was delivered counts, also where the rest could not be. */
static void report(const struct production *production, bool stopped)
{
    uint64_t delivered = kafka_producer_delivered(production->producer);

    refusals_report(&production->refusals, source_name(production->source));
    (void)printf("%" PRIu64 " message%s delivered to %s\n", delivered, delivered == 1 ? "" : "s", production->topic);
    if (delivered < production->sent) {
        (void)fprintf(stderr, "%" PRIu64 " messages were sent but not confirmed\n", production->sent - delivered);
    }
    if (stopped) {
        (void)fprintf(stderr, "stopped behind line %" PRId64 " of %s\n", production->line_last,
                      source_name(production->source));
    }
}

static bool produce(struct production *production, struct error *err)
{
    int32_t partitions = (int32_t)config_integer(production->config, "topics.partitions");
    bool sent;
    bool flushed;

    if (!kafka_topics_ensure(production->config, &production->topic, 1, partitions, err) ||
        !kafka_producer_open(production->config, &production->producer, err)) {
        return false;
    }
    sent = send_all(production, err);
    if (sent) {
        flushed = kafka_producer_flush(production->producer, FLUSH_TIMEOUT_MS, err);
    } else {
        struct error ignored = ERROR_INIT; /* the first error is the one to tell */

        flushed = kafka_producer_flush(production->producer, FLUSH_TIMEOUT_MS, &ignored);
    }
    report(production, command_stopping());
    return sent && flushed;
}

static bool run(const struct command_line *line, struct error *err)
{
    const struct source_options options = {.map_path = command_text(line, "map"),
                                           .decode = true,
                                           .envelope = true,
                                           .message_ids = true};
    struct production production = {.topic = command_text(line, "topic")};
    bool good = false;

    refusals_init(&production.refusals, (uint64_t)command_integer(line, "show", REFUSALS_SHOWN_MAX));
    if (!command_config(line, &production.config, err) ||
        !source_open(command_argument(line, 0), &options, &production.source, err)) {
        return false;
    }
    command_catch_signals();
    if (!produce(&production, err)) {
        goto done;
    }
    if (command_has(line, "strict") && production.refusals.total > 0) {
        (void)error_set(err, ERROR_INPUT, "%s: %" PRIu64 " of its lines were quarantined and not sent",
                        source_name(production.source), production.refusals.total);
        goto done;
    }
    good = true;

done:
    kafka_producer_close(production.producer);
    source_close(production.source);
    return good;
}

static const struct option options[] = {
    {.name = "topic",
     .kind = OPTION_TEXT,
     .value = "T",
     .help = "the topic, for instance muster-events",
     .required = true},
    {.name = "map",
     .kind = OPTION_TEXT,
     .value = "M",
     .help = "FILE is CSV; M says how its columns become messages (schemas/mapping.md)"},
    {.name = "strict",
     .kind = OPTION_FLAG,
     .help = "exit 4 when a line was quarantined (the others are sent all the same)"},
    {.name = "show", .kind = OPTION_INTEGER, .value = "N", .help = "quarantined lines told one by one (default 20)"},
    {0},
};

const struct command command_produce = {
    .name = "produce",
    .arguments = "FILE",
    .summary = "put the messages of a file into Kafka, keyed by user",
    .help =
        "FILE (\"-\": standard input) holds one JSON message per line, or CSV with --map. The order of the lines is "
        "kept\n"
        "for each user, every replica confirms each message, and a missing topic is created with topics.partitions\n"
        "partitions. A line without a message id gets one from the file's SHA-256 and its number, so that sending a "
        "file\n"
        "twice changes nothing. A line that is no message is told with its number and reason, counted and not sent.\n"
        "\n"
        "    muster produce --topic muster-events events.jsonl\n"
        "    muster produce --topic muster-events --map retail.map online_retail.csv\n",
    .options = options,
    .argument_min = 1,
    .argument_max = 1,
    .run = run,
};
