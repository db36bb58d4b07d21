SELECT topic_no, lane, offset_last FROM run_coverage WHERE run_no = $1::bigint ORDER BY topic_no, lane
