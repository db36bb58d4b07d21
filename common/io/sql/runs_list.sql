SELECT r.run_no::text, r.state,
       to_char(to_timestamp(r.as_of / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
       to_char(r.begun_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
       to_char(extract(epoch FROM coalesce(r.activated_at, s.finished_at, r.begun_at) - r.begun_at), 'FM999999990.0'),
       coalesce(e.rows, 0)::text, coalesce(g.segments, 0)::text, coalesce(g.failed, 0)::text,
       coalesce(g.members, 0)::text, coalesce(g.excluded, 0)::text,
       coalesce(s.last_step, ''), r.tz_version
FROM runs r
LEFT JOIN (SELECT run_no, sum(rows) AS rows FROM run_steps WHERE step = 'collect' AND lane >= 0 GROUP BY run_no) e
       USING (run_no)
LEFT JOIN (SELECT run_no, count(*) AS segments, count(*) FILTER (WHERE state = 'failed') AS failed,
                  sum(members) AS members, sum(excluded) AS excluded
           FROM run_segments GROUP BY run_no) g USING (run_no)
LEFT JOIN (SELECT run_no, max(finished_at) AS finished_at,
                  (array_agg(step || ' ' || state ORDER BY begun_at DESC, lane DESC))[1] AS last_step
           FROM run_steps GROUP BY run_no) s USING (run_no)
ORDER BY r.run_no DESC
LIMIT $1::bigint
