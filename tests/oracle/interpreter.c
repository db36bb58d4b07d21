#include "tests/oracle/interpreter.h"

#include "tests/oracle/criteria.h"

#include <stdio.h>
#include <stdlib.h>

enum { INSTANTS_FIRST = 64 };

struct instants {
    struct arena *arena;
    int64_t *items;
    size_t count;
    size_t capacity;
};

static struct stays *stays_of(const struct subject *subject, size_t segment);

/* ---- C(T), X(T) ---- */

static bool criteria_hold(const struct subject *subject, const struct segment *segment, int64_t at)
{
    if (at < subject->known_since) {
        return false;
    }
    for (size_t i = 0; i < segment->criterion_count; i++) {
        if (!criterion_holds(subject, &segment->criteria[i], at)) {
            return false;
        }
    }
    return true;
}

static bool excluded(const struct subject *subject, const struct segment *segment, int64_t at)
{
    for (size_t i = 0; i < segment->exclude_count; i++) {
        if (criterion_holds(subject, &segment->exclude[i], at)) {
            return true;
        }
    }
    return false;
}

/* ---- instants at which something could change ---- */

static void push_instant(struct instants *instants, int64_t at)
{
    if (instants->count == instants->capacity) {
        int64_t *items;

        instants->capacity = instants->capacity == 0 ? INSTANTS_FIRST : instants->capacity * 2;
        items = take(instants->arena, instants->capacity, sizeof *items);
        if (instants->count > 0) {
            memcpy(items, instants->items, instants->count * sizeof *items);
        }
        instants->items = items;
    }
    instants->items[instants->count++] = at;
}

/* Of a change it is not asked whether it comes at the instant or just after it. */
static void add_instant(struct instants *instants, int64_t at)
{
    if (at != INTERPRETER_OPEN) {
        push_instant(instants, at);
        push_instant(instants, at + 1);
    }
}

static void add_span_instants(const struct subject *subject, const struct rule *rule, struct instants *instants)
{
    for (size_t i = 0; i < subject->count; i++) {
        const struct span *span = &rule->spans[i];
        int64_t time = subject->messages[i].time;

        if (!span->selected) {
            continue;
        }
        add_instant(instants, span->from);
        add_instant(instants, span->until);
        add_instant(instants, time + rule->within_ms);
        for (size_t k = 0; k < rule->terms.count; k++) {
            add_instant(instants, time + rule->terms.items[k].ms);
        }
    }
}

/* Of a trait that is an instant: all values it ever had. */
static void add_trait_instants(const struct subject *subject, const struct rule *rule, struct instants *instants)
{
    for (size_t i = 0; i < subject->count; i++) {
        int64_t ms;

        if (!trait_instant(subject, rule, subject->messages[i].time, &ms)) {
            continue;
        }
        add_instant(instants, ms);
        for (size_t k = 0; k < rule->terms.count; k++) {
            const struct term *term = &rule->terms.items[k];

            add_instant(instants, term->years > 0 ? calendar_anniversary(ms, term->years) : ms + term->ms);
            add_instant(instants, ms - term->ms);
        }
    }
}

static void add_rule_instants(const struct subject *subject, const struct rule *rule, struct instants *instants)
{
    if (rule->spans != NULL) {
        add_span_instants(subject, rule, instants);
    }
    if (rule->form == FORM_AGE || rule->form == FORM_UNTIL) {
        add_trait_instants(subject, rule, instants);
    }
    if (rule->form == FORM_SEGMENT) {
        const struct stays *stays = segment_stays(subject, rule->segment);

        for (size_t i = 0; i < stays->count; i++) {
            add_instant(instants, stays->items[i].entered);
            add_instant(instants, stays->items[i].left);
        }
    }
    for (size_t i = 0; i < rule->child_count; i++) {
        add_rule_instants(subject, &rule->children[i], instants);
    }
}

static int compare_instants(const void *left, const void *right)
{
    const int64_t *a = left;
    const int64_t *b = right;

    return (*a > *b) - (*a < *b);
}

static void sort_instants(struct instants *instants)
{
    size_t kept = 0;

    if (instants->count == 0) {
        return;
    }
    qsort(instants->items, instants->count, sizeof *instants->items, compare_instants);
    for (size_t i = 0; i < instants->count; i++) {
        if (kept == 0 || instants->items[kept - 1] != instants->items[i]) {
            instants->items[kept++] = instants->items[i];
        }
    }
    instants->count = kept;
}

/* ---- lifetime ---- */

/* Instants at which something happens that may requalify (section 6). */
static void add_happenings(const struct subject *subject, const struct rule *rule, bool under_not,
                           struct instants *instants)
{
    for (size_t i = 0; i < rule->child_count && rule->form != FORM_PERCENTILE; i++) {
        add_happenings(subject, &rule->children[i], under_not != (rule->form == FORM_NOT), instants);
    }
    if (under_not || rule->spans == NULL) {
        return;
    }
    for (size_t i = 0; i < subject->count; i++) {
        const struct span *span = &rule->spans[i];
        int64_t at = span->from;

        if (!span->selected) {
            continue;
        }
        if (rule->form == FORM_ABSENCE) {
            int64_t wait = rule->within_ms > rule->window.offset_ms ? rule->within_ms : rule->window.offset_ms;

            at = subject->messages[i].time + (rule->window.unit != CALENDAR_NONE ? rule->within_ms : wait);
            if (rule->window.unit != CALENDAR_NONE && at < span->from) {
                at = span->from;
            }
            /* No b until then: one after `within` ends no strict absence, but this one does not mature. */
            if (!absence_holds(subject, rule, i, at) || absence_ended(subject, rule, i, at)) {
                continue;
            }
        }
        push_instant(instants, at);
    }
}

/* The qualifying instants among those given, and where C begins to hold. */
static struct instants find_qualifying(const struct subject *subject, const struct segment *segment,
                                       const struct instants *changes)
{
    struct instants qualifying = {.arena = subject->world->arena};
    struct instants happenings = {.arena = subject->world->arena};
    bool before = false;

    for (size_t i = 0; i < segment->criterion_count; i++) {
        add_happenings(subject, &segment->criteria[i], false, &happenings);
    }
    for (size_t i = 0; i < happenings.count; i++) {
        if (criteria_hold(subject, segment, happenings.items[i])) {
            push_instant(&qualifying, happenings.items[i]);
        }
    }
    for (size_t i = 0; i < changes->count; i++) {
        int64_t at = changes->items[i];
        bool now = criteria_hold(subject, segment, at);

        if (now && !before) {
            push_instant(&qualifying, at);
        }
        before = now;
    }
    sort_instants(&qualifying);
    return qualifying;
}

static bool in_reach(const struct instants *qualifying, int64_t duration_ms, int64_t at)
{
    for (size_t i = 0; i < qualifying->count; i++) {
        if (qualifying->items[i] <= at && at < qualifying->items[i] + duration_ms) {
            return true;
        }
    }
    return false;
}

/* Cuts the intervals of M0 by the exclusion window. */
static void apply_exclusion_window(struct stays *stays, int64_t exclusion_ms)
{
    int64_t barred_until = INT64_MIN;
    size_t kept = 0;

    for (size_t i = 0; i < stays->count; i++) {
        struct stay stay = stays->items[i];

        stay.entered = stay.entered < barred_until ? barred_until : stay.entered;
        if (stay.entered < stay.left) {
            stays->items[kept++] = stay;
            barred_until = stay.left == INTERPRETER_OPEN ? INTERPRETER_OPEN : stay.left + exclusion_ms;
        }
    }
    stays->count = kept;
}

static struct instants find_changes(const struct subject *subject, const struct segment *segment)
{
    struct instants changes = {.arena = subject->world->arena};

    for (size_t i = 0; i < subject->count; i++) {
        add_instant(&changes, subject->messages[i].time);
    }
    for (size_t i = 0; i < segment->criterion_count; i++) {
        add_rule_instants(subject, &segment->criteria[i], &changes);
    }
    for (size_t i = 0; i < segment->exclude_count; i++) {
        add_rule_instants(subject, &segment->exclude[i], &changes);
    }
    sort_instants(&changes);
    return changes;
}

/* Nothing may change where no change was expected. */
static void check_instants(const struct subject *subject, const struct segment *segment, const struct instants *changes)
{
    for (size_t i = 1; i < changes->count; i++) {
        int64_t before = changes->items[i] - 1;

        if (criteria_hold(subject, segment, before) != criteria_hold(subject, segment, changes->items[i - 1]) ||
            excluded(subject, segment, before) != excluded(subject, segment, changes->items[i - 1])) {
            fputs("oracle: membership changes at an instant that was not expected\n", stderr);
            exit(70);
        }
    }
}

static struct stays find_stays(const struct subject *subject, const struct segment *segment)
{
    struct instants changes = find_changes(subject, segment);
    struct instants qualifying = {0};
    struct stays stays;
    bool member = false;

    check_instants(subject, segment, &changes);
    if (segment->duration_ms > 0) {
        qualifying = find_qualifying(subject, segment, &changes);
        for (size_t i = 0; i < qualifying.count; i++) {
            add_instant(&changes, qualifying.items[i]);
            add_instant(&changes, qualifying.items[i] + segment->duration_ms);
        }
        sort_instants(&changes);
    }
    stays = (struct stays){.items = take(subject->world->arena, changes.count, sizeof *stays.items)};
    for (size_t i = 0; i < changes.count; i++) {
        int64_t at = changes.items[i];
        bool now = at >= subject->known_since && !excluded(subject, segment, at) &&
                   (segment->sticky || criteria_hold(subject, segment, at)) &&
                   (segment->duration_ms == 0 || in_reach(&qualifying, segment->duration_ms, at));

        if (now && !member) {
            stays.items[stays.count++] = (struct stay){.entered = at, .left = INTERPRETER_OPEN};
        } else if (!now && member) {
            stays.items[stays.count - 1].left = at;
        }
        member = now;
    }
    if (segment->exclusion_ms > 0) {
        apply_exclusion_window(&stays, segment->exclusion_ms);
    }
    return stays;
}

/* ---- the world ---- */

static void prepare_segment(const struct subject *subject, const struct segment *segment)
{
    for (size_t i = 0; i < segment->criterion_count; i++) {
        criterion_prepare(subject, &segment->criteria[i]);
    }
    for (size_t i = 0; i < segment->exclude_count; i++) {
        criterion_prepare(subject, &segment->exclude[i]);
    }
}

static struct stays *stays_of(const struct subject *subject, size_t segment_index)
{
    struct world *world = subject->world;
    const struct segment *segment = &world->segments[segment_index];
    struct stays *stays = &world->stays[subject->person * world->segment_count + segment_index];

    if (stays->items != NULL) {
        return stays;
    }
    prepare_segment(subject, segment);
    if (!segment->ranked) {
        *stays = find_stays(subject, segment);
        return stays;
    }
    stays->items = take(world->arena, 1, sizeof *stays->items);
    if (criteria_hold(subject, segment, subject->asked) && !excluded(subject, segment, subject->asked)) {
        stays->items[0] = (struct stay){.entered = subject->asked, .left = INTERPRETER_OPEN};
        stays->count = 1;
    }
    return stays;
}

const struct stays *segment_stays(const struct subject *subject, struct slice id)
{
    size_t at = 0;

    while (!slice_equal(subject->world->segments[at].id, id)) {
        at++;
    }
    return stays_of(subject, at);
}

struct world *world_new(struct arena *arena, struct slice definitions, const struct slice *lines, size_t line_count)
{
    struct world *world = take(arena, 1, sizeof *world);

    world->arena = arena;
    world->segments = rules_read(arena, tree_parse(arena, definitions), &world->segment_count);
    world->people = people_read(arena, lines, line_count, &world->person_count);
    return world;
}

void world_evaluate(struct world *world, int64_t at)
{
    world->stays = take(world->arena, world->person_count * world->segment_count, sizeof *world->stays);
    for (size_t person = 0; person < world->person_count; person++) {
        struct subject subject = subject_of(world, person, at);

        for (size_t i = 0; i < world->segment_count; i++) {
            (void)stays_of(&subject, i);
        }
    }
}
