/* load: messages on their way into the archive, from files (load_file.c) and from the log (load_log.c). */
#ifndef MUSTER_BATCH_LOAD_H
#define MUSTER_BATCH_LOAD_H

#include "batch/batch.h"
#include "common/io/archive.h"
#include "common/io/store_consent.h"
#include "common/io/store_quarantine.h"
#include "common/io/store_users.h"

/* A change of consent that a row of the batch carries. */
struct loader_change {
    size_t row_index;
    struct consent_change change;
};

/* One step: what the next transaction writes. */
struct loader {
    const struct config *config;
    struct pg *pg;
    const char *source; /* "load" or "archive": who quarantines */
    int32_t lane_count;
    struct store_users *users;
    struct archive_batch batch;
    struct loader_change *changes;
    size_t change_count;
    size_t change_capacity;
    struct quarantine_row *refused;
    size_t refused_count;
    size_t refused_capacity;
    struct arena texts;        /* of changes and refused rows */
    int64_t event_time_max_ms; /* of the batch; TIMESTAMP_ALWAYS for none */
};

bool loader_open(struct loader *loader, const struct config *config, const char *source, struct error *err) MUST_CHECK;
void loader_close(struct loader *loader);
/* Adds an accepted message. received_at_ms: the log's own timestamp, TIMESTAMP_ALWAYS for a file. */
bool loader_add(struct loader *loader, const struct event *event, struct slice text, struct archive_source source,
                int32_t lane, int64_t received_at_ms, struct error *err) MUST_CHECK;
/* Adds a refused one; `row` without reason and detail, whose bytes are copied. */
bool loader_refuse(struct loader *loader, const struct quarantine_row *row, enum quarantine_reason reason,
                   const char *detail, struct error *err) MUST_CHECK;
/* True when the step should be written. */
bool loader_full(const struct loader *loader);

/* Writes the step in one transaction; `advance` moves the position it ends at, in the same transaction; `finish` (may
 * be NULL) comes last before COMMIT. Then the loader is empty again. On false nothing was written. */
typedef bool loader_advance(void *context, struct error *err);
bool loader_write(struct loader *loader, loader_advance *advance, loader_advance *finish, void *context,
                  struct error *err) MUST_CHECK;

/* Loads a file; prints what came of it. */
bool load_file(const struct config *config, const char *path, const char *map_path, struct error *err) MUST_CHECK;
/* Reads the log's topics from where the archive ends to their ends as of now, at most message_count_max messages. */
bool load_log(const struct config *config, int64_t message_count_max, struct error *err) MUST_CHECK;

#endif
