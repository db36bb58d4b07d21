INSERT INTO run_segments (run_no, segment_no, version, state, reason)
VALUES ($1::bigint, $2::integer, $3::integer, $4, $5)
