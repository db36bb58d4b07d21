#include "common/base/config.h"

#include "common/base/config_table.h"
#include "common/base/duration.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/nearest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern char **environ;

enum { FILE_SIZE_MAX = 1 << 20, VALUE_SIZE_MAX = 64 << 10, NAME_SIZE_MAX = 128, OPEN_KEYS_MAX = 1000 };

/* Where a value came from: for messages, and to tell a repeated key in the file. */
struct origin {
    const char *what; /* file name, name of the variable, "--set"; NULL: the default */
    size_t line;      /* 0 outside a file */
};

struct value {
    char *text;     /* owned; NULL: the default of the table */
    int64_t number; /* integer, duration in ms */
    size_t line;    /* of the file that gave it, else 0 */
};

/* A key of an open section. */
struct open_key {
    const char *section; /* of the table */
    char *key;
    struct value value;
};

struct config {
    char *path;
    struct value *values; /* one for each row of the table */
    struct open_key *open_keys;
    size_t open_count;
    size_t open_capacity;
};

static bool PRINTF_LIKE(3, 4) complain(struct error *err, struct origin origin, const char *format, ...)
{
    va_list arguments;
    char text[ERROR_MESSAGE_SIZE];

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (origin.line > 0) {
        return error_set(err, ERROR_USAGE, "%s:%zu: %s", origin.what, origin.line, text);
    }
    if (origin.what != NULL) {
        return error_set(err, ERROR_USAGE, "%s: %s", origin.what, text);
    }
    return error_set(err, ERROR_USAGE, "%s", text);
}

/* Reads a value against its row of the table. */
static bool parse_value(const struct config_setting *setting, const char *text, struct origin origin, int64_t *out,
                        struct error *err)
{
    char *end;

    *out = 0;
    switch (setting->type) {
    case CONFIG_TEXT:
        return true;
    case CONFIG_CHOICE:
        if (config_choice_holds(setting->choices, text)) {
            return true;
        }
        return complain(err, origin, "%s must be one of %s, not \"%.64s\"", setting->name, setting->choices, text);
    case CONFIG_INTEGER:
        errno = 0;
        *out = strtoll(text, &end, 10);
        if (errno == 0 && end != text && *end == '\0' && *out >= setting->min && *out <= setting->max) {
            return true;
        }
        return complain(err, origin, "%s must be an integer from %" PRId64 " to %" PRId64 ", not \"%.64s\"",
                        setting->name, setting->min, setting->max, text);
    case CONFIG_DURATION:
        if (duration_parse_or_zero(slice_from(text), out) && *out >= setting->min && *out <= setting->max) {
            return true;
        }
        return complain(err, origin, "%s must be a duration such as \"%s\", %s, not \"%.64s\"", setting->name,
                        setting->fallback[0] != '\0' ? setting->fallback : "30s", setting->range, text);
    case CONFIG_NONE:
        break;
    }
    abort();
}

/* The value of a secret may stand in a file of its own: "@/run/secrets/store". */
static bool resolve_secret(const char *name, bool secret, const char *text, struct origin origin, char **out,
                           struct error *err)
{
    struct buffer content;
    struct slice bytes;
    bool done = false;

    if (!secret || text[0] != '@') {
        *out = memory_copy_text(slice_from(text));
        return *out != NULL || error_no_memory(err, "configuration");
    }
    buffer_init(&content, VALUE_SIZE_MAX);
    if (!file_read(text + 1, &content, err)) {
        err->code = ERROR_USAGE;
        (void)error_context(err, "%s", name);
        (void)error_hint(err, "a value that begins with @ names a file that holds the secret");
        goto done;
    }
    bytes = buffer_slice(&content);
    while (bytes.size > 0 && (bytes.data[bytes.size - 1] == '\n' || bytes.data[bytes.size - 1] == '\r')) {
        bytes.size--;
    }
    if (memchr(bytes.data, '\0', bytes.size) != NULL) {
        (void)complain(err, origin, "%s: the file %s holds a NUL byte", name, text + 1);
        goto done;
    }
    *out = memory_copy_text(bytes);
    done = *out != NULL || error_no_memory(err, "configuration");
done:
    buffer_clear(&content);
    return done;
}

static bool store_value(struct value *value, char *text, int64_t number, struct origin origin)
{
    memory_free(value->text);
    *value = (struct value){.text = text, .number = number, .line = origin.line};
    return true;
}

static bool check_repeated(const char *name, const struct value *value, struct origin origin, struct error *err)
{
    if (origin.line > 0 && value->line > 0) {
        return complain(err, origin, "%s is given twice, first in line %zu", name, value->line);
    }
    return true;
}

static bool set_table(struct config *config, const struct config_setting *setting, const char *text,
                      struct origin origin, struct error *err)
{
    struct value *value = &config->values[setting - config_settings];
    char *copy;
    int64_t number;

    if (!check_repeated(setting->name, value, origin, err) ||
        !resolve_secret(setting->name, setting->secret, text, origin, &copy, err)) {
        return false;
    }
    if (!parse_value(setting, copy, origin, &number, err)) {
        memory_free(copy);
        return false;
    }
    return store_value(value, copy, number, origin);
}

static struct open_key *find_open(struct config *config, const char *section, const char *key)
{
    for (size_t i = 0; i < config->open_count; i++) {
        if (strcmp(config->open_keys[i].section, section) == 0 && strcmp(config->open_keys[i].key, key) == 0) {
            return &config->open_keys[i];
        }
    }
    return NULL;
}

static bool set_open(struct config *config, const struct config_section *section, const char *key, const char *text,
                     struct origin origin, struct error *err)
{
    struct open_key *found = find_open(config, section->name, key);
    struct open_key added = {.section = section->name, .key = NULL, .value = {0}};
    char *copy;

    if (key[0] == '\0') {
        return complain(err, origin, "a key is missing behind \"%s.\"", section->name);
    }
    if (section->choices != NULL && !config_choice_holds(section->choices, text)) {
        return complain(err, origin, "%s.%s must be one of %s, not \"%.64s\"", section->name, key, section->choices,
                        text);
    }
    if (found != NULL && !check_repeated(key, &found->value, origin, err)) {
        return false;
    }
    if (!resolve_secret(key, config_key_secret(key), text, origin, &copy, err)) {
        return false;
    }
    if (found != NULL) {
        return store_value(&found->value, copy, 0, origin);
    }
    added.key = memory_copy_text(slice_from(key));
    if (added.key == NULL || !memory_grow(&config->open_keys, &config->open_capacity, config->open_count, OPEN_KEYS_MAX,
                                          sizeof *config->open_keys, "configuration keys", err)) {
        memory_free(copy);
        if (added.key == NULL) {
            return error_no_memory(err, "configuration");
        }
        memory_free(added.key);
        return false;
    }
    added.value = (struct value){.text = copy, .number = 0, .line = origin.line};
    config->open_keys[config->open_count++] = added;
    return true;
}

static bool set_named(struct config *config, const char *section_name, const char *key, const char *text,
                      struct origin origin, struct error *err)
{
    const struct config_section *section = config_section_find(section_name);
    const struct config_setting *setting;
    char name[NAME_SIZE_MAX];
    struct nearest nearest;

    if (section != NULL && section->open) {
        return set_open(config, section, key, text, origin, err);
    }
    (void)snprintf(name, sizeof name, "%s.%s", section_name, key);
    setting = config_setting_find(name);
    if (setting != NULL) {
        return set_table(config, setting, text, origin, err);
    }
    nearest_begin(&nearest, slice_from(name));
    for (size_t i = 0; i < config_setting_count; i++) {
        nearest_offer(&nearest, config_settings[i].name);
    }
    (void)complain(err, origin, section == NULL ? "unknown section [%.64s]" : "unknown setting %.128s",
                   section == NULL ? section_name : name);
    if (section == NULL) {
        nearest_begin(&nearest, slice_from(section_name));
        for (size_t i = 0; i < config_section_count; i++) {
            nearest_offer(&nearest, config_sections[i].name);
        }
    }
    if (nearest.name != NULL) {
        return error_hint(err, "did you mean %s?", nearest.name);
    }
    return error_hint(err, "--help lists all settings");
}

static struct slice trim(struct slice text)
{
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text.data++;
        text.size--;
    }
    while (text.size > 0 &&
           (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t' || text.data[text.size - 1] == '\r')) {
        text.size--;
    }
    return text;
}

/* One line of the file: blank, a comment, [section], or key = value. */
static bool read_line(struct config *config, struct slice line, char section[NAME_SIZE_MAX], struct origin origin,
                      struct error *err)
{
    char key_text[NAME_SIZE_MAX];
    const char *equals;
    struct slice key;
    struct slice value;
    char *value_text;
    bool done;

    line = trim(line);
    if (line.size == 0 || line.data[0] == '#' || line.data[0] == ';') {
        return true;
    }
    if (line.data[0] == '[') {
        key = trim(slice_of(line.data + 1, line.size - 1));
        if (key.size < 2 || key.data[key.size - 1] != ']' || key.size >= NAME_SIZE_MAX) {
            return complain(err, origin, "expected [section]");
        }
        key = trim(slice_of(key.data, key.size - 1));
        (void)snprintf(section, NAME_SIZE_MAX, "%.*s", (int)key.size, key.data);
        if (config_section_find(section) == NULL) {
            return set_named(config, section, "", "", origin, err);
        }
        return true;
    }
    equals = memchr(line.data, '=', line.size);
    if (equals == NULL) {
        return complain(err, origin, "expected key = value, [section] or # comment");
    }
    key = trim(slice_of(line.data, (size_t)(equals - line.data)));
    value = trim(slice_of(equals + 1, line.size - (size_t)(equals - line.data) - 1));
    if (key.size == 0 || key.size >= NAME_SIZE_MAX / 2) {
        return complain(err, origin, "the key before \"=\" is missing or too long");
    }
    if (section[0] == '\0') {
        return complain(err, origin, "a [section] must come before the first key");
    }
    if (value.size >= 2 && value.data[0] == '"' && value.data[value.size - 1] == '"') {
        value = slice_of(value.data + 1, value.size - 2);
    }
    (void)snprintf(key_text, sizeof key_text, "%.*s", (int)key.size, key.data);
    value_text = memory_copy_text(value);
    if (value_text == NULL) {
        return error_no_memory(err, "configuration");
    }
    done = set_named(config, section, key_text, value_text, origin, err);
    memory_free(value_text);
    return done;
}

static bool read_file(struct config *config, const char *path, struct error *err)
{
    struct buffer content;
    char section[NAME_SIZE_MAX] = "";
    struct origin origin = {.what = path, .line = 0};
    struct slice rest;
    bool done = false;

    buffer_init(&content, FILE_SIZE_MAX);
    if (!file_read(path, &content, err)) {
        err->code = err->code == ERROR_UNREACHABLE ? ERROR_USAGE : err->code;
        goto done;
    }
    rest = buffer_slice(&content);
    if (rest.size > 0 && memchr(rest.data, '\0', rest.size) != NULL) {
        (void)complain(err, origin, "holds a NUL byte: not a configuration file");
        goto done;
    }
    if (slice_starts_with(rest, SLICE_LITERAL("\xef\xbb\xbf"))) {
        rest = slice_of(rest.data + 3, rest.size - 3);
    }
    while (rest.size > 0) {
        const char *end = memchr(rest.data, '\n', rest.size);
        size_t size = end == NULL ? rest.size : (size_t)(end - rest.data);

        origin.line++;
        if (!read_line(config, slice_of(rest.data, size), section, origin, err)) {
            goto done;
        }
        size += end != NULL;
        rest = slice_of(rest.data + size, rest.size - size);
    }
    config->path = memory_copy_text(slice_from(path));
    done = config->path != NULL || error_no_memory(err, "configuration");
done:
    buffer_clear(&content);
    return done;
}

/* The first file of the search that is there. One that is there but cannot be read is an error. */
static bool find_and_read(struct config *config, const char *path, struct error *err)
{
    static const char *const places[] = {"./muster.conf", "/etc/muster/muster.conf"};

    if (path == NULL || path[0] == '\0') {
        path = getenv("MUSTER_CONF");
    }
    if (path != NULL && path[0] != '\0') {
        return read_file(config, path, err);
    }
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (access(places[i], F_OK) == 0) {
            return read_file(config, places[i], err);
        }
    }
    return true;
}

/* MUSTER_STREAM_STEP_ROWS against the rows of the table; MUSTER_KAFKA_* and MUSTER_CONSENT_* name keys of open
 * sections. Other names that begin with MUSTER_ are somebody else's (Kubernetes sets MUSTER_STORE_SERVICE_HOST): a near
 * miss is worth a warning, not an error. */
static bool read_variable(struct config *config, const char *variable, struct error *err)
{
    const char *equals = strchr(variable, '=');
    char name[NAME_SIZE_MAX];
    char candidate[NAME_SIZE_MAX];
    struct origin origin = {.what = name, .line = 0};
    struct nearest nearest;
    size_t size;

    if (equals == NULL || equals[1] == '\0' || (size_t)(equals - variable) >= sizeof name) {
        return true;
    }
    size = (size_t)(equals - variable);
    memcpy(name, variable, size);
    name[size] = '\0';
    for (size_t i = 0; i < config_setting_count; i++) {
        config_variable_name(config_settings[i].name, candidate, sizeof candidate);
        if (strcmp(candidate, name) == 0) {
            return set_table(config, &config_settings[i], equals + 1, origin, err);
        }
    }
    for (size_t i = 0; i < config_section_count; i++) {
        const struct config_section *section = &config_sections[i];

        config_variable_name(section->name, candidate, sizeof candidate);
        size = strlen(candidate);
        if (section->open && strncmp(candidate, name, size) == 0 && name[size] == '_' && name[size + 1] != '\0') {
            config_open_key(section, name + size + 1, candidate, sizeof candidate);
            for (size_t k = 0; k < config->open_count; k++) {
                char known[NAME_SIZE_MAX];

                config_variable_name(config->open_keys[k].key, known, sizeof known);
                if (config->open_keys[k].section == section->name && strcmp(known + 7, name + size + 1) == 0) {
                    return set_open(config, section, config->open_keys[k].key, equals + 1, origin, err);
                }
            }
            return set_open(config, section, candidate, equals + 1, origin, err);
        }
    }
    nearest_begin(&nearest, slice_from(name));
    for (size_t i = 0; i < config_setting_count; i++) {
        config_variable_name(config_settings[i].name, candidate, sizeof candidate);
        nearest_offer(&nearest, candidate);
        if (nearest.name == candidate && nearest.distance <= 2) {
            log_warning("%s in the environment is no setting: did you mean %s?", name, candidate);
            break;
        }
        nearest_begin(&nearest, slice_from(name));
    }
    return true;
}

bool config_open(const char *path, struct config **out, struct error *err)
{
    struct config *config = memory_allocate_zeroed(1, sizeof *config);

    if (config == NULL) {
        return error_no_memory(err, "configuration");
    }
    config->values = memory_allocate_zeroed(config_setting_count, sizeof *config->values);
    if (config->values == NULL) {
        (void)error_no_memory(err, "configuration");
        goto fail;
    }
    for (size_t i = 0; i < config_setting_count; i++) {
        struct origin origin = {.what = NULL, .line = 0};

        if (!parse_value(&config_settings[i], config_settings[i].fallback, origin, &config->values[i].number, err)) {
            goto fail;
        }
    }
    if (!set_named(config, "kafka", "bootstrap.servers", CONFIG_KAFKA_SERVERS, (struct origin){0}, err) ||
        !find_and_read(config, path, err)) {
        goto fail;
    }
    for (char **variable = environ; variable != NULL && *variable != NULL; variable++) {
        if (strncmp(*variable, "MUSTER_", 7) == 0 && !read_variable(config, *variable, err)) {
            goto fail;
        }
    }
    *out = config;
    return true;
fail:
    config_free(config);
    return false;
}

void config_free(struct config *config)
{
    if (config == NULL) {
        return;
    }
    for (size_t i = 0; config->values != NULL && i < config_setting_count; i++) {
        memory_free(config->values[i].text);
    }
    for (size_t i = 0; i < config->open_count; i++) {
        memory_free(config->open_keys[i].key);
        memory_free(config->open_keys[i].value.text);
    }
    memory_free(config->open_keys);
    memory_free(config->values);
    memory_free(config->path);
    memory_free(config);
}

bool config_set(struct config *config, const char *name, const char *value, struct error *err)
{
    struct origin origin = {.what = "--set", .line = 0};
    const char *dot = strchr(name, '.');
    char section[NAME_SIZE_MAX];

    if (dot == NULL || dot == name || (size_t)(dot - name) >= sizeof section || strlen(dot) >= NAME_SIZE_MAX / 2) {
        return complain(err, origin, "expected SECTION.KEY=VALUE, not \"%.64s\"", name);
    }
    (void)snprintf(section, sizeof section, "%.*s", (int)(dot - name), name);
    return set_named(config, section, dot + 1, value, origin, err);
}

/* The row of a setting that the program asks for: a name that is not there or has another type is a bug. */
static size_t row_of(const char *name, bool wanted_text, enum config_type type)
{
    const struct config_setting *setting = config_setting_find(name);

    if (setting == NULL || (wanted_text ? setting->type != CONFIG_TEXT && setting->type != CONFIG_CHOICE
                                        : type != CONFIG_NONE && setting->type != type)) {
        (void)fprintf(stderr, "muster: bug: setting %s does not exist or has another type\n", name);
        abort();
    }
    return (size_t)(setting - config_settings);
}

const char *config_text(const struct config *config, const char *name)
{
    size_t row = row_of(name, true, CONFIG_NONE);

    return config->values[row].text != NULL ? config->values[row].text : config_settings[row].fallback;
}

int64_t config_integer(const struct config *config, const char *name)
{
    return config->values[row_of(name, false, CONFIG_INTEGER)].number;
}

int64_t config_duration_ms(const struct config *config, const char *name)
{
    size_t row = row_of(name, false, CONFIG_DURATION);

    if (config->values[row].text == NULL && config_settings[row].compute_ms != NULL) {
        return config_settings[row].compute_ms(config);
    }
    return config->values[row].number;
}

bool config_is_set(const struct config *config, const char *name)
{
    return config->values[row_of(name, false, CONFIG_NONE)].text != NULL;
}

const char *config_path(const struct config *config)
{
    return config->path;
}

bool config_each(const struct config *config, const char *section, config_visit *visit, void *context,
                 struct error *err)
{
    for (size_t i = 0; i < config->open_count; i++) {
        const struct open_key *open_key = &config->open_keys[i];

        if (strcmp(open_key->section, section) == 0 && !visit(context, open_key->key, open_key->value.text, err)) {
            return false;
        }
    }
    return true;
}
