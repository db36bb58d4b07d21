-- Messages as they came: a row each, with its number in the order of the log. The maps have an entry for every path
-- ("product.category"; a dot or backslash inside a key has a backslash before it) with the JSON text of the value,
-- numbers as plain decimals rounded half-even to 6 digits, null outside the range.
CREATE TABLE IF NOT EXISTS muster_messages (
    event_no   BIGINT NOT NULL,
    user_id    VARCHAR NOT NULL,
    event_time BIGINT NOT NULL, -- milliseconds since 1970 UTC
    kind       VARCHAR NOT NULL, -- track, page, screen, identify
    message_id VARCHAR,
    name       VARCHAR, -- null for identify
    properties MAP(VARCHAR, VARCHAR),
    traits     MAP(VARCHAR, VARCHAR) -- of identify
);

-- The distinct ones: what the queries read. Of a user's messages with one id at most 86400000 ms apart the first in the
-- log is kept.
CREATE TABLE muster_events AS
WITH RECURSIVE numbered AS (
    SELECT event_no, user_id, message_id, event_time,
           row_number() OVER (PARTITION BY user_id, message_id ORDER BY event_no) AS place,
           count(*) OVER (PARTITION BY user_id, message_id) AS messages
    FROM muster_messages
    WHERE message_id IS NOT NULL
),
several AS (SELECT * FROM numbered WHERE messages > 1),
walked AS (
    SELECT event_no, user_id, message_id, place, [event_time] AS kept, true AS first_of_its_kind
    FROM several WHERE place = 1
    UNION ALL
    SELECT s.event_no, s.user_id, s.message_id, s.place,
           CASE WHEN len(list_filter(w.kept, lambda k: abs(s.event_time - k) <= 86400000)) > 0 THEN w.kept
                ELSE list_append(w.kept, s.event_time) END,
           len(list_filter(w.kept, lambda k: abs(s.event_time - k) <= 86400000)) = 0
    FROM walked w
    JOIN several s ON s.user_id = w.user_id AND s.message_id = w.message_id AND s.place = w.place + 1
)
SELECT m.*
FROM muster_messages m
WHERE m.event_no NOT IN (SELECT event_no FROM walked WHERE NOT first_of_its_kind);
