UPDATE run_segments SET members = members + $3::bigint, excluded = excluded + $4::bigint
WHERE run_no = $1::bigint AND segment_no = $2::integer
