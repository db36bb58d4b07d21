SELECT sum(batch_lane_clear($1::bigint, lane, $2::integer)) FROM lanes
