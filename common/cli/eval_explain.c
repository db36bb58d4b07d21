#include "common/cli/eval_explain.h"

#include "common/base/output.h"
#include "common/domain/percentile.h"
#include "common/domain/rule_parse.h"

#include <stdio.h>

#define NAMES_SIZE_MAX ((size_t)1 << 32)
#define TEXT_SIZE_MAX ((size_t)64 << 20)

enum { NAME_COUNT_MAX = 1 << 28 };

enum explain_format { EXPLAIN_NONE = 0, EXPLAIN_TEXT, EXPLAIN_JSONL, EXPLAIN_JSON };

void eval_explain_init(struct eval_explain *explain, const char *user)
{
    *explain = (struct eval_explain){.user = slice_from(user == NULL ? "" : user)};
    arena_init(&explain->arena, NAMES_SIZE_MAX);
}

void eval_explain_clear(struct eval_explain *explain)
{
    memory_free(explain->names);
    arena_clear(&explain->arena);
}

bool eval_explain_take(struct eval_explain *explain, const struct event *event, struct error *err)
{
    struct explanation_name *name;

    if (!slice_equal(event->user, explain->user)) {
        return true;
    }
    if (!memory_grow(&explain->names, &explain->name_capacity, explain->name_count, NAME_COUNT_MAX,
                     sizeof *explain->names, "events of the user", err)) {
        return false;
    }
    name = &explain->names[explain->name_count];
    *name = (struct explanation_name){.time_ms = event->time_ms, .has_id = event->has_message_id};
    if (!arena_copy(&explain->arena, event->name, &name->name) ||
        (name->has_id && !arena_copy(&explain->arena, event->message_id, &name->message_id))) {
        return error_no_memory(err, "events of the user");
    }
    explain->name_count++;
    return true;
}

static bool parse_format(const char *text, enum explain_format *out, struct error *err)
{
    *out = text == NULL || strcmp(text, "text") == 0 ? EXPLAIN_TEXT
           : strcmp(text, "jsonl") == 0              ? EXPLAIN_JSONL
           : strcmp(text, "json") == 0               ? EXPLAIN_JSON
                                                     : EXPLAIN_NONE;
    return *out != EXPLAIN_NONE ||
           error_set(err, ERROR_USAGE, "--format: expected text, jsonl or json with --explain, got \"%s\"", text);
}

/* ---- printing ---- */

struct printing {
    const struct eval_explain *explain;
    struct eval_batch *batch;
    enum explain_format format;
    int64_t at;
    size_t *segments; /* to be explained, in the order of their ids */
    size_t segment_count;
    struct explanation explanation;
    struct buffer text;
    bool found; /* the user */
};

static bool explain_segments(struct printing *printing, struct user_state *state, struct error *err)
{
    const struct eval_explain *explain = printing->explain;
    struct buffer *text = &printing->text;

    for (size_t i = 0; i < printing->segment_count; i++) {
        if (!explanation_make(printing->batch->ruleset, state, printing->segments[i], printing->at, explain->names,
                              explain->name_count, printing->batch->evaluation, &printing->explanation, err)) {
            return false;
        }
        buffer_reset(text);
        if (printing->format == EXPLAIN_TEXT) {
            buffer_append_text(text, i > 0 ? "\n" : "");
            explanation_append_text(text, explain->user, &printing->explanation.segment);
        } else {
            buffer_append_text(text, printing->format == EXPLAIN_JSONL ? "" : i == 0 ? "[" : ",\n");
            explanation_append_json(text, explain->user, &printing->explanation.segment);
            buffer_append_text(text, printing->format == EXPLAIN_JSONL ? "\n" : "");
        }
        if (!buffer_finish(text, "the explanation", err) || !output_write(stdout, buffer_slice(text), err)) {
            return false;
        }
    }
    return printing->format != EXPLAIN_JSON || output_write(stdout, SLICE_LITERAL("]\n"), err);
}

static bool visit_user(void *context, struct slice user, struct user_state *state, struct error *err)
{
    struct printing *printing = context;

    if (!slice_equal(user, printing->explain->user)) {
        return true;
    }
    printing->found = true;
    return explain_segments(printing, state, err);
}

/* --segment, or all of them. */
static bool choose_segments(struct printing *printing, const struct segment_set *set, const char *wanted,
                            struct error *err)
{
    printing->segments = memory_allocate_zeroed(set->definition_count, sizeof *printing->segments);
    if (printing->segments == NULL) {
        return error_no_memory(err, "segments");
    }
    if (wanted != NULL) {
        printing->segments[0] = segment_set_find(set, slice_from(wanted));
        printing->segment_count = 1;
        return printing->segments[0] != SIZE_MAX ||
               error_set(err, ERROR_INPUT, "--segment: there is no segment \"%s\" in --segments", wanted);
    }
    for (size_t i = 0; i < set->definition_count; i++) {
        printing->segments[printing->segment_count++] = set->by_id[i];
    }
    return true;
}

bool eval_explain_print(const struct eval_explain *explain, struct eval_batch *batch, const struct segment_set *set,
                        const struct command_line *line, int64_t at, struct error *err)
{
    struct printing printing = {.explain = explain, .batch = batch, .at = at};
    bool done = false;

    explanation_init(&printing.explanation);
    buffer_init(&printing.text, TEXT_SIZE_MAX);
    if (!parse_format(command_text(line, "format"), &printing.format, err) ||
        !choose_segments(&printing, set, command_text(line, "segment"), err) || !eval_batch_rank(batch, at, err) ||
        !piles_each(batch->piles, true, visit_user, &printing, err)) {
        goto out;
    }
    done = printing.found ||
           error_set(err, ERROR_INPUT, "there is no event of \"%.*s\"", (int)explain->user.size, explain->user.data);
out:
    memory_free(printing.segments);
    buffer_clear(&printing.text);
    explanation_clear(&printing.explanation);
    return done;
}
