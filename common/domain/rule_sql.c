/* The whole query: what a definition and all it refers to need, in the order facts, events, instants, truth.
 *
 * Most definitions are asked about one instant only, as_of. A lifetime asks when its segment qualified last, so where
 * one matters `instants` also has every instant at which something may have changed, back to where it no longer can
 * matter, each with the millisecond before it. The criteria are then evaluated at all of them by the same text. */
#include "common/domain/rule_sql_parts.h"

#include <inttypes.h>
#include <stdio.h>

enum { PART_SIZE_MAX = 16 << 20, ARENA_SIZE_MAX = 64 << 20 };

/* How far back an instant can matter: the durations on the longest chain of references. */
static int64_t horizon_ms(const struct segment_set *set, size_t index)
{
    const struct definition *definition = &set->definitions[index];
    int64_t longest = 0;
    int64_t sum;

    for (size_t i = 0; i < definition->reference_count; i++) {
        int64_t below = horizon_ms(set, definition->references[i]);

        longest = below > longest ? below : longest;
    }
    return __builtin_add_overflow(longest, definition->duration_ms, &sum) ? INT64_MAX / 4 : sum;
}

static void mark_needed(const struct segment_set *set, size_t index, bool *needed)
{
    if (!needed[index]) {
        needed[index] = true;
        for (size_t i = 0; i < set->definitions[index].reference_count; i++) {
            mark_needed(set, set->definitions[index].references[i], needed);
        }
    }
}

static void append_qualifying(struct rule_sql *sql, const struct sql_name *criteria, const struct sql_name *name)
{
    struct buffer *out = &sql->truth;

    buffer_append_format(out, ",\n\n%s_marks AS (\n", name->text);
    buffer_append_text(out, "    -- when an event begins to count, an absence matures or a sequence is complete\n"
                            "    SELECT user_id, since AS t FROM known WHERE false\n");
    buffer_append_slice(out, buffer_slice(&sql->marks));
    buffer_append_format(
        out,
        "),\n\n%s AS (\n"
        "    -- the criteria hold, and did not a millisecond ago or are met anew\n"
        "    SELECT c.user_id, c.t\n    FROM %s c\n"
        "    JOIN changes x ON x.user_id = c.user_id AND x.t = c.t\n"
        "    LEFT JOIN %s before ON before.user_id = c.user_id AND before.t = c.t - 1\n"
        "    LEFT JOIN (SELECT DISTINCT user_id, t FROM %s_marks) m ON m.user_id = c.user_id AND m.t = c.t\n"
        "    WHERE before.t IS NULL OR m.t IS NOT NULL\n)",
        name->text, criteria->text, criteria->text, name->text);
}

static bool append_segment(struct rule_sql *sql, size_t index)
{
    static const struct json_limits limits = {.depth_max = 128, .size_max = UINT32_MAX - 1};
    const struct definition *definition = &sql->set->definitions[index];
    unsigned number = ++sql->segment_number;
    struct sql_name criteria = rule_sql_name("s", number, definition->segment_id, "_criteria");
    struct sql_name excluded = rule_sql_name("s", number, definition->segment_id, "_excluded");
    struct sql_name qualifying = rule_sql_name("s", number, definition->segment_id, "_qualifies");
    struct sql_name members = rule_sql_name("s", number, definition->segment_id, "_members");
    struct error ignored = ERROR_INIT;
    struct buffer *out = &sql->truth;

    sql->definition = definition;
    if (!json_parse(&sql->document, definition->text, &limits, &ignored)) {
        sql->document.token_count = 0;
    }
    if (definition->exclusion_window_ms > 0) {
        return rule_sql_refuse(sql, NULL, "\"exclusionWindow\" has no SQL: each exit depends on all exits before it");
    }
    buffer_reset(&sql->marks);
    if (!rule_sql_criteria(sql, definition->criteria, definition->criterion_count, "INTERSECT",
                           definition->duration_ms > 0, criteria) ||
        (definition->exclude_count > 0 &&
         !rule_sql_criteria(sql, definition->exclude, definition->exclude_count, "UNION", false, excluded))) {
        return false;
    }
    if (definition->duration_ms > 0) {
        append_qualifying(sql, &criteria, &qualifying);
    }
    buffer_append_format(out, ",\n\n%s AS (\n    SELECT m.user_id, m.t FROM %s m", members.text,
                         definition->mode == MODE_STICKY ? "instants" : criteria.text);
    if (definition->duration_ms > 0) {
        buffer_append_format(out,
                             "\n    WHERE EXISTS (SELECT 1 FROM %s q\n"
                             "                  WHERE q.user_id = m.user_id AND q.t <= m.t AND m.t < q.t + %" PRId64
                             ")",
                             qualifying.text, definition->duration_ms);
    }
    if (definition->exclude_count > 0) {
        buffer_append_format(out, "\n    EXCEPT SELECT user_id, t FROM %s", excluded.text);
    }
    buffer_append_text(out, "\n)");
    sql->members[index] = members;
    return !sql->refused;
}

/* ---- instants ---- */

static void append_instants(struct rule_sql *sql, struct buffer *out, size_t target, const bool *needed)
{
    unsigned step = 0;

    if (!sql->timed) {
        buffer_append_text(out, ",\n\ninstants AS (\n    -- whom and when is asked about\n"
                                "    SELECT k.user_id, p.as_of AS t FROM known k CROSS JOIN parameters p\n)");
        return;
    }
    buffer_append_format(out,
                         ",\n\nchanges_0 AS (\n    -- instants at which something may change\n"
                         "    SELECT DISTINCT c.user_id, c.t\n    FROM (\n    SELECT user_id, since AS t FROM known\n");
    buffer_append_slice(out, buffer_slice(&sql->changes));
    buffer_append_format(out,
                         "    ) c\n    JOIN known k ON k.user_id = c.user_id\n    CROSS JOIN parameters p\n"
                         "    WHERE c.t > p.as_of - %" PRId64 " - 1 AND c.t <= p.as_of AND c.t >= k.since\n)",
                         sql->horizon_ms);
    for (size_t i = 0; i < sql->set->definition_count; i++) {
        size_t index = sql->set->evaluation_order[i];
        const struct definition *definition = &sql->set->definitions[index];

        if (needed[index] && index != target && definition->duration_ms > 0) {
            buffer_append_format(out,
                                 ",\n\nchanges_%u AS (\n    -- and when %.*s ends\n"
                                 "    SELECT user_id, t FROM changes_%u\n"
                                 "    UNION SELECT user_id, t + %" PRId64 " FROM changes_%u CROSS JOIN parameters\n"
                                 "    WHERE t + %" PRId64 " <= as_of\n)",
                                 step + 1, (int)definition->segment_id.size, definition->segment_id.data, step,
                                 definition->duration_ms, step, definition->duration_ms);
            step++;
        }
    }
    buffer_append_format(out,
                         ",\n\nchanges AS (SELECT user_id, t FROM changes_%u),\n\n"
                         "instants AS (\n    -- whom and when is asked about\n"
                         "    SELECT k.user_id, p.as_of AS t FROM known k CROSS JOIN parameters p\n"
                         "    UNION SELECT user_id, t FROM changes\n"
                         "    UNION SELECT c.user_id, c.t - 1 FROM changes c JOIN known k ON k.user_id = c.user_id\n"
                         "    WHERE c.t - 1 >= k.since\n)",
                         step);
}

static void append_head(const struct rule_sql *sql, struct buffer *out, const struct definition *definition)
{
    buffer_append_format(out, "-- Members of %.*s", (int)definition->segment_id.size, definition->segment_id.data);
    if (definition->version > 0) {
        buffer_append_format(out, ", version %" PRId32, definition->version);
    }
    buffer_append_format(out,
                         ", before consent, at as_of (milliseconds since 1970 UTC). %s.\n"
                         "-- Every CTE below instants has the (user_id, t) at which something holds.\n"
                         "WITH parameters AS (SELECT CAST(",
                         sql->dialect == SQL_POSTGRES ? "PostgreSQL 14 or later"
                         : sql->dialect == SQL_DUCKDB ? "DuckDB"
                                                      : "Spark SQL 4");
    if (sql->options->as_of_given) {
        buffer_append_format(out, "%" PRId64, sql->options->as_of_ms);
    } else {
        buffer_append_text(out, sql->dialect == SQL_DUCKDB ? "$as_of" : ":as_of");
    }
    buffer_append_format(out, " AS %s) AS as_of),\n\n", rule_sql_bigint(sql));
}

/* The parts are written in another order than they appear: what facts and calendars hold is known at the end. */
static void assemble(struct rule_sql *sql, struct buffer *out, size_t target, const bool *needed)
{
    append_head(sql, out, &sql->set->definitions[target]);
    rule_sql_facts(sql, out);
    buffer_append_text(out, ",\n\nknown AS (\n    -- before their first event users are members of nothing\n"
                            "    SELECT user_id, min(event_time) AS since FROM facts GROUP BY user_id\n)");
    rule_sql_calendars(sql, out);
    buffer_append_slice(out, buffer_slice(&sql->events));
    append_instants(sql, out, target, needed);
    buffer_append_slice(out, buffer_slice(&sql->truth));
    buffer_append_format(out,
                         "\n\nSELECT m.user_id\nFROM %s m JOIN parameters p ON m.t = p.as_of\nORDER BY m.user_id%s\n",
                         sql->members[target].text, rule_sql_bytewise(sql));
}

static bool append_all(struct rule_sql *sql, struct buffer *out, size_t target, struct error *err)
{
    const struct segment_set *set = sql->set;
    bool *needed = arena_allocate_zeroed(&sql->arena, set->definition_count, sizeof *needed);

    sql->members = arena_allocate_zeroed(&sql->arena, set->definition_count, sizeof *sql->members);
    if (needed == NULL || sql->members == NULL) {
        return error_no_memory(err, "generated SQL");
    }
    mark_needed(set, target, needed);
    sql->horizon_ms = horizon_ms(set, target);
    sql->timed = sql->horizon_ms > 0;
    for (size_t i = 0; i < set->definition_count; i++) {
        size_t index = set->evaluation_order[i];

        if (needed[index] && !append_segment(sql, index)) {
            return false;
        }
    }
    sql->definition = &set->definitions[target];
    assemble(sql, out, target, needed);
    return !sql->refused && buffer_finish(&sql->events, "generated SQL", err) &&
           buffer_finish(&sql->changes, "generated SQL", err) && buffer_finish(&sql->marks, "generated SQL", err) &&
           buffer_finish(&sql->truth, "generated SQL", err) && buffer_finish(&sql->scratch, "generated SQL", err) &&
           buffer_finish(out, "generated SQL", err);
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
    buffer_init(&sql->events, PART_SIZE_MAX);
    buffer_init(&sql->changes, PART_SIZE_MAX);
    buffer_init(&sql->marks, PART_SIZE_MAX);
    buffer_init(&sql->truth, PART_SIZE_MAX);
    buffer_init(&sql->scratch, PART_SIZE_MAX);
    done = append_all(sql, out, index, err);
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
