-- All versions that are not retired, newest first, with the build of each.
SELECT d.segment_no, d.version, coalesce(b.build_no, 0), d.evaluation, d.merge, coalesce(d.purpose_no, 0), s.segment_id, d.document
FROM definitions d
JOIN segments s USING (segment_no)
LEFT JOIN LATERAL (SELECT max(build_no) AS build_no FROM builds b
                   WHERE b.segment_no = d.segment_no AND b.version = d.version) b ON true
WHERE d.retired_at IS NULL
ORDER BY d.segment_no, d.version DESC
