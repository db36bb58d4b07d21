-- The last measurements of a segment that count, newest first.
SELECT batch_members, stream_members, only_batch, only_stream FROM divergence
WHERE segment_no = $1::integer AND kind = $2 AND comparable
ORDER BY divergence_no DESC LIMIT $3::bigint
