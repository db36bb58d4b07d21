-- Loads whose rows in the archive are not as many as the load says it wrote.
WITH held AS (SELECT load_no, count(*) AS row_count FROM archive WHERE load_no IS NOT NULL GROUP BY load_no)
SELECT l.load_no, l.source, l.events, coalesce(h.row_count, 0)
FROM loads l JOIN run_loads r USING (load_no) LEFT JOIN held h USING (load_no)
WHERE r.run_no = $1::bigint AND l.events <> coalesce(h.row_count, 0)
ORDER BY l.load_no
LIMIT 1
