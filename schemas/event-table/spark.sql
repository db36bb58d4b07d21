-- Messages as they came: a row each, with its number in the order of the log. The maps have an entry for every path
-- ("product.category"; a dot or backslash inside a key has a backslash before it) with the JSON text of the value,
-- numbers as plain decimals rounded half-even to 6 digits, null outside the range.
CREATE TABLE IF NOT EXISTS muster_messages (
    event_no   BIGINT NOT NULL,
    user_id    STRING NOT NULL,
    event_time BIGINT NOT NULL, -- milliseconds since 1970 UTC
    kind       STRING NOT NULL, -- track, page, screen, identify
    message_id STRING,
    name       STRING, -- null for identify
    properties MAP<STRING, STRING>,
    traits     MAP<STRING, STRING> -- of identify
);

-- The distinct ones: what the queries read. Of a user's messages with one id at most 86400000 ms apart the first in the
-- log is kept.
CREATE TABLE muster_events AS
WITH messages AS (
    SELECT user_id, message_id, array_sort(collect_list(named_struct('event_no', event_no, 'event_time', event_time))) AS log
    FROM muster_messages
    WHERE message_id IS NOT NULL
    GROUP BY user_id, message_id
),
kept AS (
    SELECT explode(aggregate(log, filter(log, x -> false),
               (kept, m) -> CASE WHEN exists(kept, k -> abs(m.event_time - k.event_time) <= 86400000) THEN kept
                                 ELSE concat(kept, array(m)) END)) AS m
    FROM messages
)
SELECT * FROM muster_messages WHERE message_id IS NULL OR event_no IN (SELECT m.event_no FROM kept);
