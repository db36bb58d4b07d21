INSERT INTO in_force (segment_no, version, build_no, run_no)
VALUES ($1::integer, $2::integer, nullif($3::integer, 0), nullif($4::bigint, 0))
ON CONFLICT (segment_no) DO UPDATE
SET since = CASE WHEN (in_force.version, coalesce(in_force.build_no, 0))
                      IS DISTINCT FROM (EXCLUDED.version, coalesce(EXCLUDED.build_no, 0))
                 THEN clock_timestamp() ELSE in_force.since END,
    version = EXCLUDED.version, build_no = EXCLUDED.build_no, run_no = EXCLUDED.run_no
