#include "common/base/command_help.h"

#include <stdio.h>

const char *command_path_text(const struct command_path *path, char text[COMMAND_PATH_SIZE])
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < path->count; i++) {
        int size = snprintf(text + used, COMMAND_PATH_SIZE - used, "%s%s", i > 0 ? " " : "", path->commands[i]->name);

        used += (size_t)size < COMMAND_PATH_SIZE - used ? (size_t)size : 0;
    }
    return text;
}

static void append_spaces(struct buffer *out, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buffer_append_char(out, ' ');
    }
}

/* "  name  text" with the texts below one another. */
static void append_pair(struct buffer *out, const char *name, size_t width, const char *text)
{
    size_t size = strlen(name);

    buffer_append_format(out, "  %s", name);
    append_spaces(out, size < width ? width - size : 0);
    buffer_append_format(out, "  %s\n", text);
}

static const char *option_label(const struct option *option, char label[64])
{
    (void)snprintf(label, 64, "--%s%s%s", option->name, option->value == NULL ? "" : " ",
                   option->value == NULL ? "" : option->value);
    return label;
}

static size_t option_width(const struct option *options)
{
    size_t width = 0;
    char label[64];

    for (const struct option *option = options; option != NULL && option->name != NULL; option++) {
        size_t size = strlen(option_label(option, label));

        width = size > width ? size : width;
    }
    return width;
}

static void append_options(struct buffer *out, const char *title, const struct option *options, size_t width)
{
    char label[64];

    if (options == NULL || options->name == NULL) {
        return;
    }
    buffer_append_format(out, "\n%s:\n", title);
    for (const struct option *option = options; option->name != NULL; option++) {
        append_pair(out, option_label(option, label), width, option->help);
    }
}

static void append_usage(struct buffer *out, const struct command_path *path)
{
    const struct command *command = path->commands[path->count - 1];
    char text[COMMAND_PATH_SIZE];

    buffer_append_format(out, "usage: %s", command_path_text(path, text));
    if (command->subcommands != NULL) {
        buffer_append_text(out, " COMMAND");
    }
    for (const struct option *option = command->options; option != NULL && option->name != NULL; option++) {
        const char *value = option->value == NULL ? "" : option->value;

        buffer_append_format(out, option->required ? " --%s%s%s" : " [--%s%s%s]", option->name,
                             value[0] == '\0' ? "" : " ", value);
    }
    if (command->arguments != NULL && command->arguments[0] != '\0') {
        buffer_append_format(out, " %s", command->arguments);
    }
    buffer_append_format(out, "\n\n%s\n", command->summary);
}

static void append_commands(struct buffer *out, const struct command *commands)
{
    size_t width = 0;

    if (commands == NULL) {
        return;
    }
    for (const struct command *command = commands; command->name != NULL; command++) {
        size_t size = strlen(command->name);

        width = size > width ? size : width;
    }
    buffer_append_text(out, "\nCommands:\n");
    for (const struct command *command = commands; command->name != NULL; command++) {
        append_pair(out, command->name, width, command->summary);
    }
}

void command_help(const struct command_path *path, const struct option *common_options,
                  const struct option *program_options, struct buffer *out)
{
    const struct command *command = path->commands[path->count - 1];
    size_t width = option_width(command->options);
    size_t common_width = option_width(common_options);

    width = common_width > width ? common_width : width;
    append_usage(out, path);
    if (command->help != NULL) {
        buffer_append_format(out, "\n%s", command->help);
        if (command->help[0] != '\0' && command->help[strlen(command->help) - 1] != '\n') {
            buffer_append_char(out, '\n');
        }
    }
    append_commands(out, command->subcommands);
    append_options(out, "Options", command->options, width);
    append_options(out, "Options of every command", common_options, width);
    if (path->count > 1) {
        return;
    }
    append_options(out, "Options of the program", program_options, width);
    buffer_append_text(
        out, "\nExit status: 0 done; 1 a check found what it looks for; 2 usage or configuration; 3 something needed "
             "cannot be\nreached; 4 bad input; 70 internal error.\n");
    buffer_append_text(
        out, "\nSettings, in the file below [SECTION]; in the environment MUSTER_SECTION_KEY; as an option --set:\n");
    config_help(out);
}
