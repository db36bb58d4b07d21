-- Of some users of a lane those of whom the archive holds events at or before the instant that the run did not read.
SELECT DISTINCT a.user_no
FROM archive a
LEFT JOIN run_coverage c ON c.run_no = $1::bigint AND c.lane = a.lane AND c.topic_no = a.topic_no
WHERE a.lane = $2::integer AND a.user_no = ANY ($3::bigint[]) AND a.event_time <= $4::bigint
  AND CASE WHEN a.load_no IS NULL THEN a.log_offset > coalesce(c.offset_last, -1)
           ELSE NOT EXISTS (SELECT 1 FROM run_loads l WHERE l.run_no = $1::bigint AND l.load_no = a.load_no) END
