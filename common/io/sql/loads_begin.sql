INSERT INTO loads (sha256, mapping, source) VALUES ($1::bytea, $2::bytea, $3) ON CONFLICT DO NOTHING
