#include "common/base/config_table.h"

#include "common/base/duration.h"

#include <inttypes.h>

#define INT32_TOP 2147483647
#define DAY INT64_C(86400000)

static int64_t compute_grace_ms(const struct config *config)
{
    if (strcmp(config_text(config, "time.clock"), "event") == 0) {
        return 0;
    }
    return config_duration_ms(config, "time.watermark_bound") + 60000;
}

#define TEXT(name_, fallback_, help_)                                                                                  \
    {                                                                                                                  \
        .name = name_, .type = CONFIG_TEXT, .fallback = fallback_, .help = help_                                       \
    }
#define SECRET(name_, fallback_, help_)                                                                                \
    {                                                                                                                  \
        .name = name_, .type = CONFIG_TEXT, .fallback = fallback_, .help = help_, .secret = true                       \
    }
#define CHOICE(name_, fallback_, choices_, help_)                                                                      \
    {                                                                                                                  \
        .name = name_, .type = CONFIG_CHOICE, .fallback = fallback_, .choices = choices_, .help = help_                \
    }
#define INTEGER(name_, fallback_, min_, max_, help_)                                                                   \
    {                                                                                                                  \
        .name = name_, .type = CONFIG_INTEGER, .fallback = fallback_, .min = min_, .max = max_, .help = help_          \
    }
#define DURATION(name_, fallback_, min_, max_, range_, help_)                                                          \
    {                                                                                                                  \
        .name = name_, .type = CONFIG_DURATION, .fallback = fallback_, .min = min_, .max = max_, .range = range_,      \
        .help = help_                                                                                                  \
    }

const struct config_setting config_settings[] = {
    SECRET("store.conninfo", "",
           "libpq connection string of the audience store; without a user name each program uses its own role"),
    SECRET("store.admin_conninfo", "", "connection string for migrate, which owns the schema; empty: store.conninfo"),
    SECRET("redis.url", "redis://127.0.0.1:6379/0", "serving layer; rediss:// for TLS is not supported"),
    TEXT("topics.events", "muster-events", "track, page, screen and CloudEvents messages"),
    TEXT("topics.profiles", "muster-profiles", "identify messages"),
    TEXT("topics.consent", "muster-consent", "consent and delete messages"),
    TEXT("topics.late", "muster-late", "events that came too late to be applied"),
    INTEGER("topics.partitions", "4", 1, 1024, "partitions of the three input topics: the lanes"),
    CHOICE("time.clock", "wall", "wall | event", "what \"now\" is: the wall clock, or event time for historical data"),
    DURATION("time.watermark_bound", "10s", 0, 365 * DAY, "at most 365d",
             "how far the watermark stays behind the newest event"),
    DURATION("time.allowed_lateness", "7d", 0, DURATION_MAX_MS, "at most 36525d",
             "how far behind the watermark an event may always come; later ones may find what they would change gone"),
    DURATION("time.future_skew", "5m", 0, 365 * DAY, "at most 365d",
             "how far an event may lie ahead of its Kafka message"),
    DURATION("time.dedup", "24h", 0, 365 * DAY, "at most 365d", "how far apart copies of one message may lie"),
    INTEGER("stream.step_rows", "5000", 1, 1000000, "most records in one transaction"),
    INTEGER("stream.step_ms", "50", 1, 60000, "longest time until records are written, in milliseconds"),
    CHOICE("stream.history", "archive", "archive | log",
           "what a new build reads first: archive and log, or what Kafka still holds"),
    INTEGER("stream.user_events_max", "100000", 100, INT32_TOP,
            "events kept per user; beyond it the user is left to the batch"),
    INTEGER("batch.threads", "0", 0, 1024, "threads of the evaluation; 0: one for each processor"),
    DURATION("reconcile.interval", "200ms", 10, DAY, "from 10ms to 1d", "longest pause between two passes of watch"),
    {.name = "reconcile.grace",
     .type = CONFIG_DURATION,
     .fallback = "0",
     .max = 365 * DAY,
     .range = "at most 365d",
     .computed = "time.watermark_bound + 1m; 0 with time.clock = event",
     .compute_ms = compute_grace_ms,
     .help = "how long a membership outlives its valid_until before the wall clock ends it"},
    DURATION("reconcile.freshness", "30s", 1, 365 * DAY, "from 1ms to 365d",
             "a lane that was not updated for so long is stale"),
    TEXT("alerts.log", "", "file that alerts are appended to as JSON lines; empty: none"),
    CHOICE("log.level", "info", "error | warning | info | debug", "least important line that is logged"),
};

const size_t config_setting_count = sizeof config_settings / sizeof config_settings[0];

const struct config_section config_sections[] = {
    {"store", "the audience store", false, NULL},
    {"redis", "the serving layer", false, NULL},
    {"kafka", "every key is passed to librdkafka: bootstrap.servers, security.protocol, sasl.username ...", true, NULL},
    {"topics", "names of the topics, and their partitions", false, NULL},
    {"time", "these change what is computed: `migrate` stores them, and programs must agree", false, NULL},
    {"stream", "muster-stream", false, NULL},
    {"batch", "muster-batch", false, NULL},
    {"reconcile", "muster-reconcile", false, NULL},
    {"alerts", "where alerts go, besides log and store", false, NULL},
    {"log", "the log on standard error", false, NULL},
    {"consent", "PURPOSE = opt_in (allowed only if granted, the default) | opt_out (allowed unless withdrawn)", true,
     "opt_in | opt_out"},
};

const size_t config_section_count = sizeof config_sections / sizeof config_sections[0];

const struct config_setting *config_setting_find(const char *name)
{
    for (size_t i = 0; i < config_setting_count; i++) {
        if (strcmp(config_settings[i].name, name) == 0) {
            return &config_settings[i];
        }
    }
    return NULL;
}

const struct config_section *config_section_find(const char *name)
{
    for (size_t i = 0; i < config_section_count; i++) {
        if (strcmp(config_sections[i].name, name) == 0) {
            return &config_sections[i];
        }
    }
    return NULL;
}

bool config_choice_holds(const char *choices, const char *text)
{
    size_t size = strlen(text);

    for (const char *at = choices; at != NULL; at = strstr(at, " | ")) {
        at += strncmp(at, " | ", 3) == 0 ? 3 : 0;
        if (strncmp(at, text, size) == 0 && size > 0 && (at[size] == '\0' || at[size] == ' ')) {
            return true;
        }
    }
    return false;
}

bool config_key_secret(const char *key)
{
    static const char *const marks[] = {"password", "secret", "ssl.key.pem", "ssl_key", "sasl.oauthbearer.config"};

    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        if (strstr(key, marks[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static char ascii_upper(char letter)
{
    return letter >= 'a' && letter <= 'z' ? (char)(letter - 'a' + 'A') : letter;
}

static char ascii_lower(char letter)
{
    return letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
}

void config_variable_name(const char *name, char *out, size_t size)
{
    static const char prefix[] = "MUSTER_";
    size_t used = sizeof prefix - 1;

    memcpy(out, prefix, used);
    for (; *name != '\0' && used + 1 < size; name++) {
        out[used++] = *name == '.' ? '_' : ascii_upper(*name);
    }
    out[used] = '\0';
}

void config_open_key(const struct config_section *section, const char *suffix, char *out, size_t size)
{
    bool kafka = strcmp(section->name, "kafka") == 0;
    size_t used = 0;

    for (; *suffix != '\0' && used + 1 < size; suffix++) {
        out[used++] = kafka && *suffix == '_' ? '.' : ascii_lower(*suffix);
    }
    out[used] = '\0';
}

/* Wraps nothing: a row of help is one line of the table. */
static void append_default(struct buffer *out, const struct config_setting *setting)
{
    if (setting->computed != NULL) {
        buffer_append_format(out, "default: %s", setting->computed);
    } else if (setting->fallback[0] == '\0') {
        buffer_append_text(out, "default: none");
    } else {
        buffer_append_format(out, "default: %s", setting->fallback);
    }
    if (setting->choices != NULL) {
        buffer_append_format(out, "; %s", setting->choices);
    } else if (setting->type == CONFIG_INTEGER) {
        buffer_append_format(out, "; %" PRId64 " to %" PRId64, setting->min, setting->max);
    } else if (setting->range != NULL) {
        buffer_append_format(out, "; %s", setting->range);
    }
    if (setting->secret) {
        buffer_append_text(out, "; secret: @FILE reads it from a file");
    }
}

static bool in_section(const struct config_setting *setting, const struct config_section *section)
{
    size_t size = strlen(section->name);

    return strncmp(setting->name, section->name, size) == 0 && setting->name[size] == '.';
}

void config_sample(struct buffer *out)
{
    buffer_append_text(
        out, "# Settings of Muster. Each line shows a default; take away the # to change it. In the environment\n"
             "# stream.step_rows is MUSTER_STREAM_STEP_ROWS, on a command line --set stream.step_rows=N.\n");
    for (size_t s = 0; s < config_section_count; s++) {
        const struct config_section *section = &config_sections[s];

        buffer_append_format(out, "\n# %s\n[%s]\n", section->help, section->name);
        if (strcmp(section->name, "kafka") == 0) {
            buffer_append_text(out, "#bootstrap.servers = " CONFIG_KAFKA_SERVERS "\n");
        } else if (section->open) {
            buffer_append_text(out, "#marketing = opt_in\n");
        }
        for (size_t i = 0; i < config_setting_count; i++) {
            const struct config_setting *setting = &config_settings[i];

            if (in_section(setting, section)) {
                buffer_append_format(out, "# %s (", setting->help);
                append_default(out, setting);
                buffer_append_format(out, ")\n#%s = %s\n", setting->name + strlen(section->name) + 1,
                                     setting->computed != NULL ? "" : setting->fallback);
            }
        }
    }
}

void config_help(struct buffer *out)
{
    for (size_t s = 0; s < config_section_count; s++) {
        const struct config_section *section = &config_sections[s];

        if (section->open) {
            buffer_append_format(out, "  %s.*\n      %s\n", section->name, section->help);
        }
        for (size_t i = 0; i < config_setting_count; i++) {
            const struct config_setting *setting = &config_settings[i];

            if (in_section(setting, section)) {
                buffer_append_format(out, "  %s\n      %s\n      ", setting->name, setting->help);
                append_default(out, setting);
                buffer_append_char(out, '\n');
            }
        }
    }
}
