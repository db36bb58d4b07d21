-- Each row says what holds from its valid_from on, and a later row has the last word. $3: rows the ledger had sealed by then.
SELECT g.segment_id, coalesce(k.user_id, '#' || h.user_no), h.entered_at, h.valid_until
FROM (SELECT DISTINCT ON (segment_no, user_no) segment_no, user_no, member, entered_at, valid_until
      FROM history
      WHERE ($1::integer IS NULL OR segment_no = $1::integer) AND valid_from <= $2::bigint
        AND ($3::timestamptz IS NULL
             OR history_id <= (SELECT coalesce(max(last_id), 0) FROM blocks WHERE recorded_at <= $3::timestamptz))
      ORDER BY segment_no, user_no, history_id DESC) h
JOIN segments g USING (segment_no)
LEFT JOIN user_ids k USING (user_no)
WHERE h.member AND h.entered_at <= $2::bigint AND (h.valid_until IS NULL OR h.valid_until > $2::bigint)
ORDER BY g.segment_id, coalesce(k.user_id, '#' || h.user_no) COLLATE "C"
