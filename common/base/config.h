/* Configuration: one INI file (--config, else MUSTER_CONF, ./muster.conf, /etc/muster/muster.conf), overridden by
 * MUSTER_SECTION_KEY in the environment (dots become underscores; an empty one counts as absent) and by flags. One
 * table describes every setting (name, type, default, range, help, secret): `muster-X --help`, the sample file and the
 * check of the file come from it. An unknown section or key is an error with the nearest name. `[kafka]` keys pass to
 * librdkafka unchecked; `[consent]` keys are purposes. A value `@/path` of a secret setting is read from that file. */
#ifndef MUSTER_BASE_CONFIG_H
#define MUSTER_BASE_CONFIG_H

#include "common/base/buffer.h"
#include "common/base/error.h"

#include <stddef.h>
#include <stdint.h>

struct config;

/* Reads file and environment. `path` NULL: search as above; none found is no error, but a file that is named (by `path`
 * or MUSTER_CONF) must be readable. ERROR_USAGE names file and line. On false nothing is owned. */
bool config_open(const char *path, struct config **out, struct error *err) MUST_CHECK;
void config_free(struct config *config);
/* Overrides one setting ("stream.step_rows", "kafka.bootstrap.servers") from a flag. */
bool config_set(struct config *config, const char *name, const char *value, struct error *err) MUST_CHECK;

/* Values of settings in the table; asking for one that is not in it, or by the wrong type, is a bug (aborts). Durations
 * are milliseconds. Text is borrowed. */
const char *config_text(const struct config *config, const char *name);
int64_t config_integer(const struct config *config, const char *name);
int64_t config_duration_ms(const struct config *config, const char *name);
/* True when file, environment or flag gave the setting, false where it has its default. */
bool config_is_set(const struct config *config, const char *name);
/* The file that was read, or NULL. */
const char *config_path(const struct config *config);

/* Visits the keys of an open section ("kafka", "consent") in order: defaults, file, environment, flags; each once, with
 * its final value. Stops at the first false. */
typedef bool config_visit(void *context, const char *key, const char *value, struct error *err);
bool config_each(const struct config *config, const char *section, config_visit *visit, void *context,
                 struct error *err) MUST_CHECK;

/* The settings table as a commented sample file, and as the part of a help text. */
void config_sample(struct buffer *out);
void config_help(struct buffer *out);

#endif
