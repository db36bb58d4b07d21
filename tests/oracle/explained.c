#include "tests/oracle/explained.h"

#include "common/domain/explanation.h"
#include "tests/oracle/product.h"

#include <stdio.h>

enum { CRITERIA_MAX = 128, FAR_DAYS = 400 };

#define DAY_MS INT64_C(86400000)

/* A product whose definitions are followed by one for each of their criteria, by itself. */
struct explained {
    struct product product;
    struct criterion *criteria[CRITERIA_MAX]; /* definition number original_count + i is this one alone */
    size_t criterion_count;
    size_t original_count;
    struct explanation explanation;
    struct buffer *said;
    struct error err;
    int64_t at;
    struct product_user *user;
};

static bool fail(struct explained *explained, const char *what, struct slice where)
{
    char at[40];

    buffer_append_format(explained->said, "explanation: %s: %.*s, user %.*s, as of %s: %s\n", what, (int)where.size,
                         where.data, (int)explained->user->id.size, explained->user->id.data,
                         calendar_text(explained->at, at), explained->err.message);
    return false;
}

static void collect(struct explained *explained, struct criterion *criteria, size_t count)
{
    for (size_t i = 0; i < count && explained->criterion_count < CRITERIA_MAX; i++) {
        explained->criteria[explained->criterion_count++] = &criteria[i];
        collect(explained, criteria[i].children, criteria[i].child_count);
    }
}

static bool begin(struct explained *explained, struct arena *arena, struct zone_files *zones, struct slice definitions)
{
    const struct ruleset_options options = {.zones = zone_files_find, .zones_context = zones};
    struct product *product = &explained->product;
    struct segment_set *set = &product->set;

    if (!segment_set_add(set, SLICE_LITERAL("case"), definitions, 0, &explained->err)) {
        return false;
    }
    explained->original_count = set->definition_count;
    for (size_t i = 0; i < explained->original_count; i++) {
        collect(explained, set->definitions[i].criteria, set->definitions[i].criterion_count);
        collect(explained, set->definitions[i].exclude, set->definitions[i].exclude_count);
    }
    for (size_t i = 0; i < explained->criterion_count; i++) {
        char *text = take(arena, 128, 1);

        (void)snprintf(text, 128,
                       "{\"segmentId\":\"alone_%zu\",\"evaluation\":\"batch\",\"criteria\":[{\"event\":\"a\"}]}", i);
        if (!segment_set_add(set, SLICE_LITERAL("alone"), slice_from(text), 0, &explained->err)) {
            return false;
        }
        set->definitions[explained->original_count + i].criteria = explained->criteria[i];
    }
    return segment_set_check(set, &explained->err) && ruleset_new(set, &options, &product->ruleset, &explained->err) &&
           evaluation_new(product->ruleset, &product->evaluation, &explained->err);
}

/* Whether the user is in the segment, were there no event after explained->at. */
static bool member_at(struct explained *explained, size_t segment, int64_t at, bool *member)
{
    struct product *product = &explained->product;
    struct membership membership;

    *member = false;
    if (!user_state_membership(product->ruleset, explained->user->state, segment, at, product->evaluation, &membership,
                               &explained->err)) {
        return fail(explained, "membership", SLICE_LITERAL("?"));
    }
    *member = membership.member;
    return true;
}

/* Until `changes_at` it stays, and then it is otherwise; where it never changes, a far instant says so. */
static bool check_change(struct explained *explained, size_t segment, bool holds, int64_t changes_at,
                         struct slice where)
{
    int64_t last = changes_at == TIMESTAMP_NEVER ? explained->at + FAR_DAYS * DAY_MS : changes_at - 1;
    bool before;
    bool then;

    if (!member_at(explained, segment, last, &before) ||
        !member_at(explained, segment, changes_at == TIMESTAMP_NEVER ? last : changes_at, &then)) {
        return false;
    }
    if (before != holds || (changes_at != TIMESTAMP_NEVER && then == holds)) {
        return fail(explained, changes_at == TIMESTAMP_NEVER ? "changes by time alone" : "changes at another instant",
                    where);
    }
    return true;
}

static bool check_segment(struct explained *explained, const struct explanation_segment *segment);

static bool check_node(struct explained *explained, const struct explanation_node *node)
{
    size_t number = 0;
    bool member;

    while (number < explained->criterion_count && explained->criteria[number] != node->criterion) {
        number++;
    }
    if (node->side || number == explained->criterion_count) {
        return true;
    }
    number += explained->original_count;
    if (!member_at(explained, number, explained->at, &member)) {
        return false;
    }
    if (member != node->holds) {
        return fail(explained, "another truth", node->rule);
    }
    if (!node->depends_on_users && !check_change(explained, number, node->holds, node->changes_at, node->rule)) {
        return false;
    }
    for (size_t i = 0; i < node->child_count; i++) {
        if (!check_node(explained, &node->children[i])) {
            return false;
        }
    }
    return node->segment == NULL || check_segment(explained, node->segment);
}

static bool check_segment(struct explained *explained, const struct explanation_segment *segment)
{
    size_t number = (size_t)(segment->definition - explained->product.set.definitions);
    bool member;

    if (!member_at(explained, number, explained->at, &member)) {
        return false;
    }
    if (member != segment->membership.member ||
        (segment->reason == EXPLANATION_MEMBER) != (member && !segment->repeated)) {
        return fail(explained, "another membership", segment->definition->segment_id);
    }
    if (!segment->definition->needs_percentile &&
        !check_change(explained, number, member, segment->changes_at, segment->definition->segment_id)) {
        return false;
    }
    for (size_t i = 0; segment->known_since != TIMESTAMP_NEVER && i < segment->criterion_count; i++) {
        if (!check_node(explained, &segment->criteria[i])) {
            return false;
        }
    }
    for (size_t i = 0; segment->known_since != TIMESTAMP_NEVER && i < segment->exclude_count; i++) {
        if (!check_node(explained, &segment->exclude[i])) {
            return false;
        }
    }
    return true;
}

static bool check_user(struct explained *explained)
{
    struct product *product = &explained->product;
    struct buffer text;
    bool done = true;

    buffer_init(&text, 64 << 20);
    for (size_t i = 0; done && i < explained->original_count; i++) {
        done = explanation_make(product->ruleset, explained->user->state, i, explained->at, NULL, product->evaluation,
                                &explained->explanation, &explained->err);
        if (!done) {
            (void)fail(explained, "fails", product->set.definitions[i].segment_id);
            break;
        }
        done = check_segment(explained, &explained->explanation.segment);
        buffer_reset(&text);
        explanation_append_text(&text, explained->user->id, &explained->explanation.segment);
        explanation_append_json(&text, explained->user->id, &explained->explanation.segment);
        done = done && (buffer_finish(&text, "text", &explained->err) ||
                        fail(explained, "cannot be written", product->set.definitions[i].segment_id));
    }
    buffer_clear(&text);
    return done;
}

/* States of all users from the events until the instant. */
static bool fold_until(struct explained *explained, const struct oracle_case *test)
{
    struct product *product = &explained->product;

    for (size_t i = 0; i < product->user_count; i++) {
        user_state_free(product->users[i].state);
    }
    product->user_count = 0;
    for (size_t i = 0; i < test->line_count; i++) {
        struct event event;
        bool accepted = false;

        if (!product_decode(product, test->lines[i], &event, &accepted, &explained->err) ||
            (accepted && event.time_ms <= explained->at && !product_fold(product, &event, false, &explained->err))) {
            return false;
        }
    }
    return product_rank(product, explained->at, &explained->err);
}

bool explained_case(struct arena *arena, struct zone_files *zones, const struct oracle_case *test, struct buffer *said)
{
    struct explained explained = {.said = said};
    bool done;

    product_begin(&explained.product, arena, zones);
    explanation_init(&explained.explanation);
    done = begin(&explained, arena, zones, test->definitions);
    for (size_t i = 0; done && i < CASE_INSTANTS; i++) {
        explained.at = test->instants[i];
        done = fold_until(&explained, test);
        for (size_t k = 0; done && k < explained.product.user_count; k++) {
            explained.user = &explained.product.users[k];
            done = check_user(&explained);
        }
    }
    if (!done && said->size == 0) {
        buffer_append_format(said, "explanation: %s\n", explained.err.message);
    }
    explanation_clear(&explained.explanation);
    product_clear(&explained.product);
    return done;
}
