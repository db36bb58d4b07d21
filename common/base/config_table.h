/* The table of all settings, and what follows from a setting's name. Private to the configuration. */
#ifndef MUSTER_BASE_CONFIG_TABLE_H
#define MUSTER_BASE_CONFIG_TABLE_H

#include "common/base/config.h"

#include <stddef.h>
#include <stdint.h>

#define CONFIG_KAFKA_SERVERS "127.0.0.1:9092"

enum config_type { CONFIG_NONE = 0, CONFIG_TEXT, CONFIG_INTEGER, CONFIG_DURATION, CONFIG_CHOICE };

struct config_setting {
    const char *name; /* "section.key" */
    enum config_type type;
    const char *fallback; /* the default as text; of a duration that is computed: "0" */
    const char *help;
    const char *range;   /* of durations, in words; shown in help */
    const char *choices; /* "wall | event" */
    int64_t min;         /* integers; durations in ms */
    int64_t max;
    bool secret;
    const char *computed;                               /* says what compute_ms does; NULL without it */
    int64_t (*compute_ms)(const struct config *config); /* the default of a duration that depends on others */
};

struct config_section {
    const char *name;
    const char *help;
    bool open;           /* takes any key */
    const char *choices; /* of the values of an open section; NULL: any text */
};

extern const struct config_setting config_settings[];
extern const size_t config_setting_count;
extern const struct config_section config_sections[];
extern const size_t config_section_count;

/* The row, or NULL. */
const struct config_setting *config_setting_find(const char *name);
const struct config_section *config_section_find(const char *name);
/* True when `text` is one of "a | b | c". */
bool config_choice_holds(const char *choices, const char *text);
/* True for keys of [kafka] that hold passwords or private keys. */
bool config_key_secret(const char *key);
/* "stream.step_rows" as "MUSTER_STREAM_STEP_ROWS". */
void config_variable_name(const char *name, char *out, size_t size);
/* What follows MUSTER_KAFKA_ as a key of librdkafka ("BOOTSTRAP_SERVERS": "bootstrap.servers"), what follows
 * MUSTER_CONSENT_ as a purpose ("MARKETING": "marketing"). */
void config_open_key(const struct config_section *section, const char *suffix, char *out, size_t size);

#endif
