-- A segment ($1 its id): number, newest version, whether that is retired, and the segments whose newest version refers to it.
WITH newest AS (
    SELECT DISTINCT ON (segment_no) segment_no, version, retired_at FROM definitions ORDER BY segment_no, version DESC
)
SELECT s.segment_no, n.version, n.retired_at IS NOT NULL,
       (SELECT string_agg(g.segment_id, ', ' ORDER BY g.segment_id)
        FROM newest m
        JOIN definition_references r ON r.segment_no = m.segment_no AND r.version = m.version
        JOIN segments g ON g.segment_no = m.segment_no
        WHERE r.to_segment_no = s.segment_no AND m.retired_at IS NULL)
FROM segments s JOIN newest n ON n.segment_no = s.segment_no
WHERE s.segment_id = $1
