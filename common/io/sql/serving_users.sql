-- The memberships of some users as they are now, a row each (segment NULL: none), and the user's largest history id, by which
-- writes to the serving layer are ordered.
SELECT i.user_id,
       coalesce((SELECT max(h.history_id) FROM history h WHERE h.user_no = i.user_no), 0),
       s.segment_id, m.valid_until
FROM user_ids i
LEFT JOIN (SELECT * FROM members WHERE user_no = ANY ($1::bigint[])) m ON m.user_no = i.user_no
LEFT JOIN segments s ON s.segment_no = m.segment_no
WHERE i.user_no = ANY ($1::bigint[])
ORDER BY i.user_id, s.segment_id
