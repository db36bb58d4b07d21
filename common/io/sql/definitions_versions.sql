-- Given versions ($1 segment numbers, $2 their versions) and all they refer to, as they fixed it.
WITH RECURSIVE wanted (segment_no, version) AS (
    SELECT * FROM unnest($1::integer[], $2::integer[])
    UNION
    SELECT r.to_segment_no, r.to_version
    FROM wanted w JOIN definition_references r ON r.segment_no = w.segment_no AND r.version = w.version
)
SELECT s.segment_no, s.segment_id, d.version, d.purpose_no, encode(d.sha256, 'hex'), d.document
FROM wanted w
JOIN definitions d ON d.segment_no = w.segment_no AND d.version = w.version
JOIN segments s ON s.segment_no = d.segment_no
ORDER BY s.segment_id, d.version
