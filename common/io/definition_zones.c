#include "common/io/definition_zones.h"

#include "common/domain/rule_problem.h"
#include "common/io/zone_files.h"

#include <stdio.h>

struct zone_walk {
    const struct segment_set *set;
    struct zone_files files;
    const struct definition *definition;
    struct error *err;
};

static bool add_problem(const struct zone_walk *walk, const struct criterion *criterion, struct slice zone,
                        const char *key)
{
    char path[1024];
    char message[256];

    (void)snprintf(path, sizeof(path), "%.*s%s.%s.zone", (int)criterion->json_path.size, criterion->json_path.data,
                   criterion->kind == CRITERION_PERCENTILE ? ".of" : "", key);
    (void)snprintf(message, sizeof(message), "this machine knows no time zone \"%.*s\"; names are like Europe/Berlin",
                   (int)zone.size, zone.data);
    return rule_problems_add_at(walk->set->problems, RULE_ERROR, RULE_PROBLEM_ZONE, walk->definition, slice_from(path),
                                message, NULL, walk->err);
}

static bool check_zone(struct zone_walk *walk, const struct criterion *criterion, struct slice zone, const char *key)
{
    const struct definition *definition = walk->definition;

    if (zone.size == 0 || slice_equal_text(zone, "UTC") || zone_files_find(&walk->files, zone) != NULL) {
        return true;
    }
    if (walk->set->problems != NULL) {
        return add_problem(walk, criterion, zone, key);
    }
    return error_set(walk->err, ERROR_INPUT, "%.*s: %.*s.%.*s%s.%s.zone: this machine knows no time zone \"%.*s\"",
                     (int)definition->file.size, definition->file.data, (int)definition->json_path.size,
                     definition->json_path.data, (int)criterion->json_path.size, criterion->json_path.data,
                     criterion->kind == CRITERION_PERCENTILE ? ".of" : "", key, (int)zone.size, zone.data);
}

static bool visit(void *context, const struct criterion *criterion)
{
    struct zone_walk *walk = context;

    return check_zone(walk, criterion, criterion->window.zone, "window") &&
           check_zone(walk, criterion, criterion->measure.zone, "distinct");
}

bool definition_zones_check(const struct segment_set *set, struct error *err)
{
    struct zone_walk walk = {.set = set, .err = err};
    bool good = true;

    zone_files_init(&walk.files);
    for (size_t i = 0; good && i < set->definition_count; i++) {
        walk.definition = &set->definitions[i];
        for (size_t j = 0; good && j < walk.definition->criterion_count; j++) {
            good = criterion_each(&walk.definition->criteria[j], visit, &walk);
        }
        for (size_t j = 0; good && j < walk.definition->exclude_count; j++) {
            good = criterion_each(&walk.definition->exclude[j], visit, &walk);
        }
    }
    zone_files_clear(&walk.files);
    return good || error_hint(err, "see the names under /usr/share/zoneinfo, and that tzdata is installed");
}

/* ---- which are used ---- */

struct zone_search {
    struct zone_files *files;
    bool *used;
    size_t index;
};

static void search_zone(const struct zone_search *zones, struct slice zone)
{
    if (zone.size > 0 && !slice_equal_text(zone, "UTC")) {
        (void)zone_files_find(zones->files, zone);
        zones->used[zones->index] = true;
    }
}

static bool search(void *context, const struct criterion *criterion)
{
    const struct zone_search *zones = context;

    search_zone(zones, criterion->window.zone);
    search_zone(zones, criterion->measure.zone);
    if (criterion->kind == CRITERION_SEGMENT && zones->used[criterion->segment_index]) {
        zones->used[zones->index] = true;
    }
    return true;
}

void definition_zones_used(const struct segment_set *set, struct zone_files *files, bool *used)
{
    struct zone_search zones = {.files = files, .used = used};

    /* Whoever is referred to comes first in this order. */
    for (size_t i = 0; i < set->definition_count; i++) {
        const struct definition *definition = &set->definitions[set->evaluation_order[i]];

        zones.index = set->evaluation_order[i];
        used[zones.index] = false;
        for (size_t j = 0; j < definition->criterion_count; j++) {
            (void)criterion_each(&definition->criteria[j], search, &zones);
        }
        for (size_t j = 0; j < definition->exclude_count; j++) {
            (void)criterion_each(&definition->exclude[j], search, &zones);
        }
    }
}
