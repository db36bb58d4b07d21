INSERT INTO reconcile_covered (segment_no, lane, run_no, build_no, complete, covered)
VALUES ($1::integer, $2::integer, nullif($3::bigint, 0), nullif($4::integer, 0), $5::boolean, $6::boolean)
ON CONFLICT (segment_no, lane) DO UPDATE
SET run_no = EXCLUDED.run_no, build_no = EXCLUDED.build_no, complete = EXCLUDED.complete, covered = EXCLUDED.covered
