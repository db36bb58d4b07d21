UPDATE build_lanes SET tz_version = $3 WHERE build_no = $1::integer AND lane = $2::integer AND tz_version <> $3
