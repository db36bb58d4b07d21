INSERT INTO runs (as_of, snapshot_at, control_no, program, tz_version)
VALUES ($1::bigint, transaction_timestamp(), $2::bigint, $3, $4)
RETURNING run_no
