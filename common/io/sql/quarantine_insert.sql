INSERT INTO quarantine (source, topic_no, lane, log_offset, load_no, line, reason, detail, message)
SELECT $1, i.topic_no, i.lane, i.log_offset, i.load_no, i.line, i.reason, i.detail, i.message
FROM unnest($2::smallint[], $3::integer[], $4::bigint[], $5::integer[], $6::bigint[], $7::text[], $8::text[], $9::bytea[])
     AS i (topic_no, lane, log_offset, load_no, line, reason, detail, message)
ON CONFLICT DO NOTHING
