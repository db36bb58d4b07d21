/* What asking about a rule costs when nothing that it reads has changed: folds a file's events into one state per user
 * (the last users of the file, as many as a cache holds), asks about every segment once, and then measures asking
 * again. Prints nanoseconds of processor time per question.
 *
 * usage: rules_unchanged SEGMENTS EVENTS */
#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/base/timestamp.h"
#include "common/domain/rule_parse.h"
#include "common/domain/user_state.h"
#include "common/io/definition_files.h"
#include "common/io/zone_files.h"
#include "tests/bench/events_file.h"

#include <stdio.h>

enum { USER_COUNT = 256, ROUND_COUNT = 200 };

struct bench {
    struct segment_set set;
    struct zone_files zones;
    struct ruleset *ruleset;
    struct evaluation *evaluation;
    struct arena arena;
    struct hash_map users;
    struct user_state *states[USER_COUNT];
    uint64_t interval_count; /* so that asking has a result */
};

static bool fold(void *context, const struct event *event, struct error *err)
{
    struct bench *bench = context;
    enum fold_result result;
    uint32_t index;
    bool added = false;

    if (!hash_map_find(&bench->users, event->user, &index)) {
        if (bench->users.count == USER_COUNT) {
            return true;
        }
        if (!hash_map_add(&bench->users, &bench->arena, event->user, (uint32_t)bench->users.count, &index, &added,
                          err) ||
            !user_state_new(bench->ruleset, &bench->states[index], err)) {
            return false;
        }
    }
    return user_state_fold(bench->ruleset, bench->states[index], event, bench->evaluation, &result, NULL, err);
}

/* Asks about all segments of one user, `round_count` times. */
static bool ask(struct bench *bench, struct user_state *state, int round_count, struct error *err)
{
    size_t segment_count = ruleset_segment_count(bench->ruleset);
    int64_t newest = user_state_newest(state);

    for (int round = 0; round < round_count; round++) {
        for (size_t segment = 0; segment < segment_count; segment++) {
            const struct interval *intervals;
            size_t count;

            if (!user_state_intervals(bench->ruleset, state, segment, newest, bench->evaluation, &intervals, &count,
                                      err)) {
                return false;
            }
            bench->interval_count += count;
        }
    }
    return true;
}

static bool measure(struct bench *bench, struct error *err)
{
    size_t question_count = bench->users.count * ROUND_COUNT * ruleset_segment_count(bench->ruleset);
    int64_t spent_ns = 0;

    for (size_t i = 0; i < bench->users.count; i++) {
        int64_t begin_ns;

        if (!ask(bench, bench->states[i], 1, err)) {
            return false;
        }
        begin_ns = timestamp_cpu_ns();
        if (!ask(bench, bench->states[i], ROUND_COUNT, err)) {
            return false;
        }
        spent_ns += timestamp_cpu_ns() - begin_ns;
    }
    printf("%.2f ns\n", (double)spent_ns / (double)question_count);
    return true;
}

int main(int argc, char **argv)
{
    struct ruleset_options options = {.zones = zone_files_find};
    struct bench bench = {0};
    struct error err = {0};
    bool done;

    if (argc != 3) {
        (void)fprintf(stderr, "usage: rules_unchanged SEGMENTS EVENTS\n");
        return 2;
    }
    options.zones_context = &bench.zones;
    segment_set_init(&bench.set);
    zone_files_init(&bench.zones);
    arena_init(&bench.arena, (size_t)1 << 30);
    hash_map_init(&bench.users, USER_COUNT);
    done = definition_files_read(argv[1], &bench.set, NULL, &err) && segment_set_check(&bench.set, &err) &&
           ruleset_new(&bench.set, &options, &bench.ruleset, &err) &&
           evaluation_new(bench.ruleset, &bench.evaluation, &err) && events_file_read(argv[2], fold, &bench, &err) &&
           measure(&bench, &err);
    if (!done) {
        (void)fprintf(stderr, "rules_unchanged: %s\n", err.message);
    }
    for (size_t i = 0; i < bench.users.count; i++) {
        user_state_free(bench.states[i]);
    }
    hash_map_clear(&bench.users);
    arena_clear(&bench.arena);
    evaluation_free(bench.evaluation);
    ruleset_free(bench.ruleset);
    zone_files_clear(&bench.zones);
    segment_set_clear(&bench.set);
    return done ? 0 : 1;
}
