-- The step's row is locked until the lane's records are committed: a process believed dead that still writes this lane is
-- waited for, and what it has finished is not done again.
SELECT 1 FROM run_steps
WHERE run_no = $1::bigint AND step = $3 AND lane = $2::integer AND state <> 'done'
FOR UPDATE
