SELECT history_id, history_canonical(h) FROM history h
WHERE history_id > $1::bigint AND history_id <= $2::bigint ORDER BY history_id
