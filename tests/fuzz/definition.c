/* A file of definitions from a stranger. It is accepted or refused with a reason; what is accepted and can be evaluated
 * is evaluated over events with the names and properties that it asks for, in all ways that must agree. */
#include "tests/fuzz/fuzz.h"

#include "common/domain/rule_parse.h"
#include "common/domain/rule_sense.h"

enum { NAMES_MAX = 6, DEFINITIONS_MAX = 12, CRITERIA_MAX = 60, EVENTS = 14 };

/* What the definitions ask for. */
struct wanted {
    struct slice names[NAMES_MAX];
    struct rule_path properties[NAMES_MAX];
    struct rule_path traits[NAMES_MAX];
    size_t name_count;
    size_t property_count;
    size_t trait_count;
    size_t criteria;
    int64_t step_ms;
};

static void want_path(struct rule_path *paths, size_t *count, struct rule_path path)
{
    if (path.key_count > 0 && *count < NAMES_MAX) {
        paths[(*count)++] = path;
    }
}

static void want_selector(struct wanted *wanted, const struct rule_selector *selector)
{
    for (size_t i = 0; i < selector->name_count && wanted->name_count < NAMES_MAX; i++) {
        wanted->names[wanted->name_count++] = selector->names[i];
    }
    for (size_t i = 0; i < selector->where_count; i++) {
        want_path(wanted->properties, &wanted->property_count, selector->where[i].property);
    }
}

static bool want(void *context, const struct criterion *criterion)
{
    struct wanted *wanted = context;

    want_selector(wanted, &criterion->selector);
    want_selector(wanted, &criterion->followed_by);
    for (size_t i = 0; i < criterion->step_count; i++) {
        want_selector(wanted, &criterion->steps[i]);
    }
    want_path(wanted->properties, &wanted->property_count, criterion->measure.property);
    want_path(wanted->properties, &wanted->property_count, criterion->measure.factor);
    want_path(wanted->traits, &wanted->trait_count, criterion->trait);
    if (criterion->within_ms > 0) {
        wanted->step_ms = criterion->within_ms;
    } else if (criterion->window.length_ms > 0) {
        wanted->step_ms = criterion->window.length_ms / 2;
    }
    return ++wanted->criteria < CRITERIA_MAX;
}

/* The value at a path, as nested objects. Two paths may meet in one key: the first is left out then. */
static void append_path(struct buffer *out, const struct rule_path *path, size_t number)
{
    static const char *const values[] = {"1", "\"shoes\"", "2.5", "true", "-3", "[1,\"x\"]", "null"};

    for (size_t i = 0; i < path->key_count; i++) {
        buffer_append_char(out, '{');
        fuzz_append_string(out, path->keys[i]);
        buffer_append_char(out, ':');
    }
    buffer_append_text(out, values[number % (sizeof values / sizeof values[0])]);
    for (size_t i = 0; i < path->key_count; i++) {
        buffer_append_char(out, '}');
    }
}

static bool add_message(struct fuzz_world *world, const struct wanted *wanted, size_t number)
{
    struct buffer *out = &world->texts;
    bool identify = wanted->trait_count > 0 && number % 3 == 1;
    size_t count = identify ? wanted->trait_count : wanted->property_count;
    const struct rule_path *paths = identify ? wanted->traits : wanted->properties;
    int64_t step_ms = wanted->step_ms > INT64_C(400) * 24 * 3600000 ? 3600000 : wanted->step_ms;

    buffer_append_format(out, "{\"type\":\"%s\",\"userId\":\"u\",\"messageId\":\"m%zu\",\"timestamp\":%lld",
                         identify ? "identify" : "track", number,
                         (long long)(FUZZ_EPOCH_MS + (int64_t)number * step_ms / 2));
    if (!identify) {
        buffer_append_text(out, ",\"event\":");
        fuzz_append_string(out,
                           wanted->name_count == 0 ? SLICE_LITERAL("e") : wanted->names[number % wanted->name_count]);
    }
    if (count > 0) {
        buffer_append_text(out, identify ? ",\"traits\":" : ",\"properties\":");
        append_path(out, &paths[(number / 2) % count], number);
    }
    buffer_append_char(out, '}');
    return fuzz_world_message(world);
}

/* Whether the message can be read: a name may be too long for one, a path too deep. */
static bool readable(struct fuzz_world *world)
{
    size_t last = world->message_count - 1;
    struct slice text = slice_of(world->texts.data + world->messages[last].begin, world->messages[last].size);
    enum quarantine_reason reason = QUARANTINE_NONE;
    struct error why = ERROR_INIT;
    struct event event;

    arena_reset(&world->arena);
    return event_decode(text, &world->document, &world->arena, &event, &reason, &why) && reason == QUARANTINE_NONE;
}

/* Read for all its problems, the text has an error exactly when reading it ends with one. */
static void check_problems(struct slice input)
{
    struct error err = ERROR_INIT;
    struct rule_problems problems;
    struct segment_set first;
    struct segment_set all;
    bool accepted;

    segment_set_init(&first);
    segment_set_init(&all);
    rule_problems_init(&problems);
    all.problems = &problems;
    accepted = segment_set_add(&first, SLICE_LITERAL("fuzz.json"), input, 0, &err) && segment_set_check(&first, &err);
    fuzz_check(segment_set_add(&all, SLICE_LITERAL("fuzz.json"), input, 0, &err) && segment_set_check(&all, &err),
               "problems could not be collected: %s", err.message);
    fuzz_check(accepted == (problems.error_count == 0), "accepted: %d, but %zu errors (%s)", accepted,
               problems.error_count, err.message);
    fuzz_check(rule_sense_check(&all, RULE_WARNING, &err), "no sense: %s", err.message);
    fuzz_check(accepted == (problems.error_count == 0), "sense found errors in what is accepted");
    rule_problems_sort(&problems);
    for (size_t i = 0; i < problems.count; i++) {
        const struct rule_problem *problem = &problems.items[i];

        fuzz_check(problem->severity != RULE_SEVERITY_NONE && problem->kind != RULE_PROBLEM_NONE && problem->line > 0 &&
                       problem->message.size > 0,
                   "problem %zu says too little", i);
    }
    segment_set_clear(&first);
    segment_set_clear(&all);
    rule_problems_clear(&problems);
}

void fuzz_definition(struct slice input)
{
    struct wanted wanted = {.step_ms = 1000};
    struct error err = ERROR_INIT;
    struct fuzz_world world;

    check_problems(input);
    if (!fuzz_world_init(&world, input, &err)) {
        fuzz_check(err.code == ERROR_INPUT && strstr(err.message, "fuzz.json") != NULL, "refused by: %s", err.message);
        goto out;
    }
    for (size_t i = 0; i < world.set.definition_count; i++) {
        const struct definition *definition = &world.set.definitions[i];
        const char *why = NULL;

        fuzz_check(ruleset_reach_ms(world.ruleset, i) >= 0, "a negative reach");
        fuzz_check(rule_streams(definition, &why) || why != NULL, "it does not stream, without a reason");
        for (size_t k = 0; k < definition->criterion_count; k++) {
            (void)criterion_each(&definition->criteria[k], want, &wanted);
        }
        for (size_t k = 0; k < definition->exclude_count; k++) {
            (void)criterion_each(&definition->exclude[k], want, &wanted);
        }
    }
    if (world.set.definition_count > DEFINITIONS_MAX || wanted.criteria > CRITERIA_MAX) {
        goto out;
    }
    for (size_t i = 0; i < EVENTS; i++) {
        if (!add_message(&world, &wanted, i) || !readable(&world)) {
            goto out;
        }
    }
    fuzz_check(fuzz_world_compare(&world, &err), "%s", err.message);
out:
    fuzz_world_clear(&world);
}
