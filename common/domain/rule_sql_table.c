/* The tables that generated queries read (schemas/event-table.md), and the query that removes copies of messages. */
#include "common/domain/rule_sql_parts.h"

#include <inttypes.h>
#include <stdio.h>

/* {0} milliseconds. Whether a message is a copy depends on which before it were kept, so the messages of one id are
 * gone through in the order of the log. */
static const char postgres_tables[] =
    "-- Messages as they came: a row each, with its number in the order of the log.\n"
    "CREATE TABLE IF NOT EXISTS muster_messages (\n"
    "    event_no   bigint PRIMARY KEY,\n"
    "    user_id    text NOT NULL,\n"
    "    event_time bigint NOT NULL, -- milliseconds since 1970 UTC\n"
    "    kind       text NOT NULL,   -- track, page, screen, identify\n"
    "    message_id text,\n"
    "    name       text,            -- null for identify\n"
    "    properties jsonb,\n"
    "    traits     jsonb            -- of identify\n"
    ");\n"
    "\n"
    "-- The distinct ones: what the queries read.\n"
    "CREATE TABLE IF NOT EXISTS muster_events (LIKE muster_messages INCLUDING ALL);\n"
    "\n"
    "-- Of a user's messages with one id at most {0} ms apart the first in the log is kept.\n"
    "INSERT INTO muster_events\n"
    "WITH RECURSIVE numbered AS (\n"
    "    SELECT event_no, user_id, message_id, event_time,\n"
    "           row_number() OVER (PARTITION BY user_id, message_id ORDER BY event_no) AS place,\n"
    "           count(*) OVER (PARTITION BY user_id, message_id) AS messages\n"
    "    FROM muster_messages\n"
    "    WHERE message_id IS NOT NULL\n"
    "),\n"
    "several AS MATERIALIZED (SELECT * FROM numbered WHERE messages > 1),\n"
    "walked AS (\n"
    "    SELECT event_no, user_id, message_id, place, ARRAY[event_time] AS kept, true AS first_of_its_kind\n"
    "    FROM several WHERE place = 1\n"
    "    UNION ALL\n"
    "    SELECT s.event_no, s.user_id, s.message_id, s.place,\n"
    "           CASE WHEN copy.found THEN w.kept ELSE w.kept || s.event_time END, NOT copy.found\n"
    "    FROM walked w\n"
    "    JOIN several s ON s.user_id = w.user_id AND s.message_id = w.message_id AND s.place = w.place + 1\n"
    "    CROSS JOIN LATERAL (SELECT EXISTS (SELECT 1 FROM unnest(w.kept) k WHERE abs(s.event_time - k) <= {0}) AS "
    "found) copy\n"
    ")\n"
    "SELECT m.*\n"
    "FROM muster_messages m\n"
    "WHERE m.event_no NOT IN (SELECT event_no FROM walked WHERE NOT first_of_its_kind);\n";

static const char map_tables[] = "-- Messages as they came: a row each, with its number in the order of the log. The "
                                 "maps have an entry for every path\n"
                                 "-- (\"product.category\"; a dot or backslash inside a key has a backslash before it) "
                                 "with the JSON text of the value,\n"
                                 "-- numbers as plain decimals rounded half-even to 6 digits, null outside the range.\n"
                                 "CREATE TABLE IF NOT EXISTS muster_messages (\n"
                                 "    event_no   BIGINT NOT NULL,\n"
                                 "    user_id    {1} NOT NULL,\n"
                                 "    event_time BIGINT NOT NULL, -- milliseconds since 1970 UTC\n"
                                 "    kind       {1} NOT NULL, -- track, page, screen, identify\n"
                                 "    message_id {1},\n"
                                 "    name       {1}, -- null for identify\n"
                                 "    properties {2},\n"
                                 "    traits     {2} -- of identify\n"
                                 ");\n"
                                 "\n"
                                 "-- The distinct ones: what the queries read. Of a user's messages with one id at "
                                 "most {0} ms apart the first in the\n"
                                 "-- log is kept.\n"
                                 "CREATE TABLE muster_events AS\n";

static const char duckdb_duplicates[] =
    "WITH RECURSIVE numbered AS (\n"
    "    SELECT event_no, user_id, message_id, event_time,\n"
    "           row_number() OVER (PARTITION BY user_id, message_id ORDER BY event_no) AS place,\n"
    "           count(*) OVER (PARTITION BY user_id, message_id) AS messages\n"
    "    FROM muster_messages\n"
    "    WHERE message_id IS NOT NULL\n"
    "),\n"
    "several AS (SELECT * FROM numbered WHERE messages > 1),\n"
    "walked AS (\n"
    "    SELECT event_no, user_id, message_id, place, [event_time] AS kept, true AS first_of_its_kind\n"
    "    FROM several WHERE place = 1\n"
    "    UNION ALL\n"
    "    SELECT s.event_no, s.user_id, s.message_id, s.place,\n"
    "           CASE WHEN len(list_filter(w.kept, lambda k: abs(s.event_time - k) <= {0})) > 0 THEN w.kept\n"
    "                ELSE list_append(w.kept, s.event_time) END,\n"
    "           len(list_filter(w.kept, lambda k: abs(s.event_time - k) <= {0})) = 0\n"
    "    FROM walked w\n"
    "    JOIN several s ON s.user_id = w.user_id AND s.message_id = w.message_id AND s.place = w.place + 1\n"
    ")\n"
    "SELECT m.*\n"
    "FROM muster_messages m\n"
    "WHERE m.event_no NOT IN (SELECT event_no FROM walked WHERE NOT first_of_its_kind);\n";

static const char spark_duplicates[] =
    "WITH messages AS (\n"
    "    SELECT user_id, message_id, array_sort(collect_list(named_struct('event_no', event_no, 'event_time', "
    "event_time))) AS log\n"
    "    FROM muster_messages\n"
    "    WHERE message_id IS NOT NULL\n"
    "    GROUP BY user_id, message_id\n"
    "),\n"
    "kept AS (\n"
    "    SELECT explode(aggregate(log, filter(log, x -> false),\n"
    "               (kept, m) -> CASE WHEN exists(kept, k -> abs(m.event_time - k.event_time) <= {0}) THEN kept\n"
    "                                 ELSE concat(kept, array(m)) END)) AS m\n"
    "    FROM messages\n"
    ")\n"
    "SELECT * FROM muster_messages WHERE message_id IS NULL OR event_no IN (SELECT m.event_no FROM kept);\n";

void rule_sql_append_tables(struct buffer *out, enum sql_dialect dialect, int64_t dedup_ms)
{
    char span[24];
    bool duckdb = dialect == SQL_DUCKDB;

    (void)snprintf(span, sizeof span, "%" PRId64, dedup_ms);
    if (dialect == SQL_POSTGRES) {
        rule_sql_template(out, postgres_tables, (const char *const[]){span});
        return;
    }
    rule_sql_template(out, map_tables,
                      (const char *const[]){span, duckdb ? "VARCHAR" : "STRING",
                                            duckdb ? "MAP(VARCHAR, VARCHAR)" : "MAP<STRING, STRING>"});
    rule_sql_template(out, duckdb ? duckdb_duplicates : spark_duplicates, (const char *const[]){span});
}
