#include "common/io/zone_version.h"

#include "common/base/sha256.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first word of the file behind `prefix`; false where the file has none. */
static bool read_word(const char *name, const char *prefix, char out[ZONE_VERSION_SIZE])
{
    char path[1024];
    char line[128] = "";
    const char *at = line;
    size_t size = 0;
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", zone_files_folder(), name);
    file = fopen(path, "rb");
    if (file == NULL) {
        return false;
    }
    if (fgets(line, sizeof line, file) == NULL) {
        line[0] = '\0';
    }
    (void)fclose(file);
    if (strncmp(line, prefix, strlen(prefix)) != 0) {
        return false;
    }
    at += strlen(prefix);
    while (size < ZONE_VERSION_SIZE - 1 && isgraph((unsigned char)at[size])) {
        out[size] = at[size];
        size++;
    }
    out[size] = '\0';
    return size > 0;
}

static int compare_names(const void *left, const void *right)
{
    const struct zone *const *a = left;
    const struct zone *const *b = right;

    return slice_compare((*a)->name, (*b)->name);
}

static bool add_zone(struct sha256 *digest, const struct zone *zone, struct error *err)
{
    char text[64];

    for (size_t i = 0; i <= zone->instant_count; i++) {
        int size = snprintf(text, sizeof text, "%lld %ld\n", (long long)(i == 0 ? 0 : zone->instants_ms[i - 1]),
                            (long)zone->offsets_ms[i]);

        if (!sha256_add(digest, slice_of(text, (size_t)size), err)) {
            return false;
        }
    }
    return sha256_add(digest, zone->name, err);
}

/* A digest of the tables, in the order of their names. */
static bool digest_zones(const struct zone **zones, size_t count, char out[ZONE_VERSION_SIZE], struct error *err)
{
    unsigned char bytes[SHA256_SIZE];
    char text[SHA256_HEX_SIZE];
    struct sha256 digest;
    bool done = true;

    qsort(zones, count, sizeof *zones, compare_names);
    if (!sha256_begin(&digest, err)) {
        return false;
    }
    for (size_t i = 0; done && i < count; i++) {
        done = add_zone(&digest, zones[i], err);
    }
    if (!done || !sha256_end(&digest, bytes, err)) {
        sha256_clear(&digest);
        return false;
    }
    (void)snprintf(out, ZONE_VERSION_SIZE, "sha256:%.16s", sha256_hex(bytes, text));
    return true;
}

bool zone_version(const struct zone_files *files, char out[ZONE_VERSION_SIZE], struct error *err)
{
    const struct zone **zones = NULL;
    size_t count = 0;
    bool done;

    out[0] = '\0';
    if (read_word("tzdata.zi", "# version ", out) || read_word("+VERSION", "", out)) {
        return true;
    }
    while (zone_files_at(files, count) != NULL) {
        count++;
    }
    if (count == 0) {
        return true;
    }
    zones = memory_allocate_zeroed(count, sizeof(const struct zone *));
    if (zones == NULL) {
        return error_no_memory(err, "the version of the time zones");
    }
    for (size_t i = 0; i < count; i++) {
        zones[i] = zone_files_at(files, i);
    }
    done = digest_zones(zones, count, out, err);
    memory_free(zones);
    return done;
}
