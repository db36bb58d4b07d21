SELECT load_no, state = 'completed', line_next, events, quarantined FROM loads
WHERE sha256 = $1::bytea AND coalesce(mapping, '\x'::bytea) = coalesce($2::bytea, '\x'::bytea)
