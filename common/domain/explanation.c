#include "common/domain/explanation.h"

#include "common/base/duration.h"
#include "common/domain/decimal.h"
#include "common/domain/explanation_parts.h"
#include "common/domain/rule_describe.h"
#include "common/domain/rule_operators.h"

#define EXPLANATION_SIZE_MAX ((size_t)1 << 30)
#define WORDS_SIZE_MAX ((size_t)16 << 20)
#define NAMES_SIZE_MAX ((size_t)1 << 32)

enum { NAME_COUNT_MAX = 1 << 28 };

const char *explanation_role_name(enum explanation_role role)
{
    static const char *const names[] = {
        [EXPLANATION_ROLE_NONE] = "none", [EXPLANATION_COUNTS] = "counts",   [EXPLANATION_WAITS] = "waits",
        [EXPLANATION_HOLDS] = "holds",    [EXPLANATION_PENDING] = "pending", [EXPLANATION_BROKEN] = "broken",
        [EXPLANATION_STEP] = "step",      [EXPLANATION_SETS] = "sets",
    };

    return names[(size_t)role < sizeof names / sizeof names[0] ? role : EXPLANATION_ROLE_NONE];
}

const char *explanation_reason_name(enum explanation_reason reason)
{
    static const char *const names[] = {
        [EXPLANATION_REASON_NONE] = "none",        [EXPLANATION_MEMBER] = "member",
        [EXPLANATION_UNKNOWN] = "unknown",         [EXPLANATION_CRITERIA] = "criteria",
        [EXPLANATION_UNQUALIFIED] = "unqualified", [EXPLANATION_EXPIRED] = "expired",
        [EXPLANATION_EXCLUDED] = "excluded",       [EXPLANATION_BLOCKED] = "blocked",
    };

    return names[(size_t)reason < sizeof names / sizeof names[0] ? reason : EXPLANATION_REASON_NONE];
}

void explanation_init(struct explanation *explanation)
{
    *explanation = (struct explanation){0};
    arena_init(&explanation->arena, EXPLANATION_SIZE_MAX);
}

void explanation_clear(struct explanation *explanation)
{
    arena_clear(&explanation->arena);
    explanation->segment = (struct explanation_segment){0};
}

void explanation_names_init(struct explanation_names *names)
{
    *names = (struct explanation_names){0};
    arena_init(&names->arena, NAMES_SIZE_MAX);
}

void explanation_names_clear(struct explanation_names *names)
{
    memory_free(names->items);
    arena_clear(&names->arena);
}

bool explanation_names_add(struct explanation_names *names, const struct event *event, struct error *err)
{
    struct explanation_name name = {.time_ms = event->time_ms, .has_id = event->has_message_id};

    if (!memory_grow(&names->items, &names->capacity, names->count, NAME_COUNT_MAX, sizeof *names->items,
                     "names of events", err)) {
        return false;
    }
    if (!arena_copy(&names->arena, event->name, &name.name) ||
        (name.has_id && !arena_copy(&names->arena, event->message_id, &name.message_id))) {
        return error_no_memory(err, "names of events");
    }
    names->items[names->count++] = name;
    return true;
}

/* ---- what the forms share ---- */

void *explaining_allocate(struct explaining *explaining, size_t count, size_t size)
{
    void *block = arena_allocate_zeroed(&explaining->out->arena, count, size);

    explaining->failed = explaining->failed || block == NULL;
    return block;
}

struct slice explaining_words(struct explaining *explaining)
{
    struct slice kept = {0};

    if (explaining->words.failed || !arena_copy(&explaining->out->arena, buffer_slice(&explaining->words), &kept)) {
        explaining->failed = true;
    }
    buffer_reset(&explaining->words);
    return kept;
}

static struct slice copy_text(struct explaining *explaining, struct slice text)
{
    struct slice kept = {0};

    if (!arena_copy(&explaining->out->arena, text, &kept)) {
        explaining->failed = true;
    }
    return kept;
}

struct value explaining_copy(struct explaining *explaining, const struct value *value)
{
    struct value copy = *value;

    if (value->type == VALUE_STRING || value->type == VALUE_COMPOUND) {
        copy.text = copy_text(explaining, value->text);
    }
    return copy;
}

/* The name of an event that no rule mentions, where the caller has it. */
static struct slice other_name(const struct explaining *explaining, const struct explanation_event *event)
{
    for (size_t i = 0; explaining->names != NULL && i < explaining->names->count; i++) {
        const struct explanation_name *name = &explaining->names->items[i];

        if (name->time_ms == event->time_ms && name->has_id == event->has_id &&
            (!event->has_id || slice_equal(name->message_id, event->message_id))) {
            return name->name;
        }
    }
    return slice_of(NULL, 0);
}

static struct slice event_name(const struct explaining *explaining, const struct entry *entry,
                               const struct explanation_event *event)
{
    if (entry->shape == SHAPE_IDENTIFY) {
        return SLICE_LITERAL("identify");
    }
    if (entry->shape == SHAPE_OTHER) {
        return other_name(explaining, event);
    }
    return explaining->evaluation->ruleset->shapes[entry->shape].name;
}

struct explanation_event *explaining_event(struct explaining *explaining, struct explanation_node *node,
                                           enum explanation_role role, const struct entry *entry, uint32_t column)
{
    const struct evaluation *evaluation = explaining->evaluation;
    const struct record *record = entry_record(evaluation->state, entry);
    struct explanation_event *event;

    node->event_total++;
    if (node->events == NULL) {
        node->events = explaining_allocate(explaining, EXPLANATION_EVENTS_MAX, sizeof *node->events);
    }
    if (node->events == NULL || node->event_count == EXPLANATION_EVENTS_MAX) {
        return NULL;
    }
    event = &node->events[node->event_count++];
    event->role = role;
    event->time_ms = entry->time_ms;
    event->from_ms = entry->time_ms;
    event->until_ms = TIMESTAMP_NEVER;
    event->has_id = record->has_id;
    if (record->has_id) {
        event->message_id = copy_text(explaining, record_id(record));
    }
    event->name = copy_text(explaining, event_name(explaining, entry, event));
    if (column != RULESET_NONE) {
        struct value value =
            slot_value(evaluation->state, entry, entry_slot(evaluation->ruleset, evaluation->state, entry, column));

        event->valued = true;
        event->value = explaining_copy(explaining, &value);
    }
    return event;
}

void explaining_delay(struct explaining *explaining, const struct rule_window *window)
{
    if (window->kind == RULE_WINDOW_SLIDING && window->offset_ms > 0) {
        buffer_append_text(&explaining->words, ", which counts from ");
        duration_append(&explaining->words, window->offset_ms);
        buffer_append_text(&explaining->words, " after it");
    } else if (window->kind == RULE_WINDOW_CALENDAR && window->complete) {
        buffer_append_format(&explaining->words, ", which counts once its %s is over",
                             rule_period_name(window->period));
    }
}

/* ---- the tree ---- */

static void explain_segment(struct explaining *explaining, size_t segment, struct explanation_segment *out);

void explaining_reference(struct explaining *explaining, const struct node *node, struct explanation_node *out)
{
    struct explanation_segment *segment = explaining_allocate(explaining, 1, sizeof *segment);

    if (segment != NULL) {
        explain_segment(explaining, node->criterion->segment_index, segment);
        out->depends_on_users = segment->definition->needs_percentile;
        out->segment = segment;
    }
}

static void explain_children(struct explaining *explaining, const struct node *nodes, size_t count,
                             struct explanation_node **out, size_t *out_count);

void explaining_combination(struct explaining *explaining, const struct node *node, struct explanation_node *out)
{
    explain_children(explaining, node->children, node->child_count, &out->children, &out->child_count);
    for (size_t i = 0; i < out->child_count; i++) {
        out->depends_on_users = out->depends_on_users || out->children[i].depends_on_users;
    }
}

/* The comparison as written, of a form that has one. */
static struct slice bound_of(struct explaining *explaining, const struct criterion *criterion)
{
    struct buffer *words = &explaining->words;

    rule_describe_comparison(words, &criterion->measure.comparison);
    rule_describe_spans(words, &criterion->measure.durations);
    rule_describe_comparison(words, &criterion->comparison);
    rule_describe_spans(words, &criterion->durations);
    return explaining_words(explaining);
}

/* The first flip after the instant. */
static int64_t next_flip(const struct timeline *timeline, int64_t at)
{
    for (size_t i = 0; i < timeline->flips.count; i++) {
        if (timeline->flips.at[i] > at) {
            return timeline->flips.at[i];
        }
    }
    return TIMESTAMP_NEVER;
}

static void explain_node(struct explaining *explaining, const struct node *node, struct explanation_node *out)
{
    struct evaluation *evaluation = explaining->evaluation;
    struct timeline truth;

    evaluation->marking_turned = false;
    evaluate_children(evaluation, node, 1, true, false, &truth);
    out->criterion = node->criterion;
    out->holds = timeline_at(&truth, evaluation->at);
    out->changes_at = next_flip(&truth, evaluation->at);
    rule_describe_criterion(&explaining->words, node->criterion);
    out->rule = explaining_words(explaining);
    out->bound = bound_of(explaining, node->criterion);
    criterion_operator(node->criterion)->explain(explaining, node, out);
}

static void explain_children(struct explaining *explaining, const struct node *nodes, size_t count,
                             struct explanation_node **out, size_t *out_count)
{
    *out = count == 0 ? NULL : explaining_allocate(explaining, count, sizeof **out);
    *out_count = *out == NULL ? 0 : count;
    for (size_t i = 0; i < *out_count; i++) {
        explain_node(explaining, &nodes[i], &(*out)[i]);
    }
}

/* ---- the segment ---- */

static bool all_hold(const struct explanation_segment *segment)
{
    for (size_t i = 0; i < segment->criterion_count; i++) {
        if (!segment->criteria[i].holds) {
            return false;
        }
    }
    return true;
}

static bool any_excludes(const struct explanation_segment *segment)
{
    for (size_t i = 0; i < segment->exclude_count; i++) {
        if (segment->exclude[i].holds) {
            return true;
        }
    }
    return false;
}

static enum explanation_reason reason_of(const struct explanation_segment *segment)
{
    bool sticky = segment->definition->mode == MODE_STICKY;

    if (segment->membership.member) {
        return EXPLANATION_MEMBER;
    }
    if (segment->known_since == TIMESTAMP_NEVER) {
        return EXPLANATION_UNKNOWN;
    }
    if (sticky && segment->qualified_at == TIMESTAMP_ALWAYS) {
        return EXPLANATION_UNQUALIFIED;
    }
    if (!sticky && !all_hold(segment)) {
        return EXPLANATION_CRITERIA;
    }
    if (segment->definition->duration_ms > 0 && segment->at >= segment->expires_at) {
        return EXPLANATION_EXPIRED;
    }
    return any_excludes(segment) ? EXPLANATION_EXCLUDED : EXPLANATION_BLOCKED;
}

/* When time alone ends the membership, or begins the next. */
static int64_t next_change(const struct answer *answer, const struct membership *membership, int64_t at)
{
    if (membership->member) {
        return membership->valid_until;
    }
    for (size_t i = 0; i < answer->count; i++) {
        if (answer->intervals[i].entered_at > at) {
            return answer->intervals[i].entered_at;
        }
    }
    return TIMESTAMP_NEVER;
}

static void explain_segment(struct explaining *explaining, size_t segment, struct explanation_segment *out)
{
    struct evaluation *evaluation = explaining->evaluation;
    const struct segment_plan *plan = &evaluation->ruleset->segments[segment];
    const struct carry *carried = &explaining->carried[segment];

    out->definition = plan->definition;
    out->at = evaluation->at;
    out->known_since = evaluation->known_since;
    out->membership = membership_of(&evaluation->answers[segment], evaluation->at);
    out->changes_at = next_change(&evaluation->answers[segment], &out->membership, evaluation->at);
    out->qualified_at = plan->definition->duration_ms > 0 ? carried->qualified_at : TIMESTAMP_ALWAYS;
    out->expires_at = TIMESTAMP_NEVER;
    if (out->qualified_at != TIMESTAMP_ALWAYS &&
        __builtin_add_overflow(out->qualified_at, plan->definition->duration_ms, &out->expires_at)) {
        out->expires_at = TIMESTAMP_NEVER;
    }
    out->blocked_until = carried->blocked_until > evaluation->at ? carried->blocked_until : TIMESTAMP_ALWAYS;
    out->repeated = explaining->explained[segment];
    if (!out->repeated) {
        explaining->explained[segment] = true;
        explain_children(explaining, plan->criteria, plan->definition->criterion_count, &out->criteria,
                         &out->criterion_count);
        explain_children(explaining, plan->exclude, plan->definition->exclude_count, &out->exclude,
                         &out->exclude_count);
        out->reason = reason_of(out);
    }
}

bool explanation_make(const struct ruleset *ruleset, const struct user_state *state, size_t segment, int64_t at,
                      const struct explanation_names *names, struct evaluation *evaluation, struct explanation *out,
                      struct error *err)
{
    const struct segment_plan *plan = &ruleset->segments[segment];
    struct explaining explaining = {.evaluation = evaluation, .out = out, .names = names};
    bool done;

    arena_reset(&out->arena);
    out->segment = (struct explanation_segment){0};
    buffer_init(&explaining.words, WORDS_SIZE_MAX);
    explaining.carried = explaining_allocate(&explaining, ruleset->segment_count, sizeof *explaining.carried);
    explaining.explained = explaining_allocate(&explaining, ruleset->segment_count, sizeof *explaining.explained);
    evaluation_begin(evaluation, state, at, TIMESTAMP_ALWAYS);
    for (size_t i = 0; !explaining.failed && i < plan->closure_count; i++) {
        evaluate_segment(evaluation, plan->closure[i], &carry_none, at, &explaining.carried[plan->closure[i]]);
    }
    if (!explaining.failed) {
        explain_segment(&explaining, segment, &out->segment);
    }
    done = evaluation_finish(evaluation, err);
    if (done && explaining.failed) {
        done = error_no_memory(err, "an explanation");
    }
    buffer_clear(&explaining.words);
    return done;
}
