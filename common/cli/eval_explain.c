#include "common/cli/eval_explain.h"

#include "common/base/output.h"
#include "common/cli/explain_format.h"
#include "common/cli/segment_choice.h"
#include "common/domain/percentile.h"
#include "common/domain/rule_parse.h"

#include <stdio.h>

#define TEXT_SIZE_MAX ((size_t)64 << 20)

void eval_explain_init(struct eval_explain *explain, const char *user)
{
    explain->user = slice_from(user == NULL ? "" : user);
    explanation_names_init(&explain->names);
}

void eval_explain_clear(struct eval_explain *explain)
{
    explanation_names_clear(&explain->names);
}

bool eval_explain_take(struct eval_explain *explain, const struct event *event, struct error *err)
{
    return !slice_equal(event->user, explain->user) || explanation_names_add(&explain->names, event, err);
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
        if (!explanation_make(printing->batch->ruleset, state, printing->segments[i], printing->at, &explain->names,
                              printing->batch->evaluation, &printing->explanation, err)) {
            return false;
        }
        buffer_reset(text);
        explain_format_append(text, printing->format, explain->user, &printing->explanation.segment, i == 0,
                              i + 1 == printing->segment_count);
        if (!buffer_finish(text, "the explanation", err) || !output_write(stdout, buffer_slice(text), err)) {
            return false;
        }
    }
    return true;
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
        printing->segment_count = 1;
        return segment_choice_find(set, wanted, &printing->segments[0], err);
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
    const struct piles_tour tour = {.visit = visit_user, .context = &printing, .last = true, .ids = true};
    bool done = false;

    explanation_init(&printing.explanation);
    buffer_init(&printing.text, TEXT_SIZE_MAX);
    if (!explain_format_parse(command_text(line, "format"), &printing.format, err) ||
        !choose_segments(&printing, set, command_text(line, "segment"), err) || !eval_batch_rank(batch, at, err) ||
        !piles_each(batch->piles, &tour, err)) {
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
