SELECT control_append($1, nullif($2::integer, 0), nullif($3::integer, 0), nullif($4::integer, 0), nullif($5::bigint, 0),
                      nullif($6::integer, 0), nullif($7::integer, -1), $8::bigint, $9)
