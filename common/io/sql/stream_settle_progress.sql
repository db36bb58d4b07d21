INSERT INTO lane_progress (lane, topic_no, offset_next, event_time_max)
SELECT * FROM unnest($1::integer[], $2::smallint[], $3::bigint[], $4::bigint[])
ON CONFLICT (lane, topic_no) DO UPDATE SET offset_next = excluded.offset_next, event_time_max = excluded.event_time_max
