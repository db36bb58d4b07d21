/* Decodes a message as a whole and by a few paths, and compares the two: for the unit test and the fuzz target. */
#ifndef MUSTER_TESTS_PROJECTED_H
#define MUSTER_TESTS_PROJECTED_H

#include "common/base/buffer.h"
#include "common/domain/event.h"

enum { PROJECTED_PATHS_MAX = 16, PROJECTED_KEYS_MAX = 4 };

struct projected_path {
    struct slice keys[PROJECTED_KEYS_MAX];
    size_t key_count;
};

/* One way to decode, with all its memory. */
struct projected_side {
    struct json_document document;
    struct arena arena;
    struct event event;
    enum quarantine_reason reason;
    struct error why;
};

struct projected {
    struct projected_side whole;
    struct projected_side part;
    struct projected_path paths[PROJECTED_PATHS_MAX];
    size_t path_count;
    struct event_projection projection;
};

static inline void projected_side_init(struct projected_side *side)
{
    *side = (struct projected_side){.why = ERROR_INIT};
    json_document_init(&side->document);
    arena_init(&side->arena, 4 * EVENT_SIZE_MAX);
}

static inline void projected_side_clear(struct projected_side *side)
{
    json_document_clear(&side->document);
    arena_clear(&side->arena);
}

/* Without paths; projected_paths must follow. */
static inline void projected_init(struct projected *both)
{
    projected_side_init(&both->whole);
    projected_side_init(&both->part);
    both->path_count = 0;
    both->projection = (struct event_projection){0};
}

static inline void projected_clear(struct projected *both)
{
    projected_side_clear(&both->whole);
    projected_side_clear(&both->part);
    event_projection_clear(&both->projection);
}

/* Makes the projection of both->paths. False when there is no memory. */
static inline MUST_CHECK bool projected_paths(struct projected *both)
{
    struct error err = ERROR_INIT;
    bool good;

    event_projection_clear(&both->projection);
    good = event_projection_init(&both->projection, (uint32_t)both->path_count, &err);
    for (size_t i = 0; good && i < both->path_count; i++) {
        good =
            event_projection_add(&both->projection, both->paths[i].keys, both->paths[i].key_count, (uint32_t)i, &err);
    }
    return good;
}

/* Adds the paths of some members of the object, `path` in front of them. Their keys are in the arena of both->whole. */
static inline void projected_add_members(struct projected *both, int32_t object, struct projected_path path)
{
    const struct json_document *document = &both->whole.document;
    uint32_t key = (uint32_t)object + 1;

    if (object == JSON_ABSENT || document->tokens[object].type != JSON_OBJECT || path.key_count == PROJECTED_KEYS_MAX) {
        return;
    }
    path.key_count++;
    for (uint32_t i = 0; i < document->tokens[object].count; i++) {
        if (both->path_count == PROJECTED_PATHS_MAX ||
            !json_string(document, (int32_t)key, &both->whole.arena, &path.keys[path.key_count - 1])) {
            return;
        }
        if (i % 2 == 0) {
            both->paths[both->path_count++] = path;
        } else {
            projected_add_members(both, (int32_t)key + 1, path);
        }
        key = document->tokens[key + 1].end_token;
    }
}

static inline bool projected_same_token(const struct projected *both, int32_t whole, int32_t part)
{
    if (whole == JSON_ABSENT || part == JSON_ABSENT) {
        return whole == part;
    }
    return both->whole.document.tokens[whole].type == both->part.document.tokens[part].type &&
           slice_equal(json_raw(&both->whole.document, whole), json_raw(&both->part.document, part));
}

static inline bool projected_same_value(const struct value *a, const struct value *b)
{
    return a->type == b->type && (a->type != VALUE_BOOLEAN || a->boolean == b->boolean) &&
           (a->type != VALUE_NUMBER || a->micros == b->micros) &&
           ((a->type != VALUE_STRING && a->type != VALUE_COMPOUND) || slice_equal(a->text, b->text));
}

static inline bool projected_append_purpose(void *context, struct slice purpose, bool granted)
{
    buffer_append_slice(context, purpose);
    buffer_append_char(context, granted ? '+' : '-');
    return true;
}

static inline bool projected_same_purposes(struct projected *both)
{
    struct buffer whole;
    struct buffer part;
    bool same;

    buffer_init(&whole, 2 * EVENT_SIZE_MAX);
    buffer_init(&part, 2 * EVENT_SIZE_MAX);
    same = event_purposes(&both->whole.event, &both->whole.arena, projected_append_purpose, &whole) &&
           event_purposes(&both->part.event, &both->part.arena, projected_append_purpose, &part) &&
           slice_equal(buffer_slice(&whole), buffer_slice(&part));
    buffer_clear(&whole);
    buffer_clear(&part);
    return same;
}

/* What differs between the two events, or NULL. */
static inline const char *projected_difference(struct projected *both)
{
    const struct event *whole = &both->whole.event;
    const struct event *part = &both->part.event;
    struct slice message_id = SLICE_LITERAL("messageId");

    if (whole->kind != part->kind || whole->time_ms != part->time_ms || whole->cloud_event != part->cloud_event) {
        return "kind or time";
    }
    if (!slice_equal(whole->user, part->user) || whole->has_message_id != part->has_message_id ||
        !slice_equal(whole->message_id, part->message_id) || !slice_equal(whole->name, part->name)) {
        return "an id or name";
    }
    if (!projected_same_token(both, whole->properties, part->properties) ||
        !projected_same_token(both, whole->traits, part->traits) ||
        !projected_same_token(both, whole->purposes, part->purposes) ||
        !projected_same_token(both, whole->page_name, part->page_name)) {
        return "a part of the text";
    }
    /* What is needed to give it one. */
    if (!whole->has_message_id && (!projected_same_token(both, 0, 0) ||
                                   !projected_same_token(both, json_member(&both->whole.document, 0, message_id),
                                                         json_member(&both->part.document, 0, message_id)))) {
        return "where its messageId goes";
    }
    for (size_t i = 0; i < both->path_count; i++) {
        const struct projected_path *path = &both->paths[i];
        struct value values[2];

        if (!event_read(whole, i, path->keys, path->key_count, &both->whole.arena, &values[0]) ||
            !event_read(part, i, path->keys, path->key_count, &both->part.arena, &values[1])) {
            return NULL; /* no memory */
        }
        if (!projected_same_value(&values[0], &values[1])) {
            return "a value";
        }
    }
    return projected_same_purposes(both) ? NULL : "the purposes";
}

/* Decodes the message both ways: what differs, or NULL. */
static inline const char *projected_compare(struct projected *both, struct slice text)
{
    if (!event_decode(text, &both->whole.document, &both->whole.arena, &both->whole.event, &both->whole.reason,
                      &both->whole.why) ||
        !event_decode_projected(text, &both->projection, &both->part.document, &both->part.arena, &both->part.event,
                                &both->part.reason, &both->part.why)) {
        return "no memory";
    }
    if (both->whole.reason != both->part.reason) {
        return "the verdict";
    }
    if (both->whole.reason != QUARANTINE_NONE) {
        return strcmp(both->whole.why.message, both->part.why.message) == 0 ? NULL : "the words of the refusal";
    }
    return projected_difference(both);
}

/* Where the first of some lines is decoded without a look for its end: what differs from the line so decoded whose end
 * is known, or NULL. Bytes behind the lines can be read, as the document of both->part has been told. */
static inline const char *projected_compare_line(struct projected *both, struct slice lines, bool *decoded)
{
    const char *end = memchr(lines.data, '\n', lines.size);
    struct slice text = slice_of(lines.data, end == NULL ? 0 : (size_t)(end - lines.data));

    text.size -= text.size > 0 && text.data[text.size - 1] == '\r';
    *decoded = event_decode_line(lines, &both->projection, &both->part.document, &both->part.arena, &both->part.event);
    if (!*decoded) {
        return NULL;
    }
    if (end == NULL || both->part.document.text.data != text.data || both->part.document.text.size != text.size) {
        return "where the line ends";
    }
    if (!event_decode(text, &both->whole.document, &both->whole.arena, &both->whole.event, &both->whole.reason,
                      &both->whole.why)) {
        return "no memory";
    }
    return both->whole.reason == QUARANTINE_NONE ? projected_difference(both) : "the verdict";
}

#endif
