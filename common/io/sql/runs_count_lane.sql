SELECT count(*)
FROM archive a
LEFT JOIN run_coverage c ON c.run_no = $1::bigint AND c.lane = $2::integer AND c.topic_no = a.topic_no
WHERE a.lane = $2::integer
  AND (a.log_offset <= c.offset_last OR a.load_no IN (SELECT l.load_no FROM run_loads l WHERE l.run_no = $1::bigint))
