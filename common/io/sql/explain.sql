-- Everything that bears on one user and segment, in one row.
SELECT
    -- 0-7: definition in force
    f.version, f.build_no, f.run_no, d.document, d.author, (extract(epoch FROM d.applied_at) * 1000)::bigint, d.evaluation, d.merge,
    -- 8-12: consent
    p.purpose, p.objection, c.granted, nullif(c.changed_at, -9223372036854775808), c.grant_no,
    -- 13-20: verdict
    a.user_no IS NOT NULL, coalesce(a.member, false), a.entered_at, a.valid_until, a.valid_from, a.decision,
    EXISTS (SELECT FROM members m WHERE m.segment_no = g.segment_no AND m.user_no = u.user_no), a.history_id,
    -- 21-26: the run and its record
    r.as_of, (extract(epoch FROM r.activated_at) * 1000)::bigint, b.user_no IS NOT NULL, b.member, b.entered_at, b.valid_until,
    -- 27-36: stream evidence
    a.s_step, a.s_seq, a.s_member, a.s_entered_at, a.s_effective_at, a.s_valid_until, a.s_certain, a.s_uncertain_until,
    a.s_positions::text, (extract(epoch FROM a.s_written_at) * 1000)::bigint,
    -- 37-42: lane
    u.lane, l.watermark, x.ready, x.complete_from, y.covered, y.complete,
    -- 43-45: ledger
    h.change, k.block_no, (extract(epoch FROM k.recorded_at) * 1000)::bigint,
    -- 46: newest version
    (SELECT max(version) FROM definitions n WHERE n.segment_no = g.segment_no),
    -- 47: when the version was retired
    (extract(epoch FROM d.retired_at) * 1000)::bigint
FROM segments g
JOIN users u ON u.user_no = $2::bigint
LEFT JOIN in_force f ON f.segment_no = g.segment_no
LEFT JOIN definitions d ON d.segment_no = f.segment_no AND d.version = f.version
LEFT JOIN purposes p ON p.purpose_no = d.purpose_no
LEFT JOIN consent c ON c.user_no = u.user_no AND c.purpose_no = d.purpose_no
LEFT JOIN audience a ON a.segment_no = g.segment_no AND a.user_no = u.user_no
LEFT JOIN runs r ON r.run_no = f.run_no
LEFT JOIN batch_records b ON b.run_no = f.run_no AND b.segment_no = g.segment_no AND b.user_no = u.user_no
LEFT JOIN lanes l ON l.lane = u.lane
LEFT JOIN build_lanes x ON x.build_no = f.build_no AND x.lane = u.lane
LEFT JOIN reconcile_covered y ON y.segment_no = g.segment_no AND y.lane = u.lane
LEFT JOIN history h ON h.history_id = a.history_id
LEFT JOIN LATERAL (SELECT block_no, recorded_at FROM blocks WHERE last_id >= a.history_id ORDER BY block_no LIMIT 1) k ON true
WHERE g.segment_no = $1::integer
