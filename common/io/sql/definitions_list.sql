-- The newest version of every segment, the one in force (one that is retired is not), and when it was retired.
SELECT s.segment_id, d.version, i.version, d.evaluation, d.merge, p.purpose, p.objection,
       to_char(d.applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), d.author, d.commit_id,
       to_char(d.retired_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
FROM segments s
JOIN LATERAL (SELECT * FROM definitions n WHERE n.segment_no = s.segment_no ORDER BY n.version DESC LIMIT 1) d ON true
LEFT JOIN purposes p ON p.purpose_no = d.purpose_no
LEFT JOIN in_force f ON f.segment_no = s.segment_no
LEFT JOIN definitions i ON i.segment_no = f.segment_no AND i.version = f.version AND i.retired_at IS NULL
ORDER BY s.segment_id
