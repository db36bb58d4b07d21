-- The newest version of every segment, and the one in force.
SELECT s.segment_id, d.version, f.version, d.evaluation, d.merge, p.purpose, p.objection,
       to_char(d.applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), d.author, d.commit_id,
       d.retired_at IS NOT NULL
FROM segments s
JOIN LATERAL (SELECT * FROM definitions n WHERE n.segment_no = s.segment_no ORDER BY n.version DESC LIMIT 1) d ON true
LEFT JOIN purposes p ON p.purpose_no = d.purpose_no
LEFT JOIN in_force f ON f.segment_no = s.segment_no
ORDER BY s.segment_id
