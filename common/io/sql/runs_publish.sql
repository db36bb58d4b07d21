WITH counted AS (
    SELECT segment_no, count(*) FILTER (WHERE member) AS members, count(*) FILTER (WHERE NOT member) AS excluded
    FROM batch_journal WHERE run_no = $1::bigint GROUP BY segment_no)
UPDATE run_segments r
SET state = 'done', members = coalesce(c.members, 0), excluded = coalesce(c.excluded, 0)
FROM run_segments s LEFT JOIN counted c ON c.segment_no = s.segment_no
WHERE s.run_no = $1::bigint AND r.run_no = s.run_no AND r.segment_no = s.segment_no AND r.state <> 'failed'
