INSERT INTO divergence (segment_no, run_no, kind, comparable, reason, at, batch_members, stream_members, only_batch, only_stream,
                        jaccard_micros, causes)
VALUES ($1::integer, $2::bigint, $3, $4::boolean, $5, $6::bigint, $7::bigint, $8::bigint, $9::bigint, $10::bigint, $11::bigint, $12)
