UPDATE run_segments SET state = 'done' WHERE run_no = $1::bigint AND state <> 'failed'
