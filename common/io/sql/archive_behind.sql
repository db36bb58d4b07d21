-- How many messages the stream has read that are not archived: of a user's ($1) lane, or of all lanes ($2).
SELECT coalesce(sum(greatest(p.offset_next - coalesce(a.offset_next, 0), 0)), 0)::bigint
FROM lane_progress p
LEFT JOIN archive_progress a ON a.lane = p.lane AND a.topic_no = p.topic_no
WHERE $2::boolean OR p.lane = (SELECT u.lane FROM users u WHERE u.user_no = $1::bigint)
