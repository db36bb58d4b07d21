-- A step that no longer finds the offset it started from writes nothing: another process was faster.
UPDATE archive_progress
SET offset_begin = $3::bigint, offset_next = $4::bigint, event_time_max = greatest(event_time_max, $5::bigint),
    at_end = $6::boolean, read_at = $7::bigint
WHERE topic_no = $1::smallint AND lane = $2::integer AND offset_next = $8::bigint
RETURNING offset_next
