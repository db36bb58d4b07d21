SELECT r.segment_no, r.version, r.state, r.members, r.excluded, r.reason, s.segment_id
FROM run_segments r JOIN segments s USING (segment_no)
WHERE r.run_no = $1::bigint
ORDER BY s.segment_id
