SELECT count(*) FROM archive a
WHERE a.lane = $2::integer
  AND (a.load_no IN (SELECT l.load_no FROM run_loads l WHERE l.run_no = $1::bigint)
       OR EXISTS (SELECT FROM run_coverage c
                  WHERE c.run_no = $1::bigint AND c.lane = a.lane AND c.topic_no = a.topic_no
                    AND a.log_offset <= c.offset_last))
