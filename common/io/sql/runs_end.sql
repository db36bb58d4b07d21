UPDATE runs SET state = $2 WHERE run_no <= $1::bigint AND state = 'running'
