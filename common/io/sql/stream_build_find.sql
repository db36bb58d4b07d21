SELECT build_no FROM builds WHERE segment_no = $1::integer AND version = $2::integer
