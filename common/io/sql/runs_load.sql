SELECT run_no, as_of, control_no FROM runs WHERE run_no = $1::bigint
