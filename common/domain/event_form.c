#include "common/domain/event_form.h"

#include "common/base/timestamp.h"
#include "common/domain/decimal.h"
#include "common/domain/json_paths.h"

/* A number or word of the envelope. */
struct form_scalar {
    uint32_t value;
    uint8_t type;
};

/* With the numbers of values. */
struct event_form {
    struct event event; /* with all that does not differ */
    bool time_is_text;
    uint32_t user;
    uint32_t time;
    uint32_t message_id; /* of a CloudEvents envelope the `id` */
    uint32_t source;     /* of that, else 0 */
    uint32_t name;       /* 0: it does not differ */
    uint32_t scalar_count;
    struct form_scalar scalars[EVENT_FIELD_COUNT];
};

/* ---- taking ---- */

static inline struct slice value_at(struct slice text, const struct json_values *values, uint32_t value)
{
    struct json_span span = values->spans[value];

    return slice_of(text.data + span.begin, span.size);
}

static inline bool is_id(struct slice id)
{
    return id.size - 1 < EVENT_ID_SIZE_MAX;
}

static bool read_number(struct slice text, int64_t *out_ms)
{
    return decimal_parse_integral(text, out_ms) && *out_ms >= TIMESTAMP_MIN && *out_ms <= TIMESTAMP_MAX;
}

/* messageId = source, one space, id. */
static enum event_form_result join_id(struct slice source, struct arena *arena, struct slice *id)
{
    size_t size = source.size + 1 + id->size;
    char *joined;

    if (!is_id(source) || !is_id(*id) || size > EVENT_ID_SIZE_MAX) {
        return EVENT_FORM_UNKNOWN;
    }
    joined = arena_allocate(arena, size);
    if (joined == NULL) {
        return EVENT_FORM_NO_MEMORY;
    }
    memcpy(joined, source.data, source.size);
    joined[source.size] = ' ';
    memcpy(joined + source.size + 1, id->data, id->size);
    *id = slice_of(joined, size);
    return EVENT_FORM_TAKEN;
}

static bool same_scalars(const struct event_form *form, const struct json_values *values)
{
    for (uint32_t i = 0; i < form->scalar_count; i++) {
        if (values->types[form->scalars[i].value] != form->scalars[i].type) {
            return false;
        }
    }
    return true;
}

/* Puts the event together from the text's form, or NULL. */
static inline __attribute__((always_inline)) enum event_form_result put_together(const struct json_form *found,
                                                                                 struct slice text,
                                                                                 struct json_document *document,
                                                                                 struct arena *arena, struct event *out)
{
    const struct json_values *values = &document->skeleton.values;
    const struct event_form *form;
    struct slice time;

    if (found == NULL || text.size > EVENT_SIZE_MAX) {
        return EVENT_FORM_UNKNOWN;
    }
    form = json_form_note_of(found);
    *out = form->event;
    out->user = value_at(text, values, form->user);
    time = value_at(text, values, form->time);
    if (!is_id(out->user) || !same_scalars(form, values) ||
        !(form->time_is_text ? timestamp_parse(time, &out->time_ms) : read_number(time, &out->time_ms))) {
        return EVENT_FORM_UNKNOWN;
    }
    if (form->name != 0) {
        out->name = value_at(text, values, form->name);
    }
    if (out->has_message_id) {
        out->message_id = value_at(text, values, form->message_id);
        if (form->source != 0) {
            enum event_form_result joined = join_id(value_at(text, values, form->source), arena, &out->message_id);

            if (joined != EVENT_FORM_TAKEN) {
                return joined;
            }
        } else if (!is_id(out->message_id)) {
            return EVENT_FORM_UNKNOWN;
        }
    }
    json_form_place(found, text, document);
    return EVENT_FORM_TAKEN;
}

enum event_form_result event_form_take(struct slice text, const struct event_projection *projection,
                                       struct json_document *document, struct arena *arena, struct event *out)
{
    return put_together(json_skeleton_match(&document->skeleton, text, document->readable, &projection->paths), text,
                        document, arena, out);
}

enum event_form_result event_form_take_line(struct slice lines, const struct event_projection *projection,
                                            struct json_document *document, struct arena *arena, struct event *out)
{
    const struct json_form *form = json_skeleton_match_line(&document->skeleton, lines, &projection->paths);

    return put_together(form, slice_of(lines.data, document->skeleton.values.end), document, arena, out);
}

/* ---- learning ---- */

static bool is_type(const struct json_document *document, int32_t token, enum json_type type)
{
    return token != JSON_ABSENT && document->tokens[token].type == type;
}

/* Of what the envelope reads: true, false and null count as such, a number only as one, except that it may be the
 * time. */
static void note_scalars(struct event_form *form, const struct json_form *found, const int32_t *fields,
                         const struct json_document *document)
{
    for (int field = EVENT_FIELD_NONE + 1; field < EVENT_FIELD_COUNT; field++) {
        if (is_type(document, fields[field], JSON_NULL) || is_type(document, fields[field], JSON_TRUE) ||
            is_type(document, fields[field], JSON_FALSE) || is_type(document, fields[field], JSON_NUMBER)) {
            form->scalars[form->scalar_count++] = (struct form_scalar){.value = json_form_value(found, fields[field]),
                                                                       .type = document->tokens[fields[field]].type};
        }
    }
}

static void note_places(struct event_form *form, const struct json_form *found, const int32_t *fields,
                        const struct json_document *document)
{
    const struct event *event = &form->event;
    bool cloud = event->cloud_event;
    int32_t user = fields[cloud ? EVENT_FIELD_SUBJECT : EVENT_FIELD_USER_ID];
    int32_t time = fields[cloud ? EVENT_FIELD_TIME : EVENT_FIELD_TIMESTAMP];

    if (!is_type(document, user, JSON_STRING)) {
        user = fields[EVENT_FIELD_ANONYMOUS_ID];
    }
    form->user = json_form_value(found, user);
    form->time = json_form_value(found, time);
    form->time_is_text = is_type(document, time, JSON_STRING);
    if (event->has_message_id) {
        form->message_id = json_form_value(found, fields[cloud ? EVENT_FIELD_ID : EVENT_FIELD_MESSAGE_ID]);
    }
    if (cloud) {
        form->source = json_form_value(found, fields[EVENT_FIELD_SOURCE]);
    }
    if (event->kind == EVENT_TRACK) {
        form->name = json_form_value(found, fields[cloud ? EVENT_FIELD_TYPE : EVENT_FIELD_EVENT]);
    }
}

/* All tokens where their keys may be walked: to give a messageId, to look whether a trait is there, or what a page's
 * name stands in for. Else what the projection has found. */
static void need_tokens(struct json_form *found, const struct event *event)
{
    const struct event_projection *projection = event->projection;
    bool all = event->kind == EVENT_IDENTIFY || !event->has_message_id ||
               (event->page_name != JSON_ABSENT && projection->reads_name);

    if (all) {
        for (uint32_t i = 0; i < json_form_token_count(found); i++) {
            json_form_need(found, (int32_t)i);
        }
        return;
    }
    if (event->properties != JSON_ABSENT) {
        json_form_need(found, event->properties);
    }
    if (event->page_name != JSON_ABSENT) {
        json_form_need(found, event->page_name);
    }
    for (uint32_t i = 0; i < projection->path_count_max; i++) {
        if (event->found[i] != JSON_ABSENT) {
            json_form_need(found, event->found[i]);
        }
    }
}

bool event_form_learn(const struct event *event, const int32_t *fields, struct json_document *document)
{
    int32_t constants[2];
    struct json_lesson lesson = {
        .paths = &event->projection->paths,
        .found = fields,
        .constants = constants,
        .note_size = sizeof(struct event_form),
    };
    struct json_form *found;
    struct event_form *form;

    if (is_type(document, fields[EVENT_FIELD_SPECVERSION], JSON_STRING)) {
        constants[lesson.constant_count++] = fields[EVENT_FIELD_SPECVERSION];
    }
    if (!event->cloud_event) {
        constants[lesson.constant_count++] = fields[EVENT_FIELD_TYPE];
    }
    if (!json_skeleton_learn(document, &lesson, &found)) {
        return false;
    }
    if (found == NULL) {
        return true;
    }
    form = json_form_note(found);
    form->event = *event;
    form->event.found = json_form_found(found) + (event->found - fields);
    form->event.user = form->event.message_id = slice_of(NULL, 0);
    note_scalars(form, found, fields, document);
    note_places(form, found, fields, document);
    if (form->name != 0) {
        form->event.name = slice_of(NULL, 0);
    }
    need_tokens(found, event);
    return true;
}
