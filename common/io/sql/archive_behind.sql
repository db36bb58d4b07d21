-- How many messages of a user's ($1) lane the stream has read that are not archived.
SELECT coalesce(sum(greatest(p.offset_next - coalesce(a.offset_next, 0), 0)), 0)::bigint
FROM users u
JOIN lane_progress p ON p.lane = u.lane
LEFT JOIN archive_progress a ON a.lane = p.lane AND a.topic_no = p.topic_no
WHERE u.user_no = $1::bigint
