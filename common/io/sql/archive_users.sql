-- All archived messages user by user, each user's in the order of "the first in the log" (archive.h), those of loads under way left out.
SELECT user_no, message FROM archive
WHERE load_no IS NULL OR load_no IN (SELECT l.load_no FROM loads l WHERE l.state = 'completed')
ORDER BY user_no, load_no NULLS LAST, line, topic_no, log_offset
