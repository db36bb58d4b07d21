-- Messages as they came: a row each, with its number in the order of the log.
CREATE TABLE IF NOT EXISTS muster_messages (
    event_no   bigint PRIMARY KEY,
    user_id    text NOT NULL,
    event_time bigint NOT NULL, -- milliseconds since 1970 UTC
    kind       text NOT NULL,   -- track, page, screen, identify
    message_id text,
    name       text,            -- null for identify
    properties jsonb,
    traits     jsonb            -- of identify
);

-- The distinct ones: what the queries read.
CREATE TABLE IF NOT EXISTS muster_events (LIKE muster_messages INCLUDING ALL);

-- Of a user's messages with one id at most 86400000 ms apart the first in the log is kept.
INSERT INTO muster_events
WITH RECURSIVE numbered AS (
    SELECT event_no, user_id, message_id, event_time,
           row_number() OVER (PARTITION BY user_id, message_id ORDER BY event_no) AS place,
           count(*) OVER (PARTITION BY user_id, message_id) AS messages
    FROM muster_messages
    WHERE message_id IS NOT NULL
),
several AS MATERIALIZED (SELECT * FROM numbered WHERE messages > 1),
walked AS (
    SELECT event_no, user_id, message_id, place, ARRAY[event_time] AS kept, true AS first_of_its_kind
    FROM several WHERE place = 1
    UNION ALL
    SELECT s.event_no, s.user_id, s.message_id, s.place,
           CASE WHEN copy.found THEN w.kept ELSE w.kept || s.event_time END, NOT copy.found
    FROM walked w
    JOIN several s ON s.user_id = w.user_id AND s.message_id = w.message_id AND s.place = w.place + 1
    CROSS JOIN LATERAL (SELECT EXISTS (SELECT 1 FROM unnest(w.kept) k WHERE abs(s.event_time - k) <= 86400000) AS found) copy
)
SELECT m.*
FROM muster_messages m
WHERE m.event_no NOT IN (SELECT event_no FROM walked WHERE NOT first_of_its_kind);
