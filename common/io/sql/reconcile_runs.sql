-- R of every version: of the activated runs that evaluated it in full, the greatest (as_of, snapshot_at).
SELECT DISTINCT ON (rs.segment_no, rs.version)
       rs.segment_no, rs.version, r.run_no, r.as_of, r.control_no,
       (extract(epoch FROM r.snapshot_at) * 1000000)::bigint, (extract(epoch FROM r.activated_at) * 1000000)::bigint,
       EXISTS (SELECT 1 FROM run_coverage c WHERE c.run_no = r.run_no)
           OR EXISTS (SELECT 1 FROM run_loads l WHERE l.run_no = r.run_no)
FROM run_segments rs
JOIN runs r USING (run_no)
WHERE r.state = 'activated' AND NOT r.backfill AND rs.state = 'done'
ORDER BY rs.segment_no, rs.version, r.as_of DESC, r.snapshot_at DESC, r.run_no DESC
