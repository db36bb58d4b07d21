SELECT s.segment_id, r.version::text, r.state, r.members::text, r.excluded::text, r.reason
FROM run_segments r JOIN segments s USING (segment_no)
WHERE r.run_no = $1::bigint
ORDER BY s.segment_id
