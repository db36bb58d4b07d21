/* The explanation as an indented tree. Whatever comes from outside goes through `say`, which shows control characters:
 * they could move the cursor of the person who reads. */
#include "common/base/duration.h"
#include "common/base/output.h"
#include "common/domain/decimal.h"
#include "common/domain/explanation_parts.h"
#include "common/domain/rule_operators.h"

#define TICK "\xe2\x9c\x93"  /* U+2713 */
#define CROSS "\xe2\x9c\x97" /* U+2717 */

enum { INDENT_SIZE = 2, DETAIL_INDENT = 2 };

void explanation_append_value(struct buffer *out, const struct value *value)
{
    switch (value->type) {
    case VALUE_BOOLEAN:
        buffer_append_text(out, value->boolean ? "true" : "false");
        break;
    case VALUE_NUMBER:
        decimal_append(out, value->micros);
        break;
    case VALUE_STRING:
        buffer_append_char(out, '"');
        buffer_append_slice(out, value->text);
        buffer_append_char(out, '"');
        break;
    case VALUE_COMPOUND:
        buffer_append_slice(out, value->text);
        break;
    case VALUE_MISSING:
    default:
        buffer_append_text(out, "missing");
        break;
    }
}

static void say(struct buffer *out, struct slice text)
{
    output_append_visible(out, text);
}

static void begin_line(struct buffer *out, size_t depth)
{
    for (size_t i = 0; i < depth * INDENT_SIZE; i++) {
        buffer_append_char(out, ' ');
    }
}

static void say_instant(struct buffer *out, const char *label, int64_t at)
{
    if (at != TIMESTAMP_NEVER && at != TIMESTAMP_ALWAYS) {
        buffer_append_text(out, label);
        timestamp_append(out, at);
    }
}

/* ---- events ---- */

static void say_value(struct buffer *out, const struct value *value)
{
    if (value->type == VALUE_STRING || value->type == VALUE_COMPOUND) {
        buffer_append_text(out, value->type == VALUE_STRING ? "\"" : "");
        say(out, value->text);
        buffer_append_text(out, value->type == VALUE_STRING ? "\"" : "");
    } else {
        explanation_append_value(out, value);
    }
}

static void say_role(struct buffer *out, const struct explanation_event *event)
{
    switch (event->role) {
    case EXPLANATION_COUNTS:
        say_instant(out, ", counts until ", event->until_ms);
        break;
    case EXPLANATION_WAITS:
        say_instant(out, ", counts from ", event->from_ms);
        break;
    case EXPLANATION_HOLDS:
        say_instant(out, ", matured at ", event->from_ms);
        say_instant(out, ", holds until ", event->until_ms);
        break;
    case EXPLANATION_PENDING:
        say_instant(out, ", matures at ", event->from_ms);
        break;
    case EXPLANATION_BROKEN:
        say_instant(out, ", broken at ", event->until_ms);
        break;
    case EXPLANATION_STEP:
        buffer_append_format(out, ", step %zu", event->step);
        break;
    case EXPLANATION_SETS:
    case EXPLANATION_ROLE_NONE:
    default:
        break;
    }
}

static void say_event(struct buffer *out, const struct explanation_event *event, size_t depth)
{
    begin_line(out, depth);
    buffer_append_text(out, "- ");
    timestamp_append(out, event->time_ms);
    buffer_append_char(out, ' ');
    say(out, event->name.size == 0 ? SLICE_LITERAL("event") : event->name);
    if (event->has_id) {
        buffer_append_char(out, ' ');
        say(out, event->message_id);
    }
    if (event->valued) {
        buffer_append_text(out, " = ");
        say_value(out, &event->value);
    }
    say_role(out, event);
    buffer_append_char(out, '\n');
}

/* ---- criteria ---- */

static void say_segment(struct buffer *out, const struct explanation_segment *segment, size_t depth);

static void say_head(struct buffer *out, const struct explanation_node *node, size_t depth)
{
    begin_line(out, depth);
    if (!node->side) {
        buffer_append_text(out, node->holds ? TICK " " : CROSS " ");
    }
    if (criterion_operator(node->criterion)->combines) {
        buffer_append_text(out, criterion_kind_name(node->criterion->kind));
        buffer_append_text(out, node->criterion->kind == CRITERION_NOT ? "" : " of");
    } else {
        say(out, node->rule);
    }
    buffer_append_char(out, '\n');
}

static void say_detail(struct buffer *out, const char *label, struct slice text, size_t depth)
{
    if (text.size > 0) {
        begin_line(out, depth);
        buffer_append_text(out, label);
        say(out, text);
        buffer_append_char(out, '\n');
    }
}

static void say_change(struct buffer *out, const struct explanation_node *node, size_t depth)
{
    if (node->changes_at != TIMESTAMP_NEVER && !node->depends_on_users) {
        begin_line(out, depth);
        buffer_append_text(out, node->holds ? "by time alone it ends" : "by time alone it begins to hold");
        say_instant(out, " at ", node->changes_at);
        buffer_append_char(out, '\n');
    }
}

static bool is_leaf(const struct explanation_node *node)
{
    return !node->side && node->segment == NULL && !criterion_operator(node->criterion)->combines;
}

static void say_node(struct buffer *out, const struct explanation_node *node, size_t depth)
{
    size_t inner = depth + DETAIL_INDENT;

    say_head(out, node, depth);
    say_detail(out, "", node->text, inner);
    if (node->segment == NULL) {
        say_change(out, node, inner);
    }
    if (is_leaf(node)) {
        say_detail(out, "to change it: ", node->next.size == 0 ? SLICE_LITERAL("no single event can") : node->next,
                   inner);
    }
    for (size_t i = 0; i < node->event_count; i++) {
        say_event(out, &node->events[i], inner);
    }
    if (node->event_total > node->event_count) {
        begin_line(out, inner);
        buffer_append_format(out, "- and %zu more\n", node->event_total - node->event_count);
    }
    for (size_t i = 0; i < node->child_count; i++) {
        say_node(out, &node->children[i], depth + 1);
    }
    if (node->segment != NULL) {
        say_segment(out, node->segment, depth + 1);
    }
}

static void say_list(struct buffer *out, const char *head, const struct explanation_node *nodes, size_t count,
                     size_t depth)
{
    if (count > 0) {
        begin_line(out, depth);
        buffer_append_text(out, head);
    }
    for (size_t i = 0; i < count; i++) {
        say_node(out, &nodes[i], depth + 1);
    }
}

/* ---- segments ---- */

static void say_reason(struct buffer *out, const struct explanation_segment *segment)
{
    switch (segment->reason) {
    case EXPLANATION_MEMBER:
        say_instant(out, " since ", segment->membership.entered_at);
        break;
    case EXPLANATION_UNKNOWN:
        buffer_append_text(out, ": nobody is before their first event");
        break;
    case EXPLANATION_CRITERIA:
        buffer_append_text(out, ": not all criteria hold");
        break;
    case EXPLANATION_UNQUALIFIED:
        buffer_append_text(out, ": the criteria have never begun to hold");
        break;
    case EXPLANATION_EXPIRED:
        say_instant(out, ": the membership expired at ", segment->expires_at);
        break;
    case EXPLANATION_EXCLUDED:
        buffer_append_text(out, ": an exclusion holds");
        break;
    case EXPLANATION_BLOCKED:
        say_instant(out, ": no entry after leaving until ", segment->blocked_until);
        break;
    case EXPLANATION_REASON_NONE:
    default:
        break;
    }
}

static void say_lifetime(struct buffer *out, const struct explanation_segment *segment, size_t depth)
{
    const struct definition *definition = segment->definition;
    bool has_duration = definition->duration_ms > 0;

    if (segment->changes_at != TIMESTAMP_NEVER && !definition->needs_percentile) {
        begin_line(out, depth);
        buffer_append_text(out, segment->membership.member ? "by time alone it ends" : "by time alone it begins");
        say_instant(out, " at ", segment->changes_at);
        buffer_append_char(out, '\n');
    }
    if (has_duration && segment->qualified_at != TIMESTAMP_ALWAYS) {
        begin_line(out, depth);
        say_instant(out, "qualified last at ", segment->qualified_at);
        buffer_append_text(out, ", for ");
        duration_append(out, definition->duration_ms);
        buffer_append_text(out, definition->mode == MODE_STICKY ? ", sticky" : " while the criteria hold");
        buffer_append_char(out, '\n');
    }
    if (segment->blocked_until != TIMESTAMP_ALWAYS && segment->reason != EXPLANATION_BLOCKED) {
        begin_line(out, depth);
        say_instant(out, "no entry after leaving until ", segment->blocked_until);
        buffer_append_char(out, '\n');
    }
}

/* What follows the line that names the user or the reference. */
static void say_inside(struct buffer *out, const struct explanation_segment *segment, size_t depth)
{
    say_lifetime(out, segment, depth);
    say_list(out, "criteria, of which all must hold\n", segment->criteria, segment->criterion_count, depth);
    say_list(out, "exclusions, of which none may hold\n", segment->exclude, segment->exclude_count, depth);
}

static void say_segment(struct buffer *out, const struct explanation_segment *segment, size_t depth)
{
    begin_line(out, depth);
    buffer_append_text(out, segment->membership.member ? "a member" : "not a member");
    if (segment->repeated) {
        buffer_append_text(out, ", as explained above\n");
        return;
    }
    say_reason(out, segment);
    buffer_append_char(out, '\n');
    say_inside(out, segment, depth);
}

void explanation_append_text(struct buffer *out, struct slice user, const struct explanation_segment *segment)
{
    say(out, user);
    buffer_append_text(out, segment->membership.member ? " is a member of " : " is not a member of ");
    say(out, segment->definition->segment_id);
    say_instant(out, " at ", segment->at);
    buffer_append_text(out, segment->reason == EXPLANATION_MEMBER ? "," : "");
    say_reason(out, segment);
    buffer_append_char(out, '\n');
    say_inside(out, segment, 1);
}
