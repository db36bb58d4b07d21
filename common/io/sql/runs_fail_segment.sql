UPDATE run_segments SET state = 'failed', reason = $3, members = 0, excluded = 0
WHERE run_no = $1::bigint AND segment_no = $2::integer
