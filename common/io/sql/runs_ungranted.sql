-- The purposes that segments of run $1 need and nobody has granted, where there are users at all.
SELECT string_agg(DISTINCT p.purpose, ', ' ORDER BY p.purpose)
FROM run_segments s JOIN definitions d USING (segment_no, version) JOIN purposes p USING (purpose_no)
WHERE s.run_no = $1::bigint AND s.state = 'done' AND EXISTS (SELECT FROM users)
  AND NOT EXISTS (SELECT FROM consent c WHERE c.purpose_no = p.purpose_no AND c.granted)
