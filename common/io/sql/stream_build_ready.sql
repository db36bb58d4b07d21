-- $1 build, $2 lane, $3 complete from, $4-$6 where the history of each topic began, $7-$9 the lane's next offsets, $10 the version of
-- the time zone database.
INSERT INTO build_lanes (build_no, lane, complete_from, ready, ready_at, history_begin, offsets_ready, tz_version)
VALUES ($1::integer, $2::integer, $3::bigint, true, clock_timestamp(), ARRAY[$4::bigint, $5::bigint, $6::bigint],
        ARRAY[$7::bigint, $8::bigint, $9::bigint], $10)
ON CONFLICT (build_no, lane) DO UPDATE
SET complete_from = excluded.complete_from, ready = true, ready_at = excluded.ready_at, history_begin = excluded.history_begin,
    offsets_ready = excluded.offsets_ready, tz_version = excluded.tz_version
