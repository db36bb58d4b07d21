/* muster-batch load: the command, and the step that files and the log share. */
#include "batch/load.h"

#include "common/io/store.h"

enum { LOADER_TEXTS_SIZE_MAX = 256 << 20, LOADER_TEXTS_SIZE_FULL = 32 << 20, LOADER_ROWS_MAX = 1 << 24 };

/* ---- the step ---- */

bool loader_open(struct loader *loader, const struct config *config, const char *source, struct error *err)
{
    *loader = (struct loader){.config = config,
                              .source = source,
                              .lane_count = (int32_t)config_integer(config, "topics.partitions"),
                              .event_time_max_ms = TIMESTAMP_ALWAYS};
    archive_batch_init(&loader->batch);
    arena_init(&loader->texts, LOADER_TEXTS_SIZE_MAX);
    return store_users_new(&loader->users, err) && store_open(config, STORE_ROLE_BATCH, &loader->pg, err);
}

void loader_close(struct loader *loader)
{
    archive_batch_clear(&loader->batch);
    arena_clear(&loader->texts);
    memory_free(loader->changes);
    memory_free(loader->refused);
    store_users_free(loader->users);
    pg_close(loader->pg);
}

static void loader_reset(struct loader *loader)
{
    archive_batch_reset(&loader->batch);
    arena_reset(&loader->texts);
    loader->change_count = 0;
    loader->refused_count = 0;
    loader->event_time_max_ms = TIMESTAMP_ALWAYS;
}

bool loader_full(const struct loader *loader)
{
    return archive_batch_full(&loader->batch) || loader->refused_count >= ARCHIVE_BATCH_ROWS_MAX ||
           loader->texts.size_used >= LOADER_TEXTS_SIZE_FULL;
}

struct loader_purposes {
    struct loader *loader;
    struct consent_change change;
    struct error *err;
};

static bool loader_add_change(struct loader *loader, const struct consent_change *change, struct error *err)
{
    struct loader_change *added;

    if (!memory_grow(&loader->changes, &loader->change_capacity, loader->change_count, LOADER_ROWS_MAX,
                     sizeof *loader->changes, "changes of consent", err)) {
        return false;
    }
    added = &loader->changes[loader->change_count];
    *added = (struct loader_change){.row_index = loader->batch.row_count - 1, .change = *change};
    if (!arena_copy(&loader->texts, change->purpose, &added->change.purpose)) {
        return error_no_memory(err, "changes of consent");
    }
    loader->change_count++;
    return true;
}

static bool loader_visit_purpose(void *context, struct slice purpose, bool granted)
{
    struct loader_purposes *purposes = context;

    purposes->change.purpose = purpose;
    purposes->change.granted = granted;
    return loader_add_change(purposes->loader, &purposes->change, purposes->err);
}

static bool loader_add_consent(struct loader *loader, const struct event *event, int64_t received_at_ms,
                               struct error *err)
{
    struct loader_purposes purposes = {.loader = loader, .err = err};
    struct arena arena;
    bool done;

    purposes.change.changed_at_ms = event->time_ms;
    purposes.change.received_at_ms = received_at_ms;
    if (event->kind == EVENT_DELETE) {
        purposes.change.is_delete = true;
        return loader_add_change(loader, &purposes.change, err);
    }
    arena_init(&arena, 2 * EVENT_SIZE_MAX);
    *err = (struct error)ERROR_INIT;
    done = event_purposes(event, &arena, loader_visit_purpose, &purposes);
    arena_clear(&arena);
    if (!done && err->code == ERROR_NONE) {
        return error_no_memory(err, "changes of consent");
    }
    return done;
}

bool loader_add(struct loader *loader, const struct event *event, struct slice text, struct archive_source source,
                int32_t lane, int64_t received_at_ms, struct error *err)
{
    struct archive_row row = {.user = event->user,
                              .message = text,
                              .source = source,
                              .event_time_ms = event->time_ms,
                              .user_no = 0,
                              .lane = lane};

    if (!archive_batch_add(&loader->batch, &row, err)) {
        return false;
    }
    if (event->time_ms > loader->event_time_max_ms) {
        loader->event_time_max_ms = event->time_ms;
    }
    if (event->kind == EVENT_CONSENT || event->kind == EVENT_DELETE) {
        return loader_add_consent(loader, event, received_at_ms, err);
    }
    return true;
}

bool loader_refuse(struct loader *loader, const struct quarantine_row *row, enum quarantine_reason reason,
                   const char *detail, struct error *err)
{
    struct quarantine_row *added;
    struct slice kept = row->message;

    kept.size = kept.size < QUARANTINE_MESSAGE_SIZE_MAX ? kept.size : QUARANTINE_MESSAGE_SIZE_MAX;
    if (!memory_grow(&loader->refused, &loader->refused_capacity, loader->refused_count, LOADER_ROWS_MAX,
                     sizeof *loader->refused, "refused messages", err)) {
        return false;
    }
    added = &loader->refused[loader->refused_count];
    *added = *row;
    added->reason = quarantine_reason_name(reason);
    if (!arena_copy(&loader->texts, slice_from(detail), &added->detail) ||
        !arena_copy(&loader->texts, kept, &added->message)) {
        return error_no_memory(err, "refused messages");
    }
    loader->refused_count++;
    return true;
}

static bool loader_intern(struct loader *loader, struct error *err)
{
    size_t count = loader->batch.row_count;
    struct slice *ids = memory_allocate_zeroed(count, sizeof *ids);
    int32_t *lanes = memory_allocate_zeroed(count, sizeof *lanes);
    int64_t *numbers = memory_allocate_zeroed(count, sizeof *numbers);
    bool done = false;

    if (ids == NULL || lanes == NULL || numbers == NULL) {
        error_no_memory(err, "users");
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        ids[i] = loader->batch.rows[i].user;
        lanes[i] = loader->batch.rows[i].lane;
    }
    if (count > 0 && !store_users_intern(loader->users, loader->pg, ids, lanes, count, numbers, err)) {
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        loader->batch.rows[i].user_no = numbers[i];
    }
    done = true;
out:
    memory_free(ids);
    memory_free(lanes);
    memory_free(numbers);
    return done;
}

static bool loader_apply_changes(struct loader *loader, struct error *err)
{
    struct consent_change *changes;
    size_t future_count = 0;
    size_t refused_count = 0;
    bool done = true;

    if (loader->change_count == 0) {
        return true;
    }
    changes = memory_allocate_zeroed(loader->change_count, sizeof *changes);
    if (changes == NULL) {
        return error_no_memory(err, "changes of consent");
    }
    for (size_t i = 0; i < loader->change_count; i++) {
        const struct archive_row *row = &loader->batch.rows[loader->changes[i].row_index];

        changes[i] = loader->changes[i].change;
        changes[i].user_no = row->user_no;
        changes[i].origin = (struct consent_origin){.from_log = row->source.topic_no >= 0,
                                                    .load_no = row->source.load_no,
                                                    .topic_no = row->source.topic_no,
                                                    .lane = row->lane,
                                                    .position = row->source.position};
    }
    for (size_t begin = 0; done && begin < loader->change_count; begin += CONSENT_CHANGES_MAX) {
        size_t left = loader->change_count - begin;
        done = store_consent_apply(loader->pg, changes + begin, left < CONSENT_CHANGES_MAX ? left : CONSENT_CHANGES_MAX,
                                   "load", err);
    }
    for (size_t i = 0; done && i < loader->change_count; i++) {
        future_count += changes[i].outcome == CONSENT_FUTURE;
        refused_count += changes[i].outcome == CONSENT_REFUSED;
    }
    if (future_count > 0) {
        log_warning("%zu changes of consent are dated ahead of their receipt by more than time.future_skew: refused",
                    future_count);
    }
    if (refused_count > 0) {
        log_warning("%zu changes of consent are of new purposes, where there are too many: refused", refused_count);
    }
    memory_free(changes);
    return done;
}

bool loader_write(struct loader *loader, loader_advance *advance, loader_advance *finish, void *context,
                  struct error *err)
{
    if (!pg_begin(loader->pg, "", err)) {
        return false;
    }
    if (!loader_intern(loader, err) || !archive_batch_write(&loader->batch, loader->pg, err) ||
        (loader->refused_count > 0 &&
         !store_quarantine_insert(loader->pg, loader->source, loader->refused, loader->refused_count, NULL, err)) ||
        !advance(context, err) || !loader_apply_changes(loader, err) || (finish != NULL && !finish(context, err)) ||
        !pg_commit(loader->pg, err)) {
        pg_abort(loader->pg);
        store_users_forget(loader->users);
        return false;
    }
    loader_reset(loader);
    return true;
}

/* ---- the command ---- */

static bool load_command(const struct command_line *line, struct error *err)
{
    const struct config *config = NULL;
    bool from_log = command_has(line, "kafka");

    if (from_log == (command_argument_count(line) > 0)) {
        error_set(err, ERROR_USAGE, "expected either a FILE or --kafka");
        return error_hint(err, "'muster-batch load --help' shows both");
    }
    if (from_log && command_has(line, "map")) {
        return error_set(err, ERROR_USAGE, "--map is for files; messages in Kafka are JSON");
    }
    if (command_integer(line, "max-messages", 1) < 1) {
        return error_set(err, ERROR_USAGE, "--max-messages: expected 1 or more");
    }
    if (!from_log && command_has(line, "max-messages")) {
        return error_set(err, ERROR_USAGE, "--max-messages goes with --kafka");
    }
    if (!command_config(line, &config, err)) {
        return false;
    }
    command_catch_signals();
    return from_log ? load_log(config, command_integer(line, "max-messages", INT64_MAX), err)
                    : load_file(config, command_argument(line, 0), command_text(line, "map"), err);
}

static const struct option load_options[] = {
    {"kafka", OPTION_FLAG, NULL, "archive the topics, from where the archive ends to their ends as of now", false},
    {"map", OPTION_TEXT, "FILE", "the file is CSV, and this mapping makes messages of its records (schemas/mapping.md)",
     false},
    {"max-messages", OPTION_INTEGER, "N", "with --kafka: stop after so many messages", false},
    {.name = NULL},
};

const struct command batch_command_load = {
    .name = "load",
    .arguments = "[FILE]",
    .summary = "archive a file (JSON lines, or CSV by a mapping), or the log",
    .help =
        "Takes either FILE or --kafka.\n"
        "\n"
        "Exactly once: a file is known by its content and mapping, and a load that was killed goes on where it was;\n"
        "loading a file twice changes nothing. Lines without a message id get one from the file's SHA-256 and their\n"
        "number. What cannot be used goes to quarantine with line or offset and reason, and is counted.\n"
        "Files are loaded before the stream begins; afterwards put events into Kafka ('muster produce').\n"
        "\n"
        "  muster-batch load events.jsonl\n"
        "  muster-batch load orders.csv --map orders.map\n"
        "  muster-batch load --kafka\n",
    .options = load_options,
    .argument_max = 1,
    .run = load_command,
};
