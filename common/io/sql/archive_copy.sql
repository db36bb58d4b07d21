COPY archive (lane, user_no, event_time, topic_no, log_offset, load_no, line, message) FROM STDIN (FORMAT binary)
