SELECT g.segment_id, d.kind, d.run_no, d.at, CASE WHEN d.comparable THEN 'yes' ELSE 'not yet: ' || d.reason END,
       CASE WHEN d.comparable OR d.kind = 'raw' THEN d.batch_members END, CASE WHEN d.comparable OR d.kind = 'raw' THEN d.stream_members END,
       CASE WHEN d.comparable OR d.kind = 'raw' THEN d.only_batch END, CASE WHEN d.comparable OR d.kind = 'raw' THEN d.only_stream END,
       -- what cannot be compared yet never looks like agreement
       CASE WHEN d.comparable THEN (d.jaccard_micros / 1000000) || '.' || lpad((d.jaccard_micros % 1000000)::text, 6, '0') END, d.causes,
       (extract(epoch FROM d.measured_at) * 1000)::bigint,
       CASE WHEN EXISTS (SELECT FROM alerts a WHERE a.kind = 'divergence' AND a.subject = g.segment_id AND a.state = 'raised')
            THEN 'raised' ELSE '' END
FROM (SELECT DISTINCT ON (segment_no, kind) * FROM divergence
      WHERE $1::integer IS NULL OR segment_no = $1::integer
      ORDER BY segment_no, kind, divergence_no DESC) d
JOIN segments g USING (segment_no)
ORDER BY g.segment_id, d.kind DESC
