SELECT block_no, last_id, row_count, encode(hash, 'hex') FROM blocks ORDER BY block_no DESC LIMIT 1
