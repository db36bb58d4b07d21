SELECT control_no, kind, coalesce(segment_no, 0), coalesce(version, 0), coalesce(user_no, 0), coalesce(purpose_no, 0),
       coalesce(grant_no, 0), coalesce(load_no, 0), coalesce(run_no, 0), coalesce(build_no, 0), coalesce(lane, -1), at, detail
FROM control WHERE control_no > $1::bigint ORDER BY control_no LIMIT 10000
