-- From here on no earlier owner of these lanes can write: its steps compare the epoch. Locked in order, so that two
-- processes that begin at once do not deadlock.
WITH mine AS MATERIALIZED (SELECT lane FROM lanes WHERE lane = ANY ($1::integer[]) ORDER BY lane FOR UPDATE)
UPDATE lanes l SET epoch = l.epoch + 1 FROM mine WHERE l.lane = mine.lane
RETURNING l.lane, l.epoch, l.step, l.watermark, l.control_no
