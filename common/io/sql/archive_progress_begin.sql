INSERT INTO archive_progress (topic_no, lane, offset_begin, offset_next, event_time_max, at_end, read_at)
VALUES ($1::smallint, $2::integer, $3::bigint, $4::bigint, $5::bigint, $6::boolean, $7::bigint)
ON CONFLICT (topic_no, lane) DO NOTHING
RETURNING offset_next
