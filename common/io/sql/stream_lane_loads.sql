INSERT INTO lane_loads (lane, load_no) SELECT l, n FROM unnest($1::integer[]) AS l CROSS JOIN unnest($2::integer[]) AS n
ON CONFLICT DO NOTHING
