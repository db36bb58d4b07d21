-- One version of a segment ($1 its id, $2 the version, NULL: the newest), what it refers to, and who retired it.
SELECT d.version, i.version, (SELECT max(n.version) FROM definitions n WHERE n.segment_no = s.segment_no), d.evaluation, d.merge,
       p.purpose, p.objection, to_char(d.applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), d.author,
       d.commit_id, d.retired_at IS NOT NULL, encode(d.sha256, 'hex'), d.document,
       (SELECT string_agg(t.segment_id || '@' || r.to_version, ', ' ORDER BY t.segment_id)
        FROM definition_references r JOIN segments t ON t.segment_no = r.to_segment_no
        WHERE r.segment_no = d.segment_no AND r.version = d.version),
       to_char(d.retired_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
       CASE WHEN d.retired_at IS NOT NULL THEN
           (SELECT c.detail FROM control c
            WHERE c.kind = 'definition_retired' AND c.segment_no = d.segment_no AND c.version >= d.version
            ORDER BY c.control_no LIMIT 1)
       END
FROM segments s
JOIN definitions d ON d.segment_no = s.segment_no
LEFT JOIN purposes p ON p.purpose_no = d.purpose_no
LEFT JOIN in_force f ON f.segment_no = s.segment_no
LEFT JOIN definitions i ON i.segment_no = f.segment_no AND i.version = f.version AND i.retired_at IS NULL
WHERE s.segment_id = $1 AND ($2::integer IS NULL OR d.version = $2::integer)
ORDER BY d.version DESC
LIMIT 1
