#include "common/base/command.h"

#include "common/base/command_help.h"
#include "common/base/duration.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/nearest.h"
#include "common/base/output.h"
#include "common/base/timestamp.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { ARGUMENTS_MAX = 4096 };

/* An option as given. */
struct given {
    const struct option *option;
    const char *text; /* of the command line; NULL for flags */
    int64_t number;   /* integer, instant or duration */
};

struct command_line {
    struct command_path path;
    struct given *given;
    size_t given_count;
    const char **arguments;
    size_t argument_count;
    const char *config_path;
    const char **sets; /* "SECTION.KEY=VALUE" */
    size_t set_count;
    bool help;
    bool version;
    bool sample;
    struct config *config; /* opened on first use */
};

static const struct option common_options[] = {
    {.name = "config",
     .kind = OPTION_TEXT,
     .value = "FILE",
     .help = "settings; else MUSTER_CONF, ./muster.conf, /etc/muster/muster.conf"},
    {.name = "set",
     .kind = OPTION_TEXT,
     .value = "SECTION.KEY=VALUE",
     .help = "one setting; overrides file and environment"},
    {.name = "help", .kind = OPTION_FLAG, .help = "this text"},
    {0},
};

static const struct option program_options[] = {
    {.name = "version", .kind = OPTION_FLAG, .help = "name and version"},
    {.name = "sample-config", .kind = OPTION_FLAG, .help = "a configuration file with every setting and its default"},
    {0},
};

static const struct option *find_option(const struct option *options, struct slice name)
{
    for (const struct option *option = options; option != NULL && option->name != NULL; option++) {
        if (slice_equal_text(name, option->name)) {
            return option;
        }
    }
    return NULL;
}

static const struct command *current(const struct command_line *line)
{
    return line->path.commands[line->path.count - 1];
}

static bool unknown_option(const struct command_line *line, struct slice name, struct error *err)
{
    const struct option *const tables[] = {current(line)->options, common_options,
                                           line->path.count == 1 ? program_options : NULL};
    char siblings[ERROR_HINT_SIZE] = "";
    size_t used = 0;
    struct nearest nearest;

    nearest_begin(&nearest, name);
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++) {
        for (const struct option *option = tables[t]; option != NULL && option->name != NULL; option++) {
            int size = snprintf(siblings + used, sizeof siblings - used, "%s--%s", used > 0 ? ", " : "", option->name);

            nearest_offer(&nearest, option->name);
            used += (size_t)size < sizeof siblings - used ? (size_t)size : 0;
        }
    }
    (void)error_set(err, ERROR_USAGE, "unknown option --%.*s", (int)(name.size < 64 ? name.size : 64), name.data);
    if (nearest.name != NULL) {
        return error_hint(err, "did you mean --%s?", nearest.name);
    }
    return error_hint(err, "there are: %s", siblings);
}

/* Checks the value of an option and keeps its number. */
static bool parse_option(struct given *given, struct error *err)
{
    struct slice text = slice_from(given->text == NULL ? "" : given->text);
    const char *expected = "";
    char *end;

    switch (given->option->kind) {
    case OPTION_FLAG:
    case OPTION_TEXT:
        return true;
    case OPTION_INTEGER:
        errno = 0;
        given->number = strtoll(given->text, &end, 10);
        if (errno == 0 && end != given->text && *end == '\0' && given->text[0] != ' ') {
            return true;
        }
        expected = "an integer";
        break;
    case OPTION_INSTANT:
        if (timestamp_parse_argument(text, &given->number)) {
            return true;
        }
        expected = "an instant such as 2026-05-01T10:00:00Z, a date such as 2026-05-01, or epoch milliseconds";
        break;
    case OPTION_DURATION:
        if (duration_parse(text, &given->number)) {
            return true;
        }
        expected = "a duration such as 30m";
        break;
    case OPTION_NONE:
        abort();
    }
    return error_set(err, ERROR_USAGE, "--%s: expected %s, got \"%.64s\"", given->option->name, expected, given->text);
}

/* --help, --config, --set and the like. True when it was one of them. */
static bool take_common(struct command_line *line, const struct option *option, const char *value)
{
    if (strcmp(option->name, "help") == 0) {
        line->help = true;
    } else if (strcmp(option->name, "version") == 0) {
        line->version = true;
    } else if (strcmp(option->name, "sample-config") == 0) {
        line->sample = true;
    } else if (strcmp(option->name, "config") == 0) {
        line->config_path = value;
    } else {
        line->sets[line->set_count++] = value;
    }
    return true;
}

/* `word` begins with "--"; its value may be the next one. */
static bool take_option(struct command_line *line, const char *word, char ***next, struct error *err)
{
    const char *equals = strchr(word, '=');
    struct slice name = slice_of(word + 2, equals == NULL ? strlen(word + 2) : (size_t)(equals - word - 2));
    const struct option *option = find_option(current(line)->options, name);
    bool common = option == NULL;
    const char *value = equals == NULL ? NULL : equals + 1;
    struct given *given;

    if (option == NULL) {
        option = find_option(common_options, name);
    }
    if (option == NULL && line->path.count == 1) {
        option = find_option(program_options, name);
    }
    if (option == NULL) {
        return unknown_option(line, name, err);
    }
    if (option->kind == OPTION_FLAG && value != NULL) {
        return error_set(err, ERROR_USAGE, "--%s takes no value", option->name);
    }
    if (option->kind != OPTION_FLAG && value == NULL) {
        value = **next;
        if (value == NULL) {
            return error_set(err, ERROR_USAGE, "--%s needs a value: --%s %s", option->name, option->name,
                             option->value == NULL ? "VALUE" : option->value);
        }
        ++*next;
    }
    if (common) {
        return take_common(line, option, value);
    }
    if (command_has(line, option->name)) {
        return error_set(err, ERROR_USAGE, "--%s is given twice", option->name);
    }
    given = &line->given[line->given_count++];
    *given = (struct given){.option = option, .text = value, .number = 0};
    return parse_option(given, err);
}

static bool unknown_command(const struct command_line *line, const char *word, struct error *err)
{
    struct nearest nearest;
    char path[COMMAND_PATH_SIZE];
    char siblings[ERROR_HINT_SIZE] = "";
    size_t used = 0;

    nearest_begin(&nearest, slice_from(word));
    for (const struct command *command = current(line)->subcommands; command->name != NULL; command++) {
        int size = snprintf(siblings + used, sizeof siblings - used, "%s%s", used > 0 ? ", " : "", command->name);

        nearest_offer(&nearest, command->name);
        used += (size_t)size < sizeof siblings - used ? (size_t)size : 0;
    }
    (void)error_set(err, ERROR_USAGE, "unknown command %s %.64s", command_path_text(&line->path, path), word);
    if (nearest.name != NULL) {
        return error_hint(err, "did you mean %s? There are: %s", nearest.name, siblings);
    }
    return error_hint(err, "there are: %s", siblings);
}

static bool parse_words(struct command_line *line, char **next, struct error *err)
{
    bool options_end = false;

    while (*next != NULL) {
        const char *word = *next++;

        if (!options_end && strcmp(word, "--") == 0) {
            options_end = true;
        } else if (!options_end && strncmp(word, "--", 2) == 0) {
            if (!take_option(line, word, &next, err)) {
                return false;
            }
        } else if (!options_end && strcmp(word, "-h") == 0) {
            line->help = true;
        } else if (!options_end && word[0] == '-' && word[1] != '\0' && !(word[1] >= '0' && word[1] <= '9')) {
            return error_set(err, ERROR_USAGE, "unknown option %.64s: options begin with two dashes", word);
        } else if (current(line)->subcommands != NULL) {
            const struct command *command = current(line)->subcommands;

            while (command->name != NULL && strcmp(command->name, word) != 0) {
                command++;
            }
            if (command->name == NULL || line->path.count == COMMAND_DEPTH_MAX) {
                return unknown_command(line, word, err);
            }
            line->path.commands[line->path.count++] = command;
        } else {
            line->arguments[line->argument_count++] = word;
        }
    }
    return true;
}

static bool check_complete(const struct command_line *line, struct error *err)
{
    const struct command *command = current(line);
    char path[COMMAND_PATH_SIZE];

    if (command->subcommands != NULL) {
        (void)error_set(err, ERROR_USAGE, "a command is missing");
        return error_hint(err, "%s --help lists them", command_path_text(&line->path, path));
    }
    for (const struct option *option = command->options; option != NULL && option->name != NULL; option++) {
        if (option->required && !command_has(line, option->name)) {
            return error_set(err, ERROR_USAGE, "--%s %s is required", option->name,
                             option->value == NULL ? "" : option->value);
        }
    }
    if (line->argument_count < command->argument_min) {
        return error_set(err, ERROR_USAGE, "an argument is missing: %s", command->arguments);
    }
    if (line->argument_count > command->argument_max) {
        return error_set(err, ERROR_USAGE, "unexpected argument \"%.64s\"", line->arguments[command->argument_max]);
    }
    return true;
}

static void line_clear(struct command_line *line)
{
    config_free(line->config);
    memory_free(line->given);
    memory_free(line->arguments);
    memory_free(line->sets);
}

static bool line_parse(struct command_line *line, const struct command *root, int argc, char **argv, struct error *err)
{
    size_t words = argc > 0 ? (size_t)argc : 1;

    *line = (struct command_line){.path = {.commands = {root}, .count = 1}};
    if (words > ARGUMENTS_MAX) {
        return error_set(err, ERROR_USAGE, "more than %d arguments", ARGUMENTS_MAX);
    }
    line->given = memory_allocate_zeroed(words, sizeof *line->given);
    line->arguments = memory_allocate_zeroed(words, sizeof *line->arguments);
    line->sets = memory_allocate_zeroed(words, sizeof *line->sets);
    if (line->given == NULL || line->arguments == NULL || line->sets == NULL) {
        return error_no_memory(err, "the command line");
    }
    if (!parse_words(line, argc > 0 ? argv + 1 : argv, err)) {
        return false;
    }
    return line->help || line->version || line->sample || check_complete(line, err);
}

static bool line_run(struct command_line *line, struct error *err)
{
    struct buffer text;
    bool done;

    if (!line->help && !line->version && !line->sample) {
        return current(line)->run(line, err);
    }
    buffer_init(&text, 1 << 20);
    if (line->help) {
        command_help(&line->path, common_options, program_options, &text);
    } else if (line->version) {
        buffer_append_format(&text, "%s %s\n", line->path.commands[0]->name, MUSTER_VERSION);
    } else {
        config_sample(&text);
    }
    done = buffer_finish(&text, "the help text", err) && output_write(stdout, buffer_slice(&text), err);
    buffer_clear(&text);
    return done;
}

int command_main(const struct command *root, int argc, char **argv)
{
    struct command_line line;
    struct error err = ERROR_INIT;
    struct error flush_err = ERROR_INIT;
    int status = 0;

    /* A closed pipe is then an error of the write, told apart from others. */
    (void)signal(SIGPIPE, SIG_IGN);
    log_open(root->name, LOG_LEVEL_INFO);
    if (!line_parse(&line, root, argc, argv, &err)) {
        char path[COMMAND_PATH_SIZE];

        if (err.code == ERROR_USAGE && err.hint[0] == '\0') {
            (void)error_hint(&err, "%s --help", command_path_text(&line.path, path));
        }
        status = log_failure(root->name, &err);
    } else if (!line_run(&line, &err) && !(command_stopping() && err.code == ERROR_UNREACHABLE)) {
        /* Asked to stop while it waited for a server: that is an end as wished, not a failure. */
        status = log_failure(root->name, &err);
    }
    if (!output_check(stdout, &flush_err) && status == 0 && err.code == ERROR_NONE) {
        status = log_failure(root->name, &flush_err);
    }
    line_clear(&line);
    return status;
}

static const struct given *find_given(const struct command_line *line, const char *option)
{
    for (size_t i = 0; i < line->given_count; i++) {
        if (strcmp(line->given[i].option->name, option) == 0) {
            return &line->given[i];
        }
    }
    return NULL;
}

bool command_has(const struct command_line *line, const char *option)
{
    return find_given(line, option) != NULL;
}

const char *command_text(const struct command_line *line, const char *option)
{
    const struct given *given = find_given(line, option);

    return given == NULL ? NULL : given->text;
}

int64_t command_integer(const struct command_line *line, const char *option, int64_t fallback)
{
    const struct given *given = find_given(line, option);

    return given == NULL ? fallback : given->number;
}

int64_t command_instant(const struct command_line *line, const char *option, int64_t fallback_ms)
{
    return command_integer(line, option, fallback_ms);
}

int64_t command_duration_ms(const struct command_line *line, const char *option, int64_t fallback_ms)
{
    return command_integer(line, option, fallback_ms);
}

size_t command_argument_count(const struct command_line *line)
{
    return line->argument_count;
}

const char *command_argument(const struct command_line *line, size_t index)
{
    return index < line->argument_count ? line->arguments[index] : NULL;
}

static bool apply_set(struct config *config, const char *text, struct error *err)
{
    const char *equals = strchr(text, '=');
    char *name;
    bool done;

    if (equals == NULL) {
        return error_set(err, ERROR_USAGE, "--set: expected SECTION.KEY=VALUE, got \"%.64s\"", text);
    }
    name = memory_copy_text(slice_of(text, (size_t)(equals - text)));
    if (name == NULL) {
        return error_no_memory(err, "configuration");
    }
    done = config_set(config, name, equals + 1, err);
    memory_free(name);
    return done;
}

bool command_config(const struct command_line *line, const struct config **out, struct error *err)
{
    /* The line is constant for the command; that its configuration is read late is its own affair. */
    struct command_line *owner = (struct command_line *)(uintptr_t)line;
    struct config *config;

    if (line->config != NULL) {
        *out = line->config;
        return true;
    }
    if (!config_open(line->config_path, &config, err)) {
        return false;
    }
    for (size_t i = 0; i < line->set_count; i++) {
        if (!apply_set(config, line->sets[i], err)) {
            config_free(config);
            return false;
        }
    }
    for (enum log_level level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
        if (strcmp(config_text(config, "log.level"), log_level_name(level)) == 0) {
            log_set_level(level);
        }
    }
    owner->config = config;
    *out = config;
    return true;
}

static volatile sig_atomic_t stopping;

static void note_signal(int number)
{
    (void)number;
    stopping = 1;
}

void command_catch_signals(void)
{
    struct sigaction action = {0};

    action.sa_handler = note_signal;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGTERM, &action, NULL);
    /* A second Ctrl-C ends at once. */
    action.sa_flags = (int)SA_RESETHAND;
    (void)sigaction(SIGINT, &action, NULL);
}

bool command_stopping(void)
{
    return stopping != 0;
}
