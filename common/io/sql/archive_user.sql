-- One user's archived messages ($1) in the order of "the first in the log" (archive.h), those of loads under way left out.
SELECT message FROM archive
WHERE lane = (SELECT lane FROM users WHERE user_no = $1::bigint) AND user_no = $1::bigint
  AND (load_no IS NULL OR load_no IN (SELECT l.load_no FROM loads l WHERE l.state = 'completed'))
ORDER BY load_no NULLS LAST, line, topic_no, log_offset
