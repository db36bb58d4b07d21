SELECT l.lane, l.epoch, l.step, l.watermark, coalesce(r.step, 0), r.watermark
FROM lanes l LEFT JOIN reconcile_lanes r USING (lane)
ORDER BY l.lane
