-- One line per thing worth knowing; instants are written as RFC 3339 here, since columns mix.
WITH lines (place, what, subject, state, detail) AS (
    SELECT 1, 'lane', lane::text,
           CASE WHEN epoch = 0 THEN 'never owned'
                ELSE 'watermark ' || coalesce(to_char(to_timestamp(watermark / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                                              'none') END,
           format('step %s, epoch %s, updated %s s ago', step, epoch, round(extract(epoch FROM clock_timestamp() - updated_at)))
    FROM lanes
    UNION ALL
    SELECT 2, 'archive', (ARRAY ['events', 'profiles', 'consent'])[topic_no + 1] || '/' || lane,
           'offset ' || offset_next, CASE WHEN at_end THEN 'read to the end' ELSE '' END
    FROM archive_progress
    UNION ALL
    SELECT 3, 'load', load_no::text, state, format('%s: %s events, %s quarantined', source, events, quarantined) FROM loads
    UNION ALL
    SELECT 4, 'run', r.run_no::text, r.state,
           format('as of %s, %s segments, %s members%s%s',
                  to_char(to_timestamp(r.as_of / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), count(s.*),
                  coalesce(sum(s.members), 0),
                  coalesce(', failed: ' || string_agg(g.segment_id, ' ' ORDER BY g.segment_id) FILTER (WHERE s.state = 'failed'), ''),
                  ', time zones ' || nullif(r.tz_version, ''))
    FROM (SELECT * FROM runs ORDER BY run_no DESC LIMIT 5) r
    LEFT JOIN run_segments s USING (run_no) LEFT JOIN segments g USING (segment_no)
    GROUP BY r.run_no, r.state, r.as_of, r.tz_version
    UNION ALL
    SELECT 5, 'segment', g.segment_id,
           CASE WHEN n.retired_at IS NOT NULL
                THEN 'retired since ' || to_char(n.retired_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
                WHEN i.version IS NULL THEN 'not in force yet' ELSE 'version ' || i.version || ' in force' END,
           concat_ws(', ', CASE WHEN i.version IS NOT NULL THEN 'build ' || f.build_no END,
                     CASE WHEN i.version IS NOT NULL THEN 'run ' || f.run_no END,
                     (SELECT count(*) || ' members' FROM members m WHERE m.segment_no = g.segment_no),
                     CASE WHEN n.version > f.version AND n.retired_at IS NULL THEN 'version ' || n.version || ' pending' END)
    FROM segments g
    LEFT JOIN in_force f USING (segment_no)
    LEFT JOIN definitions i ON i.segment_no = f.segment_no AND i.version = f.version AND i.retired_at IS NULL
    LEFT JOIN LATERAL (SELECT version, retired_at FROM definitions d WHERE d.segment_no = g.segment_no ORDER BY version DESC LIMIT 1) n
        ON true
    UNION ALL
    SELECT 6, 'build', b.build_no::text, CASE WHEN d.retired_at IS NOT NULL OR EXISTS (SELECT FROM builds x WHERE x.segment_no = b.segment_no AND (x.version, x.life) > (b.version, b.life))
                     THEN 'ended' WHEN bool_and(l.ready) THEN 'ready' ELSE 'catching up' END,
           format('%s version %s, life %s, history from the %s, ready in %s of %s lanes%s', g.segment_id, b.version, b.life, b.history,
                  count(*) FILTER (WHERE l.ready), count(l.lane),
                  ', time zones ' || string_agg(DISTINCT nullif(l.tz_version, ''), ' and '))
    FROM builds b JOIN segments g USING (segment_no) JOIN definitions d USING (segment_no, version) LEFT JOIN build_lanes l USING (build_no)
    GROUP BY b.build_no, b.segment_no, b.version, b.life, b.history, g.segment_id, d.retired_at
    UNION ALL
    SELECT 7, 'uncertain', g.segment_id, count(*) || ' users', 'left to the batch'
    FROM audience a JOIN lanes l ON a.lane = l.lane AND a.s_uncertain_until > coalesce(l.watermark, -9223372036854775808)
    JOIN segments g USING (segment_no)
    GROUP BY g.segment_id
    UNION ALL
    SELECT 8, 'alert', a.kind || ' ' || a.subject, a.state, a.message FROM alerts a WHERE a.state = 'raised'
    UNION ALL
    SELECT 9, 'quarantine', q.reason, count(*)::text, 'from ' || string_agg(DISTINCT q.source, ', ') FROM quarantine q GROUP BY q.reason
    UNION ALL
    SELECT 10, 'erasure', '#' || c.user_no, 'pending', format('control line %s', c.control_no)
    FROM control c WHERE c.kind = 'erasure_requested'
    UNION ALL
    SELECT 11, 'ledger', coalesce(max(block_no), 0)::text, coalesce(max(last_id), 0) || ' rows sealed',
           (SELECT count(*) FROM history h WHERE h.history_id > coalesce(max(b.last_id), 0)) || ' waiting'
    FROM blocks b
    UNION ALL
    SELECT 12, 'publication', target, 'up to history row ' || history_id,
           format('rebuild %s, %s removals waiting', rebuild_no, (SELECT count(*) FROM removals))
    FROM publication
    UNION ALL
    SELECT 13, 'dropped', source, sum(row_count)::text, 'records whose consent had ended' FROM dropped_records GROUP BY source
    UNION ALL
    SELECT 14, 'reconciler', 'pass ' || pass_no, coalesce('last ' || round(extract(epoch FROM clock_timestamp() - passed_at)) || ' s ago', 'never ran'),
           format('control line %s of %s', s.control_no, h.control_no)
    FROM reconcile_state s, control_head h
)
SELECT what, subject, state, detail FROM lines ORDER BY place, length(subject), subject COLLATE "C"
