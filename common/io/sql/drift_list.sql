SELECT g.segment_id, d.kind, d.run_no, d.at, CASE WHEN d.comparable THEN 'yes' ELSE 'not yet: ' || d.reason END, d.batch_members,
       d.stream_members, d.only_batch, d.only_stream,
       (d.jaccard_micros / 1000000)::text || '.' || lpad((d.jaccard_micros % 1000000)::text, 6, '0'), d.causes,
       (extract(epoch FROM d.measured_at) * 1000)::bigint,
       CASE WHEN EXISTS (SELECT FROM alerts a WHERE a.kind = 'divergence' AND a.subject = g.segment_id AND a.state = 'raised')
            THEN 'raised' ELSE '' END
FROM (SELECT DISTINCT ON (segment_no, kind) * FROM divergence
      WHERE $1::integer IS NULL OR segment_no = $1::integer
      ORDER BY segment_no, kind, divergence_no DESC) d
JOIN segments g USING (segment_no)
ORDER BY g.segment_id, d.kind DESC
