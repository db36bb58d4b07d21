SELECT l.lane, p.topic_no, p.offset_next, l.watermark,
       (extract(epoch FROM clock_timestamp() - l.updated_at) * 1000)::bigint AS age_ms
FROM lanes l LEFT JOIN lane_progress p USING (lane) ORDER BY l.lane, p.topic_no
