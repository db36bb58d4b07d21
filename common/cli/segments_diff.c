/* `muster segments diff`: two versions of definitions compared in words; of the store, or of files. */
#include "common/cli/segment_choice.h"
#include "common/cli/segments.h"
#include "common/domain/rule_diff.h"
#include "common/domain/rule_parse.h"
#include "common/io/definition_files.h"
#include "common/io/store.h"

#include "sql_text.h"

#include <stdio.h>

enum { COLUMN_COUNT = 3, SHOW_VERSION = 0, SHOW_DOCUMENT = 12, SHOW_REFERS_TO = 13, REFERENCES_SIZE_MAX = 1 << 20 };

struct printing {
    struct output *output;
    struct slice segment_id;
    size_t count; /* of changes of this segment */
};

static bool print_change(void *context, struct slice path, struct slice words, struct error *err)
{
    struct printing *printing = context;
    const struct slice cells[COLUMN_COUNT] = {printing->segment_id, path, words};

    printing->count++;
    return output_row(printing->output, cells, err);
}

static bool print_words(struct printing *printing, const char *words, struct error *err)
{
    const struct slice cells[COLUMN_COUNT] = {printing->segment_id, {.data = NULL, .size = 0}, slice_from(words)};

    return output_row(printing->output, cells, err);
}

/* The last row of a segment: what the changes mean, where that is certain. `consent`: what it asks changed. */
static bool print_meaning(struct printing *printing, enum rule_reach_change change, bool consent, struct error *err)
{
    if (printing->count == 0) {
        return print_words(printing, "nothing changed", err);
    }
    switch (change) {
    case RULE_CHANGE_NONE:
        return print_words(printing,
                           consent ? "the rule takes the same users; consent may let others of them through than before"
                                   : "who may be a member stays the same",
                           err);
    case RULE_CHANGE_NARROWER:
        return print_words(printing, "who may be a member becomes narrower", err);
    case RULE_CHANGE_WIDER:
        return print_words(printing, "who may be a member becomes wider", err);
    case RULE_CHANGE_UNCERTAIN:
    default:
        return true;
    }
}

static bool differs_in_consent(const struct definition *from, const struct definition *to)
{
    return from->basis != to->basis || !slice_equal(from->purpose, to->purpose);
}

/* What the two versions refer to, as "segment@version, ..."; of files both are empty. */
struct references {
    struct buffer from;
    struct buffer to;
};

/* A version may differ from the one before by nothing but the versions that it refers to. */
static bool print_references(struct printing *printing, const struct references *references, struct error *err)
{
    struct buffer words;
    bool done;

    buffer_init(&words, REFERENCES_SIZE_MAX);
    buffer_append_text(&words, "what it refers to changed from ");
    buffer_append_slice(&words, buffer_slice(&references->from));
    buffer_append_text(&words, references->from.size == 0 ? "nothing to " : " to ");
    buffer_append_slice(&words, buffer_slice(&references->to));
    buffer_append_text(&words, references->to.size == 0 ? "nothing" : "");
    done = buffer_finish(&words, "the references", err) &&
           print_change(printing, (struct slice){.data = NULL, .size = 0}, buffer_slice(&words), err);
    buffer_clear(&words);
    return done;
}

static bool print_pair(struct output *output, const struct definition *from, const struct definition *to,
                       const struct references *references, struct error *err)
{
    struct printing printing = {.output = output, .segment_id = to->segment_id};
    enum rule_reach_change change = RULE_CHANGE_UNCERTAIN;

    if (!rule_diff(from, to, print_change, &printing, &change, err)) {
        return false;
    }
    if (!slice_equal(buffer_slice(&references->from), buffer_slice(&references->to))) {
        change = RULE_CHANGE_UNCERTAIN;
        if (!print_references(&printing, references, err)) {
            return false;
        }
    }
    return print_meaning(&printing, change, differs_in_consent(from, to), err);
}

/* Every segment of either set, by id. A file that holds one definition is compared with another such file whatever
 * their ids are. */
static bool print_sets(struct output *output, const struct segment_set *from, const struct segment_set *to,
                       const struct references *references, struct error *err)
{
    if (from->definition_count == 1 && to->definition_count == 1) {
        return print_pair(output, &from->definitions[0], &to->definitions[0], references, err);
    }
    for (size_t i = 0; i < from->definition_count; i++) {
        struct printing gone = {.output = output, .segment_id = from->definitions[i].segment_id};

        if (segment_set_find(to, gone.segment_id) == SIZE_MAX && !print_words(&gone, "the segment was removed", err)) {
            return false;
        }
    }
    for (size_t i = 0; i < to->definition_count; i++) {
        size_t before = segment_set_find(from, to->definitions[i].segment_id);
        struct printing added = {.output = output, .segment_id = to->definitions[i].segment_id};

        if (before == SIZE_MAX
                ? !print_words(&added, "the segment was added", err)
                : !print_pair(output, &from->definitions[before], &to->definitions[i], references, err)) {
            return false;
        }
    }
    return true;
}

/* ---- versions of the store ---- */

/* Adds that version of the segment (0: the newest) to the set; *version becomes its number, and what it refers to is
 * appended to `refers_to`. */
static bool add_stored(struct pg *pg, const char *segment, int64_t wanted, struct segment_set *set, int64_t *version,
                       struct buffer *refers_to, struct error *err)
{
    struct pg_value values[2] = {pg_text(slice_from(segment)), pg_null()};
    PGresult *result = NULL;
    bool done = false;

    if (wanted > 0) {
        pg_set_integer(&values[1], wanted);
    }
    if (!pg_query(pg, sql_definitions_show, values, 2, &result, err)) {
        return false;
    }
    if (PQntuples(result) == 0) {
        segment_choice_unknown(segment, wanted, err);
    } else {
        char name[128];

        *version = pg_integer_at(result, 0, SHOW_VERSION, 0);
        (void)snprintf(name, sizeof(name), "%s@%lld", segment, (long long)*version);
        buffer_append_slice(refers_to, pg_text_at(result, 0, SHOW_REFERS_TO));
        done = buffer_finish(refers_to, "the references", err) &&
               segment_set_add(set, slice_from(name), pg_text_at(result, 0, SHOW_DOCUMENT), (int32_t)*version, err);
    }
    PQclear(result);
    return done;
}

static bool read_stored(const struct command_line *line, struct segment_set *from, struct segment_set *to,
                        struct references *references, struct error *err)
{
    const char *segment = command_argument(line, 0);
    const struct config *config;
    struct pg *pg = NULL;
    int64_t version = 0;
    bool done = false;

    if (!command_config(line, &config, err) || !store_open(config, STORE_ROLE_OPERATOR, &pg, err) ||
        !add_stored(pg, segment, command_integer(line, "to", 0), to, &version, &references->to, err)) {
        goto out;
    }
    version = command_integer(line, "from", version - 1);
    if (version < 1) {
        (void)error_set(err, ERROR_USAGE, "there is no version before version 1 of \"%s\"", segment);
        goto out;
    }
    done = add_stored(pg, segment, version, from, &version, &references->from, err);
out:
    pg_close(pg);
    return done;
}

bool segments_diff(const struct command_line *line, struct error *err)
{
    static const char *const columns[COLUMN_COUNT] = {"segment", "path", "change"};
    bool files = command_argument_count(line) == 2;
    const char *first = command_argument(line, 0);
    enum output_format format;
    struct output *output = NULL;
    struct references references;
    struct segment_set from;
    struct segment_set to;
    bool done = false;

    if (!output_format_parse(command_text(line, "format"), OUTPUT_TEXT, &format, err)) {
        return false;
    }
    if (files && (command_has(line, "from") || command_has(line, "to"))) {
        return error_set(err, ERROR_USAGE, "--from and --to name versions of the store, not of files");
    }
    if (!files && strpbrk(first, "/.") != NULL) { /* no segment's id has them */
        return error_set(err, ERROR_USAGE, "%s: expected a second file to compare this one with", first);
    }
    buffer_init(&references.from, REFERENCES_SIZE_MAX);
    buffer_init(&references.to, REFERENCES_SIZE_MAX);
    segment_set_init(&from);
    segment_set_init(&to);
    if (files ? !definition_files_read(command_argument(line, 0), &from, NULL, err) ||
                    !definition_files_read(command_argument(line, 1), &to, NULL, err)
              : !read_stored(line, &from, &to, &references, err)) {
        goto out;
    }
    if (!output_begin(stdout, format, columns, COLUMN_COUNT, &output, err)) {
        goto out;
    }
    if (print_sets(output, &from, &to, &references, err)) {
        done = output_end(output, err);
    } else {
        output_abort(output);
    }
out:
    segment_set_clear(&from);
    segment_set_clear(&to);
    buffer_clear(&references.from);
    buffer_clear(&references.to);
    return done;
}
