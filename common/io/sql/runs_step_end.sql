UPDATE run_steps SET state = $4, rows = $5::bigint, detail = $6, finished_at = clock_timestamp()
WHERE run_no = $1::bigint AND step = $2 AND lane = $3::integer AND state <> 'done'
RETURNING 1
