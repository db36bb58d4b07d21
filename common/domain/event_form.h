/* What all messages of one form (json_skeleton.h) have in common as events, learnt from one that was decoded and
 * accepted: so the next is put together from where its values lie, and not judged field by field. Only what can differ
 * within a form is looked at: the sizes of ids, the time, and what the envelope's numbers and words are. */
#ifndef MUSTER_DOMAIN_EVENT_FORM_H
#define MUSTER_DOMAIN_EVENT_FORM_H

#include "common/domain/event.h"

enum event_form_result {
    EVENT_FORM_NO_MEMORY = 0,
    EVENT_FORM_TAKEN,
    EVENT_FORM_UNKNOWN, /* of no form that is known, or to be refused, perhaps: event.c judges */
};

/* The event of the text, as event_decode_projected makes it of an accepted message. */
enum event_form_result event_form_take(struct slice text, const struct event_projection *projection,
                                       struct json_document *document, struct arena *arena, struct event *out);

/* The same for the first of some lines, which need not be known yet: document->text. Behind them are
 * JSON_SKELETON_REACH zeros. */
enum event_form_result event_form_take_line(struct slice lines, const struct event_projection *projection,
                                            struct json_document *document, struct arena *arena, struct event *out);

/* Learns the form of a message that was accepted: the event, and the fields that json_parse_paths found in it. False
 * when there is no memory. */
bool event_form_learn(const struct event *event, const int32_t *fields, struct json_document *document) MUST_CHECK;

#endif
