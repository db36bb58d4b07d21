SELECT g.segment_id, coalesce(k.user_id, '#' || m.user_no), m.entered_at, m.valid_until
FROM members m JOIN segments g USING (segment_no) LEFT JOIN user_ids k USING (user_no)
WHERE $1::integer IS NULL OR m.segment_no = $1::integer
ORDER BY g.segment_id, coalesce(k.user_id, '#' || m.user_no) COLLATE "C"
