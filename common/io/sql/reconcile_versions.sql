-- All versions that are not retired, or are and still in force, newest first, each with its builds, newest first, and last without any (0).
SELECT d.segment_no, d.version, b.build_no, d.evaluation, d.merge, coalesce(d.purpose_no, 0), s.segment_id, d.document, d.retired_at IS NOT NULL
FROM definitions d
JOIN segments s USING (segment_no)
CROSS JOIN LATERAL (SELECT build_no FROM builds x WHERE x.segment_no = d.segment_no AND x.version = d.version
                    UNION ALL SELECT 0) b
WHERE d.retired_at IS NULL OR EXISTS (SELECT FROM in_force f WHERE f.segment_no = d.segment_no AND f.version = d.version)
ORDER BY d.segment_no, d.version DESC, b.build_no DESC
