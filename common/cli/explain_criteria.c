#include "common/cli/explain_criteria.h"

#include "common/base/log.h"
#include "common/base/output.h"
#include "common/base/progress.h"
#include "common/cli/explain_format.h"
#include "common/domain/explanation.h"
#include "common/domain/percentile.h"
#include "common/io/store_definitions.h"
#include "common/io/zone_files.h"
#include "sql_text.h"

#include <stdio.h>

enum { PROGRESS_STEP = 1024 };

#define EVENT_ARENA_SIZE_MAX ((size_t)2 * EVENT_SIZE_MAX)
#define TEXT_SIZE_MAX ((size_t)64 << 20)

/* One user's state from the archive. */
struct archived {
    struct segment_set set;
    struct zone_files zones;
    struct ruleset *ruleset;
    struct evaluation *evaluation;
    struct user_state *state;
    struct json_document document;
    struct arena arena; /* of the event in hand */
    struct explanation_names names;
    struct explanation explanation;
    struct buffer text;
    int64_t behind_count; /* messages of the lanes that were read that the stream has read, and the archive has not */
    /* Where the definition compares with all users. */
    struct ranks *ranks;
    int64_t at;
    int64_t user_no; /* whose messages are in `state`; 0: nobody's yet */
    struct progress progress;
    uint64_t message_count;
};

static void archived_init(struct archived *archived)
{
    *archived = (struct archived){0};
    segment_set_init(&archived->set);
    zone_files_init(&archived->zones);
    json_document_init(&archived->document);
    arena_init(&archived->arena, EVENT_ARENA_SIZE_MAX);
    explanation_names_init(&archived->names);
    explanation_init(&archived->explanation);
    buffer_init(&archived->text, TEXT_SIZE_MAX);
}

static void archived_clear(struct archived *archived)
{
    buffer_clear(&archived->text);
    explanation_clear(&archived->explanation);
    explanation_names_clear(&archived->names);
    arena_clear(&archived->arena);
    json_document_clear(&archived->document);
    user_state_free(archived->state);
    ranks_free(archived->ranks);
    evaluation_free(archived->evaluation);
    ruleset_free(archived->ruleset);
    zone_files_clear(&archived->zones);
    segment_set_clear(&archived->set);
}

static bool visit_version(void *context, const PGresult *row, struct error *err)
{
    (void)err;
    *(int32_t *)context = (int32_t)pg_integer_at(row, 0, 0, 0);
    return true;
}

static bool load_rules(struct archived *archived, const struct command_line *line, struct pg *pg, int32_t segment_no,
                       size_t *segment, struct error *err)
{
    struct ruleset_options options = {.zones = zone_files_find, .zones_context = &archived->zones};
    struct stored_definition *stored;
    const struct config *config;
    struct pg_value value;
    int32_t version = 0;

    pg_set_integer(&value, segment_no);
    if (!command_config(line, &config, err) ||
        !pg_each(pg, sql_definition_in_force, &value, 1, visit_version, &version, err) ||
        !store_definitions_load_versions(pg, &segment_no, &version, 1, &archived->set, &stored, err)) {
        return false;
    }
    options.dedup_ms = config_duration_ms(config, "time.dedup");
    for (*segment = 0; *segment < archived->set.definition_count && stored[*segment].segment_no != segment_no;) {
        (*segment)++;
    }
    if (*segment == archived->set.definition_count) {
        return error_set(err, ERROR_INTERNAL, "version %d of the segment is not in the store", (int)version);
    }
    return ruleset_new(&archived->set, &options, &archived->ruleset, err) &&
           evaluation_new(archived->ruleset, &archived->evaluation, err) &&
           user_state_new(archived->ruleset, &archived->state, err);
}

static bool fold_message(struct archived *archived, struct slice message, struct event *event, struct error *err)
{
    enum quarantine_reason reason = QUARANTINE_NONE;
    enum fold_result result = FOLD_NONE;
    struct error why = ERROR_INIT;

    arena_reset(&archived->arena);
    if (!event_decode(message, &archived->document, &archived->arena, event, &reason, &why)) {
        *err = why;
        return false;
    }
    if (reason != QUARANTINE_NONE) {
        return error_set(err, ERROR_INTERNAL, "an archived message cannot be read: %s", why.message);
    }
    return user_state_fold(archived->ruleset, archived->state, event, archived->evaluation, &result, NULL, err);
}

static bool visit_message(void *context, const PGresult *row, struct error *err)
{
    struct archived *archived = context;
    struct event event;

    return fold_message(archived, pg_text_at(row, 0, 0), &event, err) &&
           explanation_names_add(&archived->names, &event, err);
}

/* ---- where the definition compares with all users: their values as of the instant first ---- */

static bool rank_user(struct archived *archived, struct error *err)
{
    return archived->user_no == 0 ||
           ranks_add(archived->ranks, archived->state, archived->at, archived->evaluation, err);
}

/* Messages come user by user, so one state serves for all. */
static bool visit_any_message(void *context, const PGresult *row, struct error *err)
{
    struct archived *archived = context;
    int64_t user_no = pg_integer_at(row, 0, 0, 0);
    struct event event;

    if (++archived->message_count % PROGRESS_STEP == 0) {
        progress_update(&archived->progress, archived->message_count);
    }
    if (user_no != archived->user_no) {
        if (!rank_user(archived, err)) {
            return false;
        }
        user_state_clear(archived->ruleset, archived->state);
        archived->user_no = user_no;
    }
    return fold_message(archived, pg_text_at(row, 0, 1), &event, err);
}

static bool rank_users(struct archived *archived, struct pg *pg, struct error *err)
{
    bool done;

    if (ruleset_percentile_count(archived->ruleset) == 0) {
        return true;
    }
    progress_begin(&archived->progress, "compare with all users", 0);
    done = ranks_new(archived->ruleset, &archived->ranks, err) &&
           pg_each(pg, sql_archive_users, NULL, 0, visit_any_message, archived, err) && rank_user(archived, err) &&
           ranks_finish(archived->ranks, err);
    progress_end(&archived->progress);
    if (done) {
        user_state_clear(archived->ruleset, archived->state);
        evaluation_ranks(archived->evaluation, archived->ranks);
    }
    return done;
}

static bool visit_behind(void *context, const PGresult *row, struct error *err)
{
    (void)err;
    *(int64_t *)context = pg_integer_at(row, 0, 0, 0);
    return true;
}

static bool print(struct archived *archived, enum explain_format format, struct slice user, struct error *err)
{
    struct buffer *text = &archived->text;

    explain_format_append(text, format, user, &archived->explanation.segment, true, true);
    if (format == EXPLAIN_TEXT) {
        buffer_append_format(text, "by version %d, from %zu archived messages of the user, before consent\n",
                             (int)archived->explanation.segment.definition->version, archived->names.count);
    }
    if (archived->behind_count > 0) {
        log_warning(
            "the archive lacks %lld message%s of %s that the stream has read: what they changed is not seen here "
            "(muster-batch load --kafka archives them)",
            (long long)archived->behind_count, archived->behind_count == 1 ? "" : "s",
            archived->ranks == NULL ? "this user's lane" : "all lanes");
    }
    return buffer_finish(text, "the explanation", err) && output_write(stdout, buffer_slice(text), err);
}

bool explain_criteria(const struct command_line *line, struct pg *pg, int32_t segment_no, int64_t user_no, bool *member,
                      struct error *err)
{
    enum explain_format format;
    struct archived archived;
    struct pg_value values[2];
    size_t segment;
    bool done;

    if (!explain_format_parse(command_text(line, "format"), &format, err)) {
        return false;
    }
    archived_init(&archived);
    archived.at = command_instant(line, "at", TIMESTAMP_NEVER);
    pg_set_integer(&values[0], user_no);
    done = load_rules(&archived, line, pg, segment_no, &segment, err);
    if (done) {
        pg_set_boolean(&values[1], ruleset_percentile_count(archived.ruleset) > 0);
    }
    done = done && pg_each(pg, sql_archive_behind, values, 2, visit_behind, &archived.behind_count, err) &&
           rank_users(&archived, pg, err) && pg_each(pg, sql_archive_user, values, 1, visit_message, &archived, err) &&
           explanation_make(archived.ruleset, archived.state, segment, archived.at, &archived.names,
                            archived.evaluation, &archived.explanation, err) &&
           print(&archived, format, slice_from(command_argument(line, 1)), err);
    *member = done && archived.explanation.segment.membership.member;
    archived_clear(&archived);
    return done;
}
