-- Users of a lane whom time concerns: a membership that has ended by itself, an uncertainty that is over.
SELECT segment_no, user_no FROM audience
WHERE lane = $1::integer AND member AND valid_until <= $2::bigint
UNION
SELECT segment_no, user_no FROM audience
WHERE lane = $1::integer AND s_uncertain_until > $3::bigint AND s_uncertain_until <= $4::bigint
