SELECT run_no, as_of, control_no, tz_version FROM runs WHERE run_no = $1::bigint
