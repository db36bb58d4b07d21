INSERT INTO run_coverage (run_no, topic_no, lane, offset_last)
SELECT $1::bigint, topic_no, lane, offset_next - 1 FROM archive_progress
