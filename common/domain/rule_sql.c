/* The whole query: what a definition and all it refers to need, in the order facts, calendars, and per segment its
 * events, the instants it is looked at, and its truth there.
 *
 * Most definitions are asked about one instant only, as_of. One with a lifetime, and all it refers to, is looked at
 * over time, but no further back than it can matter (rule_sql_segment.c). */
#include "common/domain/rule_sql_parts.h"

#include <inttypes.h>
#include <stdio.h>

enum { PART_SIZE_MAX = 16 << 20, ARENA_SIZE_MAX = 64 << 20 };

/* Who refers comes before what it refers to, so that what a segment is asked for is known when it is reached. */
static void plan(struct rule_sql *sql, size_t target)
{
    const struct segment_set *set = sql->set;
    bool over_time = sql->options->rows != SQL_MEMBERS && !set->definitions[target].needs_percentile;

    sql->segments[target] = (struct sql_segment){.needed = true, .history = over_time, .whole = over_time};
    for (size_t i = set->definition_count; i-- > 0;) {
        const struct definition *definition = &set->definitions[set->evaluation_order[i]];
        struct sql_segment *segment = &sql->segments[set->evaluation_order[i]];

        if (!segment->needed) {
            continue;
        }
        segment->history = segment->history || definition->duration_ms > 0 || definition->exclusion_window_ms > 0;
        segment->whole = segment->whole || definition->exclusion_window_ms > 0;
        if (__builtin_add_overflow(segment->since_ms, definition->duration_ms, &segment->since_ms)) {
            segment->whole = true;
        }
        for (size_t k = 0; k < definition->reference_count; k++) {
            struct sql_segment *below = &sql->segments[definition->references[k]];

            below->needed = true;
            below->history = below->history || segment->history;
            below->whole = below->whole || segment->whole;
            below->since_ms = below->since_ms > segment->since_ms ? below->since_ms : segment->since_ms;
        }
    }
}

static void append_head(struct rule_sql *sql, struct buffer *out, const struct definition *definition)
{
    static const char *const rows[] = {"Members", "Members with entered_at and valid_until", "The history"};

    buffer_append_format(out, "-- %s of %.*s", rows[sql->options->rows], (int)definition->segment_id.size,
                         definition->segment_id.data);
    if (definition->version > 0) {
        buffer_append_format(out, ", version %" PRId32, definition->version);
    }
    buffer_append_format(
        out,
        ", before consent, %s as_of (milliseconds since 1970 UTC). %s.\n"
        "-- Every CTE named after a criterion has the (user_id, t) of the instants at which it holds.\n",
        sql->options->rows == SQL_INTERVALS ? "up to" : "at",
        sql->dialect == SQL_POSTGRES ? "PostgreSQL 14 or later"
        : sql->dialect == SQL_DUCKDB ? "DuckDB"
                                     : "Spark SQL 4");
    rule_sql_note_key(sql, out, "", slice_of("", 0), "description");
    buffer_append_format(out, "WITH %sparameters AS (SELECT CAST(", sql->walks ? "RECURSIVE " : "");
    if (sql->options->as_of_given) {
        buffer_append_format(out, "%" PRId64, sql->options->as_of_ms);
    } else {
        buffer_append_text(out, sql->dialect == SQL_DUCKDB ? "$as_of" : ":as_of");
    }
    buffer_append_format(out, " AS %s) AS as_of),\n\n", rule_sql_bigint(sql));
}

static bool looked_at_as_of(const struct rule_sql *sql)
{
    for (size_t i = 0; i < sql->set->definition_count; i++) {
        if (sql->segments[i].needed && !sql->segments[i].history) {
            return true;
        }
    }
    return false;
}

static void append_rows(const struct rule_sql *sql, struct buffer *out, const struct sql_segment *target)
{
    bool intervals = sql->options->rows == SQL_INTERVALS;

    buffer_append_text(out, "\n\nSELECT m.user_id");
    if (sql->options->rows != SQL_MEMBERS && !target->history) {
        buffer_append_format(out, ", p.as_of AS entered_at, CAST(NULL AS %s) AS %s", rule_sql_bigint(sql),
                             intervals ? "left_at" : "valid_until");
    } else if (intervals) {
        buffer_append_text(out, ", m.entered_at, CASE WHEN m.left_at <= p.as_of THEN m.left_at END AS left_at");
    } else if (sql->options->rows == SQL_TIMES) {
        buffer_append_text(out, ", m.entered_at, m.left_at AS valid_until");
    }
    buffer_append_format(out, "\nFROM %s m CROSS JOIN parameters p\nWHERE ", target->members.text);
    if (intervals && target->history) {
        buffer_append_text(out, "m.entered_at <= p.as_of");
    } else {
        rule_sql_during(out, target, "m", "p.as_of");
    }
    buffer_append_format(out, "\nORDER BY m.user_id%s%s\n", rule_sql_bytewise(sql), intervals ? ", entered_at" : "");
}

/* What facts and calendars hold is known when all else is written. */
static void assemble(struct rule_sql *sql, struct buffer *out, size_t target)
{
    append_head(sql, out, &sql->set->definitions[target]);
    rule_sql_facts(sql, out);
    buffer_append_text(out, ",\n\nknown AS (\n    -- before their first event users are members of nothing\n"
                            "    SELECT user_id, min(event_time) AS since FROM facts GROUP BY user_id\n)");
    rule_sql_calendars(sql, out);
    if (looked_at_as_of(sql)) {
        buffer_append_text(out, ",\n\ninstants AS (\n    -- whom and when is asked about\n"
                                "    SELECT k.user_id, p.as_of AS t FROM known k CROSS JOIN parameters p\n)");
    }
    buffer_append_slice(out, buffer_slice(&sql->body));
    append_rows(sql, out, &sql->segments[target]);
}

static bool append_all(struct rule_sql *sql, struct buffer *out, size_t target, struct error *err)
{
    const struct segment_set *set = sql->set;

    sql->segments = arena_allocate_zeroed(&sql->arena, set->definition_count, sizeof *sql->segments);
    if (sql->segments == NULL) {
        return error_no_memory(err, "generated SQL");
    }
    sql->target = target;
    plan(sql, target);
    for (size_t i = 0; i < set->definition_count; i++) {
        size_t index = set->evaluation_order[i];

        if (sql->segments[index].needed && !rule_sql_segment(sql, index)) {
            return false;
        }
    }
    sql->definition = &set->definitions[target];
    assemble(sql, out, target);
    return !sql->refused && buffer_finish(&sql->body, "generated SQL", err) &&
           buffer_finish(&sql->scratch, "generated SQL", err) && buffer_finish(out, "generated SQL", err);
}

bool rule_sql_append(struct buffer *out, const struct segment_set *set, size_t index,
                     const struct rule_sql_options *options, struct error *err)
{
    struct rule_sql *sql = memory_allocate_zeroed(1, sizeof *sql);
    bool done;

    if (sql == NULL) {
        return error_no_memory(err, "generated SQL");
    }
    sql->set = set;
    sql->options = options;
    sql->dialect = options->dialect;
    sql->err = err;
    arena_init(&sql->arena, ARENA_SIZE_MAX);
    json_document_init(&sql->document);
    buffer_init(&sql->body, PART_SIZE_MAX);
    buffer_init(&sql->events, PART_SIZE_MAX);
    buffer_init(&sql->changes, PART_SIZE_MAX);
    buffer_init(&sql->marks, PART_SIZE_MAX);
    buffer_init(&sql->truth, PART_SIZE_MAX);
    buffer_init(&sql->scratch, PART_SIZE_MAX);
    done = append_all(sql, out, index, err);
    buffer_clear(&sql->body);
    buffer_clear(&sql->events);
    buffer_clear(&sql->changes);
    buffer_clear(&sql->marks);
    buffer_clear(&sql->truth);
    buffer_clear(&sql->scratch);
    json_document_clear(&sql->document);
    arena_clear(&sql->arena);
    memory_free(sql);
    return done;
}
