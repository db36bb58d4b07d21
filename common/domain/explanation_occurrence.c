/* Absences and sequences: which are pending, hold or are broken, and how far a sequence has got. */
#include "common/base/duration.h"
#include "common/domain/explanation_parts.h"
#include "common/domain/rule_describe.h"
#include "common/domain/sequence_parts.h"

static void append_same(struct buffer *words, const struct criterion *criterion)
{
    if (criterion->same_count > 0) {
        buffer_append_text(words, " with the same ");
        rule_describe_paths(words, criterion->same, criterion->same_count);
    }
}

static int64_t add_ms(int64_t at, int64_t span_ms)
{
    int64_t sum;

    return __builtin_add_overflow(at, span_ms, &sum) ? TIMESTAMP_NEVER : sum;
}

/* ---- absence ---- */

/* What has become of one `a`; EXPLANATION_ROLE_NONE where its window is over. */
struct absence {
    enum explanation_role role;
    int64_t mature_ms; /* no b until then, inclusive */
    int64_t from_ms;
    int64_t until_ms;
};

static struct absence absence_of(const struct explaining *explaining, const struct node *node, const struct link *link)
{
    int64_t at = explaining->evaluation->at;
    struct absence absence = {.mature_ms = link->entry->time_ms + node->criterion->within_ms};
    bool broken;

    window_bounds(&node->plan, link->entry->time_ms, &absence.from_ms, &absence.until_ms);
    absence.from_ms = absence.mature_ms > absence.from_ms ? absence.mature_ms : absence.from_ms;
    broken = link->next_ms <= (node->criterion->or_later ? at : absence.mature_ms);
    if (absence.until_ms <= absence.from_ms || absence.until_ms <= at) {
        return absence;
    }
    if (broken) {
        absence.role = EXPLANATION_BROKEN;
        absence.until_ms = link->next_ms;
    } else {
        absence.role = absence.from_ms <= at ? EXPLANATION_HOLDS : EXPLANATION_PENDING;
    }
    return absence;
}

/* Counts by role, and adds the events of one role, newest first. */
static size_t add_absences(struct explaining *explaining, const struct node *node, const struct links *links,
                           enum explanation_role role, struct explanation_node *out)
{
    size_t count = 0;

    for (size_t i = links->count; i-- > 0;) {
        const struct link *link = &links->items[i];
        struct absence absence;
        struct explanation_event *event;

        if (!bit_is_set(link->entry->mask, node->plan.selector)) {
            continue;
        }
        absence = absence_of(explaining, node, link);
        if (absence.role != role) {
            continue;
        }
        count++;
        event = explaining_event(explaining, out, role, link->entry, RULESET_NONE);
        if (event != NULL) {
            event->from_ms = absence.from_ms;
            event->until_ms = absence.until_ms;
        }
    }
    return count;
}

/* The first pending one to be mature. */
static int64_t first_mature(const struct explanation_node *node)
{
    int64_t first = TIMESTAMP_NEVER;

    for (size_t i = 0; i < node->event_count; i++) {
        if (node->events[i].role == EXPLANATION_PENDING && node->events[i].from_ms < first) {
            first = node->events[i].from_ms;
        }
    }
    return first;
}

static void next_absence(struct explaining *explaining, const struct criterion *criterion, size_t pending_count,
                         struct explanation_node *out)
{
    struct buffer *words = &explaining->words;

    if (out->holds) {
        if (criterion->or_later) {
            rule_describe_selector(words, &criterion->followed_by);
            append_same(words, criterion);
        }
        return;
    }
    if (pending_count > 0) {
        buffer_append_text(words, "no ");
        rule_describe_selector(words, &criterion->followed_by);
        append_same(words, criterion);
        buffer_append_text(words, " until ");
        timestamp_append(words, first_mature(out));
        return;
    }
    rule_describe_selector(words, &criterion->selector);
    buffer_append_text(words, ", then no ");
    rule_describe_selector(words, &criterion->followed_by);
    append_same(words, criterion);
    buffer_append_text(words, " for ");
    duration_append(words, criterion->within_ms);
    explaining_delay(explaining, &criterion->window);
}

void explaining_absence(struct explaining *explaining, const struct node *node, struct explanation_node *out)
{
    struct links links;
    size_t holding;
    size_t pending;
    size_t broken;

    absence_links(explaining->evaluation, node, 0, &links);
    holding = add_absences(explaining, node, &links, EXPLANATION_HOLDS, out);
    pending = add_absences(explaining, node, &links, EXPLANATION_PENDING, out);
    broken = add_absences(explaining, node, &links, EXPLANATION_BROKEN, out);
    buffer_append_format(&explaining->words, "%zu matured, %zu pending, %zu broken", holding, pending, broken);
    out->text = explaining_words(explaining);
    next_absence(explaining, node->criterion, pending, out);
    out->next = explaining_words(explaining);
}

/* ---- sequence ---- */

/* The chain that is shown: the one completed last of those that count, or the one that has got furthest. */
struct chain {
    bool completed;
    size_t step_count;        /* steps taken */
    int64_t begin_ms;         /* of an open chain */
    int64_t until_ms;         /* a completed one counts until then */
    const struct link *items; /* events of its key until its last one */
    size_t item_count;
};

static size_t count_until(const struct link *items, size_t count, int64_t at)
{
    while (count > 0 && items[count - 1].entry->time_ms > at) {
        count--;
    }
    return count;
}

/* Takes the key's events and keeps the better chain. */
static void try_key(struct chains *chains, const struct link *items, size_t count, struct chain *best)
{
    struct evaluation *evaluation = chains->evaluation;
    struct instants completed = {0};
    int64_t enter;
    int64_t leave;

    chains_take(chains, items, count, &completed);
    for (size_t i = 0; i < completed.count; i++) {
        window_bounds(&chains->node->plan, completed.at[i], &enter, &leave);
        if (enter <= evaluation->at && evaluation->at < leave && (!best->completed || leave >= best->until_ms)) {
            *best = (struct chain){.completed = true,
                                   .step_count = chains->step_count,
                                   .until_ms = leave,
                                   .items = items,
                                   .item_count = count_until(items, count, completed.at[i])};
        }
    }
    for (size_t done = 1; !best->completed && done < chains->step_count; done++) {
        int64_t begin = chains->begins[done];

        if (begin != INT64_MIN && evaluation->at - begin <= chains->node->criterion->within_ms &&
            (done > best->step_count || (done == best->step_count && begin > best->begin_ms))) {
            *best = (struct chain){.step_count = done, .begin_ms = begin, .items = items, .item_count = count};
        }
    }
}

/* Serves as many steps as possible, the last first, from each millisecond, the last first: events of the chain with the
 * latest begin. `steps` receives the link of each step. */
static void trace(struct chains *chains, const struct chain *chain, const struct link **steps)
{
    size_t high = chain->item_count;
    size_t left = chain->step_count;

    while (left > 0 && high > 0) {
        size_t low = high - 1;
        size_t before = left;

        while (low > 0 && chain->items[low - 1].entry->time_ms == chain->items[low].entry->time_ms) {
            low--;
        }
        chains->group = &chain->items[low];
        chains->group_count = high - low;
        if (!chains_reserve(chains)) {
            return;
        }
        memset(chains->served, 0, chains->group_count * sizeof *chains->served);
        while (left > 0) {
            memset(chains->seen, 0, chains->group_count * sizeof *chains->seen);
            if (!chains_serve(chains, left - 1)) {
                break;
            }
            left--;
        }
        for (size_t i = 0; left < before && i < chains->group_count; i++) {
            if (chains->served[i] > 0) {
                steps[chains->served[i] - 1] = &chains->group[i];
            }
        }
        high = low;
    }
}

static void add_steps(struct explaining *explaining, struct chains *chains, const struct chain *chain,
                      struct explanation_node *out)
{
    const struct link **steps = evaluation_allocate(explaining->evaluation, chains->step_count, sizeof *steps);

    if (steps == NULL) {
        return;
    }
    trace(chains, chain, steps);
    for (size_t i = chain->step_count; i-- > 0;) {
        struct explanation_event *event =
            steps[i] == NULL ? NULL
                             : explaining_event(explaining, out, EXPLANATION_STEP, steps[i]->entry, RULESET_NONE);

        if (event != NULL) {
            event->step = i + 1;
        }
    }
}

static void describe_sequence(struct explaining *explaining, const struct criterion *criterion,
                              const struct chain *chain, struct explanation_node *out)
{
    struct buffer *words = &explaining->words;
    int64_t deadline = add_ms(chain->begin_ms, criterion->within_ms);

    if (chain->completed) {
        buffer_append_text(words, "all steps taken");
        if (chain->until_ms != TIMESTAMP_NEVER) {
            buffer_append_text(words, ", counting until ");
            timestamp_append(words, chain->until_ms);
        }
    } else {
        buffer_append_format(words, "%zu of %zu steps taken", chain->step_count, criterion->step_count);
        if (chain->step_count > 0) {
            buffer_append_text(words, "; the rest must come by ");
            timestamp_append(words, deadline);
        }
    }
    out->text = explaining_words(explaining);
    for (size_t i = chain->step_count; !out->holds && i < criterion->step_count; i++) {
        buffer_append_text(words, i > chain->step_count ? ", then " : "");
        rule_describe_selector(words, &criterion->steps[i]);
    }
    if (!out->holds) {
        append_same(words, criterion);
        if (chain->step_count > 0) {
            buffer_append_text(words, " by ");
            timestamp_append(words, deadline);
        } else {
            buffer_append_text(words, " within ");
            duration_append(words, criterion->within_ms);
        }
        explaining_delay(explaining, &criterion->window);
    }
    out->next = explaining_words(explaining);
}

void explaining_sequence(struct explaining *explaining, const struct node *node, struct explanation_node *out)
{
    struct evaluation *evaluation = explaining->evaluation;
    const struct criterion *criterion = node->criterion;
    struct chains chains = {.evaluation = evaluation, .node = node, .step_count = criterion->step_count};
    struct chain chain = {.begin_ms = INT64_MIN};
    struct link *sorted = NULL;
    struct links links;
    size_t *begins;

    links_gather(evaluation, 0, node->steps, criterion->step_count, node->same, criterion->same_count, &links);
    chains.begins = evaluation_allocate(evaluation, criterion->step_count, sizeof *chains.begins);
    chains.begins_next = evaluation_allocate(evaluation, criterion->step_count, sizeof *chains.begins_next);
    if (links.count > 0 && chains.begins != NULL && chains.begins_next != NULL) {
        sorted = links_by_key(evaluation, &links, &begins);
    }
    for (size_t key = 0; sorted != NULL && key < links.key_count; key++) {
        try_key(&chains, sorted + begins[key], begins[key + 1] - begins[key], &chain);
    }
    add_steps(explaining, &chains, &chain, out);
    describe_sequence(explaining, criterion, &chain, out);
}
