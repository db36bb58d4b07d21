/* Configuration: one INI file (--config, else MUSTER_CONF, ./muster.conf, /etc/muster/muster.conf), overridden by
 * MUSTER_SECTION_KEY in the environment (dots become underscores) and by flags. One table describes every setting (name,
 * type, unit, default, range, help, secret): `muster-X --help`, the sample file and the check of the file come from it. An unknown
 * section or key is an error with the nearest name. `[kafka]` keys pass to librdkafka unchecked; `[consent]` keys are
 * purposes. A value `@/path` of a secret setting is read from that file. */
#ifndef MUSTER_BASE_CONFIG_H
#define MUSTER_BASE_CONFIG_H

#include "common/base/buffer.h"
#include "common/base/error.h"

#include <stddef.h>
#include <stdint.h>

struct config;

/* Reads file and environment. `path` NULL: search as above; none found is no error. */
bool config_open(const char *path, struct config **out, struct error *err) MUST_CHECK;
void config_free(struct config *config);
/* Overrides one setting ("stream.step_rows") from a flag. */
bool config_set(struct config *config, const char *name, const char *value, struct error *err) MUST_CHECK;

/* Values of settings in the table; asking for one that is not in it, or by the wrong type, is a bug (aborts). Durations
 * are milliseconds. Text is borrowed. */
const char *config_text(const struct config *config, const char *name);
int64_t config_integer(const struct config *config, const char *name);
int64_t config_duration_ms(const struct config *config, const char *name);
bool config_boolean(const struct config *config, const char *name);

/* Visits the keys of an open section ("kafka", "consent") in order. */
typedef bool config_visit(void *context, const char *key, const char *value, struct error *err);
bool config_each(const struct config *config, const char *section, config_visit *visit, void *context,
                 struct error *err) MUST_CHECK;

/* The settings table as a commented sample file. */
void config_sample(struct buffer *out);

/* Settings (the table in config.c):
 *   store.conninfo            text, secret   MUSTER_STORE_CONNINFO   libpq connection string
 *   redis.url                 text, secret   redis://127.0.0.1:6379/0
 *   kafka.*                                  passed to librdkafka; bootstrap.servers = 127.0.0.1:9092 (MUSTER_KAFKA_BOOTSTRAP_SERVERS)
 *   topics.events, topics.profiles, topics.consent = muster-events, muster-profiles, muster-consent
 *   topics.late, topics.audience = muster-late, muster-audience
 *   topics.partitions         4
 *   time.clock                wall | event          default wall
 *   time.watermark_bound      10s
 *   time.allowed_lateness     7d
 *   time.future_skew          5m
 *   time.dedup                24h
 *   stream.step_rows          5000
 *   stream.step_ms            50
 *   stream.history            archive | log
 *   stream.user_events_max    100000    cap on kept events per user
 *   batch.threads             0 = one per processor
 *   reconcile.interval        200ms     longest pause of watch
 *   reconcile.grace           wall clock beyond which a membership past valid_until ends (default: bound + 1m; 0 with clock = event)
 *   reconcile.freshness       30s       a lane not updated for so long is stale
 *   alerts.log                text      file that alerts are appended to as JSON lines; empty: none
 *   log.level                 error | warning | info | debug
 *   consent.PURPOSE           opt_in | opt_out
 */

#endif
