/* `muster segments sql`, `sql-tables` and `sql-events`: definitions as SQL, and the table that it reads. */
#include "common/base/output.h"
#include "common/cli/segment_choice.h"
#include "common/cli/segments.h"
#include "common/domain/event_row.h"
#include "common/domain/rule_sql.h"
#include "common/io/definition_files.h"
#include "common/io/definition_zones.h"
#include "common/io/refusals.h"
#include "common/io/source.h"
#include "common/io/store.h"
#include "common/io/store_definitions.h"

#include <stdio.h>

enum { QUERY_SIZE_MAX = 64 << 20, CHUNK_SIZE = 1 << 16, ROW_ARENA_SIZE_MAX = 4 << 20 };

static bool find_dialect(const struct command_line *line, enum sql_dialect *out, struct error *err)
{
    const char *name = command_text(line, "dialect");

    *out = name == NULL ? SQL_POSTGRES : sql_dialect_find(name);
    return *out != SQL_DIALECT_NONE ||
           error_set(err, ERROR_USAGE, "--dialect: expected postgres, duckdb or spark, got \"%s\"", name);
}

static bool read_definitions(const struct command_line *line, struct segment_set *set, struct error *err)
{
    const char *path = command_text(line, "segments");
    struct stored_definition *stored;
    const struct config *config;
    struct pg *pg = NULL;
    bool done;

    if (path != NULL) {
        return definition_files_read(path, set, NULL, err) && segment_set_check(set, err) &&
               definition_zones_check(set, err);
    }
    done = command_config(line, &config, err) && store_open(config, STORE_ROLE_OPERATOR, &pg, err) &&
           store_definitions_load(pg, set, &stored, err);
    pg_close(pg);
    return done;
}

static bool find_rows(const struct command_line *line, enum sql_rows *out, struct error *err)
{
    const char *name = command_text(line, "rows");

    *out = name == NULL ? SQL_MEMBERS : sql_rows_find(name);
    return *out != SQL_ROWS_COUNT ||
           error_set(err, ERROR_USAGE, "--rows: expected members, times or intervals, got \"%s\"", name);
}

bool segments_sql(const struct command_line *line, struct error *err)
{
    const char *segment = command_argument(line, 0);
    const char *table = command_text(line, "table");
    struct rule_sql_options options = {
        .table = table == NULL ? slice_of(NULL, 0) : slice_from(table),
        .as_of_given = command_has(line, "as-of"),
        .as_of_ms = command_instant(line, "as-of", 0),
    };
    struct segment_set set;
    struct buffer query;
    size_t index;
    bool done = false;

    if (!find_dialect(line, &options.dialect, err) || !find_rows(line, &options.rows, err)) {
        return false;
    }
    segment_set_init(&set);
    buffer_init(&query, QUERY_SIZE_MAX);
    if (!read_definitions(line, &set, err)) {
        goto out;
    }
    done = segment_choice_find(&set, segment, &index, err) && rule_sql_append(&query, &set, index, &options, err) &&
           output_write(stdout, buffer_slice(&query), err);
out:
    buffer_clear(&query);
    segment_set_clear(&set);
    return done;
}

bool segments_sql_tables(const struct command_line *line, struct error *err)
{
    const struct config *config;
    enum sql_dialect dialect;
    struct buffer tables;
    bool done;

    if (!find_dialect(line, &dialect, err) || !command_config(line, &config, err)) {
        return false;
    }
    buffer_init(&tables, QUERY_SIZE_MAX);
    rule_sql_append_tables(&tables, dialect, config_duration_ms(config, "time.dedup"));
    done = buffer_finish(&tables, "the tables", err) && output_write(stdout, buffer_slice(&tables), err);
    buffer_clear(&tables);
    return done;
}

static bool print_rows(struct source *source, enum sql_dialect dialect, struct refusals *refusals, struct error *err)
{
    struct source_item item;
    struct buffer rows;
    struct arena arena;
    bool done = false;

    buffer_init(&rows, QUERY_SIZE_MAX);
    arena_init(&arena, ROW_ARENA_SIZE_MAX);
    event_row_append_header(&rows);
    for (;;) {
        if (!source_next(source, &item, err)) {
            goto out;
        }
        if (item.kind == SOURCE_END) {
            break;
        }
        if (item.kind == SOURCE_REFUSED) {
            refusals_add(refusals, source_name(source), &item);
            continue;
        }
        arena_reset(&arena);
        if (!event_row_append(&rows, dialect, &item.event, item.line, &arena, err)) {
            goto out;
        }
        if (rows.size >= CHUNK_SIZE) {
            if (!buffer_finish(&rows, "a row of the event table", err) ||
                !output_write(stdout, buffer_slice(&rows), err)) {
                goto out;
            }
            buffer_reset(&rows);
        }
    }
    done = buffer_finish(&rows, "a row of the event table", err) && output_write(stdout, buffer_slice(&rows), err);
out:
    arena_clear(&arena);
    buffer_clear(&rows);
    return done;
}

bool segments_sql_events(const struct command_line *line, struct error *err)
{
    const char *map = command_text(line, "map");
    /* A CSV record gets the id that loading and producing give it; JSON lines keep what they say, as for eval. */
    const struct source_options options = {.map_path = map, .decode = true, .message_ids = map != NULL};
    struct refusals refusals;
    struct source *source = NULL;
    enum sql_dialect dialect;
    bool done;

    refusals_init(&refusals, REFUSALS_SHOWN_MAX);
    if (!find_dialect(line, &dialect, err) || !source_open(command_argument(line, 0), &options, &source, err)) {
        return false;
    }
    done = print_rows(source, dialect, &refusals, err);
    refusals_report(&refusals, source_name(source));
    source_close(source);
    return done;
}
