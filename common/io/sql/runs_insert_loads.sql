INSERT INTO run_loads (run_no, load_no)
SELECT $1::bigint, load_no FROM loads WHERE state = 'completed'
