SELECT h.history_id, g.segment_id, coalesce(k.user_id, '#' || h.user_no), h.change, h.member::text, h.valid_from, h.entered_at, h.valid_until,
       h.decision, h.version, h.build_no, h.run_no,
       CASE WHEN h.step IS NOT NULL THEN 'lane ' || h.lane || ' step ' || h.step || ' seq ' || h.seq END,
       b.block_no, (extract(epoch FROM b.recorded_at) * 1000)::bigint, h.detail
FROM history h
JOIN segments g USING (segment_no)
LEFT JOIN user_ids k USING (user_no)
LEFT JOIN LATERAL (SELECT block_no, recorded_at FROM blocks WHERE last_id >= h.history_id ORDER BY block_no LIMIT 1) b ON true
WHERE ($1::bigint IS NULL OR h.user_no = $1::bigint) AND ($2::integer IS NULL OR h.segment_no = $2::integer)
ORDER BY h.history_id
