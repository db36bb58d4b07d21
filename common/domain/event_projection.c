#include "common/domain/event_projection.h"

static const struct slice field_names[EVENT_FIELD_COUNT] = {
    [EVENT_FIELD_TYPE] = {"type", 4},
    [EVENT_FIELD_MESSAGE_ID] = {"messageId", 9},
    [EVENT_FIELD_USER_ID] = {"userId", 6},
    [EVENT_FIELD_ANONYMOUS_ID] = {"anonymousId", 11},
    [EVENT_FIELD_TIMESTAMP] = {"timestamp", 9},
    [EVENT_FIELD_EVENT] = {"event", 5},
    [EVENT_FIELD_PROPERTIES] = {"properties", 10},
    [EVENT_FIELD_TRAITS] = {"traits", 6},
    [EVENT_FIELD_PURPOSES] = {"purposes", 8},
    [EVENT_FIELD_NAME] = {"name", 4},
    [EVENT_FIELD_SPECVERSION] = {"specversion", 11},
    [EVENT_FIELD_ID] = {"id", 2},
    [EVENT_FIELD_SOURCE] = {"source", 6},
    [EVENT_FIELD_SUBJECT] = {"subject", 7},
    [EVENT_FIELD_TIME] = {"time", 4},
    [EVENT_FIELD_DATA] = {"data", 4},
    [EVENT_FIELD_DATA_BASE64] = {"data_base64", 11},
};

enum event_field event_field_of(struct slice key)
{
    for (enum event_field field = EVENT_FIELD_TYPE; field < EVENT_FIELD_COUNT; field++) {
        if (slice_equal(field_names[field], key)) {
            return field;
        }
    }
    return EVENT_FIELD_NONE;
}

bool event_projection_init(struct event_projection *projection, uint32_t path_count_max, struct error *err)
{
    projection->path_count_max = path_count_max;
    projection->reads_name = false;
    json_paths_init(&projection->paths, EVENT_FIELD_COUNT + EVENT_PROJECTION_PLACE_COUNT * path_count_max);
    for (enum event_field field = EVENT_FIELD_TYPE; field < EVENT_FIELD_COUNT; field++) {
        if (!json_paths_add(&projection->paths, &field_names[field], 1, field, field == EVENT_FIELD_PURPOSES)) {
            return error_no_memory(err, "a projection");
        }
    }
    return true;
}

void event_projection_clear(struct event_projection *projection)
{
    json_paths_clear(&projection->paths);
}

bool event_projection_add(struct event_projection *projection, const struct slice *keys, size_t key_count,
                          uint32_t index, struct error *err)
{
    static const enum event_field places[EVENT_PROJECTION_PLACE_COUNT] = {
        [EVENT_PROJECTION_PROPERTIES] = EVENT_FIELD_PROPERTIES,
        [EVENT_PROJECTION_TRAITS] = EVENT_FIELD_TRAITS,
        [EVENT_PROJECTION_DATA] = EVENT_FIELD_DATA,
    };
    struct slice *path = memory_allocate((key_count + 1) * sizeof *path);
    bool good = path != NULL;
    bool name = key_count > 0 && slice_equal(keys[0], field_names[EVENT_FIELD_NAME]);

    for (size_t i = 0; good && i < key_count; i++) {
        path[i + 1] = keys[i];
    }
    for (unsigned place = 0; good && place < EVENT_PROJECTION_PLACE_COUNT; place++) {
        path[0] = field_names[places[place]];
        good = json_paths_add(&projection->paths, path, key_count + 1,
                              event_projection_begin(projection, place) + index, false);
    }
    projection->reads_name = projection->reads_name || name;
    /* The name of a page stands in for a missing property; what is under it is looked up by its keys. */
    if (good && name && key_count > 1) {
        good = json_paths_add(&projection->paths, keys, key_count, JSON_PATHS_NO_NUMBER, false);
    }
    memory_free(path);
    return good || error_no_memory(err, "a projection");
}
