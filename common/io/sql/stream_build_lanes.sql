SELECT build_no, complete_from FROM build_lanes WHERE lane = $1::integer AND ready
