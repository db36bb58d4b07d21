-- The compare-and-set of a step, all lanes of the process at once: $1 lanes, $2 their epochs, $3 steps, $4 watermarks.
WITH mine AS MATERIALIZED (SELECT lane FROM lanes WHERE lane = ANY ($1::integer[]) ORDER BY lane FOR UPDATE)
UPDATE lanes l
SET step = l.step + 1, watermark = n.watermark, control_no = greatest(l.control_no, $5::bigint), updated_at = clock_timestamp()
FROM mine JOIN unnest($1::integer[], $2::bigint[], $3::bigint[], $4::bigint[]) AS n (lane, epoch, step, watermark) USING (lane)
WHERE l.lane = n.lane AND l.epoch = n.epoch AND l.step = n.step
RETURNING l.lane
