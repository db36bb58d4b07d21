/* oracle: holds the product's evaluator against a literal interpreter of the segment language.
 *
 *   oracle random CASES [SEED]                              random cases; a case that differs is shrunk and printed
 *   oracle replay FILE...                                   cases that were kept (tests/oracle/cases)
 *   oracle witness JUDGED COUNT [SEED]                      random definitions, for each a user who becomes a member;
 *                                                           those of the file JUDGED have none
 *   oracle show SEED                                        prints a random case as it is generated
 *   oracle queries DIALECT EXPECTED ASKED REFUSED CASES [SEED]
 *                                                           random cases as SQL, the product's answers in EXPECTED
 *   oracle eval DEFINITIONS EVENTS AS_OF [intervals]        the interpreter alone; prints what `muster eval` prints
 *
 * A case is a text: the definitions on one line, then the seed and the instants asked about, then the events. */
#include "tests/oracle/case.h"
#include "tests/oracle/compare.h"
#include "tests/oracle/interpreter.h"
#include "tests/oracle/queries.h"
#include "tests/oracle/shrink.h"
#include "tests/oracle/witness.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SAID_SIZE_MAX = 1 << 20, CASE_SIZE_MAX = 1 << 28, DIFFERENCES_MAX = 10, STATUS_USAGE = 2, STATUS_INPUT = 4 };

#define ARENA_SIZE_MAX ((size_t)1 << 32)

static void print_case(const struct oracle_case *test)
{
    struct buffer text;

    buffer_init(&text, CASE_SIZE_MAX);
    case_write(test, &text);
    (void)fwrite(buffer_slice(&text).data, 1, buffer_slice(&text).size, stdout);
    buffer_clear(&text);
}

/* How a case differs. */
struct difference {
    struct zone_files *zones;
    enum compare_result result;
};

static bool differs_so(void *context, struct arena *work, const struct oracle_case *test)
{
    const struct difference *difference = context;
    struct buffer said;
    enum compare_result result;

    buffer_init(&said, SAID_SIZE_MAX);
    result = compare_case(work, difference->zones, test, &said);
    buffer_clear(&said);
    return result == difference->result;
}

/* True where both agree. */
static bool run_case(struct arena *arena, struct zone_files *zones, struct oracle_case *test, bool shrink,
                     const char *name)
{
    struct buffer said;
    enum compare_result result;

    buffer_init(&said, SAID_SIZE_MAX);
    result = compare_case(arena, zones, test, &said);
    if (result != COMPARE_EQUAL) {
        if (shrink && result != COMPARE_REFUSED) {
            struct difference difference = {.zones = zones, .result = result};

            shrink_case(arena, test, differs_so, &difference);
            buffer_reset(&said);
            (void)compare_case(arena, zones, test, &said);
        }
        printf("FAILED %s: %s", name, buffer_text(&said));
        if (shrink) {
            print_case(test);
        }
        (void)fflush(stdout);
    }
    buffer_clear(&said);
    return result == COMPARE_EQUAL;
}

/* What is said where a case crashes the program. */
static char crash_text[128];

static void crashed(int signal_no)
{
    if (write(STDOUT_FILENO, crash_text, strlen(crash_text)) < 0) {
        _exit(STATUS_INPUT);
    }
    (void)signal(signal_no, SIG_DFL);
    (void)raise(signal_no);
}

static int show_case(uint64_t seed)
{
    struct arena arena;
    struct oracle_case test;

    arena_init(&arena, ARENA_SIZE_MAX);
    test = generate_case(&arena, seed);
    print_case(&test);
    arena_clear(&arena);
    return 0;
}

static int run_random(struct zone_files *zones, uint64_t count, uint64_t seed)
{
    uint64_t passed = 0;
    uint64_t failed = 0;
    struct arena arena;

    arena_init(&arena, ARENA_SIZE_MAX);
    printf("%" PRIu64 " cases, seed %" PRIu64 "\n", count, seed);
    (void)fflush(stdout);
    (void)signal(SIGSEGV, crashed);
    (void)signal(SIGABRT, crashed);
    for (uint64_t i = 0; i < count && failed < DIFFERENCES_MAX; i++) {
        char name[64];
        struct oracle_case test;

        arena_reset(&arena);
        test = generate_case(&arena, seed + i);
        (void)snprintf(name, sizeof name, "seed %" PRIu64, seed + i);
        (void)snprintf(crash_text, sizeof crash_text, "FAILED %s: crashed\n", name);
        if (run_case(&arena, zones, &test, true, name)) {
            passed++;
        } else {
            failed++;
        }
    }
    arena_clear(&arena);
    printf("%" PRIu64 " passed, %" PRIu64 " failed\n", passed, failed);
    return failed > 0;
}

/* DIALECT EXPECTED ASKED REFUSED */
static int run_queries(struct zone_files *zones, char **arguments, uint64_t count, uint64_t seed)
{
    struct queries queries = {.zones = zones,
                              .dialect = sql_dialect_find(arguments[0]),
                              .expected = fopen(arguments[1], "wb"),
                              .asked = fopen(arguments[2], "wb"),
                              .refused = fopen(arguments[3], "wb")};
    FILE *files[] = {queries.expected, queries.asked, queries.refused};
    struct arena arena;
    bool done = queries.dialect != SQL_DIALECT_NONE && files[0] != NULL && files[1] != NULL && files[2] != NULL;

    arena_init(&arena, ARENA_SIZE_MAX);
    buffer_init(&queries.out, (size_t)1 << 30);
    for (uint64_t i = 0; done && i < count; i++) {
        struct oracle_case test;
        char name[32];

        arena_reset(&arena);
        test = generate_case(&arena, seed + i);
        (void)snprintf(name, sizeof name, "%" PRIu64, seed + i);
        done = queries_print(&queries, &arena, &test, name);
    }
    buffer_clear(&queries.out);
    arena_clear(&arena);
    for (size_t i = 0; i < 3; i++) {
        done = (files[i] == NULL || fclose(files[i]) == 0) && done;
    }
    return done ? 0 : STATUS_INPUT;
}

/* ---- files ---- */

static bool replay(struct zone_files *zones, const char *path)
{
    struct arena arena;
    struct oracle_case test;
    bool passed;

    arena_init(&arena, ARENA_SIZE_MAX);
    passed = case_read(&arena, path, &test) && run_case(&arena, zones, &test, false, path);
    arena_clear(&arena);
    return passed;
}

static int run_replay(struct zone_files *zones, char **paths, int count)
{
    int failed = 0;

    for (int i = 0; i < count; i++) {
        failed += !replay(zones, paths[i]);
    }
    printf("%d passed, %d failed\n", count - failed, failed);
    return failed > 0;
}

/* ---- witnesses ---- */

/* Whether the definition is in a file of such that were judged to have no member. */
static bool is_judged(const struct slice *judged, size_t judged_count, const char *said)
{
    for (size_t i = 0; i < judged_count; i++) {
        char line[4096];

        (void)snprintf(line, sizeof line, "\n%.*s\n", (int)judged[i].size, judged[i].data);
        if (judged[i].size > 1 && strstr(said, line) != NULL) {
            return true;
        }
    }
    return false;
}

static int run_witness(struct zone_files *zones, const char *path, uint64_t count, uint64_t seed)
{
    uint64_t counts[WITNESS_DISAGREEMENT + 1] = {0};
    uint64_t failed;
    struct slice *judged;
    size_t judged_count;
    struct arena arena;
    struct arena lines;

    arena_init(&arena, ARENA_SIZE_MAX);
    arena_init(&lines, ARENA_SIZE_MAX);
    judged = case_lines(&lines, case_text(&lines, path), &judged_count);
    for (uint64_t i = 0; i < count; i++) {
        enum witness_result result;
        struct buffer said;

        arena_reset(&arena);
        buffer_init(&said, SAID_SIZE_MAX);
        result = witness_find(&arena, zones, seed + i, &said);
        if (result == WITNESS_MISSING && is_judged(judged, judged_count, buffer_text(&said))) {
            result = WITNESS_IMPOSSIBLE;
        }
        counts[result]++;
        if (result == WITNESS_MISSING || result == WITNESS_DISAGREEMENT) {
            printf("FAILED definition %" PRIu64 ": %s", seed + i, buffer_text(&said));
            (void)fflush(stdout);
        }
        buffer_clear(&said);
    }
    arena_clear(&lines);
    arena_clear(&arena);
    failed = counts[WITNESS_MISSING] + counts[WITNESS_DISAGREEMENT];
    printf("witnesses of %" PRIu64 " definitions, %" PRIu64 " impossible ones, %" PRIu64
           " with a percentile left out\n",
           counts[WITNESS_FOUND], counts[WITNESS_IMPOSSIBLE], counts[WITNESS_LEFT_OUT]);
    printf("%" PRIu64 " passed, %" PRIu64 " failed\n", counts[WITNESS_FOUND] + counts[WITNESS_IMPOSSIBLE], failed);
    return failed > 0;
}

/* ---- the interpreter alone ---- */

static int compare_by_segment(const void *left, const void *right)
{
    const struct segment *const *a = left;
    const struct segment *const *b = right;

    return slice_compare((*a)->id, (*b)->id);
}

static int compare_people(const void *left, const void *right)
{
    const struct person *a = left;
    const struct person *b = right;

    return slice_compare(a->id, b->id);
}

static void print_cell(struct slice text)
{
    bool quoted = false;

    for (size_t i = 0; i < text.size; i++) {
        quoted = quoted || strchr(",\"\r\n", text.data[i]) != NULL;
    }
    (void)fputs(quoted ? "\"" : "", stdout);
    for (size_t i = 0; i < text.size; i++) {
        (void)fputs(quoted && text.data[i] == '"' ? "\"" : "", stdout);
        (void)putchar(text.data[i]);
    }
    (void)fputs(quoted ? "\"" : "", stdout);
}

static void print_stays(const struct world *world, const struct segment *segment, size_t person, int64_t at,
                        bool intervals)
{
    const struct stays *stays = &world->stays[person * world->segment_count + (size_t)(segment - world->segments)];

    for (size_t i = 0; i < stays->count; i++) {
        const struct stay *stay = &stays->items[i];
        char text[40];

        if (stay->entered > at || (!intervals && stay->left <= at)) {
            continue;
        }
        print_cell(segment->id);
        (void)putchar(',');
        print_cell(world->people[person].id);
        printf(",%s,", calendar_text(stay->entered, text));
        if (stay->left != INTERPRETER_OPEN && (!intervals || stay->left <= at)) {
            printf("%s", calendar_text(stay->left, text));
        }
        (void)putchar('\n');
    }
}

/* A timestamp, epoch milliseconds, or "newest". */
static int64_t instant_asked(const struct world *world, const char *text)
{
    int64_t at = INT64_MIN;

    if (calendar_instant(slice_from(text), &at)) {
        return at;
    }
    if (strcmp(text, "newest") != 0) {
        return strtoll(text, NULL, 10);
    }
    for (size_t i = 0; i < world->person_count; i++) {
        const struct person *person = &world->people[i];

        at = person->messages[person->count - 1].time > at ? person->messages[person->count - 1].time : at;
    }
    return at;
}

static int run_eval(char **arguments, bool intervals)
{
    struct arena arena;
    struct world *world;
    struct segment **order;
    struct slice *lines;
    size_t count;
    int64_t at;

    arena_init(&arena, ARENA_SIZE_MAX);
    lines = case_lines(&arena, case_text(&arena, arguments[1]), &count);
    world = world_new(&arena, case_text(&arena, arguments[0]), lines, count);
    at = instant_asked(world, arguments[2]);
    qsort(world->people, world->person_count, sizeof *world->people, compare_people);
    world_evaluate(world, at);
    order = take(&arena, world->segment_count, sizeof(struct segment *));
    for (size_t i = 0; i < world->segment_count; i++) {
        order[i] = &world->segments[i];
    }
    qsort(order, world->segment_count, sizeof(struct segment *), compare_by_segment);
    printf("segment,user,entered_at,%s\n", intervals ? "left_at" : "valid_until");
    for (size_t i = 0; i < world->segment_count; i++) {
        for (size_t person = 0; person < world->person_count; person++) {
            print_stays(world, order[i], person, at, intervals);
        }
    }
    arena_clear(&arena);
    return 0;
}

int main(int argc, char **argv)
{
    struct zone_files zones;
    int status = STATUS_USAGE;

    zone_files_init(&zones);
    if (argc >= 3 && strcmp(argv[1], "random") == 0) {
        status = run_random(&zones, strtoull(argv[2], NULL, 10), argc > 3 ? strtoull(argv[3], NULL, 10) : 1);
    } else if (argc >= 4 && strcmp(argv[1], "witness") == 0) {
        status = run_witness(&zones, argv[2], strtoull(argv[3], NULL, 10), argc > 4 ? strtoull(argv[4], NULL, 10) : 1);
    } else if (argc == 3 && strcmp(argv[1], "show") == 0) {
        status = show_case(strtoull(argv[2], NULL, 10));
    } else if (argc >= 3 && strcmp(argv[1], "replay") == 0) {
        status = run_replay(&zones, argv + 2, argc - 2);
    } else if (argc >= 7 && strcmp(argv[1], "queries") == 0) {
        status = run_queries(&zones, argv + 2, strtoull(argv[6], NULL, 10), argc > 7 ? strtoull(argv[7], NULL, 10) : 1);
    } else if (argc >= 5 && strcmp(argv[1], "eval") == 0) {
        status = run_eval(argv + 2, argc > 5);
    } else {
        fputs("usage: oracle random CASES [SEED] | witness JUDGED COUNT [SEED] | show SEED | replay FILE... | "
              "queries DIALECT EXPECTED ASKED REFUSED CASES [SEED] | eval DEFINITIONS EVENTS AS_OF [intervals]\n",
              stderr);
    }
    zone_files_clear(&zones);
    return status;
}
