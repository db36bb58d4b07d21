SELECT topic_no, lane, offset_begin, offset_next, event_time_max, at_end, read_at
FROM archive_progress ORDER BY topic_no, lane
