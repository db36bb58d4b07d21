INSERT INTO build_lanes (build_no, lane, complete_from, ready, ready_at)
VALUES ($1::integer, $2::integer, $3::bigint, true, clock_timestamp())
ON CONFLICT (build_no, lane) DO UPDATE SET complete_from = excluded.complete_from, ready = true, ready_at = excluded.ready_at
