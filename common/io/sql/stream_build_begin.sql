-- The next build of a version ($3 its life). No row: another process has begun it.
INSERT INTO builds (segment_no, version, life, history) VALUES ($1::integer, $2::integer, $3::integer, $4)
ON CONFLICT (segment_no, version, life) DO NOTHING RETURNING build_no, life, history
