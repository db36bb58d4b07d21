-- The next version of a segment: $1 its number, $2 document, $3 SHA-256, $4 author, $5 commit, $6 purpose, $7 lawful basis,
-- $8 evaluation, $9 merge.
INSERT INTO definitions (segment_no, version, document, sha256, author, commit_id, purpose_no, evaluation, merge)
SELECT $1::integer, coalesce((SELECT max(version) FROM definitions WHERE segment_no = $1::integer), 0) + 1, $2::text, $3::bytea,
       $4::text, $5::text, purpose_ensure($6::text, $7::text), $8::text, $9::text
RETURNING version
