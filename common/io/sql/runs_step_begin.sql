INSERT INTO run_steps (run_no, step, lane, state) VALUES ($1::bigint, $2, $3::integer, 'running')
ON CONFLICT (run_no, step, lane) DO UPDATE
SET state = 'running', begun_at = clock_timestamp(), finished_at = NULL, rows = 0, detail = ''
WHERE run_steps.state <> 'done'
RETURNING 1
