SELECT p.purpose, CASE WHEN c.granted AND p.objection THEN 'no objection' WHEN c.granted THEN 'granted'
                       WHEN p.objection THEN 'objected' ELSE 'withdrawn' END,
       nullif(c.changed_at, -9223372036854775808), CASE WHEN c.granted THEN c.grant_no END,
       CASE WHEN c.changed_at = -9223372036854775808 THEN 'default'
            ELSE (SELECT source FROM consent_changes x
                  WHERE x.user_no = c.user_no AND x.purpose_no = c.purpose_no ORDER BY change_no DESC LIMIT 1) END
FROM consent c JOIN purposes p USING (purpose_no)
WHERE c.user_no = $1::bigint
ORDER BY p.purpose COLLATE "C", p.objection
