/* One message, decoded and judged (segment-language, section 2). */
#ifndef MUSTER_DOMAIN_EVENT_H
#define MUSTER_DOMAIN_EVENT_H

#include "common/base/error.h"
#include "common/base/memory.h"
#include "common/domain/event_projection.h"
#include "common/domain/json.h"

#include <stdint.h>

enum event_kind {
    EVENT_NONE = 0,
    EVENT_TRACK, /* also a CloudEvents envelope */
    EVENT_PAGE,
    EVENT_SCREEN,
    EVENT_IDENTIFY,
    EVENT_CONSENT,
    EVENT_DELETE,
};
const char *event_kind_name(enum event_kind kind);

/* Borrowed from the text, the document and the arena given to event_decode; valid until they are reused. */
struct event {
    enum event_kind kind;
    bool cloud_event; /* its properties are what stands under "data" */
    struct slice user;
    bool has_message_id;
    struct slice message_id;
    struct slice name; /* "page" and "screen" for those; empty for identify, consent, delete */
    int64_t time_ms;
    const struct json_document *document;
    /* Which properties and traits have tokens: NULL where all have, or the message has none. */
    const struct event_projection *projection;
    const int32_t *found; /* the token of each of these, or JSON_ABSENT; NULL where all have */
    int32_t properties;   /* token of an object, or JSON_ABSENT */
    int32_t traits;       /* identify */
    int32_t purposes;     /* consent: an object of booleans */
    int32_t
        page_name; /* page, screen: token of `name`, which stands in for a missing properties.name, or JSON_ABSENT */
};

enum { EVENT_SIZE_MAX = 1 << 20, EVENT_DEPTH_MAX = 64, EVENT_ID_SIZE_MAX = 256 };

/* What can be wrong with a message; each has a name for reports (quarantine_reason_name). */
enum quarantine_reason {
    QUARANTINE_NONE = 0,
    QUARANTINE_NOT_JSON, /* also repeated keys, invalid UTF-8 */
    QUARANTINE_NOT_OBJECT,
    QUARANTINE_TOO_LARGE,
    QUARANTINE_TOO_DEEP,
    QUARANTINE_TYPE,  /* unknown or missing type */
    QUARANTINE_USER,  /* missing, of a wrong type, empty, too long, U+0000 */
    QUARANTINE_EVENT, /* event name missing or of a wrong type */
    QUARANTINE_MESSAGE_ID,
    QUARANTINE_TIMESTAMP,
    QUARANTINE_PROPERTIES, /* properties, traits or data is no object; data_base64 */
    QUARANTINE_PURPOSES,
    QUARANTINE_FUTURE,  /* ahead of the Kafka message's own timestamp by more than the skew (ingest only) */
    QUARANTINE_KEY,     /* the Kafka key is null or not the user (ingest only) */
    QUARANTINE_MAPPING, /* a CSV line that the mapping could not turn into an event */
    QUARANTINE_COUNT,   /* how many there are */
};
const char *quarantine_reason_name(enum quarantine_reason reason);

/* Decodes one message. Returns true with *reason QUARANTINE_NONE and the event filled, or true with another reason and
 * `detail` saying why (borrowed from `why`); false only for no memory. `document` and `arena` are working memory that
 * the event borrows from; the caller resets the arena between events (it should hold 2 x EVENT_SIZE_MAX). The first of
 * the wrong fields decides; fields that the kind does not use are not judged. A messageId of null is as absent; absent
 * or null data of a CloudEvents envelope is {}. */
bool event_decode(struct slice text, struct json_document *document, struct arena *arena, struct event *out,
                  enum quarantine_reason *reason, struct error *why) MUST_CHECK;

/* The same for one who reads nothing of properties and traits but what the projection names: same verdict, same reason
 * in words, same values, in less time. Of the document's tokens those are right that the event names; what lies in them
 * is read by event_read. Of a message without a messageId json_member finds the root's member of that name, too. */
bool event_decode_projected(struct slice text, const struct event_projection *projection,
                            struct json_document *document, struct arena *arena, struct event *out,
                            enum quarantine_reason *reason, struct error *why) MUST_CHECK;

/* The event of the first of some lines, which need not be known yet, where the document has decoded one like it before.
 * Behind them are JSON_SKELETON_REACH zeros.
 * document->text becomes the line without its LF or CR LF, which are among the lines. False says nothing: what
 * event_decode_anew is to say, where the line's end is known. */
bool event_decode_line(struct slice lines, const struct event_projection *projection, struct json_document *document,
                       struct arena *arena, struct event *out);

/* event_decode_projected for a message that is like none before, as far as is known. */
bool event_decode_anew(struct slice text, const struct event_projection *projection, struct json_document *document,
                       struct arena *arena, struct event *out, enum quarantine_reason *reason,
                       struct error *why) MUST_CHECK;

/* Property at `path` of the event, with page_name standing in for a missing "name". False when there is no memory. */
bool event_property(const struct event *event, const struct slice *keys, size_t key_count, struct arena *arena,
                    struct value *out, bool *out_of_range) MUST_CHECK;

/* The part of event_read that may have to walk the keys. */
bool event_read_by_keys(const struct event *event, size_t index, const struct slice *keys, size_t key_count,
                        struct arena *arena, struct value *out) MUST_CHECK;
/* The trait (of an identify event) or property (of any other) of that path, which the projection that the event was
 * decoded with, if there was one, has at `index`. False when there is no memory. */
static inline bool MUST_CHECK event_read(const struct event *event, size_t index, const struct slice *keys,
                                         size_t key_count, struct arena *arena, struct value *out)
{
    if (event->found != NULL && event->page_name == JSON_ABSENT) {
        return json_value(event->document, event->found[index], arena, out, NULL);
    }
    return event_read_by_keys(event, index, keys, key_count, arena, out);
}

/* Calls visit for each purpose of a consent event, in document order; stops and returns false where visit does. */
typedef bool event_purpose_visit(void *context, struct slice purpose, bool granted);
bool event_purposes(const struct event *event, struct arena *arena, event_purpose_visit *visit, void *context);

#endif
