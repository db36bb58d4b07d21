SELECT step, CASE WHEN lane < 0 THEN '' ELSE lane::text END, state, rows::text,
       coalesce(to_char(extract(epoch FROM finished_at - begun_at), 'FM999999990.000'), ''), detail
FROM run_steps WHERE run_no = $1::bigint
ORDER BY begun_at, lane
