/* A segment in generated SQL, with its lifetime (segment-language, section 6).
 *
 * Where only as_of matters, its criteria are looked at there. Else they are looked at whenever something may change:
 * what holds at such an instant holds until the next one, so each is a step, the steps at which the segment holds are
 * its history, and a membershipDuration cuts a step at the end of the lifetime. An exclusionWindow is walked stay by
 * stay, because each exit decides when the next entry may be. */
#include "common/domain/rule_sql_parts.h"

#include <inttypes.h>
#include <stdio.h>

/* The names of a segment's CTEs. */
struct segment_names {
    struct sql_name changes;
    struct sql_name instants;
    struct sql_name criteria;
    struct sql_name excluded;
    struct sql_name marks;
    struct sql_name qualifies;
    struct sql_name asked; /* where it holds but for its lifetime */
    struct sql_name steps;
    struct sql_name stays;
    struct sql_name walk;
};

void rule_sql_during(struct buffer *out, const struct sql_segment *segment, const char *stays, const char *instant)
{
    if (segment->history) {
        buffer_append_format(out, "%s.entered_at <= %s AND (%s.left_at IS NULL OR %s < %s.left_at)", stays, instant,
                             stays, instant, stays);
    } else {
        buffer_append_format(out, "%s.t = %s", stays, instant);
    }
}

/* {0} changes, {1} the SELECTs, {2} instants, {3} where the history begins, {4} whether it ends at as_of. */
static const char instants_text[] =
    ",\n\n{0} AS (\n"
    "    -- whenever something may change for a user; between two of these instants nothing does\n"
    "    SELECT user_id, since AS t FROM known\n"
    "{1}"
    "),\n\n"
    "{2} AS (\n"
    "    SELECT user_id, t, lag(t) OVER (PARTITION BY user_id ORDER BY t) AS previous_t,\n"
    "           lead(t) OVER (PARTITION BY user_id ORDER BY t) AS next_t\n"
    "    FROM (\n"
    "        SELECT k.user_id AS user_id, {3} AS t FROM known k CROSS JOIN parameters p\n"
    "        UNION SELECT k.user_id, p.as_of FROM known k CROSS JOIN parameters p\n"
    "        UNION SELECT c.user_id, c.t FROM {0} c JOIN known k ON k.user_id = c.user_id CROSS JOIN parameters p\n"
    "        WHERE c.t > {3}{4}\n"
    "    ) asked_about\n"
    ")";

/* Every instant at which something may change, from where the history begins. */
static void append_instants(struct rule_sql *sql, const struct sql_segment *segment, const struct segment_names *names)
{
    char start[80] = "k.since";

    if (!segment->whole) {
        (void)snprintf(start, sizeof start, "greatest(k.since, p.as_of - %" PRId64 ")", segment->since_ms);
    }
    rule_sql_template(&sql->body, instants_text,
                      (const char *const[]){names->changes.text, buffer_text(&sql->changes), names->instants.text,
                                            start, sql->options->rows == SQL_TIMES ? "" : " AND c.t <= p.as_of"});
}

static void append_qualifying(struct rule_sql *sql, const struct segment_names *names)
{
    struct buffer *out = &sql->truth;

    buffer_append_format(out, ",\n\n%s AS (\n", names->marks.text);
    buffer_append_text(out, "    -- when an event begins to count, an absence matures or a sequence is complete\n"
                            "    SELECT user_id, since AS t FROM known WHERE false\n");
    buffer_append_slice(out, buffer_slice(&sql->marks));
    buffer_append_format(out,
                         "),\n\n%s AS (\n"
                         "    -- the criteria hold, and did not a millisecond ago or are met anew\n"
                         "    SELECT c.user_id, c.t\n    FROM %s c\n"
                         "    JOIN %s i ON i.user_id = c.user_id AND i.t = c.t\n"
                         "    LEFT JOIN %s before ON before.user_id = i.user_id AND before.t = i.previous_t\n"
                         "    LEFT JOIN (SELECT DISTINCT user_id, t FROM %s) m ON m.user_id = c.user_id AND m.t = c.t\n"
                         "    WHERE before.t IS NULL OR m.t IS NOT NULL\n)",
                         names->qualifies.text, names->criteria.text, names->instants.text, names->criteria.text,
                         names->marks.text);
}

/* Where it holds but for the duration: the criteria (of a sticky one all instants) without the exclusions. */
static void append_asked(struct rule_sql *sql, const struct definition *definition, const struct segment_names *names)
{
    struct buffer *out = &sql->truth;

    buffer_append_format(out, ",\n\n%s AS (\n    SELECT user_id, t FROM %s", names->asked.text,
                         definition->mode == MODE_STICKY ? names->instants.text : names->criteria.text);
    if (definition->exclude_count > 0) {
        buffer_append_format(out, " EXCEPT SELECT user_id, t FROM %s", names->excluded.text);
    }
    buffer_append_text(out, "\n)");
}

static void append_steps(struct rule_sql *sql, const struct definition *definition, const struct segment_names *names,
                         const struct sql_name *asked)
{
    struct buffer *out = &sql->truth;

    buffer_append_format(out, ",\n\n%s AS (\n", names->steps.text);
    if (definition->duration_ms == 0) {
        buffer_append_format(out,
                             "    SELECT i.user_id, i.t AS entered_at, i.next_t AS left_at\n    FROM %s a\n"
                             "    JOIN %s i ON i.user_id = a.user_id AND i.t = a.t\n)",
                             asked->text, names->instants.text);
        return;
    }
    rule_sql_note_key(sql, out, "    ", slice_of("", 0), "membershipDuration");
    buffer_append_format(out,
                         "    SELECT l.user_id, l.t AS entered_at, least(l.next_t, l.qualified + %" PRId64
                         ") AS left_at\n"
                         "    FROM (\n"
                         "        SELECT i.user_id AS user_id, i.t AS t, i.next_t AS next_t,\n"
                         "               max(q.t) OVER (PARTITION BY i.user_id ORDER BY i.t) AS qualified\n"
                         "        FROM %s i LEFT JOIN %s q ON q.user_id = i.user_id AND q.t = i.t\n"
                         "    ) l\n"
                         "    JOIN %s a ON a.user_id = l.user_id AND a.t = l.t\n"
                         "    WHERE l.t < l.qualified + %" PRId64 "\n)",
                         definition->duration_ms, names->instants.text, names->qualifies.text, asked->text,
                         definition->duration_ms);
}

static void append_stays(struct rule_sql *sql, const struct segment_names *names)
{
    rule_sql_template(&sql->truth,
                      ",\n\n{0} AS (\n"
                      "    -- steps that touch are one stay\n"
                      "    SELECT user_id, min(entered_at) AS entered_at,\n"
                      "           CASE WHEN count(left_at) = count(*) THEN max(left_at) END AS left_at,\n"
                      "           row_number() OVER (PARTITION BY user_id ORDER BY min(entered_at)) AS place\n"
                      "    FROM (SELECT user_id, entered_at, left_at,\n"
                      "                 sum(begins) OVER (PARTITION BY user_id ORDER BY entered_at) AS stay\n"
                      "          FROM (SELECT user_id, entered_at, left_at,\n"
                      "                       CASE WHEN lag(left_at) OVER (PARTITION BY user_id ORDER BY entered_at) = "
                      "entered_at\n"
                      "                            THEN 0 ELSE 1 END AS begins\n"
                      "                FROM {1}) touching) numbered\n"
                      "    GROUP BY user_id, stay\n"
                      ")",
                      (const char *const[]){names->stays.text, names->steps.text});
}

/* {0} walk, {1} stays, {2} milliseconds. */
static const char recursive_walk[] =
    "    -- each stay lets nobody in again for {2} ms after its end: it may shorten the next one or do away with it\n"
    "    SELECT user_id, place, entered_at, left_at, true AS member, left_at + {2} AS closed_until\n"
    "    FROM {1} WHERE place = 1\n"
    "    UNION ALL\n"
    "    SELECT s.user_id, s.place, greatest(s.entered_at, w.closed_until), s.left_at,\n"
    "           s.left_at IS NULL OR s.left_at > w.closed_until,\n"
    "           CASE WHEN s.left_at <= w.closed_until THEN w.closed_until ELSE s.left_at + {2} END\n"
    "    FROM {0} w JOIN {1} s ON s.user_id = w.user_id AND s.place = w.place + 1\n"
    ")";

/* Spark limits the depth of recursion: its arrays are folded instead. */
static const char folded_walk[] =
    "    -- each stay lets nobody in again for {2} ms after its end: it may shorten the next one or do away with it\n"
    "    SELECT user_id, stay.entered_at AS entered_at, stay.left_at AS left_at, true AS member\n"
    "    FROM (SELECT user_id, explode(aggregate(log, filter(log, x -> false), (kept, s) ->\n"
    "              CASE WHEN size(kept) = 0 THEN array(s)\n"
    "                   WHEN s.left_at <= element_at(kept, -1).left_at + {2} THEN kept\n"
    "                   ELSE concat(kept, array(named_struct(\n"
    "                            'entered_at', greatest(s.entered_at, element_at(kept, -1).left_at + {2}),\n"
    "                            'left_at', s.left_at))) END)) AS stay\n"
    "          FROM (SELECT user_id, array_sort(collect_list(named_struct('entered_at', entered_at, 'left_at', "
    "left_at))) AS log\n"
    "                FROM {1} GROUP BY user_id) logs) walked\n"
    ")";

static void append_walk(struct rule_sql *sql, const struct definition *definition, const struct segment_names *names,
                        const struct sql_name *members)
{
    char length[24];

    (void)snprintf(length, sizeof length, "%" PRId64, definition->exclusion_window_ms);
    buffer_append_format(&sql->truth, ",\n\n%s AS (\n", names->walk.text);
    rule_sql_note_key(sql, &sql->truth, "    ", slice_of("", 0), "exclusionWindow");
    rule_sql_template(&sql->truth, sql->dialect == SQL_SPARK ? folded_walk : recursive_walk,
                      (const char *const[]){names->walk.text, names->stays.text, length});
    buffer_append_format(&sql->truth, ",\n\n%s AS (SELECT user_id, entered_at, left_at FROM %s WHERE member)",
                         members->text, names->walk.text);
    sql->walks = sql->walks || sql->dialect != SQL_SPARK;
}

/* The last CTE of the segment is named its members, whatever it takes to get there. */
static void append_lifetime(struct rule_sql *sql, const struct definition *definition, struct segment_names *names,
                            const struct sql_segment *segment, bool joined)
{
    struct sql_name asked = definition->mode == MODE_STICKY ? names->instants : names->criteria;

    if (!segment->history) {
        if (definition->exclude_count > 0) {
            names->asked = segment->members;
            append_asked(sql, definition, names);
        }
        return;
    }
    if (definition->duration_ms > 0) {
        append_qualifying(sql, names);
    }
    if (definition->exclude_count > 0) {
        append_asked(sql, definition, names);
        asked = names->asked;
    }
    joined = joined || definition->exclusion_window_ms > 0;
    if (!joined) {
        names->steps = segment->members;
    } else if (definition->exclusion_window_ms == 0) {
        names->stays = segment->members;
    }
    append_steps(sql, definition, names, &asked);
    if (joined) {
        append_stays(sql, names);
    }
    if (definition->exclusion_window_ms > 0) {
        append_walk(sql, definition, names, &segment->members);
    }
}

static void name_all(struct rule_sql *sql, const struct definition *definition, struct segment_names *names,
                     struct sql_segment *segment)
{
    unsigned number = ++sql->segment_number;
    struct slice id = definition->segment_id;

    *names = (struct segment_names){
        .changes = rule_sql_name("s", number, id, "_changes"),
        .instants = rule_sql_name("s", number, id, "_instants"),
        .criteria = rule_sql_name("s", number, id, "_criteria"),
        .excluded = rule_sql_name("s", number, id, "_excluded"),
        .marks = rule_sql_name("s", number, id, "_marks"),
        .qualifies = rule_sql_name("s", number, id, "_qualifies"),
        .asked = rule_sql_name("s", number, id, "_asked"),
        .steps = rule_sql_name("s", number, id, "_steps"),
        .stays = rule_sql_name("s", number, id, "_stays"),
        .walk = rule_sql_name("s", number, id, "_walk"),
    };
    segment->members = rule_sql_name("s", number, id, "_members");
    if (!segment->history) {
        (void)snprintf(names->instants.text, sizeof names->instants.text, "instants");
        names->criteria = definition->exclude_count > 0 ? names->criteria : segment->members;
    }
}

bool rule_sql_segment(struct rule_sql *sql, size_t index)
{
    static const struct json_limits limits = {.depth_max = 128, .size_max = UINT32_MAX - 1};
    const struct definition *definition = &sql->set->definitions[index];
    struct sql_segment *segment = &sql->segments[index];
    bool joined = index == sql->target && sql->options->rows != SQL_MEMBERS;
    struct error ignored = ERROR_INIT;
    struct segment_names names;

    sql->definition = definition;
    if (!json_parse(&sql->document, definition->text, &limits, &ignored)) {
        sql->document.token_count = 0;
    }
    name_all(sql, definition, &names, segment);
    sql->history = segment->history;
    sql->instants = names.instants;
    buffer_reset(&sql->events);
    buffer_reset(&sql->changes);
    buffer_reset(&sql->marks);
    buffer_reset(&sql->truth);
    if (!rule_sql_criteria(sql, definition->criteria, definition->criterion_count, "INTERSECT",
                           definition->duration_ms > 0, names.criteria) ||
        (definition->exclude_count > 0 &&
         !rule_sql_criteria(sql, definition->exclude, definition->exclude_count, "UNION", false, names.excluded))) {
        return false;
    }
    append_lifetime(sql, definition, &names, segment, joined);
    buffer_append_slice(&sql->body, buffer_slice(&sql->events));
    if (segment->history) {
        append_instants(sql, segment, &names);
    }
    buffer_append_slice(&sql->body, buffer_slice(&sql->truth));
    sql->body.failed =
        sql->body.failed || sql->events.failed || sql->changes.failed || sql->marks.failed || sql->truth.failed;
    return !sql->refused;
}
