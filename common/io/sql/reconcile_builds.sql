-- What each lane says of each build.
SELECT b.segment_no, b.version, b.build_no, l.lane, l.ready, coalesce(l.complete_from, -9223372036854775808),
       (extract(epoch FROM l.ready_at) * 1000000)::bigint, l.offsets_ready[1], l.offsets_ready[2], l.offsets_ready[3]
FROM builds b JOIN build_lanes l USING (build_no)
