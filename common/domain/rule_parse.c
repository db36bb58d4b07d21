/* Definitions from text (segment-language, section 3): the keys of the document, and the set it is added to. */
#include "common/domain/rule_parse.h"

#include "common/domain/rule_reader.h"

#include <stdio.h>

enum {
    DEFINITION_DEPTH_MAX = 64,
    DEFINITION_SIZE_MAX = 16 << 20, /* bytes of one file */
    DEFINITION_COUNT_MAX = 100000,
    PURPOSE_SIZE_MAX = 256,
    PATH_SIZE_MAX = 64 << 10,
    EXPECTED_SIZE_MAX = 1000000000, /* users */
};
static const size_t set_size_max = (size_t)1 << 30;

/* ---- values of single keys ---- */

static bool is_segment_id(struct slice id)
{
    bool good = id.size >= 1 && id.size <= 63 && id.data[0] >= 'a' && id.data[0] <= 'z';

    for (size_t i = 0; good && i < id.size; i++) {
        char c = id.data[i];

        good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    }
    return good;
}

static bool read_segment_id(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                            const struct rule_key *key, void *target)
{
    static const char what[] = "a segment id: a lower-case letter, then up to 62 of a-z, 0-9 and _";
    struct definition *definition = target;

    (void)key;
    return rule_read_name(reader, token, place, what, &definition->segment_id) &&
           (is_segment_id(definition->segment_id) || rule_expected(reader, place, token, what));
}

static bool read_tag(struct rule_reader *reader, int32_t token, const struct rule_place *place, void *element)
{
    return rule_read_name(reader, token, place, "a non-empty string", element);
}

static bool read_tags(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                      const struct rule_key *key, void *target)
{
    struct definition *definition = target;

    (void)key;
    return rule_count_limit(reader, token, place, RULE_NAME_MAX, "strings") &&
           rule_read_array(reader, token, place, 0, "strings", sizeof(struct slice), read_tag, &definition->tags,
                           &definition->tag_count);
}

static bool read_purpose(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                         const struct rule_key *key, void *target)
{
    static const char what[] = "the name of a purpose (at most 256 bytes, no control characters)";
    struct definition *definition = target;
    struct slice purpose;

    (void)key;
    if (!rule_read_name(reader, token, place, what, &purpose)) {
        return false;
    }
    for (size_t i = 0; i < purpose.size; i++) {
        if ((unsigned char)purpose.data[i] < 0x20 || purpose.data[i] == 0x7f) {
            return rule_expected(reader, place, token, what);
        }
    }
    definition->purpose = purpose;
    return purpose.size <= PURPOSE_SIZE_MAX || rule_expected(reader, place, token, what);
}

static bool read_criteria(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                          const struct rule_key *key, void *target)
{
    struct definition *definition = target;

    (void)key;
    return rule_read_criteria(reader, token, place, 1, &definition->criteria, &definition->criterion_count);
}

static bool read_exclude(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                         const struct rule_key *key, void *target)
{
    struct definition *definition = target;

    (void)key;
    return rule_read_criteria(reader, token, place, 0, &definition->exclude, &definition->exclude_count);
}

static bool read_mode(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                      const struct rule_key *key, void *target)
{
    struct definition *definition = target;

    definition->mode_given = true;
    return rule_key_word(reader, token, place, key, target);
}

static bool read_share(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                       const struct rule_key *key, void *target)
{
    return rule_read_decimal(reader, token, place, 0, DECIMAL_ONE, "a share from 0 to 1",
                             (int64_t *)(void *)((char *)target + key->offset));
}

static bool read_passes(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                        const struct rule_key *key, void *target)
{
    struct definition *definition = target;
    int64_t passes;

    (void)key;
    if (!rule_read_integer(reader, token, place, 1, 1000000, "a whole number of passes from 1", &passes)) {
        return false;
    }
    definition->divergence_passes = (int32_t)passes;
    return true;
}

static bool read_population(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                            const struct rule_key *key, void *target)
{
    return rule_read_integer(reader, token, place, 0, EXPECTED_SIZE_MAX, "a whole number of users from 0 to 1000000000",
                             (int64_t *)(void *)((char *)target + key->offset));
}

/* ---- forms ---- */

static const struct rule_key divergence_keys[] = {
    {.name = "threshold",
     .takes = "a number from 0 to 1",
     .help = "The share of members by which the pipelines may differ before an alert; 0.05 where not given.",
     .read = read_share,
     .offset = offsetof(struct definition, divergence_threshold_micros)},
    {.name = "passes",
     .takes = "a whole number of 1 or more",
     .help = "For how many passes in a row; 3 where not given.",
     .read = read_passes},
    {.name = NULL},
};
static const struct rule_form divergence_form = {.name = "divergence",
                                                 .what = "an object with \"threshold\" and \"passes\"",
                                                 .keys = divergence_keys};

static const struct rule_key expected_size_keys[] = {
    {.name = "min",
     .takes = "a whole number",
     .help = "The fewest members expected.",
     .read = read_population,
     .offset = offsetof(struct definition, expected_min)},
    {.name = "max",
     .takes = "a whole number",
     .help = "The most members expected.",
     .read = read_population,
     .offset = offsetof(struct definition, expected_max)},
    {.name = "maxDrop",
     .takes = "a number from 0 to 1",
     .help = "The share of members that may leave from one run to the next; 0.5 where not given.",
     .read = read_share,
     .offset = offsetof(struct definition, expected_max_drop_micros)},
    {.name = NULL},
};
static const struct rule_form expected_size_form = {.name = "expectedSize",
                                                    .what = "an object with \"min\", \"max\" and \"maxDrop\"",
                                                    .keys = expected_size_keys};

static bool read_divergence(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                            const struct rule_key *key, void *target)
{
    (void)key;
    return rule_read_object(reader, token, place, &divergence_form, target);
}

static bool read_expected_size(struct rule_reader *reader, int32_t token, const struct rule_place *place,
                               const struct rule_key *key, void *target)
{
    struct definition *definition = target;

    (void)key;
    if (!rule_read_object(reader, token, place, &expected_size_form, target)) {
        return false;
    }
    return definition->expected_max < 0 || definition->expected_min <= definition->expected_max ||
           rule_fail(reader, place, "\"min\" is greater than \"max\"");
}

static const struct rule_key definition_keys[] = {
    {.name = "segmentId",
     .takes = "a string",
     .help = "A lower-case letter, then up to 62 of a-z, 0-9 and _.",
     .read = read_segment_id,
     .required = true},
    {.name = "description",
     .help = "Shown to people, never evaluated.",
     .read = rule_key_text,
     .offset = offsetof(struct definition, description)},
    {.name = "owner",
     .help = "Shown to people, never evaluated.",
     .read = rule_key_text,
     .offset = offsetof(struct definition, owner)},
    {.name = "tags", .takes = "an array of strings", .help = "Shown to people, never evaluated.", .read = read_tags},
    {.name = "purpose",
     .takes = "a string",
     .help = "The consent purpose that membership needs; \"marketing\" where not given.",
     .read = read_purpose},
    {.name = "lawfulBasis",
     .help = "Only \"consent\" (the default) is subject to consent, \"legitimate_interest\" to an objection.",
     .read = rule_key_word,
     .offset = offsetof(struct definition, basis),
     .words = &rule_words_basis},
    {.name = "criteria",
     .takes = "an array of criteria",
     .help = "A non-empty array; all must hold.",
     .read = read_criteria,
     .required = true},
    {.name = "exclude", .takes = "an array of criteria", .help = "An array; none may hold.", .read = read_exclude},
    {.name = "membershipDuration",
     .help = "Membership ends so long after the latest qualifying instant.",
     .read = rule_key_duration,
     .offset = offsetof(struct definition, duration_ms)},
    {.name = "membershipMode",
     .help =
         "\"while_true\" (the default), or \"sticky\": for the whole duration, whether or not the criteria still hold.",
     .read = read_mode,
     .offset = offsetof(struct definition, mode),
     .words = &rule_words_mode},
    {.name = "exclusionWindow",
     .help = "After leaving, no re-entry for so long.",
     .read = rule_key_duration,
     .offset = offsetof(struct definition, exclusion_window_ms)},
    {.name = "evaluation",
     .help = "Which pipelines evaluate it; \"hybrid\" (both) where not given.",
     .read = rule_key_word,
     .offset = offsetof(struct definition, evaluation),
     .words = &rule_words_evaluation},
    {.name = "merge",
     .help =
         "How the pipelines' verdicts become one (specification.md, The merge); \"streaming_first\" where not given.",
     .read = rule_key_word,
     .offset = offsetof(struct definition, merge),
     .words = &rule_words_merge},
    {.name = "divergence",
     .takes = "an object",
     .help = "When the pipelines differ too much.",
     .read = read_divergence},
    {.name = "expectedSize",
     .takes = "an object",
     .help = "How many members are expected, for alerts.",
     .read = read_expected_size},
    {.name = NULL},
};
static const struct rule_form definition_form = {.name = "definition",
                                                 .what = "a segment definition (an object)",
                                                 .keys = definition_keys};

const struct rule_form *const rule_forms_definition[] = {
    &definition_form,
    &divergence_form,
    &expected_size_form,
    NULL,
};

/* ---- documents and the set ---- */

void segment_set_init(struct segment_set *set)
{
    *set = (struct segment_set){0};
    arena_init(&set->arena, set_size_max);
}

void segment_set_clear(struct segment_set *set)
{
    arena_clear(&set->arena);
    segment_set_init(set);
}

static bool add_room(struct segment_set *set, struct error *err)
{
    struct definition *grown;
    size_t capacity = set->definition_capacity == 0 ? 16 : set->definition_capacity * 2;

    if (set->definition_count < set->definition_capacity) {
        return true;
    }
    if (set->definition_count >= DEFINITION_COUNT_MAX) {
        return error_set(err, ERROR_INPUT, "more than %d segment definitions", (int)DEFINITION_COUNT_MAX);
    }
    grown = arena_allocate_zeroed(&set->arena, capacity, sizeof(*grown));
    if (grown == NULL) {
        return error_no_memory(err, "reading segment definitions");
    }
    if (set->definition_count > 0) {
        memcpy(grown, set->definitions, set->definition_count * sizeof(*grown));
    }
    set->definitions = grown;
    set->definition_capacity = capacity;
    return true;
}

static bool add_document(struct segment_set *set, struct rule_reader *reader, int32_t token,
                         const struct rule_place *place, int32_t version)
{
    size_t error_count = reader->problems == NULL ? 0 : reader->problems->error_count;
    struct definition *definition;

    if (!add_room(set, reader->err)) {
        return false;
    }
    definition = &set->definitions[set->definition_count];
    *definition = (struct definition){
        .purpose = SLICE_LITERAL("marketing"),
        .basis = BASIS_CONSENT,
        .mode = MODE_WHILE_TRUE,
        .evaluation = EVALUATION_HYBRID,
        .merge = MERGE_STREAMING_FIRST,
        .divergence_threshold_micros = DECIMAL_ONE / 20,
        .divergence_passes = 3,
        .expected_min = -1,
        .expected_max = -1,
        .expected_max_drop_micros = DECIMAL_ONE / 2,
        .version = version,
        .file = reader->file,
        .text = json_raw(reader->document, token),
        .source = reader->document->text,
    };
    reader->root = place;
    if (!rule_place_text(reader, place, false, &definition->json_path)) {
        return false;
    }
    if (!rule_read_object(reader, token, place, &definition_form, definition)) {
        if (!rule_goes_on(reader)) {
            return false;
        }
    } else if (definition->mode == MODE_STICKY && definition->duration_ms == 0) {
        struct rule_place at = {.parent = place, .key = "membershipMode"};

        if (!rule_fail(reader, &at, "\"sticky\" needs a \"membershipDuration\"") && !rule_goes_on(reader)) {
            return false;
        }
    }
    definition->broken = reader->problems != NULL && reader->problems->error_count > error_count;
    set->definition_count++;
    set->by_id = NULL;
    return true;
}

static bool add_all(struct segment_set *set, struct rule_reader *reader, int32_t version)
{
    const struct rule_place root = {.key = "$"};
    const struct json_token *tokens = reader->document->tokens;
    int32_t element = 1;

    if (tokens[0].type != JSON_ARRAY) {
        return add_document(set, reader, 0, &root, version);
    }
    if (tokens[0].count == 0) {
        return rule_expected(reader, &root, 0, "a segment definition or a non-empty array of them");
    }
    for (uint32_t i = 0; i < tokens[0].count; i++) {
        struct rule_place at = {.parent = &root, .index = i};

        if (!add_document(set, reader, element, &at, version)) {
            return false;
        }
        element = (int32_t)tokens[element].end_token;
    }
    return true;
}

/* A file of which nothing can be read is one problem. */
static bool unreadable(struct segment_set *set, struct slice file, const struct json_document *document,
                       struct error *err)
{
    struct rule_problem problem = {
        .severity = RULE_ERROR,
        .kind = RULE_PROBLEM_SYNTAX,
        .file = file,
        .line = document->fault == JSON_FAULT_NONE ? 1 : json_line(document, document->fault_offset),
        .path = SLICE_LITERAL("$"),
        .message = slice_from(err->message),
    };

    if (err->code == ERROR_INPUT && set->problems != NULL) {
        return rule_problems_add(set->problems, &problem, err);
    }
    return error_context(err, "%.*s", (int)file.size, file.data);
}

bool segment_set_add(struct segment_set *set, struct slice file, struct slice text, int32_t version, struct error *err)
{
    static const struct json_limits limits = {.depth_max = DEFINITION_DEPTH_MAX, .size_max = DEFINITION_SIZE_MAX};
    struct json_document document;
    struct error failure = ERROR_INIT;
    struct rule_reader reader = {.document = &document,
                                 .arena = &set->arena,
                                 .err = &failure,
                                 .problems = set->problems,
                                 .culprit = JSON_ABSENT};
    struct slice copy;
    bool done = false;

    json_document_init(&document);
    buffer_init(&reader.path, PATH_SIZE_MAX);
    if (text.size > DEFINITION_SIZE_MAX) {
        (void)error_set(&failure, ERROR_INPUT, "larger than %d MiB", (int)(DEFINITION_SIZE_MAX >> 20));
        done = unreadable(set, file, &document, &failure);
        goto out;
    }
    if (!arena_copy(&set->arena, file, &reader.file) || !arena_copy(&set->arena, text, &copy)) {
        (void)error_no_memory(&failure, "reading a segment definition");
        goto out;
    }
    if (json_parse(&document, copy, &limits, &failure)) {
        done = add_all(set, &reader, version) || rule_goes_on(&reader);
    } else {
        done = unreadable(set, file, &document, &failure);
    }
out:
    if (!done) {
        *err = failure;
    }
    buffer_clear(&reader.path);
    json_document_clear(&document);
    return done;
}
