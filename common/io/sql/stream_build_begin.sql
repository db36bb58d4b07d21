INSERT INTO builds (segment_no, version, history) VALUES ($1::integer, $2::integer, $3)
ON CONFLICT (segment_no, version) DO NOTHING RETURNING build_no
