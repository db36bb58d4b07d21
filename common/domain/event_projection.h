/* The members of a message that its reader needs: the envelope, and of properties and traits what rules read. */
#ifndef MUSTER_DOMAIN_EVENT_PROJECTION_H
#define MUSTER_DOMAIN_EVENT_PROJECTION_H

#include "common/base/error.h"
#include "common/domain/json_paths.h"

/* The envelope's members, of all kinds of messages. */
enum event_field {
    EVENT_FIELD_NONE = 0, /* every other one */
    EVENT_FIELD_TYPE,
    EVENT_FIELD_MESSAGE_ID,
    EVENT_FIELD_USER_ID,
    EVENT_FIELD_ANONYMOUS_ID,
    EVENT_FIELD_TIMESTAMP,
    EVENT_FIELD_EVENT,
    EVENT_FIELD_PROPERTIES,
    EVENT_FIELD_TRAITS,
    EVENT_FIELD_PURPOSES,
    EVENT_FIELD_NAME,
    EVENT_FIELD_SPECVERSION,
    EVENT_FIELD_ID,
    EVENT_FIELD_SOURCE,
    EVENT_FIELD_SUBJECT,
    EVENT_FIELD_TIME,
    EVENT_FIELD_DATA,
    EVENT_FIELD_DATA_BASE64,
    EVENT_FIELD_COUNT,
};
enum event_field event_field_of(struct slice key);

/* What is wanted is numbered: first the envelope, then the paths thrice, as they stand under properties, under traits
 * and under data (a message may have all of these). */
struct event_projection {
    struct json_paths paths;
    uint32_t path_count_max;
    bool reads_name; /* a path begins with "name", which a page's own name can stand in for */
};

/* Wants the envelope alone. The projection may be given to event_projection_clear also where this fails: false with
 * ERROR_INTERNAL for no memory. At most path_count_max paths may follow. */
bool event_projection_init(struct event_projection *projection, uint32_t path_count_max, struct error *err) MUST_CHECK;
void event_projection_clear(struct event_projection *projection);

/* Wants what stands at the path in properties and in traits. `index`: where event->found has it, below
 * path_count_max. The keys are borrowed. */
bool event_projection_add(struct event_projection *projection, const struct slice *keys, size_t key_count,
                          uint32_t index, struct error *err) MUST_CHECK;

enum event_projection_place {
    EVENT_PROJECTION_PROPERTIES = 0,
    EVENT_PROJECTION_TRAITS,
    EVENT_PROJECTION_DATA,
    EVENT_PROJECTION_PLACE_COUNT,
};

/* The number of the path with index 0. */
static inline uint32_t event_projection_begin(const struct event_projection *projection,
                                              enum event_projection_place place)
{
    return EVENT_FIELD_COUNT + (uint32_t)place * projection->path_count_max;
}

#endif
