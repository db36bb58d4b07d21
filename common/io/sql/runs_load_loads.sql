SELECT load_no FROM run_loads WHERE run_no = $1::bigint ORDER BY load_no
