/* Time zones from the system's database (tzdata, RFC 8536 files under /usr/share/zoneinfo, or under TZDIR). */
#ifndef MUSTER_IO_ZONE_FILES_H
#define MUSTER_IO_ZONE_FILES_H

#include "common/base/memory.h"
#include "common/domain/zone.h"

/* The zones read so far. They live until zone_files_clear. Zeroed is as good as initialised. */
struct zone_files {
    struct arena arena;
    struct zone_file *newest;
};

void zone_files_init(struct zone_files *files);
void zone_files_clear(struct zone_files *files);

/* A zone_find; `context` is a struct zone_files. NULL where there is no such zone, or its file is broken. The rule at
 * the file's end is carried on to the year 10000. Give it to ruleset_new:
 *     {.zones = zone_files_find, .zones_context = &files} */
const struct zone *zone_files_find(void *context, struct slice name);
/* The zones read so far, by index; NULL behind the last. */
const struct zone *zone_files_at(const struct zone_files *files, size_t index);
/* Where the database is. */
const char *zone_files_folder(void);

#endif
