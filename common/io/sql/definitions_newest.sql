-- The newest version of every segment that is not retired.
SELECT s.segment_no, s.segment_id, d.version, d.purpose_no, encode(d.sha256, 'hex'), d.document
FROM segments s
JOIN LATERAL (SELECT * FROM definitions n WHERE n.segment_no = s.segment_no ORDER BY n.version DESC LIMIT 1) d ON true
WHERE d.retired_at IS NULL
ORDER BY s.segment_id
