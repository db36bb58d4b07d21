-- The number of a segment ($1 its id), made on first use. The caller holds the lock of the definitions.
WITH made AS (
    INSERT INTO segments (segment_id)
    SELECT $1 WHERE NOT EXISTS (SELECT FROM segments WHERE segment_id = $1)
    RETURNING segment_no
)
SELECT segment_no FROM made UNION ALL SELECT segment_no FROM segments WHERE segment_id = $1
