/* equivalence: every optimisation switched off, one by one and all together, must leave answers, records and states as
 * they are (common/domain/optimisation.h). For a build with OPTIMISATIONS=1.
 *
 *   equivalence events COUNT [SEED]   random worlds of so many events in all: against all optimisations on
 *   equivalence cases COUNT [SEED]    the oracle's random cases: each way against the literal interpreter
 *   equivalence replay FILE...        cases that were kept, as `events` compares
 *
 * A world that differs is named by its seed, made as small as can be, and printed as a case. */
#include "common/domain/optimisation.h"
#include "tests/equivalence/outcome.h"
#include "tests/oracle/case.h"
#include "tests/oracle/compare.h"
#include "tests/oracle/shrink.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { SAID_SIZE_MAX = 1 << 20, TEXT_SIZE_MAX = 1 << 28, FAILURES_MAX = 5, STATUS_USAGE = 2 };

#define ARENA_SIZE_MAX ((size_t)1 << 33)

/* One optimisation off; or all of them. */
enum { VARIANT_ALL = OPTIMISATION_COUNT, VARIANTS };

static const char *variant_name(int variant)
{
    return variant == VARIANT_ALL ? "everything" : optimisation_name((enum optimisation)variant);
}

static void switch_off(int variant)
{
    for (int i = OPTIMISATION_NONE + 1; i < OPTIMISATION_COUNT; i++) {
        optimisation_set((enum optimisation)i, variant != VARIANT_ALL && variant != i);
    }
}

/* What is kept of a pruned state is another thing by nature where nothing is pruned, and where counts are gathered from
 * events that a tally would have summed up. */
static enum outcome_part last_part(int variant)
{
    return variant == VARIANT_ALL || variant == OPTIMISATION_PRUNE || variant == OPTIMISATION_TALLY ? OUTCOME_PRUNED
                                                                                                    : OUTCOME_KEPT;
}

/* ---- against all on ---- */

struct difference {
    struct zone_files *zones;
    int variant;
    enum outcome_part part;
};

static bool differs_so(void *context, struct arena *work, const struct oracle_case *test)
{
    const struct difference *difference = context;
    struct outcome wanted;
    struct outcome got;
    bool so;

    (void)work;
    switch_off(OPTIMISATION_NONE);
    outcome_run(difference->zones, test, &wanted);
    switch_off(difference->variant);
    outcome_run(difference->zones, test, &got);
    so = !wanted.refused && !got.refused &&
         outcome_difference(&wanted, &got, last_part(difference->variant)) == difference->part;
    outcome_clear(&wanted);
    outcome_clear(&got);
    return so;
}

static void print_case(const struct oracle_case *test)
{
    struct buffer text;

    buffer_init(&text, TEXT_SIZE_MAX);
    case_write(test, &text);
    (void)fwrite(buffer_slice(&text).data, 1, buffer_slice(&text).size, stdout);
    (void)fflush(stdout);
    buffer_clear(&text);
}

/* True where the case is the same in all ways. Adds its events to *event_count, unless NULL. */
static bool same_in_all(struct arena *arena, struct zone_files *zones, struct oracle_case *test, const char *name,
                        uint64_t *event_count)
{
    struct outcome wanted;
    bool same = true;

    switch_off(OPTIMISATION_NONE);
    outcome_run(zones, test, &wanted);
    if (wanted.refused) {
        printf("FAILED %s: %s\n", name, buffer_text(&wanted.said));
        same = false;
    }
    for (int variant = 1; same && variant < VARIANTS; variant++) {
        struct difference difference = {.zones = zones, .variant = variant};
        struct outcome got;

        switch_off(variant);
        outcome_run(zones, test, &got);
        difference.part = outcome_difference(&wanted, &got, last_part(variant));
        if (got.refused || difference.part != OUTCOME_NONE) {
            printf("FAILED %s: without %s: other %s %s\n", name, variant_name(variant),
                   outcome_part_name(difference.part), got.refused ? buffer_text(&got.said) : "");
            same = false;
        }
        outcome_clear(&got);
        if (!same && difference.part != OUTCOME_NONE) {
            shrink_case(arena, test, differs_so, &difference);
            print_case(test);
        }
    }
    *event_count += wanted.event_count;
    outcome_clear(&wanted);
    return same;
}

/* Rule sets of all sizes over few and many users, in and out of the order of time. */
static struct oracle_case next_world(struct arena *arena, uint64_t seed)
{
    static const struct world_size sizes[] = {
        {.segment_count = 1, .user_count = 200, .line_count = 4000, .disorder = 1},
        {.segment_count = 4, .user_count = 100, .line_count = 4000, .disorder = -1},
        {.segment_count = 20, .user_count = 100, .line_count = 4000, .disorder = 0},
        {.segment_count = 64, .user_count = 100, .line_count = 2000, .disorder = 2},
        {.segment_count = 8, .user_count = 10, .line_count = 2000, .disorder = 1},
        {.segment_count = 20, .user_count = 300, .line_count = 3000, .disorder = 4},
    };

    return generate_world(arena, seed, &sizes[seed % (sizeof sizes / sizeof sizes[0])]);
}

static int run_events(struct zone_files *zones, uint64_t count, uint64_t seed)
{
    uint64_t event_count = 0;
    uint64_t passed = 0;
    uint64_t failed = 0;
    struct arena arena;

    arena_init(&arena, ARENA_SIZE_MAX);
    for (; event_count < count && failed < FAILURES_MAX; seed++) {
        struct oracle_case test;
        char name[64];
        bool same;

        arena_reset(&arena);
        test = next_world(&arena, seed);
        (void)snprintf(name, sizeof name, "world %" PRIu64, seed);
        same = same_in_all(&arena, zones, &test, name, &event_count);
        passed += same;
        failed += !same;
    }
    arena_clear(&arena);
    printf("%" PRIu64 " events, %d ways each\n", event_count, VARIANTS);
    printf("%" PRIu64 " passed, %" PRIu64 " failed\n", passed, failed);
    return failed > 0;
}

static int run_replay(struct zone_files *zones, char **paths, int count)
{
    int failed = 0;

    for (int i = 0; i < count; i++) {
        uint64_t event_count = 0;
        struct oracle_case test;
        struct arena arena;

        arena_init(&arena, ARENA_SIZE_MAX);
        failed += !case_read(&arena, paths[i], &test) || !same_in_all(&arena, zones, &test, paths[i], &event_count);
        arena_clear(&arena);
    }
    printf("%d passed, %d failed\n", count - failed, failed);
    return failed > 0;
}

/* ---- against the interpreter ---- */

static int run_cases(struct zone_files *zones, uint64_t count, uint64_t seed)
{
    uint64_t passed = 0;
    uint64_t failed = 0;
    struct arena arena;

    arena_init(&arena, ARENA_SIZE_MAX);
    for (uint64_t i = 0; i < count && failed < FAILURES_MAX; i++) {
        for (int variant = 1; variant < VARIANTS; variant++) {
            struct oracle_case test;
            struct buffer said;

            arena_reset(&arena);
            test = generate_case(&arena, seed + i);
            buffer_init(&said, SAID_SIZE_MAX);
            switch_off(variant);
            if (compare_case(&arena, zones, &test, &said) == COMPARE_EQUAL) {
                passed++;
            } else {
                printf("FAILED seed %" PRIu64 " without %s: %s", seed + i, variant_name(variant), buffer_text(&said));
                failed++;
            }
            buffer_clear(&said);
        }
    }
    arena_clear(&arena);
    printf("%" PRIu64 " passed, %" PRIu64 " failed\n", passed, failed);
    return failed > 0;
}

int main(int argument_count, char **arguments)
{
    const char *command = argument_count > 2 ? arguments[1] : "";
    uint64_t count = argument_count > 2 ? strtoull(arguments[2], NULL, 10) : 0;
    uint64_t seed = argument_count > 3 ? strtoull(arguments[3], NULL, 10) : 1;
    struct zone_files zones;
    int status = STATUS_USAGE;

    zone_files_init(&zones);
    if (strcmp(command, "events") == 0) {
        status = run_events(&zones, count, seed);
    } else if (strcmp(command, "cases") == 0) {
        status = run_cases(&zones, count, seed);
    } else if (strcmp(command, "replay") == 0) {
        status = run_replay(&zones, arguments + 2, argument_count - 2);
    } else {
        fputs("usage: equivalence events|cases COUNT [SEED]; equivalence replay FILE...\n", stderr);
    }
    zone_files_clear(&zones);
    return status;
}
