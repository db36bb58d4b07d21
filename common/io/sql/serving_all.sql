COPY (SELECT i.user_id, v.history_id, s.segment_id, m.valid_until
      FROM members m
      JOIN (SELECT user_no, max(history_id) AS history_id FROM history GROUP BY user_no) v USING (user_no)
      JOIN user_ids i USING (user_no)
      JOIN segments s USING (segment_no)
      ORDER BY i.user_id, s.segment_id) TO STDOUT (FORMAT binary)
