#include "common/io/store_apply.h"

#include "common/base/sha256.h"
#include "common/domain/ruleset.h"
#include "common/io/definition_zones.h"
#include "common/io/store.h"
#include "common/io/store_control.h"
#include "common/io/store_definitions.h"

#include "sql_text.h"

#include <stdio.h>

_Static_assert((int)SHA256_SIZE == (int)STORED_SHA256_SIZE, "one digest");

/* One application under way. */
struct apply {
    struct pg *pg;
    struct segment_set *set;
    const struct apply_options *options;
    struct apply_result *results;
    unsigned char (*digests)[SHA256_SIZE];
    struct error *err;
};

const char *apply_change_name(enum apply_change change)
{
    static const char *const names[] = {
        [APPLY_NONE] = "none",           [APPLY_NEW] = "new", [APPLY_CHANGED] = "changed", [APPLY_FOLLOWS] = "follows",
        [APPLY_UNCHANGED] = "unchanged",
    };

    return names[(size_t)change < sizeof(names) / sizeof(names[0]) ? change : APPLY_NONE];
}

/* ---- what is refused ---- */

static bool fail_definition(struct error *err, const struct definition *definition, struct slice path,
                            const char *message, const char *detail)
{
    return error_set(err, ERROR_INPUT, "%.*s: %.*s%s%.*s: %s%s", (int)definition->file.size, definition->file.data,
                     (int)definition->json_path.size, definition->json_path.data, path.size > 0 ? "." : "",
                     (int)path.size, path.data, message, detail);
}

bool store_apply_accepts(const struct definition *definition, struct error *err)
{
    const char *what = "";
    struct slice path = SLICE_LITERAL("");

    if (!ruleset_supports(definition, &what, &path)) {
        return fail_definition(err, definition, path, "not supported in this version: ", what);
    }
    if (definition->evaluation == EVALUATION_BATCH || definition->streams) {
        return true;
    }
    if (rule_streams(definition, &what)) {
        what = "it refers to a segment that has none";
    }
    (void)fail_definition(err, definition, SLICE_LITERAL("evaluation"), "a stream has no bound for its state: ", what);
    return error_hint(err, "say \"evaluation\": \"batch\", or give the criterion a \"window\"");
}

/* ---- what is new ---- */

/* Adds the store's segments that the caller did not bring, and remembers what is stored of all. */
static bool join_stored(struct apply *apply, const struct segment_set *stored_set,
                        const struct stored_definition *stored)
{
    struct segment_set *set = apply->set;
    size_t authored_count = set->definition_count;

    for (size_t i = 0; i < stored_set->definition_count; i++) {
        const struct definition *definition = &stored_set->definitions[i];

        if (segment_set_find(set, definition->segment_id) == SIZE_MAX &&
            !segment_set_add(set, definition->file, definition->text, definition->version, apply->err)) {
            return false;
        }
    }
    if (!segment_set_check(set, apply->err) || !definition_zones_check(set, apply->err)) {
        return false;
    }
    apply->results = arena_allocate_zeroed(&set->arena, set->definition_count, sizeof(*apply->results));
    apply->digests = arena_allocate_zeroed(&set->arena, set->definition_count, sizeof(*apply->digests));
    if (apply->results == NULL || apply->digests == NULL) {
        return error_no_memory(apply->err, "applying definitions");
    }
    for (size_t i = 0; i < set->definition_count; i++) {
        const struct definition *definition = &set->definitions[i];
        struct apply_result *result = &apply->results[i];
        size_t known = segment_set_find(stored_set, definition->segment_id);

        result->authored = i < authored_count;
        result->change = APPLY_NEW;
        if (!sha256_of(definition->text, apply->digests[i], apply->err)) {
            return false;
        }
        if (known != SIZE_MAX) {
            result->segment_no = stored[known].segment_no;
            result->version = stored[known].version;
            result->change =
                memcmp(apply->digests[i], stored[known].sha256, SHA256_SIZE) == 0 ? APPLY_UNCHANGED : APPLY_CHANGED;
        }
    }
    return true;
}

static void follow_references(struct apply *apply)
{
    const struct segment_set *set = apply->set;

    for (size_t i = 0; i < set->definition_count; i++) {
        size_t at = set->evaluation_order[i];
        const struct definition *definition = &set->definitions[at];

        for (size_t j = 0; j < definition->reference_count; j++) {
            if (apply->results[at].change == APPLY_UNCHANGED &&
                apply->results[definition->references[j]].change != APPLY_UNCHANGED) {
                apply->results[at].change = APPLY_FOLLOWS;
            }
        }
    }
}

/* ---- writing ---- */

/* One statement that gives one number. */
static bool query_number(struct apply *apply, const char *sql, const struct pg_value *values, size_t count,
                         int32_t *out)
{
    PGresult *result = NULL;

    if (!pg_query(apply->pg, sql, values, count, &result, apply->err)) {
        return false;
    }
    *out = PQntuples(result) == 1 ? (int32_t)pg_integer_at(result, 0, 0, 0) : 0;
    PQclear(result);
    return *out > 0 || error_set(apply->err, ERROR_INTERNAL, "the store gave no number for a definition");
}

static bool write_definition(struct apply *apply, size_t at)
{
    const struct definition *definition = &apply->set->definitions[at];
    struct apply_result *result = &apply->results[at];
    struct pg_value id[] = {pg_text(definition->segment_id)};
    struct pg_value values[9];

    if (!query_number(apply, sql_apply_segment, id, 1, &result->segment_no)) {
        return false;
    }
    pg_set_integer(&values[0], result->segment_no);
    values[1] = pg_text(definition->text);
    values[2] = pg_bytes(slice_of((const char *)apply->digests[at], SHA256_SIZE));
    values[3] = pg_text(apply->options->author);
    values[4] = pg_text(apply->options->commit_id);
    values[5] = pg_text(definition->purpose);
    values[6] = pg_text(slice_from(lawful_basis_name(definition->basis)));
    values[7] = pg_text(slice_from(evaluation_mode_name(definition->evaluation)));
    values[8] = pg_text(slice_from(merge_strategy_name(definition->merge)));
    if (!query_number(apply, sql_apply_definition, values, 9, &result->version)) {
        return false;
    }
    for (size_t i = 0; i < definition->reference_count; i++) {
        const struct apply_result *to = &apply->results[definition->references[i]];
        struct pg_value reference[4];

        pg_set_integer(&reference[0], result->segment_no);
        pg_set_integer(&reference[1], result->version);
        pg_set_integer(&reference[2], to->segment_no);
        pg_set_integer(&reference[3], to->version);
        if (!pg_query(apply->pg,
                      "INSERT INTO definition_references (segment_no, version, to_segment_no, to_version) "
                      "VALUES ($1, $2, $3, $4)",
                      reference, 4, NULL, apply->err)) {
            return false;
        }
    }
    return true;
}

static bool write_control(struct apply *apply, size_t at)
{
    struct control_line line = CONTROL_LINE_INIT;

    line.kind = CONTROL_DEFINITION_APPLIED;
    line.segment_no = apply->results[at].segment_no;
    line.version = apply->results[at].version;
    line.detail = slice_from(apply_change_name(apply->results[at].change));
    return store_control_append(apply->pg, &line, NULL, apply->err);
}

/* The referenced first, so that their versions are known; the control log last, since its lock lasts until COMMIT. */
static bool write_all(struct apply *apply)
{
    const struct segment_set *set = apply->set;

    for (size_t i = 0; i < set->definition_count; i++) {
        size_t at = set->evaluation_order[i];

        if (apply->results[at].change == APPLY_UNCHANGED) {
            continue;
        }
        if (!store_apply_accepts(&set->definitions[at], apply->err) || !write_definition(apply, at)) {
            return false;
        }
    }
    for (size_t i = 0; i < set->definition_count; i++) {
        size_t at = set->evaluation_order[i];

        if (apply->results[at].change != APPLY_UNCHANGED && !write_control(apply, at)) {
            return false;
        }
    }
    return true;
}

bool store_apply_lock(struct pg *pg, struct error *err)
{
    struct pg_value values[2];

    pg_set_integer(&values[0], STORE_LOCK_CLASS);
    pg_set_integer(&values[1], STORE_LOCK_DEFINITIONS);
    return pg_query(pg, "SELECT pg_advisory_xact_lock($1::integer, $2::integer)", values, 2, NULL, err);
}

bool store_apply(struct pg *pg, struct segment_set *set, const struct apply_options *options,
                 struct apply_result **results, struct error *err)
{
    struct apply apply = {.pg = pg, .set = set, .options = options, .err = err};
    struct segment_set stored_set;
    struct stored_definition *stored = NULL;
    bool done = false;

    segment_set_init(&stored_set);
    if (!pg_begin(pg, "", err)) {
        goto out;
    }
    if (!store_apply_lock(pg, err) || !store_definitions_load(pg, &stored_set, &stored, err) ||
        !join_stored(&apply, &stored_set, stored)) {
        goto out;
    }
    follow_references(&apply);
    if (!write_all(&apply)) {
        goto out;
    }
    if (options->dry_run) {
        pg_abort(pg);
        done = true;
    } else {
        done = pg_commit(pg, err);
    }
    *results = apply.results;
out:
    if (!done) {
        pg_abort(pg);
    }
    segment_set_clear(&stored_set);
    return done;
}
