-- What one run read of each lane, and whether the lane has folded all its file loads.
SELECT l.lane, c.topic_no, c.offset_last,
       NOT EXISTS (SELECT 1 FROM run_loads r
                   WHERE r.run_no = $1::bigint
                     AND NOT EXISTS (SELECT 1 FROM lane_loads f WHERE f.lane = l.lane AND f.load_no = r.load_no))
FROM lanes l LEFT JOIN run_coverage c ON c.run_no = $1::bigint AND c.lane = l.lane
ORDER BY l.lane, c.topic_no
