-- The version of a segment ($1) that is in force, or else its newest.
SELECT coalesce((SELECT f.version FROM in_force f WHERE f.segment_no = $1::integer),
                (SELECT max(d.version) FROM definitions d WHERE d.segment_no = $1::integer))
