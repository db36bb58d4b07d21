-- The newest build of a version.
SELECT build_no, life, history FROM builds WHERE segment_no = $1::integer AND version = $2::integer ORDER BY life DESC LIMIT 1
