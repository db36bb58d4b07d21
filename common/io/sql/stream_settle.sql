-- The end of a step in one statement. The compare-and-set of all lanes of the process: $1 lanes, $2 their epochs, $3 steps,
-- $4 watermarks. Their offsets, where these have moved: $5 lanes, $6 topics, $7 offsets, $8 greatest event times. $9: the control
-- line taken in last. $10: the step has records. Fewer rows than lanes: another process has one, and all must be undone.
WITH mine AS MATERIALIZED (SELECT lane FROM lanes WHERE lane = ANY ($1::integer[]) ORDER BY lane FOR UPDATE),
advanced AS (
    UPDATE lanes l
    SET step = l.step + 1, watermark = n.watermark, control_no = greatest(l.control_no, $9::bigint), updated_at = clock_timestamp()
    FROM mine JOIN unnest($1::integer[], $2::bigint[], $3::bigint[], $4::bigint[]) AS n (lane, epoch, step, watermark) USING (lane)
    WHERE l.lane = n.lane AND l.epoch = n.epoch AND l.step = n.step
    RETURNING l.lane
), progress AS (
    INSERT INTO lane_progress (lane, topic_no, offset_next, event_time_max)
    SELECT * FROM unnest($5::integer[], $6::smallint[], $7::bigint[], $8::bigint[])
    ON CONFLICT (lane, topic_no) DO UPDATE SET offset_next = excluded.offset_next, event_time_max = excluded.event_time_max
), notified AS MATERIALIZED (
    SELECT pg_notify('muster_journal', '') WHERE $10::boolean
)
SELECT a.lane FROM advanced a LEFT JOIN notified ON true
