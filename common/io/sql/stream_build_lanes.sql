SELECT build_no, complete_from, history_begin[1], history_begin[2], history_begin[3], tz_version
FROM build_lanes WHERE lane = $1::integer AND ready
