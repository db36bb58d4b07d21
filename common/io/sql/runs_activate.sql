UPDATE runs SET state = 'activated', activated_at = clock_timestamp()
WHERE run_no = $1::bigint AND state = 'running'
RETURNING 1
