UPDATE loads
SET line_next = $3::bigint, events = events + $4::bigint, quarantined = quarantined + $5::bigint,
    event_time_max = greatest(event_time_max, $6::bigint),
    state = CASE WHEN $7::boolean THEN 'completed' ELSE state END,
    completed_at = CASE WHEN $7::boolean THEN clock_timestamp() END
WHERE load_no = $1::integer AND line_next = $2::bigint AND state = 'running'
RETURNING 1
