/* The explanation as JSON: schemas/explanation.schema.json. Numbers are exact decimals; an average that no decimal is
 * has its sum and count beside it. */
#include "common/base/output.h"
#include "common/domain/decimal.h"
#include "common/domain/explanation_parts.h"

static void key(struct buffer *out, const char *name)
{
    char last = out->size > 0 ? out->data[out->size - 1] : '\0';

    buffer_append_text(out, last == '{' ? "\"" : ",\"");
    buffer_append_text(out, name);
    buffer_append_text(out, "\":");
}

static void put_text(struct buffer *out, const char *name, struct slice text)
{
    key(out, name);
    output_append_json(out, text);
}

static void put_filled(struct buffer *out, const char *name, struct slice text)
{
    if (text.size > 0) {
        put_text(out, name, text);
    }
}

static void put_boolean(struct buffer *out, const char *name, bool value)
{
    key(out, name);
    buffer_append_text(out, value ? "true" : "false");
}

/* null for never and always. */
static void put_instant(struct buffer *out, const char *name, int64_t at)
{
    key(out, name);
    if (at == TIMESTAMP_NEVER || at == TIMESTAMP_ALWAYS) {
        buffer_append_text(out, "null");
    } else {
        buffer_append_char(out, '"');
        timestamp_append(out, at);
        buffer_append_char(out, '"');
    }
}

static void put_value(struct buffer *out, const char *name, const struct value *value)
{
    key(out, name);
    if (value->type == VALUE_STRING) {
        output_append_json(out, value->text);
    } else if (value->type == VALUE_MISSING) {
        buffer_append_text(out, "null");
    } else {
        explanation_append_value(out, value);
    }
}

static void put_found(struct buffer *out, const struct explanation_node *node)
{
    switch (node->found) {
    case EXPLANATION_NUMBER:
        key(out, "value");
        if (!node->number.exists) {
            buffer_append_text(out, "null");
        } else if (node->number.count == 1) {
            decimal_append_wide(out, node->number.sum);
        } else {
            buffer_append_text(out, "{\"sum\":");
            decimal_append_wide(out, node->number.sum);
            buffer_append_format(out, ",\"count\":%lld}", (long long)node->number.count);
        }
        break;
    case EXPLANATION_VALUE:
        put_value(out, "value", &node->value);
        break;
    case EXPLANATION_LENGTH:
        key(out, "length_ms");
        if (node->exists) {
            buffer_append_integer(out, node->length_ms);
        } else {
            buffer_append_text(out, "null");
        }
        break;
    case EXPLANATION_FOUND_NONE:
    default:
        break;
    }
}

static void put_event(struct buffer *out, const struct explanation_event *event)
{
    buffer_append_char(out, '{');
    put_text(out, "role", slice_from(explanation_role_name(event->role)));
    put_instant(out, "time", event->time_ms);
    if (event->name.size > 0) {
        put_text(out, "event", event->name);
    }
    if (event->has_id) {
        put_text(out, "messageId", event->message_id);
    }
    if (event->valued) {
        put_value(out, "value", &event->value);
    }
    if (event->role == EXPLANATION_STEP) {
        key(out, "step");
        buffer_append_integer(out, (int64_t)event->step);
    } else if (event->role != EXPLANATION_SETS) {
        put_instant(out, "from", event->from_ms);
        put_instant(out, "until", event->until_ms);
    }
    buffer_append_char(out, '}');
}

static void put_segment(struct buffer *out, const struct explanation_segment *segment);
static void put_nodes(struct buffer *out, const char *name, const struct explanation_node *nodes, size_t count);

static void put_node(struct buffer *out, const struct explanation_node *node)
{
    buffer_append_char(out, '{');
    put_text(out, "form", slice_from(criterion_kind_name(node->criterion->kind)));
    put_text(out, "path", node->criterion->json_path);
    put_text(out, "rule", node->rule);
    if (!node->side) {
        put_boolean(out, "holds", node->holds);
        if (!node->depends_on_users) {
            put_instant(out, "changes_at", node->changes_at);
        }
    }
    if (node->criterion->measure.kind != RULE_MEASURE_NONE) {
        put_text(out, "measure", slice_from(rule_measure_name(node->criterion->measure.kind)));
    }
    put_filled(out, "bound", node->bound);
    put_found(out, node);
    put_filled(out, "found", node->text);
    put_filled(out, "next", node->next);
    if (node->event_total > 0) {
        key(out, "event_count");
        buffer_append_integer(out, (int64_t)node->event_total);
        key(out, "events");
        buffer_append_char(out, '[');
        for (size_t i = 0; i < node->event_count; i++) {
            buffer_append_text(out, i > 0 ? "," : "");
            put_event(out, &node->events[i]);
        }
        buffer_append_char(out, ']');
    }
    if (node->child_count > 0) {
        put_nodes(out, "criteria", node->children, node->child_count);
    }
    if (node->segment != NULL) {
        key(out, "segment");
        buffer_append_char(out, '{');
        put_segment(out, node->segment);
        buffer_append_char(out, '}');
    }
    buffer_append_char(out, '}');
}

static void put_nodes(struct buffer *out, const char *name, const struct explanation_node *nodes, size_t count)
{
    key(out, name);
    buffer_append_char(out, '[');
    for (size_t i = 0; i < count; i++) {
        buffer_append_text(out, i > 0 ? "," : "");
        put_node(out, &nodes[i]);
    }
    buffer_append_char(out, ']');
}

static void put_segment(struct buffer *out, const struct explanation_segment *segment)
{
    const struct definition *definition = segment->definition;
    bool member = segment->membership.member;

    put_text(out, "segment", definition->segment_id);
    put_boolean(out, "member", member);
    if (segment->repeated) {
        put_boolean(out, "repeated", true);
        return;
    }
    put_text(out, "reason", slice_from(explanation_reason_name(segment->reason)));
    put_instant(out, "entered_at", member ? segment->membership.entered_at : TIMESTAMP_NEVER);
    put_instant(out, "valid_until", member ? segment->membership.valid_until : TIMESTAMP_NEVER);
    if (!definition->needs_percentile) {
        put_instant(out, "changes_at", segment->changes_at);
    }
    if (definition->duration_ms > 0) {
        put_instant(out, "qualified_at", segment->qualified_at);
        put_instant(out, "expires_at", segment->expires_at);
    }
    if (definition->exclusion_window_ms > 0) {
        put_instant(out, "blocked_until", segment->blocked_until);
    }
    put_nodes(out, "criteria", segment->criteria, segment->criterion_count);
    put_nodes(out, "exclude", segment->exclude, segment->exclude_count);
}

void explanation_append_json(struct buffer *out, struct slice user, const struct explanation_segment *segment)
{
    buffer_append_char(out, '{');
    put_text(out, "user", user);
    put_instant(out, "at", segment->at);
    put_segment(out, segment);
    buffer_append_char(out, '}');
}
