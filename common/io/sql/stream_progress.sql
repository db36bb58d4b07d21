SELECT lane, topic_no, offset_next, event_time_max FROM lane_progress WHERE lane = ANY ($1::integer[])
