/* conformance-orders: one case in many orders of its lines, in one process: by the functions that `muster eval` calls.
 *
 *   conformance-orders COUNT CASE_FOLDER...
 *
 * Every order goes through both engines; intervals.csv and each asof_T.csv must come out to the byte. The orders depend
 * on their numbers alone, which are named where something differs. Ends with "N passed, N failed". */
#include "common/base/output.h"
#include "common/cli/eval_batch.h"
#include "common/cli/eval_stream.h"
#include "common/domain/rule_parse.h"
#include "common/io/definition_files.h"
#include "common/io/zone_files.h"
#include "tests/oracle/case.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

enum { PATH_MAX_SIZE = 512, LISTS_MAX = 16, SCRATCH_MAX = 4 << 20, STATUS_USAGE = 2, STATUS_BROKEN = 70 };

#define ARENA_SIZE_MAX ((size_t)1 << 30)

/* A list that must come out. */
struct list {
    char name[256];
    struct slice rows;
    bool intervals;
    bool dated;
    int64_t at;
};

struct folder {
    struct arena arena;
    struct segment_set set;
    struct zone_files zones;
    struct ruleset *ruleset;
    struct slice *lines;
    size_t line_count;
    struct list lists[LISTS_MAX];
    size_t list_count;
    struct json_document document;
    struct arena scratch;
};

_Noreturn static void broken(const char *what, const struct error *err)
{
    fprintf(stderr, "conformance-orders: %s: %s\n", what, err == NULL ? "not as expected" : err->message);
    exit(STATUS_BROKEN);
}

static const char *path_in(const char *folder, const char *name)
{
    static char path[PATH_MAX_SIZE];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void add_list(struct folder *folder, const char *path, const char *name)
{
    struct list *list = &folder->lists[folder->list_count];
    char instant[64] = "";

    if (strcmp(name, "intervals.csv") != 0 && sscanf(name, "asof_%60[^c]csv", instant) != 1) {
        return;
    }
    if (folder->list_count == LISTS_MAX) {
        broken("too many lists", NULL);
    }
    *list = (struct list){.intervals = instant[0] == 0, .dated = instant[0] != 0};
    (void)snprintf(list->name, sizeof list->name, "%s", name);
    list->rows = case_text(&folder->arena, path_in(path, name));
    if (list->dated) {
        instant[strlen(instant) - 1] = 0;
        if (!timestamp_parse_argument(slice_from(instant), &list->at)) {
            broken(name, NULL);
        }
    }
    folder->list_count++;
}

static void folder_open(struct folder *folder, const char *path)
{
    const struct ruleset_options options = {.zones = zone_files_find, .zones_context = &folder->zones};
    struct dirent *entry;
    struct error err;
    DIR *stream = opendir(path);

    *folder = (struct folder){0};
    arena_init(&folder->arena, ARENA_SIZE_MAX);
    arena_init(&folder->scratch, SCRATCH_MAX);
    json_document_init(&folder->document);
    segment_set_init(&folder->set);
    zone_files_init(&folder->zones);
    if (stream == NULL) {
        broken(path, NULL);
    }
    while ((entry = readdir(stream)) != NULL) {
        add_list(folder, path, entry->d_name);
    }
    (void)closedir(stream);
    if (!definition_files_read(path_in(path, "segments.json"), &folder->set, NULL, &err) ||
        !segment_set_check(&folder->set, &err) || !ruleset_new(&folder->set, &options, &folder->ruleset, &err)) {
        broken(path, &err);
    }
    folder->lines =
        case_lines(&folder->arena, case_text(&folder->arena, path_in(path, "events.jsonl")), &folder->line_count);
}

static void folder_close(struct folder *folder)
{
    ruleset_free(folder->ruleset);
    segment_set_clear(&folder->set);
    zone_files_clear(&folder->zones);
    json_document_clear(&folder->document);
    arena_clear(&folder->scratch);
    arena_clear(&folder->arena);
}

/* ---- rows ---- */

static int compare_definitions(const void *left, const void *right)
{
    const struct definition *const *a = left;
    const struct definition *const *b = right;

    return slice_compare((*a)->segment_id, (*b)->segment_id);
}

static void append_instant(struct buffer *out, int64_t ms)
{
    char text[TIMESTAMP_TEXT_SIZE];

    if (ms != TIMESTAMP_NEVER) {
        buffer_append_text(out, timestamp_text(ms, text));
    }
}

static void write_rows(const struct folder *folder, const struct eval_rows *rows, bool intervals, struct buffer *out)
{
    size_t count = folder->set.definition_count;
    const struct definition **order = memory_allocate_zeroed(count, sizeof *order);

    if (order == NULL) {
        broken("memory", NULL);
    }
    for (size_t i = 0; i < count; i++) {
        order[i] = &folder->set.definitions[i];
    }
    qsort(order, count, sizeof *order, compare_definitions);
    buffer_append_format(out, "segment,user,entered_at,%s\n", intervals ? "left_at" : "valid_until");
    for (size_t i = 0; i < count; i++) {
        size_t row_count;
        const struct eval_row *found = eval_rows_of(rows, (size_t)(order[i] - folder->set.definitions), &row_count);

        for (size_t k = 0; k < row_count; k++) {
            output_append_csv(out, order[i]->segment_id);
            buffer_append_char(out, ',');
            output_append_csv(out, rows->users[found[k].user].id);
            buffer_append_char(out, ',');
            append_instant(out, found[k].interval.entered_at);
            buffer_append_char(out, ',');
            append_instant(out, found[k].interval.left_at);
            buffer_append_char(out, '\n');
        }
    }
    memory_free(order);
}

/* ---- a run ---- */

struct engine {
    struct eval_options options;
    struct eval_batch batch;
    struct eval_stream stream;
    struct eval_rows rows;
    int64_t newest;
};

static bool take_line(struct folder *folder, struct engine *engine, struct slice line, int64_t number,
                      struct error *err)
{
    enum quarantine_reason reason = QUARANTINE_NONE;
    struct event event;
    bool different;

    arena_reset(&folder->scratch);
    if (!event_decode_projected(line, ruleset_projection(folder->ruleset), &folder->document, &folder->scratch, &event,
                                &reason, err)) {
        return false;
    }
    if (reason != QUARANTINE_NONE || event.kind == EVENT_CONSENT || event.kind == EVENT_DELETE) {
        return true;
    }
    engine->newest = event.time_ms > engine->newest ? event.time_ms : engine->newest;
    return engine->options.stream ? eval_stream_take(&engine->stream, &event, &different, err)
                                  : eval_batch_add(&engine->batch, &event, number, err);
}

static bool find_rows(struct engine *engine, const struct ruleset *ruleset, int64_t at, struct error *err)
{
    return eval_rows_init(&engine->rows, ruleset, &engine->options, at, err) &&
           (engine->options.stream ? eval_stream_rows(&engine->stream, &engine->rows, err)
                                   : eval_batch_rows(&engine->batch, &engine->rows, err)) &&
           eval_rows_arrange(&engine->rows, err);
}

static bool comes_out(struct folder *folder, const struct list *list, bool stream)
{
    struct engine engine = {.options = {.stream = stream, .intervals = list->intervals}, .newest = TIMESTAMP_ALWAYS};
    struct buffer out;
    struct error err;
    bool same;

    buffer_init(&out, ARENA_SIZE_MAX);
    if (!(stream ? eval_stream_init(&engine.stream, folder->ruleset, &engine.options, &err)
                 : eval_batch_init(&engine.batch, folder->ruleset, &engine.options, &err))) {
        broken(list->name, &err);
    }
    for (size_t i = 0; i < folder->line_count; i++) {
        if (!take_line(folder, &engine, folder->lines[i], (int64_t)i, &err)) {
            broken(list->name, &err);
        }
    }
    if (!find_rows(&engine, folder->ruleset, list->dated ? list->at : engine.newest, &err)) {
        broken(list->name, &err);
    }
    write_rows(folder, &engine.rows, list->intervals, &out);
    same = slice_equal(buffer_slice(&out), list->rows);
    buffer_clear(&out);
    eval_rows_clear(&engine.rows);
    eval_batch_clear(&engine.batch);
    eval_stream_clear(&engine.stream);
    return same;
}

/* Fisher and Yates. */
static void shuffle(struct slice *lines, size_t count, uint64_t seed)
{
    for (size_t i = count; i > 1; i--) {
        size_t k = (size_t)(random_next(&seed) % i);
        struct slice line = lines[k];

        lines[k] = lines[i - 1];
        lines[i - 1] = line;
    }
}

int main(int argument_count, char **arguments)
{
    uint64_t order_count = argument_count > 2 ? strtoull(arguments[1], NULL, 10) : 0;
    size_t passed = 0;
    size_t failed = 0;

    if (order_count == 0) {
        fputs("usage: conformance-orders COUNT CASE_FOLDER...\n", stderr);
        return STATUS_USAGE;
    }
    for (int i = 2; i < argument_count; i++) {
        struct folder folder;

        folder_open(&folder, arguments[i]);
        for (uint64_t order = 1; order <= order_count; order++) {
            shuffle(folder.lines, folder.line_count, order);
            for (size_t k = 0; k < 2 * folder.list_count; k++) {
                const struct list *list = &folder.lists[k / 2];
                bool same = comes_out(&folder, list, k % 2 == 1);

                passed += same;
                failed += !same;
                if (!same) {
                    printf("FAILED %s %s, %s, order %d\n", arguments[i], list->name, k % 2 == 1 ? "stream" : "batch",
                           (int)order);
                }
            }
        }
        folder_close(&folder);
    }
    printf("%zu passed, %zu failed\n", passed, failed);
    return failed > 0;
}
